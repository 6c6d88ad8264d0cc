//! Providers against a small server on loopback that answers from a list, and scripts from files.

use super::*;
use crate::domain::conversation::Conversation;
use crate::domain::message::{Arguments, Message, ToolCall, ToolSpec};
use crate::domain::request::{Decision, Finish, ModelRole, RequestHead, Sampling, ScoreRule};
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const OK: &str =
    r#"{"model":"m","choices":[{"message":{"content":"done"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#;

/// What the server does with one request.
enum Step {
    Answer(u16, &'static str, String),
    Cut(String),
    Hang,
    Close,
}

fn ok(body: &str) -> Step {
    Step::Answer(200, "", body.to_owned())
}

/// A server that takes the steps in order, a connection each, and keeps the bodies it was sent.
async fn server(steps: Vec<Step>) -> (String, Arc<Mutex<Vec<serde_json::Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&bodies);
    tokio::spawn(async move {
        for step in steps {
            let (mut stream, _) = listener.accept().await.unwrap();
            let body = read_body(&mut stream).await;
            kept.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            match step {
                Step::Answer(code, extra, body) => {
                    let length = body.len();
                    let text = format!("HTTP/1.1 {code} X\r\nconnection: close\r\n{extra}content-length: {length}\r\n\r\n{body}");
                    stream.write_all(text.as_bytes()).await.unwrap();
                }
                Step::Cut(body) => {
                    let text = format!("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{body}");
                    stream.write_all(text.as_bytes()).await.unwrap();
                }
                Step::Hang => {
                    tokio::spawn(async move {
                        tokio::time::sleep(std::time::Duration::from_secs(20)).await;
                        drop(stream);
                    });
                }
                Step::Close => {}
            }
        }
    });
    (url, bodies)
}

async fn read_body(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).await.unwrap();
        bytes.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let Some(end) = text.find("\r\n\r\n") else { continue };
        let length = text.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse::<usize>().unwrap();
        if bytes.len() >= end + 4 + length {
            return bytes.split_off(end + 4);
        }
    }
}

fn entry(url: &str, api: Api) -> ModelEntry {
    let deadlines = DeadlineSettings { connect: 0.3, first_byte: 0.3, idle: 0.3, whole: 1.0, call: 20.0 };
    let prices = Some(Prices { input: 1.0, cached_input: None, cache_write: None, output: 2.0 });
    let base = ModelEntry { base_url: url.to_owned(), model: "m".to_owned(), api, deadlines, prices, ..ModelEntry::default() };
    ModelEntry { max_retries: 8, retry_pause: 0.01, ..base }
}

fn open(spec: &str, entry: ModelEntry, meter: &Arc<Meter>) -> Result<Provider, ProviderError> {
    let models = BTreeMap::from([("mine".to_owned(), entry)]);
    let environment = |name: &str| match name {
        "HAVE_KEY" => Some("sk-1".to_owned()),
        "LONG_KEY" => Some("sk-123456".to_owned()),
        _ => None,
    };
    let (client, clock) = (Client::new(), Clock::system());
    let around = Surroundings { models: &models, environment: &environment, client: &client, meter, clock: &clock };
    Provider::open(&spec.parse().unwrap(), &around)
}

fn mine(entry: ModelEntry) -> Provider {
    open("mine", entry, &Arc::default()).unwrap()
}

fn request(decision: Decision) -> ModelRequest {
    let tool = ToolSpec { name: "echo".into(), description: "Echoes.".into(), schema: Arguments(serde_json::json!({"type": "object"})) };
    let mut conversation = Conversation::default();
    conversation.push(Message::user("a \"quoted\" task"));
    conversation.push(Message::user("go"));
    let call = ToolCall { id: "c1".into(), name: "echo".into(), arguments: Arguments(serde_json::json!("{broken")) };
    conversation.push(Message::Assistant { text: String::new(), tool_calls: vec![call] });
    conversation.push(Message::Tool { call: "c1".into(), name: "echo".into(), text: "bad".into(), is_error: true });
    let head = RequestHead::new("Be brief.".into(), vec![tool]);
    let sampling = Sampling { max_tokens: Some(64), ..Sampling::default() };
    ModelRequest { head, conversation, decision, sampling, role: ModelRole::Main }
}

fn choice() -> Decision {
    Decision::Choice { options: vec!["go".into(), "stay".into()], score: ScoreRule::Mean }
}

#[tokio::test]
async fn every_fault_is_retried_and_named() {
    let malformed = OK[..60].to_owned();
    let steps = vec![
        Step::Answer(429, "retry-after: 0\r\n", String::new()),
        Step::Answer(500, "", "<html>".into()),
        Step::Hang,
        Step::Cut(malformed.clone()),
        Step::Close,
        Step::Answer(200, "", malformed),
        ok(r#"{"error":{"message":"upstream is busy"}}"#),
        ok(OK),
    ];
    let (url, bodies) = server(steps).await;
    let called = mine(entry(&url, Api::OpenAi)).call(&request(Decision::Free), 7).await.unwrap();
    assert_eq!((called.reply.text.as_str(), called.reply.usage.tokens()), ("done", 10));
    assert!((called.reply.usage.cost - 11e-6).abs() < 1e-12);
    let expected = [
        "status 429",
        "status 500",
        "no first byte in time",
        "connection broke",
        "connection broke",
        "malformed answer",
        "error in the answer",
    ];
    assert_eq!(called.retries, expected);
    let bodies = bodies.lock().unwrap();
    assert!(bodies.iter().all(|body| *body == bodies[0]), "every attempt sends the same");
}

#[tokio::test]
async fn giving_up_is_an_outage_and_other_refusals_are_not() {
    let steps = || (0..2).map(|_| Step::Answer(503, "", String::new())).collect();
    let (url, _) = server(steps()).await;
    let error = mine(ModelEntry { max_retries: 1, ..entry(&url, Api::OpenAi) }).call(&request(Decision::Free), 1).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Outage { attempts: 2, .. }), "{error}");
    for (code, body, is_wanted) in [
        (401, "", (|error| matches!(error, ProviderError::Refused { code: 401, .. })) as fn(&ProviderError) -> bool),
        (400, r#"{"error":{"code":"context_length_exceeded"}}"#, |error| matches!(error, ProviderError::ContextTooLong { .. })),
        (400, "bad schema", |error| matches!(error, ProviderError::Rejected { code: 400, .. })),
    ] {
        let (url, _) = server(vec![Step::Answer(code, "", body.to_owned())]).await;
        let error = mine(entry(&url, Api::OpenAi)).call(&request(Decision::Free), 1).await.unwrap_err();
        assert!(is_wanted(&error), "{error}");
    }
}

#[tokio::test]
async fn a_key_that_a_server_repeats_inside_an_answer_is_blotted_out() {
    let whole = r#"{"error":{"type":"auth","message":"bad key sk-1"}}"#;
    let event = format!("data: {}\n\n", whole.replacen('{', r#"{"type":"error","#, 1));
    let nonsense = r#"{"choices":"sk-1","content":"sk-1"}"#;
    for (api, stream, body) in [
        (Api::OpenAi, false, whole),
        (Api::OpenAi, true, event.as_str()),
        (Api::OpenAi, false, nonsense),
        (Api::Anthropic, false, whole),
        (Api::Anthropic, true, event.as_str()),
        (Api::Anthropic, false, nonsense),
    ] {
        let (url, _) = server(vec![ok(body)]).await;
        let keyed = ModelEntry { api_key_env: Some("HAVE_KEY".into()), stream, max_retries: 0, ..entry(&url, api) };
        let error = mine(keyed).call(&request(Decision::Free), 1).await.unwrap_err();
        assert!(!format!("{error:?}").contains("sk-1") && error.to_string().contains("[key]"), "{error}");
    }
}

#[tokio::test]
async fn a_key_that_a_server_repeats_in_a_reply_is_blotted_out_of_it() {
    let call = r#"{"id":"sk-123456","function":{"name":"echo","arguments":"{\"text\":\"Bearer sk-123456\"}"}}"#;
    let whole = OK.replace(r#""content":"done""#, &format!(r#""content":"you sent sk-123456","tool_calls":[{call}]"#));
    let streamed = format!("data: {}\n\ndata: [DONE]\n\n", whole.replace("\"message\"", "\"delta\""));
    for (stream, body) in [(false, whole.as_str()), (true, streamed.as_str())] {
        let (url, _) = server(vec![ok(body)]).await;
        let keyed = ModelEntry { api_key_env: Some("LONG_KEY".into()), stream, ..entry(&url, Api::OpenAi) };
        let reply = mine(keyed).call(&request(Decision::Free), 1).await.unwrap().reply;
        assert!(!format!("{reply:?}").contains("sk-123456"), "{reply:?}");
        assert_eq!((reply.text.as_str(), &reply.tool_calls[0].arguments.0["text"]), ("you sent [key]", &"Bearer [key]".into()));
    }
}

#[tokio::test]
async fn where_a_server_counts_nothing_the_reply_the_meter_and_the_cap_hold_one_estimate() {
    let uncounted = OK.replace(r#","usage":{"prompt_tokens":9,"completion_tokens":1}"#, "");
    let (url, bodies) = server(vec![ok(&uncounted)]).await;
    let meter = Arc::new(Meter::new(Caps { max_tokens: None, max_cost: Some(1e-6) }));
    let provider = open("mine", entry(&url, Api::OpenAi), &meter).unwrap();
    let usage = provider.call(&request(Decision::Free), 1).await.unwrap().reply.usage;
    let sent = bodies.lock().unwrap()[0].to_string().len() as u64;
    assert_eq!((usage.input_tokens, usage.output_tokens), (sent.div_ceil(4), 1));
    assert!((usage.cost - (usage.input_tokens as f64 + 2.0) / 1e6).abs() < 1e-12, "{usage:?}");
    assert_eq!(meter.tokens(), usage.tokens());
    let error = provider.call(&request(Decision::Free), 1).await.unwrap_err();
    assert!(matches!(error, ProviderError::BudgetSpent { what: "cost", .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_no_reply_is_said_in_plain_words() {
    let page = "<!doctype html>\n<title>Log\u{1b}[31m in</title>";
    let html = "content-type: text/html\r\n";
    let empty = r#"{"id":"x","choices":[]}"#;
    for (stream, kind, body, expected) in [
        (false, html, page, "the server sent `text/html` that begins `<!doctype html> <title>Log [31m in</title>`; is base_url right?"),
        (true, html, page, "the server sent `text/html` that begins `<!doctype html>"),
        (false, "", empty, "it holds no reply (`choices` is empty); the server sent"),
        (false, "", "", "the server sent nothing"),
    ] {
        let (url, _) = server(vec![Step::Answer(200, kind, body.to_owned())]).await;
        let once = ModelEntry { stream, max_retries: 0, ..entry(&url, Api::OpenAi) };
        let error = mine(once).call(&request(Decision::Free), 1).await.unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\u{1b}'), "{error}");
    }
}

#[tokio::test]
async fn a_call_ends_by_its_own_deadline_whatever_its_attempts_do() {
    let (url, _) = server((0..30).map(|_| Step::Answer(500, "", String::new())).collect()).await;
    let deadlines = DeadlineSettings { call: 0.3, ..entry(&url, Api::OpenAi).deadlines };
    let start = std::time::Instant::now();
    let provider = mine(ModelEntry { deadlines, max_retries: 100, ..entry(&url, Api::OpenAi) });
    let error = provider.call(&request(Decision::Free), 1).await.unwrap_err();
    assert!(start.elapsed().as_secs_f64() < 2.0);
    assert!(matches!(&error, ProviderError::Outage { tried, .. } if tried.len() > 1 && tried[0] == "status 500"), "{error}");
    assert!(matches!(&error, ProviderError::Outage { .. }) && error.to_string().contains("no reply within 0.3 s"), "{error}");
}

#[tokio::test]
async fn an_openai_body_holds_all_turns_and_the_form() {
    let (url, bodies) = server(vec![ok(&OK.replace("done", r#"{\"choice\":\"stay\"}"#))]).await;
    let extra_body = serde_json::from_str(r#"{"top_k": 4, "seed": null}"#).unwrap();
    let provider = mine(ModelEntry { extra_body, ..entry(&url, Api::OpenAi) });
    let called = provider.call(&request(choice()), 1).await.unwrap();
    assert_eq!((called.reply.text.as_str(), called.reply.finish), ("stay", Finish::Stop));
    let body = bodies.lock().unwrap()[0].clone();
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 5);
    assert_eq!(messages[0], serde_json::json!({"role": "system", "content": "Be brief."}));
    assert_eq!(messages[3]["tool_calls"][0]["function"]["arguments"], "{broken");
    assert_eq!(messages[4], serde_json::json!({"role": "tool", "tool_call_id": "c1", "content": "bad"}));
    let schema = &body["response_format"]["json_schema"]["schema"];
    assert_eq!(schema["properties"]["choice"]["enum"], serde_json::json!(["go", "stay"]));
    assert_eq!((&body["tool_choice"], &body["top_k"], &body["max_tokens"]), (&"none".into(), &4.into(), &64.into()));
    assert!(body["seed"].is_null());
}

#[tokio::test]
async fn an_anthropic_body_joins_neighbours_and_marks_the_cache() {
    let answer = r#"{"content":[{"type":"tool_use","id":"t","name":"reply","input":{"choice":"go"}}],"stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":2}}"#;
    let (url, bodies) = server(vec![ok(answer), ok(answer)]).await;
    let provider = mine(entry(&url, Api::Anthropic));
    let request = request(choice());
    // Another API has rendered the turns first.
    for turn in request.turns() {
        turn.wire(|_| "{\"role\":\"user\"}".to_owned());
    }
    let called = provider.call(&request, 1).await.unwrap();
    assert_eq!((called.reply.text.as_str(), called.reply.tool_calls.len()), ("go", 0));
    let body = bodies.lock().unwrap()[0].clone();
    let messages = body["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    assert_eq!(messages[0]["content"].as_array().unwrap().len(), 2);
    assert_eq!(messages[1]["content"][0]["input"], serde_json::json!({"arguments": "{broken"}));
    let ephemeral = serde_json::json!({"type": "ephemeral"});
    assert_eq!((&messages[2]["content"][0]["cache_control"], &messages[2]["content"][0]["is_error"]), (&ephemeral, &true.into()));
    assert_eq!((&body["system"][0]["cache_control"], &body["system"][0]["text"]), (&ephemeral, &"Be brief.".into()));
    assert_eq!((&body["tool_choice"]["name"], body["tools"].as_array().unwrap().len()), (&"reply".into(), 2));
}

#[tokio::test]
async fn a_stream_without_its_end_is_tried_again() {
    let start = "data: {\"choices\":[{\"delta\":{\"content\":\"do\"}}]}\n\n";
    let end = "data: {\"choices\":[{\"delta\":{\"content\":\"ne\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let (url, bodies) = server(vec![ok(start), ok(&format!("{start}{end}"))]).await;
    let called = mine(ModelEntry { stream: true, ..entry(&url, Api::OpenAi) }).call(&request(Decision::Free), 1).await.unwrap();
    assert_eq!((called.reply.text.as_str(), called.retries.as_slice()), ("done", &["malformed answer".to_owned()][..]));
    assert_eq!(bodies.lock().unwrap()[0]["stream"], true);
}

#[tokio::test]
async fn caps_and_keys_are_checked() {
    let (url, _) = server(vec![ok(OK)]).await;
    let meter = Arc::new(Meter::new(Caps { max_tokens: Some(10), max_cost: None }));
    let provider = open("mine", entry(&url, Api::OpenAi), &meter).unwrap();
    provider.call(&request(Decision::Free), 1).await.unwrap();
    let error = provider.call(&request(Decision::Free), 1).await.unwrap_err();
    assert!(matches!(error, ProviderError::BudgetSpent { what: "tokens", .. }));
    let keyed = |name: &str| ModelEntry { api_key_env: Some(name.to_owned()), ..entry("http://127.0.0.1:1", Api::OpenAi) };
    assert!(matches!(open("mine", keyed("NO_KEY"), &meter), Err(ProviderError::MissingKey { variable, .. }) if variable == "NO_KEY"));
    assert!(!format!("{:?}", open("mine", keyed("HAVE_KEY"), &meter).unwrap()).contains("sk-1"));
    let capped = Arc::new(Meter::new(Caps { max_tokens: None, max_cost: Some(1.0) }));
    assert!(open("mine", ModelEntry { prices: None, ..entry(&url, Api::OpenAi) }, &capped).is_err());
    assert!(open("yours", entry(&url, Api::OpenAi), &meter).unwrap_err().to_string().contains("there are mine"));
}

#[tokio::test]
async fn scripts_answer_by_their_first_line_that_holds() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.jsonl");
    let lines = [
        r#"{"match": {"task_contains": "lamp"}, "reply": {"text": "lamp"}}"#,
        r#"{"match": {"role": "judge"}, "fault": "500"}"#,
        r#"{"pick": "random"}"#,
        "",
        r#"{"match": {"turn": 1, "contains": "bad"}, "fault": "429", "reply": {"tool_calls": [{"name": "echo"}]}}"#,
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let spec = format!("scripted:{}", file.display());
    let provider = open(&spec, ModelEntry::default(), &Arc::default()).unwrap();
    let free = provider.call(&request(Decision::Free), 1).await.unwrap();
    assert_eq!((free.retries.as_slice(), free.reply.tool_calls[0].id.as_str()), (&["status 429".to_owned()][..], "call-1-0"));
    assert!(free.reply.usage.tokens() > 0);
    let picked = provider.call(&request(choice()), 3).await.unwrap();
    assert_eq!(picked, provider.call(&request(choice()), 3).await.unwrap());
    let judge = ModelRequest { role: ModelRole::Judge, ..request(Decision::Free) };
    assert!(matches!(provider.call(&judge, 1).await, Err(ProviderError::Outage { .. })));
    std::fs::write(&file, "\n{\"reply\": {\"txt\": 1}}").unwrap();
    let error = open(&spec, ModelEntry::default(), &Arc::default()).unwrap_err().to_string();
    assert!(error.contains("a.jsonl:2") && error.contains("txt"), "{error}");
}

#[tokio::test]
async fn the_random_chooser_needs_options() {
    let provider = open("random", ModelEntry::default(), &Arc::default()).unwrap();
    assert!(["go", "stay"].contains(&provider.call(&request(choice()), 5).await.unwrap().reply.text.as_str()));
    assert!(matches!(provider.call(&request(Decision::Free), 5).await, Err(ProviderError::Unsupported { .. })));
}
