//! The history of an episode: turns plus a running digest, so that a request is hashed by its new turns only (`system.md` §4).

use super::id::Digest;
use super::message::{Message, Turn};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Turns in order; `chain[i]` is the digest of turns `0..=i`.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    turns: Vec<Arc<Turn>>,
    chain: Vec<Digest>,
}

/// A change of whole turns, by index into the present history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum HistoryEdit {
    /// Drop turns `from..to`.
    Drop {
        /// First turn dropped.
        from: usize,
        /// First turn kept after it.
        to: usize,
    },
    /// Put one user turn with a summary in the place of turns `from..to`.
    Summarise {
        /// First turn replaced.
        from: usize,
        /// First turn kept after it.
        to: usize,
        /// The summary.
        text: String,
    },
    /// New order of all turns: `order[i]` is the old index of the new turn `i`.
    Reorder {
        /// A permutation of `0..len`.
        order: Vec<usize>,
    },
}

/// Digest of an empty conversation.
fn root() -> Digest {
    Digest::of(b"conversation")
}

impl Conversation {
    /// Appends one message.
    pub fn push(&mut self, message: Message) {
        self.push_turn(Turn::new(message));
    }

    /// Appends one turn.
    pub fn push_turn(&mut self, turn: Arc<Turn>) {
        let digest = Digest::of_parts(&[&self.digest().0, &turn.digest.0]);
        self.turns.push(turn);
        self.chain.push(digest);
    }

    /// Takes the last turn off.
    pub fn pop(&mut self) -> Option<Arc<Turn>> {
        self.chain.pop();
        self.turns.pop()
    }

    /// The turns.
    pub fn turns(&self) -> &[Arc<Turn>] {
        &self.turns
    }

    /// Digest of the whole conversation.
    pub fn digest(&self) -> Digest {
        self.chain.last().copied().unwrap_or_else(root)
    }

    /// How many leading turns are the same turns as in `other`.
    pub fn shared_prefix(&self, other: &Self) -> usize {
        // Chains agree exactly as far as the turns do, so the border can be found by halving.
        let mut low = 0;
        let mut high = self.chain.len().min(other.chain.len());
        while low < high {
            let middle = (low + high).div_ceil(2);
            if self.chain[middle - 1] == other.chain[middle - 1] {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low
    }

    /// Applies one edit.
    ///
    /// # Errors
    /// A fragment that says why the edit does not fit: bad range, not a permutation, a tool result parted from its call, or roles that
    /// no longer take turns.
    pub fn edited(&self, edit: &HistoryEdit) -> Result<Self, String> {
        let turns: Vec<Arc<Turn>> = match edit {
            HistoryEdit::Drop { from, to } => {
                self.check_range(*from, *to)?;
                self.turns[..*from].iter().chain(&self.turns[*to..]).cloned().collect()
            }
            HistoryEdit::Summarise { from, to, text } => {
                self.check_range(*from, *to)?;
                let summary = Turn::new(Message::user(text.clone()));
                self.turns[..*from].iter().cloned().chain([summary]).chain(self.turns[*to..].iter().cloned()).collect()
            }
            HistoryEdit::Reorder { order } => {
                let mut seen = vec![false; self.turns.len()];
                for index in order {
                    match seen.get_mut(*index) {
                        Some(slot) if !*slot => *slot = true,
                        _ => return Err(format!("turn {index} is named twice or not there")),
                    }
                }
                if order.len() != self.turns.len() {
                    return Err(format!("the order names {} of {} turns", order.len(), self.turns.len()));
                }
                order.iter().map(|index| self.turns[*index].clone()).collect()
            }
        };
        check_pairing(&turns)?;
        check_roles(&turns)?;
        let mut edited = Self::default();
        for turn in turns {
            edited.push_turn(turn);
        }
        Ok(edited)
    }

    fn check_range(&self, from: usize, to: usize) -> Result<(), String> {
        if from < to && to <= self.turns.len() {
            Ok(())
        } else {
            Err(format!("turns {from}..{to} are not a range within the {} turns", self.turns.len()))
        }
    }
}

/// The results of an assistant turn's tool calls must directly follow it, one for each call, in the order of the calls.
fn check_pairing(turns: &[Arc<Turn>]) -> Result<(), String> {
    let mut open: VecDeque<&str> = VecDeque::new();
    for turn in turns {
        match &turn.message {
            Message::Tool { call, .. } if open.front() == Some(&call.as_str()) => drop(open.pop_front()),
            Message::Tool { call, .. } => return Err(format!("the result of tool call {call} would not stand behind its call")),
            Message::User { .. } | Message::Assistant { .. } if !open.is_empty() => break,
            Message::User { .. } => {}
            Message::Assistant { tool_calls, .. } => open = tool_calls.iter().map(|call| call.id.as_str()).collect(),
        }
    }
    open.front().map_or(Ok(()), |call| Err(format!("tool call {call} would lose its result")))
}

/// What every provider takes: the user first, never two model turns in a row, and something to answer at the end.
fn check_roles(turns: &[Arc<Turn>]) -> Result<(), String> {
    let is_model = |turn: &Arc<Turn>| matches!(turn.message, Message::Assistant { .. });
    if turns.first().is_none_or(is_model) {
        return Err("the history would not begin with a user turn".to_owned());
    }
    if turns.last().is_none_or(is_model) {
        return Err("the history would end with the model's own turn".to_owned());
    }
    match turns.windows(2).position(|pair| pair.iter().all(is_model)) {
        Some(index) => Err(format!("turns {index} and {} would both be the model's", index + 1)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::CallId;
    use crate::domain::message::{Arguments, ToolCall};

    fn sample() -> Conversation {
        let mut conversation = Conversation::default();
        conversation.push(Message::user("go"));
        conversation.push(Message::Assistant {
            text: String::new(),
            tool_calls: vec![ToolCall { id: CallId::from("c1"), name: "echo".into(), arguments: Arguments(serde_json::json!({})) }],
        });
        conversation.push(Message::Tool { call: CallId::from("c1"), name: "echo".into(), text: "ok".into(), is_error: false });
        conversation.push(Message::assistant("done"));
        conversation.push(Message::user("more"));
        conversation
    }

    #[test]
    fn dropping_a_call_without_its_result_is_refused() {
        assert!(sample().edited(&HistoryEdit::Drop { from: 1, to: 2 }).is_err());
        assert!(sample().edited(&HistoryEdit::Drop { from: 2, to: 3 }).is_err());
        assert_eq!(sample().edited(&HistoryEdit::Drop { from: 1, to: 3 }).unwrap().turns().len(), 3);
    }

    #[test]
    fn results_stay_behind_their_calls_in_order() {
        let arguments = Arguments(serde_json::json!({}));
        let tool_calls = ["a", "b"].map(|id| ToolCall { id: CallId::from(id), name: "echo".into(), arguments: arguments.clone() }).to_vec();
        let result = |id: &str| Message::Tool { call: CallId::from(id), name: "echo".into(), text: String::new(), is_error: false };
        let mut two = Conversation::default();
        for message in [Message::user("hi"), Message::Assistant { text: String::new(), tool_calls }, result("a"), result("b")] {
            two.push(message);
        }
        let refused = |edit: HistoryEdit| two.edited(&edit).unwrap_err();
        assert_eq!(refused(HistoryEdit::Drop { from: 3, to: 4 }), "tool call b would lose its result");
        assert!(refused(HistoryEdit::Summarise { from: 2, to: 3, text: String::new() }).contains("tool call a would lose"));
        assert!(refused(HistoryEdit::Reorder { order: vec![0, 1, 3, 2] }).contains("tool call b would not stand behind"));
        assert!(two.edited(&HistoryEdit::Drop { from: 1, to: 4 }).is_ok());
    }

    #[test]
    fn roles_keep_taking_turns() {
        let refused = |edit: HistoryEdit| sample().edited(&edit).unwrap_err();
        assert!(refused(HistoryEdit::Drop { from: 0, to: 1 }).contains("begin with a user turn"));
        assert!(refused(HistoryEdit::Drop { from: 0, to: 5 }).contains("begin with a user turn"));
        assert!(refused(HistoryEdit::Drop { from: 4, to: 5 }).contains("end with the model's own turn"));
        assert!(refused(HistoryEdit::Reorder { order: vec![0, 3, 1, 2, 4] }).contains("turns 1 and 2 would both be the model's"));
        assert!(sample().edited(&HistoryEdit::Summarise { from: 1, to: 4, text: "s".into() }).is_ok());
    }

    #[test]
    fn the_shared_prefix_ends_where_turns_differ() {
        let one = sample();
        let mut two = one.clone();
        two.pop();
        two.push(Message::assistant("other"));
        assert_eq!(one.shared_prefix(&two), 4);
        assert_eq!(one.shared_prefix(&one), 5);
        assert_eq!(one.shared_prefix(&Conversation::default()), 0);
    }

    #[test]
    fn bad_ranges_and_orders_are_refused() {
        assert!(sample().edited(&HistoryEdit::Drop { from: 3, to: 9 }).is_err());
        assert!(sample().edited(&HistoryEdit::Reorder { order: vec![0, 0, 1, 2, 3] }).is_err());
    }
}
