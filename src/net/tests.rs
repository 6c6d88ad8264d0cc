//! The client against a small server on loopback that misbehaves on purpose.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn deadlines() -> Deadlines {
    let short = Duration::from_millis(150);
    Deadlines { connect: short, first_byte: short, idle: short, whole: Duration::from_millis(400) }
}

/// Serves one connection: reads the request's head, sends `pieces` 100 ms apart, then holds or closes.
async fn served(pieces: Vec<&'static str>, then_hold: bool) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_some(&mut stream).await;
        for piece in pieces {
            let _ = stream.write_all(piece.as_bytes()).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if then_hold {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    });
    let key = HeaderText::Secret { before: "Bearer ", secret: Secret::new("sk-secret") };
    Client::new().endpoint(&format!("http://{address}/x"), &[("authorization", key)], deadlines()).unwrap()
}

async fn read_some(stream: &mut TcpStream) {
    let mut bytes = [0; 4096];
    let _ = stream.read(&mut bytes).await;
}

async fn outcome(endpoint: &Endpoint) -> Result<Vec<u8>, NetError> {
    endpoint.post(b"{}".to_vec()).await?.body().await
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n";

#[tokio::test]
async fn each_deadline_names_itself() {
    let hang = served(vec![], true).await;
    assert!(matches!(outcome(&hang).await, Err(NetError::Timeout { phase: Phase::FirstByte, .. })));
    let stall = served(vec![HEAD, "abc"], true).await;
    assert!(matches!(outcome(&stall).await, Err(NetError::Timeout { phase: Phase::Idle, .. })));
    let drip = served(vec![HEAD, "a", "b", "c", "d", "e", "f"], true).await;
    assert!(matches!(outcome(&drip).await, Err(NetError::Timeout { phase: Phase::Whole, .. })));
}

#[tokio::test]
async fn a_body_cut_short_is_a_broken_connection() {
    let cut = served(vec![HEAD, "abc"], false).await;
    assert!(matches!(outcome(&cut).await, Err(NetError::Broken { .. })));
    let nothing = served(vec![], false).await;
    assert!(matches!(outcome(&nothing).await, Err(NetError::Broken { .. })));
}

#[tokio::test]
async fn a_closed_port_is_no_connection() {
    let endpoint = Client::new().endpoint("http://127.0.0.1:1/x", &[], deadlines()).unwrap();
    assert!(matches!(outcome(&endpoint).await, Err(NetError::Connect { .. })));
    assert!(matches!(Client::new().endpoint("ftp://x/", &[], deadlines()), Err(NetError::Setup { .. })));
}

#[tokio::test]
async fn redirects_are_not_followed_and_keys_are_blotted_out() {
    let redirect = served(vec!["HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"], false).await;
    assert!(matches!(outcome(&redirect).await, Err(NetError::Status { code: 307, .. })));
    let echo = "HTTP/1.1 401 No\r\nretry-after: 7\r\ncontent-length: 17\r\n\r\nbad key sk-secret";
    let refused = served(vec![echo], false).await;
    let Err(NetError::Status { code: 401, retry_after, body, .. }) = outcome(&refused).await else { panic!("not a 401") };
    assert_eq!((retry_after.as_deref(), body.as_str()), (Some("7"), "bad key [key]"));
    assert!(!format!("{refused:?}").contains("sk-secret"));
}

#[tokio::test]
async fn a_key_that_is_cut_off_is_blotted_out_too() {
    // Reading stops at the limit or where the connection breaks, each time within the key.
    let filler = MAX_ERROR_BODY - "sk-sec".len();
    for (filler, length, rest) in [(filler, filler + 9, "ret"), (9, 100, "")] {
        let text = format!("HTTP/1.1 401 No\r\ncontent-length: {length}\r\n\r\n{}sk-sec", "x".repeat(filler));
        let refused = served(vec![text.leak(), rest], false).await;
        let Err(NetError::Status { body, .. }) = outcome(&refused).await else { panic!("not a status") };
        assert!(body.starts_with("xxx") && !body.contains("sk-"), "{}", &body[body.len() - 20..]);
    }
    let echo = "HTTP/1.1 401 No\r\ncontent-length: 10\r\n\r\nbad keys s";
    let Err(NetError::Status { body, .. }) = outcome(&served(vec![echo], false).await).await else { panic!("not a status") };
    assert_eq!(body, "bad keys s", "a whole text is left alone");
}
