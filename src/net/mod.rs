//! HTTP to model servers with deadlines on every wait: the sole user of reqwest. Proxies and extra roots of trust come from the environment
//! (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`, ...). Redirects are never followed: a request carries a key and must not wander.

mod error;
mod events;
mod secret;

pub use error::{NetError, Phase};
pub use events::Events;
pub use secret::Secret;

use crate::clock::deadline;
pub use reqwest::header::{HeaderName, HeaderValue};

use reqwest::header::HeaderMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Most bytes of one answer.
pub const MAX_ANSWER: usize = 32 << 20;
/// Most bytes kept of the body of an answer that reports an error.
const MAX_ERROR_BODY: usize = 4 << 10;
/// How long an unused connection is kept.
const POOL_IDLE: Duration = Duration::from_secs(90);

/// How long each part of an exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Opening a connection.
    pub connect: Duration,
    /// From sending (connecting included) until the head of the answer.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub idle: Duration,
    /// The whole exchange.
    pub whole: Duration,
}

/// The process's HTTP client: one pool of connections for each connect deadline in use. Clones share the pools.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pools: Arc<Mutex<Vec<(Duration, reqwest::Client)>>>,
}

impl Client {
    /// A client without connections. Roots of trust are read when the first endpoint is made.
    pub fn new() -> Self {
        Self::default()
    }

    fn pool(&self, connect: Duration) -> Result<reqwest::Client, reqwest::Error> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pool)) = pools.iter().find(|(deadline, _)| *deadline == connect) {
            return Ok(pool.clone());
        }
        let pool = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(connect)
            .tcp_nodelay(true)
            .pool_idle_timeout(POOL_IDLE)
            .user_agent(concat!("harnessx/", env!("CARGO_PKG_VERSION")))
            .build()?;
        pools.push((connect, pool.clone()));
        Ok(pool)
    }

    /// Fixes address, headers and deadlines of requests to one place. Secret headers are never shown; their values are blotted out of errors.
    ///
    /// # Errors
    /// [`NetError::Setup`] for an address or header that is not valid, or unreadable roots of trust.
    pub fn endpoint(&self, url: &str, headers: &[(&str, HeaderText)], deadlines: Deadlines) -> Result<Endpoint, NetError> {
        let setup = |host: &str, problem: String| NetError::Setup { host: host.to_owned(), problem };
        let url: reqwest::Url = url.parse().map_err(|error| setup("the server", format!("the address is not valid: {error}")))?;
        let host = url.host_str().unwrap_or("the server").to_owned();
        if !matches!(url.scheme(), "http" | "https") {
            return Err(setup(&host, format!("the address starts with {:?}, not http or https", url.scheme())));
        }
        let pool = self.pool(deadlines.connect).map_err(|error| setup(&host, chain(&error.without_url())))?;
        let mut map = HeaderMap::new();
        map.insert(reqwest::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut secrets = Vec::new();
        for (name, value) in headers {
            let (text, is_secret) = match value {
                HeaderText::Plain(text) => (text.clone(), false),
                HeaderText::Secret { before, secret } => {
                    secrets.push(secret.clone());
                    (format!("{before}{}", secret.reveal()), true)
                }
            };
            let invalid = || setup(&host, format!("the header {name} holds characters that a header cannot"));
            let mut value = HeaderValue::from_str(&text).map_err(|_| invalid())?;
            value.set_sensitive(is_secret);
            map.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?, value);
        }
        Ok(Endpoint { pool, url, host, headers: map, secrets, deadlines })
    }
}

/// The value of a header.
#[derive(Clone, Debug)]
pub enum HeaderText {
    /// As it is.
    Plain(String),
    /// A key after a prefix such as `Bearer `.
    Secret {
        /// The prefix.
        before: &'static str,
        /// The key.
        secret: Secret,
    },
}

/// One address with its headers and deadlines.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pool: reqwest::Client,
    url: reqwest::Url,
    host: String,
    headers: HeaderMap,
    secrets: Vec<Secret>,
    deadlines: Deadlines,
}

impl Endpoint {
    /// Host name, for messages.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sends a JSON body and waits for the head of a 2xx answer.
    ///
    /// # Errors
    /// Any [`NetError`]; another status than 2xx is [`NetError::Status`] with the start of the body.
    pub async fn post(&self, body: Vec<u8>) -> Result<Answer<'_>, NetError> {
        let end = deadline(self.deadlines.whole);
        let request = self.pool.post(self.url.clone()).headers(self.headers.clone()).body(body).send();
        let sent = self.bounded(end, Phase::FirstByte, request).await?;
        let inner = sent.map_err(|error| self.describe(error))?;
        let code = inner.status();
        let header = |name: &str| inner.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        if code.is_success() {
            return Ok(Answer { endpoint: self, inner, end, length: 0 });
        }
        let retry_after = header("retry-after-ms")
            .and_then(|text| text.parse::<f64>().ok())
            .map(|milliseconds| (milliseconds / 1000.0).to_string())
            .or_else(|| header("retry-after"));
        let body = self.error_body(Answer { endpoint: self, inner, end, length: 0 }).await;
        Err(NetError::Status { host: self.host.clone(), code: code.as_u16(), retry_after, body })
    }

    /// What an error answer says, cut short; whatever breaks while reading it is of no interest.
    async fn error_body(&self, mut answer: Answer<'_>) -> String {
        let mut bytes = Vec::new();
        let mut is_whole = false;
        while !is_whole && bytes.len() < MAX_ERROR_BODY {
            match answer.read_into(&mut bytes).await {
                Ok(more) => is_whole = !more,
                Err(_) => break,
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        // Blotted before it is cut.
        let mut text = if is_whole { self.blot(&text) } else { self.blot_start(&text) };
        text.truncate(text.floor_char_boundary(MAX_ERROR_BODY));
        text
    }

    /// `text` with every key that requests carry blotted out.
    pub fn blot(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| secret.blot(&text))
    }

    /// The same where `text` is the start of a longer one: no half of a key is left at its end.
    pub fn blot_start(&self, text: &str) -> String {
        self.secrets.iter().fold(self.blot(text), |text, secret| secret.blot_end(text))
    }

    /// The same in a model's own words, where what only stands for a key stays.
    pub fn blot_words(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| secret.blot_words(text))
    }

    /// Waits for one part of the exchange, up to its own deadline or that of the whole.
    async fn bounded<T>(&self, end: Instant, phase: Phase, work: impl Future<Output = T>) -> Result<T, NetError> {
        let after = match phase {
            Phase::FirstByte => self.deadlines.first_byte,
            Phase::Idle => self.deadlines.idle,
            Phase::Connect => self.deadlines.connect,
            Phase::Whole => self.deadlines.whole,
        };
        let own = deadline(after);
        timeout_at(own.min(end), work).await.map_err(|_| {
            let (phase, after) = if end < own { (Phase::Whole, self.deadlines.whole) } else { (phase, after) };
            NetError::Timeout { host: self.host.clone(), phase, after }
        })
    }

    fn describe(&self, error: reqwest::Error) -> NetError {
        let host = self.host.clone();
        match (error.is_connect(), error.is_timeout()) {
            (true, true) => NetError::Timeout { host, phase: Phase::Connect, after: self.deadlines.connect },
            (true, false) => NetError::Connect { host, problem: chain(&error.without_url()) },
            (false, _) if error.is_builder() => NetError::Setup { host, problem: chain(&error.without_url()) },
            (false, _) => NetError::Broken { host, problem: chain(&error.without_url()) },
        }
    }
}

/// A 2xx answer whose body is still to be read.
#[derive(Debug)]
pub struct Answer<'a> {
    endpoint: &'a Endpoint,
    inner: reqwest::Response,
    end: Instant,
    length: usize,
}

impl Answer<'_> {
    /// One header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.inner.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// Appends the next piece of the body; `false` at its end.
    ///
    /// # Errors
    /// A deadline, a broken connection, or more than [`MAX_ANSWER`] bytes in all.
    pub async fn read_into(&mut self, buffer: &mut Vec<u8>) -> Result<bool, NetError> {
        let piece = self.endpoint.bounded(self.end, Phase::Idle, self.inner.chunk()).await?;
        let Some(piece) = piece.map_err(|error| self.endpoint.describe(error))? else { return Ok(false) };
        self.length += piece.len();
        if self.length > MAX_ANSWER {
            return Err(NetError::TooLarge { host: self.endpoint.host.clone(), limit: MAX_ANSWER });
        }
        buffer.extend_from_slice(&piece);
        Ok(true)
    }

    /// Reads the body to its end.
    ///
    /// # Errors
    /// As [`Answer::read_into`].
    pub async fn body(mut self) -> Result<Vec<u8>, NetError> {
        let mut buffer = Vec::new();
        while self.read_into(&mut buffer).await? {}
        Ok(buffer)
    }
}

/// An error and its causes on one line; the innermost names the system's own reason.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
