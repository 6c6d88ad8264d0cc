//! A server of tools on loopback that repeats the key it was sent in whatever it refuses.

use crate::loopback::{read_head, respond};
use crate::test_run::TestRun;
use crate::tools::{play_with_all, set_up, trace};
use serde_json::{Value, json};
use std::io::{BufReader, Read};
use std::net::{TcpListener, TcpStream};

const KEY: &str = "zqzqzq-9";

/// Starts the server; it refuses one method and answers the others. Its threads end with the test program.
fn server(refuses: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(&stream, refuses).unwrap_or(()));
        }
    });
    format!("http://{address}/mcp")
}

fn serve(stream: &TcpStream, refuses: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(length) = read_head(&mut reader)? {
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let asked: Value = serde_json::from_slice(&body).unwrap();
        let Some(id) = asked.get("id") else {
            respond(stream, "202 Accepted", "")?;
            continue;
        };
        let (part, value) = match asked["method"].as_str().unwrap_or_default() {
            // Longer than what is kept of an error, so that a key stands at the cut.
            method if method == refuses => ("error", json!({"code": -32600, "message": format!("{KEY} ").repeat(300)})),
            "initialize" => {
                let info = json!({"name": "s", "version": "1"});
                ("result", json!({"protocolVersion": "2025-03-26", "capabilities": {"tools": {}}, "serverInfo": info}))
            }
            "tools/list" => ("result", json!({"tools": [{"name": "x", "inputSchema": {"type": "object"}}]})),
            _ => ("result", json!({})),
        };
        respond(stream, "200 OK", &json!({"jsonrpc": "2.0", "id": id, part: value}).to_string())?;
    }
    Ok(())
}

#[test]
fn a_key_that_a_server_repeats_is_in_no_trace() {
    for method in ["initialize", "tools/list", "tools/call"] {
        let run = TestRun::new();
        let url = server(method);
        let tool = format!("kind = \"mcp\"\nname = \"far\"\nurl = \"{url}\"\nkey_env = \"HARNESSX_TOOL_KEY_X\"\n");
        set_up(&run, &tool, "{\"name\": \"far__x\", \"arguments\": {}}");
        let origin = url.trim_end_matches("/mcp");
        let key = [("HARNESSX_TOOL_KEY_X", KEY), ("HARNESSX_TOOL_KEY_X_ORIGIN", origin)];
        let ran = play_with_all(&run, &["--set", "tool_network=true"], &key);
        let said = format!("{}{}{}", ran.out, ran.err, trace(&run));
        assert!(said.contains("[key] [key]") && !said.contains("zq"), "{method}: {said}");
    }
}

#[test]
fn a_key_goes_to_no_address_that_the_user_has_not_named() {
    let run = TestRun::new();
    let url = server("none");
    let tool = format!("kind = \"mcp\"\nname = \"far\"\nurl = \"{url}\"\nkey_env = \"HARNESSX_TOOL_KEY_X\"\n");
    set_up(&run, &tool, "{\"name\": \"far__x\", \"arguments\": {}}");
    let with = |origin: &str| {
        let key = [("HARNESSX_TOOL_KEY_X", KEY), ("HARNESSX_TOOL_KEY_X_ORIGIN", origin)];
        play_with_all(&run, &["--set", "tool_network=true"], &key)
    };
    let unsaid = with("");
    assert!(unsaid.exit == 3 && unsaid.err.contains("HARNESSX_TOOL_KEY_X_ORIGIN is not set"), "{}", unsaid.err);
    let other = with("https://api.example.com");
    let said = format!("HARNESSX_TOOL_KEY_X_ORIGIN allows https://api.example.com, not {url}");
    assert!(other.exit == 3 && other.err.contains(&said), "{}", other.err);
    assert_eq!(with(url.trim_end_matches("/mcp")).exit, 0);
}
