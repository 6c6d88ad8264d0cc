//! Which failures are worth another attempt, and how long to wait before it: exponential backoff with full jitter, or what the server asks for.

use super::decoded::DecodeError;
use super::limits::Load;
use crate::clock::days_to;
use crate::net::NetError;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use std::time::Duration;

/// Longest pause of our own choosing.
const LONGEST_PAUSE: f64 = 30.0;
/// Longest pause that a server is granted.
const LONGEST_ASKED: f64 = 120.0;
/// How far above the asked pause the jitter may reach, as a share, so that not all calls come back at once.
const ASKED_JITTER: f64 = 0.25;
/// Most characters of a server's words in an error.
const MAX_WORDS: usize = 300;

/// A failed attempt.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// On the way.
    #[error(transparent)]
    Net(#[from] NetError),
    /// In the answer.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// What follows from a failed attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Another attempt may succeed.
    Retry {
        /// What the server asked for, in seconds or as a date.
        asked: Option<String>,
        /// What it says about the load.
        load: Load,
    },
    /// The settings are wrong.
    Settings(String),
    /// The server serves nobody like this.
    Refused {
        /// Status.
        code: u16,
        /// What is wrong.
        problem: String,
    },
    /// The request itself is refused.
    Rejected {
        /// Status.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// The prompt is too long.
    TooLong(String),
    /// The provider will not answer this prompt.
    Filtered(String),
}

/// `{"error": {...}}` as both APIs and most gateways write it; some put the text in the place of the object.
#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorField,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorField {
    Object {
        #[serde(default)]
        message: Option<String>,
        #[serde(default)]
        code: Option<CodeField>,
        #[serde(default, rename = "type")]
        kind: Option<String>,
    },
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum CodeField {
    Text(String),
    Number(i64),
}

impl Failure {
    /// A few words for the list of retries.
    pub fn short(&self) -> String {
        match self {
            Self::Net(error) => error.short(),
            Self::Decode(DecodeError::Malformed(_)) => "malformed answer".to_owned(),
            Self::Decode(DecodeError::Reported(_)) => "error in the answer".to_owned(),
        }
    }

    /// What follows.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Net(NetError::Status { code, retry_after, body, .. }) => status(*code, retry_after.clone(), body),
            Self::Net(error @ NetError::Setup { .. }) => Verdict::Settings(error.to_string()),
            Self::Net(NetError::Connect { .. } | NetError::Timeout { .. } | NetError::Broken { .. } | NetError::TooLarge { .. }) => {
                Verdict::Retry { asked: None, load: Load::Unknown }
            }
            Self::Decode(DecodeError::Reported(text)) => {
                let is_busy = text.contains("overloaded") || text.contains("rate limit") || text.contains("rate_limit");
                Verdict::Retry { asked: None, load: if is_busy { Load::Overloaded } else { Load::Unknown } }
            }
            Self::Decode(DecodeError::Malformed(_)) => Verdict::Retry { asked: None, load: Load::Unknown },
        }
    }
}

/// Reads a status with the server's words.
fn status(code: u16, asked: Option<String>, body: &str) -> Verdict {
    let (kind, message) = words(body);
    let refused = |problem: String| Verdict::Refused { code, problem };
    match code {
        429 if kind.contains("insufficient_quota") || kind.contains("billing") => refused(format!("no credit left: {message}")),
        429 | 503 | 529 => Verdict::Retry { asked, load: Load::Overloaded },
        408 | 409 | 425 | 500..=599 => Verdict::Retry { asked, load: Load::Unknown },
        401 | 403 => refused(format!("the server refuses the key (status {code}): {message}")),
        404 => refused(format!("the server knows no such model or path (status 404): {message}")),
        402 => refused(format!("no credit left (status 402): {message}")),
        300..=399 => refused(format!("the server redirects (status {code})")),
        413 => Verdict::TooLong(message),
        _ if is_too_long(&kind, &message) => Verdict::TooLong(message),
        _ if kind.contains("content_filter") || kind.contains("content_policy") => Verdict::Filtered(message),
        _ => Verdict::Rejected { code, message },
    }
}

/// Kind (code and type) and message of an error body; a body of another form is its own message.
fn words(body: &str) -> (String, String) {
    let cut = |text: &str| text.chars().take(MAX_WORDS).collect::<String>();
    match serde_json::from_str::<ErrorBody>(body) {
        Ok(ErrorBody { error: ErrorField::Object { message, code, kind } }) => {
            let code = match code {
                Some(CodeField::Text(code)) => code,
                Some(CodeField::Number(code)) => code.to_string(),
                None => String::new(),
            };
            (format!("{code} {}", kind.unwrap_or_default()), cut(&message.unwrap_or_default()))
        }
        Ok(ErrorBody { error: ErrorField::Text(text) }) => (String::new(), cut(&text)),
        Err(_) => (String::new(), cut(body.trim())),
    }
}

/// How the servers in use say that a prompt does not fit.
fn is_too_long(kind: &str, message: &str) -> bool {
    let message = message.to_lowercase();
    let phrases = [
        "context length",
        "context window",
        "context size",
        "prompt is too long",
        "maximum context",
        "input is too long",
        "too many tokens",
    ];
    kind.contains("context_length") || kind.contains("exceed_context") || phrases.iter().any(|phrase| message.contains(phrase))
}

/// The pause before retry number `retry` (from 0): backoff with full jitter, or what the server asks for where that is longer. `first` is the
/// longest pause before the first, in seconds.
pub fn pause(retry: u32, first: f64, asked: Option<Duration>, random: &mut ChaCha8Rng) -> Duration {
    let chance: f64 = random.random();
    let own = (first * f64::from(1u32 << retry.min(30))).min(LONGEST_PAUSE.max(first)) * chance;
    // A server that asks for no pause at all must still not be hammered.
    let seconds = asked.map_or(own, |asked| own.max(asked.as_secs_f64().min(LONGEST_ASKED) * (1.0 + ASKED_JITTER * chance)));
    Duration::from_secs_f64(seconds)
}

/// Reads `Retry-After`: seconds, or a date such as `Sun, 06 Nov 1994 08:49:37 GMT`. A date in the past is no pause.
pub fn asked_pause(text: &str, unix_milliseconds: u64) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return (0.0..1e9).contains(&seconds).then(|| Duration::from_secs_f64(seconds));
    }
    let mut parts = text.split_once(", ")?.1.split(' ');
    let day: u64 = parts.next()?.parse().ok()?;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let name = parts.next()?;
    let month = 1 + months.iter().position(|month| *month == name)? as u64;
    let year: u64 = parts.next()?.parse().ok()?;
    let mut time = parts.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if !(1..=31).contains(&day) || !(1970..=9999).contains(&year) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let then = ((days_to(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(Duration::from_millis((then * 1000).saturating_sub(unix_milliseconds)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::seeded_by;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(asked_pause("2", 0), Some(Duration::from_secs(2)));
        assert_eq!(asked_pause("0.5", 0), Some(Duration::from_millis(500)));
        assert_eq!(asked_pause("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_770_000), Some(Duration::from_secs(7)));
        assert_eq!(asked_pause("Sun, 06 Nov 1994 08:49:37 GMT", 984_111_770_000), Some(Duration::ZERO));
        for text in ["", "soon", "-1", "inf", "Sun, 99 Nov 1994 08:49:37 GMT"] {
            assert_eq!(asked_pause(text, 0), None, "{text}");
        }
    }

    #[test]
    fn pauses_grow_stay_bounded_and_repeat_with_their_seed() {
        let draw = |seed| (0..12).map(|retry| pause(retry, 0.5, None, &mut seeded_by(seed))).collect::<Vec<_>>();
        assert_eq!(draw(1), draw(1));
        assert!(draw(1).iter().zip(0..).all(|(pause, retry)| pause.as_secs_f64() <= (0.5 * 2f64.powi(retry)).min(30.0)));
        let asked = pause(0, 0.5, Some(Duration::from_secs(4)), &mut seeded_by(1));
        assert!((4.0..=5.0).contains(&asked.as_secs_f64()));
    }

    #[test]
    fn statuses_are_told_apart_by_the_servers_words() {
        let too_long = r#"{"error":{"message":"This model's maximum context length is 8192 tokens","code":"context_length_exceeded"}}"#;
        assert!(matches!(status(400, None, too_long), Verdict::TooLong(_)));
        assert!(matches!(
            status(400, None, r#"{"error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}}"#),
            Verdict::TooLong(_)
        ));
        assert!(matches!(status(400, None, r#"{"error":"bad tool"}"#), Verdict::Rejected { code: 400, message } if message == "bad tool"));
        assert!(matches!(status(401, None, ""), Verdict::Refused { code: 401, .. }));
        assert!(matches!(status(429, None, r#"{"error":{"code":"insufficient_quota"}}"#), Verdict::Refused { .. }));
        for code in [408, 409, 425, 429, 500, 502, 503, 504, 529] {
            assert!(matches!(status(code, None, "<html>"), Verdict::Retry { .. }), "{code}");
        }
    }
}
