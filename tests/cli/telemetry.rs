//! OTLP: the spans of an episode reach a collector on loopback; one that is not there is a warning.

use crate::test_run::{Ran, TestRun};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// What a collector was sent: the first line of a request, and its body.
struct Sent {
    line: String,
    body: Vec<u8>,
}

/// A collector; its thread ends with the test program.
fn collector() -> (SocketAddr, Receiver<Sent>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that leaves in the middle is passed over.
            let _ = take(&stream).map(|sent| sender.send(sent));
        }
    });
    (address, receiver)
}

fn take(stream: &TcpStream) -> std::io::Result<Sent> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    while head.last().is_none_or(|line| line != "\r\n") {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        head.push(line);
    }
    let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    (&*stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    Ok(Sent { line: head.swap_remove(0), body })
}

/// Plays echo episodes with one tool call each under a harness with the processor.
fn play(endpoint: SocketAddr) -> Ran {
    let run = TestRun::new();
    run.write("h/harness.toml", "format = 1\nname = \"h\"\n[[processors]]\nuse = \"opentelemetry\"\n");
    let mut command = run.command(&[&run.echo()[..], &["--harness", "h"]].concat());
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{endpoint}"));
    Ran::of(command)
}

#[test]
fn the_spans_of_an_episode_reach_a_collector() {
    let (address, sent) = collector();
    let ran = play(address);
    assert!(ran.exit == 0 && !ran.err.contains("warning"), "{}", ran.err);
    let sent = sent.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(sent.line.starts_with("POST /v1/traces "), "{}", sent.line);
    let body = String::from_utf8_lossy(&sent.body);
    for span in ["invoke_agent harnessx", "chat", "execute_tool echo"] {
        assert!(body.contains(span), "no {span:?} in {body}");
    }
}

#[test]
fn a_collector_that_is_not_there_is_a_warning() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = play(address);
    assert!(ran.exit == 0 && ran.err.contains("warning: some OpenTelemetry spans were not sent"), "{}", ran.err);
}
