//! A model server on loopback that speaks chat completions, breaks answers on request, and remembers what it was asked.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Calls of one episode: tool calls, then the answer.
pub const CALLS: usize = 5;

/// Most texts that may end a reply; a request with more is rejected.
const STOPS: usize = 4;

/// A way to break an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    TooMany,
    ServerError,
    Hang,
    Truncate,
    Malformed,
    Drip,
    Reset,
    /// The request itself is refused: no retry mends it.
    Reject,
}

impl Fault {
    /// Those that may pass.
    pub const ALL: [Self; 7] = [Self::TooMany, Self::ServerError, Self::Hang, Self::Truncate, Self::Malformed, Self::Drip, Self::Reset];
}

/// Which answers are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Fair,
    /// A fifth of them, in one way.
    Fifth(Fault),
    /// A twentieth in each way.
    All,
    /// Every one, in one way.
    Always(Fault),
}

#[derive(Debug)]
struct State {
    weather: Weather,
    tries: HashMap<u64, u32>,
    asked: Vec<u64>,
    broken: usize,
}

/// The server. Its threads end with the test program.
#[derive(Debug)]
pub struct Loopback {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Loopback {
    /// Starts at a free port; `latency` is slept before each answer.
    pub fn start(weather: Weather, latency: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { weather, tries: HashMap::new(), asked: Vec::new(), broken: 0 }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A client that leaves in the middle, as a killed one does, ends its thread.
                std::thread::spawn(move || serve(&stream, &state, latency).unwrap_or(()));
            }
        });
        Self { address, state }
    }

    /// A settings file with the model `mine`, whose patience is short: a broken answer soon comes to its deadline.
    pub fn hasty_settings(&self) -> String {
        self.settings("deadlines = { connect = 1, first_byte = 0.25, idle = 0.25, whole = 0.5, call = 3 }\n")
    }

    /// A settings file with the model `mine`, whose deadlines no busy machine comes to: no try is made twice.
    pub fn patient_settings(&self) -> String {
        self.settings("")
    }

    fn settings(&self, deadlines: &str) -> String {
        format!("[models.mine]\nbase_url = \"http://{}/v1\"\nmodel = \"m\"\nretry_pause = 0.02\n{deadlines}", self.address)
    }

    pub fn set(&self, weather: Weather) {
        self.state.lock().unwrap().weather = weather;
    }

    /// Answers broken so far.
    pub fn broken(&self) -> usize {
        self.state.lock().unwrap().broken
    }

    /// What was asked so far, in order: the mark that stands in the reply.
    pub fn asked(&self) -> Vec<u64> {
        self.state.lock().unwrap().asked.clone()
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>, latency: Duration) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(1, stream);
    let mut out = stream;
    while let Some(length) = read_head(&mut reader)? {
        // The last byte stays unread for now: closing a socket over unread bytes resets the connection.
        let mut body = vec![0; length - 1];
        reader.read_exact(&mut body)?;
        let (mark, fault) = decide(state, &body);
        std::thread::sleep(latency);
        if fault == Some(Fault::Reset) {
            return Ok(());
        }
        reader.read_exact(&mut [0])?;
        let text = answer(&body, mark);
        match fault {
            None => respond(out, "200 OK", &text)?,
            Some(Fault::TooMany) => respond(out, "429 Too Many Requests\r\nretry-after: 0.05", "{}")?,
            Some(Fault::Reject) => respond(out, "400 Bad Request", r#"{"error":{"message":"no such thing"}}"#)?,
            Some(Fault::ServerError) => respond(out, "500 Oops", "<html>")?,
            Some(Fault::Malformed) => respond(out, "200 OK", &text[..text.len() / 2])?,
            Some(Fault::Truncate) => {
                write!(out, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", text.len(), &text[..text.len() / 2])?;
                return Ok(());
            }
            Some(Fault::Drip) => {
                write!(out, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len())?;
                for piece in text.as_bytes().chunks(text.len().div_ceil(10)) {
                    out.write_all(piece)?;
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            Some(Fault::Hang) => {
                // Until the client leaves.
                let _ = reader.read(&mut [0])?;
                return Ok(());
            }
            Some(Fault::Reset) => return Ok(()),
        }
    }
    Ok(())
}

/// Reads the head of a request; the length of its body, `None` where the client has left.
pub fn read_head(reader: &mut impl BufRead) -> std::io::Result<Option<usize>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            return Ok(Some(length));
        }
    }
}

pub fn respond(mut out: &TcpStream, head: &str, body: &str) -> std::io::Result<()> {
    write!(out, "HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Marks a request, and draws its fault: by what it says and how often it came, not by the order of arrival.
fn decide(state: &Mutex<State>, body: &[u8]) -> (u64, Option<Fault>) {
    let text = String::from_utf8_lossy(body);
    // What comes after depends on the port.
    let said = text.split("\"seed\"").next().unwrap_or_default();
    let mut state = state.lock().unwrap();
    let mark = hash(&said);
    let count = state.tries.entry(mark).or_default();
    *count += 1;
    let draw = hash(&(mark, *count)) % 100;
    let stops = text.split_once("\"stop\":[").and_then(|(_, after)| after.split_once(']')).map_or(0, |(list, _)| list.split(',').count());
    let fault = match state.weather {
        _ if stops > STOPS => Some(Fault::Reject),
        Weather::Fair => None,
        Weather::Fifth(fault) => (draw < 20).then_some(fault),
        Weather::All => Fault::ALL.get(draw as usize / 5).copied(),
        Weather::Always(fault) => Some(fault),
    };
    state.broken += usize::from(fault.is_some());
    state.asked.push(mark);
    (mark, fault)
}

pub fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The next tool call, or the answer; the request's mark is in both.
fn answer(body: &[u8], mark: u64) -> String {
    let turn = String::from_utf8_lossy(body).matches("\"role\":\"assistant\"").count();
    let (message, reason) = if turn < CALLS - 1 {
        let arguments = format!("{{\\\"text\\\":\\\"step {turn}\\\"}}");
        let function = format!(r#"{{"name":"echo","arguments":"{arguments}"}}"#);
        (format!(r#"{{"content":null,"tool_calls":[{{"id":"mark {mark} ","type":"function","function":{function}}}]}}"#), "tool_calls")
    } else {
        (format!(r#"{{"content":"mark {mark} done"}}"#), "stop")
    };
    let usage = r#"{"prompt_tokens":10,"completion_tokens":5}"#;
    format!(r#"{{"model":"m","choices":[{{"message":{message},"finish_reason":"{reason}"}}],"usage":{usage}}}"#)
}
