//! Ids, names and arguments of tool calls: whatever a model or a processor wrote, every call of an episode has an id of its own, both it and
//! the name are such as providers take, and the arguments can be put on file.

use crate::domain::id::{CallId, ToolName, is_plain};
use crate::domain::message::{Arguments, ToolCall};
use std::collections::HashSet;

/// The ids of one episode.
#[derive(Debug, Default)]
pub(super) struct CallIds {
    used: HashSet<CallId>,
    last: u32,
}

impl CallIds {
    /// Gives a new id to each call whose own is empty, odd, or taken by another call, puts `_` for what is odd in a name, and leaves arguments
    /// nested too deep as text.
    pub(super) fn mend(&mut self, calls: &mut [ToolCall]) {
        let mut seen = HashSet::new();
        for call in calls {
            if !is_plain(call.id.as_str()) || self.used.contains(&call.id) || seen.contains(&call.id) {
                call.id = self.next(&seen);
            }
            seen.insert(call.id.clone());
            call.name = ToolName::mended(call.name.as_str());
            call.arguments = Arguments::written(std::mem::take(&mut call.arguments.0));
        }
    }

    /// These calls are in the conversation now.
    pub(super) fn keep(&mut self, calls: &[ToolCall]) {
        self.used.extend(calls.iter().map(|call| call.id.clone()));
    }

    /// An id for a call that the run loop makes itself.
    pub(super) fn take(&mut self) -> CallId {
        let id = self.next(&HashSet::new());
        self.used.insert(id.clone());
        id
    }

    fn next(&mut self, seen: &HashSet<CallId>) -> CallId {
        loop {
            self.last += 1;
            let id = CallId(format!("call_{}", self.last));
            if !self.used.contains(&id) && !seen.contains(&id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::PLAIN_LIMIT;

    fn calls(ids: &[&str]) -> Vec<ToolCall> {
        let arguments = Arguments(serde_json::json!({}));
        ids.iter().map(|id| ToolCall { id: CallId::from(*id), name: "echo".into(), arguments: arguments.clone() }).collect()
    }

    #[test]
    fn ids_are_distinct_within_a_reply_and_across_replies() {
        let mut ids = CallIds::default();
        let mut first = calls(&["call_2", "", "call_1", "a", "a", "a b"]);
        ids.mend(&mut first);
        let distinct: HashSet<&CallId> = first.iter().map(|call| &call.id).collect();
        assert_eq!(distinct.len(), 6);
        assert_eq!(first[3].id.as_str(), "a");
        let once = first.clone();
        ids.mend(&mut first);
        assert_eq!(first, once);
        ids.keep(&first);
        let mut second = calls(&["a", "b"]);
        ids.mend(&mut second);
        assert!(second[0].id.as_str() != "a" && second[1].id.as_str() == "b");
    }

    #[test]
    fn ids_are_such_as_providers_take() {
        let mut found = calls(&["functions.echo:0", "a.b", "toolu_01-x"]);
        CallIds::default().mend(&mut found);
        let ids: Vec<&str> = found.iter().map(|call| call.id.as_str()).collect();
        assert_eq!(ids, ["call_1", "call_2", "toolu_01-x"]);
    }

    #[test]
    fn names_keep_what_providers_take() {
        for (name, expected) in [("echo-2_b", "echo-2_b"), ("functions.echo", "functions_echo"), ("", "_"), ("\u{e9}\n", "__")] {
            let mut call = calls(&["a"]);
            call[0].name = name.into();
            CallIds::default().mend(&mut call);
            assert_eq!(call[0].name.as_str(), expected);
        }
        let mut call = calls(&["a"]);
        call[0].name = ToolName("x".repeat(PLAIN_LIMIT + 1));
        CallIds::default().mend(&mut call);
        assert_eq!(call[0].name.as_str().len(), PLAIN_LIMIT);
    }
}
