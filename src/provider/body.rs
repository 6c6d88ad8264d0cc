//! Writes request bodies: JSON text put together from pieces that are already JSON, so that a conversation is never serialised again.

use super::spec::ModelEntry;
use crate::domain::id::Digest;
use crate::domain::message::Turn;
use crate::domain::request::RequestHead;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most heads kept in wire form; when full, all are dropped and those still in use come back at their next call.
const MAX_HEADS: usize = 1024;
/// What a body needs besides head and turns.
const SLACK: usize = 512;

/// What stays the same in all bodies of one entry.
#[derive(Debug)]
pub struct Template {
    /// `"model":"..."` and the extra fields.
    fixed: Box<str>,
    /// Fields that are not written: replaced by the extra body, or not taken by the server.
    skipped: Vec<String>,
    heads: Mutex<HashMap<Digest, Arc<HeadText>>>,
}

/// A request head in wire form.
#[derive(Debug)]
pub struct HeadText {
    /// The system prompt; its form is the API's affair.
    pub system: String,
    /// The tools as a JSON array, empty where there are none.
    pub tools: String,
}

impl Template {
    /// Renders what is fixed.
    pub fn new(entry: &ModelEntry) -> Self {
        let mut fixed = format!("\"model\":{}", text_of(&entry.model));
        let extra = text_of(&entry.extra_body);
        if let Some(inner) = extra.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).filter(|inner| !inner.is_empty()) {
            fixed.push(',');
            fixed.push_str(inner);
        }
        let skipped = entry.extra_body.keys().chain(&entry.omit).cloned().collect();
        Self { fixed: fixed.into(), skipped, heads: Mutex::default() }
    }

    /// The wire form of a head, rendered once.
    pub fn head(&self, head: &RequestHead, render: impl FnOnce(&RequestHead) -> HeadText) -> Arc<HeadText> {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = heads.get(&head.digest) {
            return Arc::clone(text);
        }
        let text = Arc::new(render(head));
        if heads.len() >= MAX_HEADS {
            heads.clear();
        }
        heads.insert(head.digest, Arc::clone(&text));
        text
    }

    /// Starts a body with room for `length` more bytes.
    pub fn start(&self, length: usize) -> Body<'_> {
        let mut bytes = Vec::with_capacity(length + self.fixed.len() + SLACK);
        bytes.push(b'{');
        bytes.extend_from_slice(self.fixed.as_bytes());
        Body { bytes, skipped: &self.skipped }
    }

    /// Whether a field is written at all.
    pub fn writes(&self, field: &str) -> bool {
        !self.skipped.iter().any(|skipped| skipped == field)
    }
}

/// A body being written.
#[derive(Debug)]
pub struct Body<'a> {
    /// JSON text so far, its last brace still open.
    pub bytes: Vec<u8>,
    skipped: &'a [String],
}

impl Body<'_> {
    /// Adds a field, unless the entry skips it.
    pub fn field(&mut self, name: &str, value: &impl Serialize) {
        if !self.skipped.iter().any(|skipped| skipped == name) {
            self.key(name);
            json(&mut self.bytes, value);
        }
    }

    /// Adds a field where there is a value.
    pub fn optional(&mut self, name: &str, value: Option<&impl Serialize>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    /// Adds a field whose value is JSON already.
    pub fn raw(&mut self, name: &str, value: &str) {
        self.key(name);
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// Adds a field's name; the caller writes its value to `bytes`.
    pub fn key(&mut self, name: &str) {
        self.bytes.extend_from_slice(b",\"");
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    /// The finished body.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.push(b'}');
        self.bytes
    }
}

/// Appends a value as JSON.
pub fn json(out: &mut Vec<u8>, value: &impl Serialize) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        // Only a map with keys that are not text can fail; nothing here holds one.
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

/// A value as JSON text.
pub fn text_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// Appends a turn in wire form. The form kept with the turn is used if it is this API's, which its first byte tells (`is_ours`); a
/// conversation that another API rendered first is rendered afresh.
pub fn wire(out: &mut Vec<u8>, turn: &Turn, is_ours: fn(u8) -> bool, render: fn(&Turn) -> String, append: impl FnOnce(&mut Vec<u8>, &str)) {
    let kept = turn.wire(|_| render(turn));
    match kept.as_bytes().first() {
        Some(first) if is_ours(*first) => append(out, kept),
        _ => append(out, &render(turn)),
    }
}
