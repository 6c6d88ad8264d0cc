//! A meta-model on loopback that behaves like a real one: it speaks chat completions or Anthropic's messages, several sessions at once,
//! and what it says follows from the conversation alone. Tests give it a script; it knows its part by the system prompt.

use crate::loopback::{hash, read_head, respond};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::io::{BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the model is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Digester,
    Planner,
    Evolver,
    Critic,
    Single,
}

/// One request as the model understands it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub part: Part,
    /// The first user message.
    pub opening: String,
    /// Replies given before.
    pub turn: usize,
    /// Results of the last reply's calls, in their order.
    pub results: Vec<String>,
    /// Results of every reply.
    pub all: Vec<Vec<String>>,
    /// User messages after the first.
    pub told: Vec<String>,
    /// Names of the tools offered.
    pub tools: Vec<String>,
    /// Most tokens of the reply, where the request bounds them.
    pub most: Option<u64>,
}

/// One reply.
#[derive(Clone, Debug)]
pub struct Say {
    text: String,
    calls: Vec<(String, String)>,
    finish: &'static str,
}

impl Say {
    /// The last word of a session.
    pub fn end(text: &str) -> Self {
        Self { text: text.to_owned(), calls: Vec::new(), finish: "stop" }
    }

    /// A call; more follow with [`Say::and`].
    pub fn call(name: &str, arguments: &Value) -> Self {
        Self::end("").and(name, arguments)
    }

    pub fn and(self, name: &str, arguments: &Value) -> Self {
        self.raw(name, &arguments.to_string())
    }

    /// A call whose arguments are sent as they are.
    pub fn raw(mut self, name: &str, arguments: &str) -> Self {
        self.calls.push((name.to_owned(), arguments.to_owned()));
        self.finish = "tool_calls";
        self
    }

    /// With text before its calls.
    pub fn saying(mut self, text: &str) -> Self {
        text.clone_into(&mut self.text);
        self
    }

    /// What the provider's filter leaves of a reply.
    pub fn refusal(text: &str) -> Self {
        Self { finish: "content_filter", ..Self::end(text) }
    }

    /// Cut off at its greatest length.
    pub fn cut(mut self) -> Self {
        self.finish = "length";
        self
    }
}

/// How the model's server fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Well,
    /// Two requests of five are answered with 429 or 500 first.
    Stumbling,
    /// So many answers more, then every connection is closed.
    Dying(usize),
}

type Script = dyn Fn(&Asked) -> Say + Send + Sync;

struct State {
    health: Health,
    tries: HashMap<u64, u32>,
    answered: Vec<u64>,
    heard: Vec<Asked>,
    stumbled: usize,
}

/// The server. Its threads end with the test program.
pub struct MetaModel {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl MetaModel {
    /// Starts at a free port.
    pub fn start(script: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { health: Health::Well, tries: HashMap::new(), answered: Vec::new(), heard: Vec::new(), stumbled: 0 };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let script: Arc<Script> = Arc::new(script);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, script) = (Arc::clone(&shared), Arc::clone(&script));
                // A client that leaves in the middle ends its thread.
                std::thread::spawn(move || serve(&stream, &state, &*script).unwrap_or(()));
            }
        });
        Self { address, state }
    }

    /// A settings file with the model `meta`; `api` is `openai` or `anthropic`.
    pub fn settings(&self, api: &str) -> String {
        let entry = "model = \"m\"\nretry_pause = 0.02\nmax_retries = 3\nprices = { input = 1.0, output = 2.0 }\n";
        format!("[models.meta]\nbase_url = \"http://{}/v1\"\napi = \"{api}\"\n{entry}", self.address)
    }

    pub fn set(&self, health: Health) {
        self.state.lock().unwrap().health = health;
    }

    /// Requests answered so far, each by what it says, seed included: asked twice it is there twice.
    pub fn answered(&self) -> Vec<u64> {
        self.state.lock().unwrap().answered.clone()
    }

    /// Requests that were answered, as understood.
    pub fn heard(&self) -> Vec<Asked> {
        self.state.lock().unwrap().heard.clone()
    }

    /// Answers that were refused.
    pub fn stumbled(&self) -> usize {
        self.state.lock().unwrap().stumbled
    }

    /// Forgets what was asked.
    pub fn forget(&self) {
        let mut state = self.state.lock().unwrap();
        (state.answered, state.heard, state.stumbled) = (Vec::new(), Vec::new(), 0);
        state.tries.clear();
    }
}

/// What the ledger of a run holds of the model's replies, by the marks of their requests.
pub fn on_file(ledger: &str) -> BTreeSet<u64> {
    let mark = regex::Regex::new(r#""mark-(\d+)""#).unwrap();
    mark.captures_iter(ledger).map(|found| found[1].parse().unwrap()).collect()
}

fn serve(stream: &TcpStream, state: &Mutex<State>, script: &Script) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(length) = read_head(&mut reader)? {
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mark = hash(&body);
        let request: Value = serde_json::from_slice(&body).unwrap();
        let asked = understood(&request);
        {
            let mut state = state.lock().unwrap();
            let tries = state.tries.entry(mark).or_default();
            *tries += 1;
            let draw = (*tries == 1).then_some(mark % 5);
            match state.health {
                Health::Dying(0) => return Ok(()),
                Health::Dying(left) => state.health = Health::Dying(left - 1),
                Health::Stumbling if draw.is_some_and(|draw| draw < 2) => {
                    state.stumbled += 1;
                    let head = if draw == Some(0) { "429 Too Many Requests\r\nretry-after: 0.02" } else { "500 Oops" };
                    respond(stream, head, "{}")?;
                    continue;
                }
                Health::Stumbling | Health::Well => {}
            }
            state.answered.push(mark);
            state.heard.push(asked.clone());
        }
        let say = script(&asked);
        let text = if request["messages"][0]["role"] == "system" { chat(&say, mark, length) } else { messages(&say, mark, length) };
        respond(stream, "200 OK", &text.to_string())?;
    }
    Ok(())
}

/// As chat completions.
fn chat(say: &Say, mark: u64, length: usize) -> Value {
    let calls: Vec<Value> = (say.calls.iter().enumerate())
        .map(|(at, (name, arguments))| json!({"id": format!("c{at}"), "type": "function", "function": {"name": name, "arguments": arguments}}))
        .collect();
    let message = json!({"role": "assistant", "content": say.text, "tool_calls": calls});
    let usage = json!({"prompt_tokens": length / 4, "completion_tokens": message.to_string().len() / 4});
    json!({"model": format!("mark-{mark}"), "choices": [{"message": message, "finish_reason": say.finish}], "usage": usage})
}

/// As Anthropic's messages.
fn messages(say: &Say, mark: u64, length: usize) -> Value {
    let mut content: Vec<Value> = Vec::new();
    if !say.text.is_empty() {
        content.push(json!({"type": "text", "text": say.text}));
    }
    for (at, (name, arguments)) in say.calls.iter().enumerate() {
        let input: Value = serde_json::from_str(arguments).unwrap_or(json!({}));
        content.push(json!({"type": "tool_use", "id": format!("c{at}"), "name": name, "input": input}));
    }
    let stop = match say.finish {
        "tool_calls" => "tool_use",
        "length" => "max_tokens",
        _ => "end_turn",
    };
    let usage = json!({"input_tokens": length / 4, "output_tokens": Value::from(content.clone()).to_string().len() / 4});
    json!({"type": "message", "role": "assistant", "model": format!("mark-{mark}"), "content": content, "stop_reason": stop, "usage": usage})
}

/// The words of a message's content, whichever API it is from: its texts, and its tool results.
fn words(content: &Value) -> (Vec<String>, Vec<String>) {
    let Some(blocks) = content.as_array() else { return (content.as_str().map(str::to_owned).into_iter().collect(), Vec::new()) };
    let of = |kind: &str, field: &str| -> Vec<String> {
        let found = blocks.iter().filter(|block| block["type"] == kind);
        found.map(|block| block[field].as_str().unwrap_or_default().to_owned()).collect()
    };
    (of("text", "text"), of("tool_result", "content"))
}

fn understood(request: &Value) -> Asked {
    let messages = request["messages"].as_array().unwrap();
    let system = if messages[0]["role"] == "system" { &messages[0]["content"] } else { &request["system"] };
    let system = words(system).0.join("\n");
    let mut asked = Asked {
        part: part(&system),
        opening: String::new(),
        turn: 0,
        results: Vec::new(),
        all: Vec::new(),
        told: Vec::new(),
        tools: Vec::new(),
        most: request["max_tokens"].as_u64(),
    };
    let mut texts: Vec<String> = Vec::new();
    for message in messages {
        let (said, results) = words(&message["content"]);
        match message["role"].as_str().unwrap() {
            "user" => {
                texts.extend(said);
                if let Some(last) = asked.all.last_mut() {
                    last.extend(results);
                }
            }
            "tool" => asked.all.last_mut().unwrap().extend(said),
            "assistant" => {
                asked.turn += 1;
                asked.all.push(Vec::new());
            }
            _ => {}
        }
    }
    asked.results = asked.all.last().cloned().unwrap_or_default();
    asked.opening = texts.first().cloned().unwrap_or_default();
    asked.told = texts.into_iter().skip(1).collect();
    let names = request["tools"].as_array().into_iter().flatten();
    asked.tools = names.map(|tool| tool["name"].as_str().or(tool["function"]["name"].as_str()).unwrap().to_owned()).collect();
    asked
}

fn part(system: &str) -> Part {
    let parts = [
        ("You are the Digester", Part::Digester),
        ("You are the Planner", Part::Planner),
        ("You are an Evolver", Part::Evolver),
        ("You are the Critic", Part::Critic),
        ("You improve an agent harness", Part::Single),
    ];
    parts.into_iter().find(|(words, _)| system.starts_with(words)).unwrap().1
}
