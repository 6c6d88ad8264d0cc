//! Streamable HTTP to MCP servers, through `net`: one POST a message, answered with JSON or with events. The standing stream for what a server
//! says unasked is not opened: tools are listed once.

use crate::net::{Answer, Client, Deadlines, Events, HeaderName, HeaderText, HeaderValue, NetError, Secret};
use futures::stream::BoxStream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_client::{SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse};
use sse_stream::Sse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Opening a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Posts messages with a key, a deadline and a cap.
#[derive(Clone)]
pub(super) struct HttpDoor {
    client: Client,
    secret: Option<Secret>,
    deadlines: Deadlines,
}

type Fault = StreamableHttpError<NetError>;

impl HttpDoor {
    pub fn new(client: Client, secret: Option<Secret>, whole: Duration) -> Self {
        Self { client, secret, deadlines: Deadlines { connect: CONNECT, first_byte: whole, idle: whole, whole } }
    }
}

impl StreamableHttpClient for HttpDoor {
    type Error = NetError;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Fault> {
        let plain = |text: &str| HeaderText::Plain(text.to_owned());
        let mut headers = vec![("accept", plain("application/json, text/event-stream"))];
        headers.extend(session_id.as_deref().map(|id| ("mcp-session-id", plain(id))));
        headers.extend(custom_headers.iter().filter_map(|(name, value)| Some((name.as_str(), plain(value.to_str().ok()?)))));
        if let Some(secret) = &self.secret {
            headers.push(("authorization", HeaderText::Secret { before: "Bearer ", secret: secret.clone() }));
        }
        let endpoint = self.client.endpoint(&uri, &headers, self.deadlines).map_err(StreamableHttpError::Client)?;
        let answer = endpoint.post(serde_json::to_vec(&message)?).await.map_err(StreamableHttpError::Client)?;
        let session = answer.header("mcp-session-id").map(str::to_owned);
        if answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return Ok(StreamableHttpPostResponse::Json(from_events(answer).await?, session));
        }
        let body = answer.body().await.map_err(StreamableHttpError::Client)?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        Ok(StreamableHttpPostResponse::Json(serde_json::from_slice(&body)?, session))
    }

    async fn delete_session(
        &self,
        _uri: Arc<str>,
        _session_id: Arc<str>,
        _auth_header: Option<String>,
        _custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Fault> {
        Err(StreamableHttpError::ServerDoesNotSupportDeleteSession)
    }

    async fn get_stream(
        &self,
        _uri: Arc<str>,
        _session_id: Option<Arc<str>>,
        _last_event_id: Option<String>,
        _auth_header: Option<String>,
        _custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Fault> {
        Err(StreamableHttpError::ServerDoesNotSupportSse)
    }
}

/// The answer among the events of one exchange; what the server says besides is passed over.
async fn from_events(mut answer: Answer<'_>) -> Result<ServerJsonRpcMessage, Fault> {
    let mut events = Events::default();
    loop {
        while let Some(data) = events.next_event() {
            if let Ok(message @ (ServerJsonRpcMessage::Response(_) | ServerJsonRpcMessage::Error(_))) = serde_json::from_str(&data) {
                return Ok(message);
            }
        }
        if !answer.read_into(&mut events.buffer).await.map_err(StreamableHttpError::Client)? {
            return Err(StreamableHttpError::UnexpectedEndOfStream);
        }
    }
}
