//! Answers from a recorded episode, for dry replays (`gate.md` §2): as long as the requests are those on record, so are the replies. The
//! first request that differs is an error.

use super::Called;
use super::error::ProviderError;
use crate::domain::id::{Digest, PolicyVersion};
use crate::domain::request::{ModelRequest, Reply};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The replies of one episode, shared by the models of all roles.
#[derive(Clone, Debug)]
pub struct Recorded(Arc<Mutex<Record>>);

#[derive(Debug)]
struct Record {
    replies: VecDeque<(Digest, Reply)>,
    strayed: bool,
}

impl Recorded {
    /// Replies in order, each with the digest of its request.
    pub fn new(replies: VecDeque<(Digest, Reply)>) -> Self {
        Self(Arc::new(Mutex::new(Record { replies, strayed: false })))
    }

    /// The next reply, if the request is that on record.
    ///
    /// # Errors
    /// [`ProviderError::Unsupported`] for any other request.
    pub fn call(&self, request: &ModelRequest) -> Result<Called, ProviderError> {
        let mut record = self.record();
        match record.replies.pop_front() {
            Some((digest, reply)) if digest == request.digest() => Ok(Called { reply, retries: Vec::new(), latency_ms: 0 }),
            Some(_) | None => {
                record.strayed = true;
                Err(ProviderError::Unsupported { model: "recorded".to_owned(), what: "a request that is not on record".to_owned() })
            }
        }
    }

    /// Replies not asked for yet.
    pub fn left(&self) -> usize {
        self.record().replies.len()
    }

    /// Whether a request was asked for that is not on record.
    pub fn has_strayed(&self) -> bool {
        self.record().strayed
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is one.
    pub fn version(&self) -> PolicyVersion {
        PolicyVersion("recorded-1".to_owned())
    }
}
