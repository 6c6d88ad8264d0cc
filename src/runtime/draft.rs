//! A model request while processors change it: what `before_model` allows, and nothing else (`system.md` §3).

use super::ballot::VOTES_LIMIT;
use crate::domain::conversation::Conversation;
use crate::domain::event::RequestChange;
use crate::domain::id::ProcessorName;
use crate::domain::message::{Message, ToolSpec};
use crate::domain::request::{Decision, ModelRole, Sampling};
use std::collections::BTreeSet;

/// One request as the processors change it.
pub(super) struct Draft {
    pub(super) conversation: Conversation,
    pub(super) tools: Vec<ToolSpec>,
    /// Actions that the environment admits.
    pub(super) admitted: Vec<String>,
    /// Those of them still offered.
    pub(super) actions: Vec<String>,
    pub(super) role: ModelRole,
    pub(super) sampling: Sampling,
    pub(super) decision: Decision,
    /// Replies that one is chosen from.
    pub(super) votes: u32,
    /// Who wants several.
    pub(super) voter: Option<ProcessorName>,
}

impl Draft {
    /// Applies a change within the contract; says what changed.
    pub(super) fn apply(&mut self, change: RequestChange) -> Result<Vec<String>, String> {
        let mut changes = Vec::new();
        if let Some(actions) = change.actions {
            let distinct: BTreeSet<&String> = actions.iter().collect();
            if actions.is_empty() || distinct.len() != actions.len() || actions.iter().any(|action| !self.actions.contains(action)) {
                return Err("actions must be a subset of those offered, distinct, and not empty".to_owned());
            }
            if actions != self.actions {
                changes.push(format!("actions {} → {}", self.actions.len(), actions.len()));
                self.actions = actions;
                if change.decision.is_none() {
                    self.withhold(&mut changes)?;
                }
            }
        }
        if let Some(names) = change.tools {
            if names.iter().any(|name| !self.tools.iter().any(|tool| tool.name == *name)) {
                return Err("tools must be a subset of those offered".to_owned());
            }
            changes.push(format!("tools {} → {}", self.tools.len(), names.len()));
            self.tools.retain(|tool| names.contains(&tool.name));
        }
        if let Some(text) = change.last_user {
            let last = self.conversation.pop().ok_or("there is no last user turn")?;
            let message = match &last.message {
                Message::User { .. } => Message::User { text },
                Message::Tool { call, name, is_error, .. } => {
                    Message::Tool { call: call.clone(), name: name.clone(), text, is_error: *is_error }
                }
                Message::Assistant { .. } => return Err("the last turn is the model's own".to_owned()),
            };
            self.conversation.push(message);
            changes.push("last user content".to_owned());
        }
        if let Some(text) = change.append_user {
            self.conversation.push(Message::user(text));
            changes.push("appended a user message".to_owned());
        }
        if let Some(role) = change.role {
            changes.push(format!("role {}", role.as_str()));
            self.role = role;
        }
        if let Some(sampling) = change.sampling {
            sampling.check()?;
            changes.push("sampling".to_owned());
            self.sampling = sampling.or(&self.sampling);
        }
        if let Some(decision) = change.decision {
            decision.check()?;
            if let Decision::Choice { options, .. } = &decision
                && let Some(option) = options.iter().find(|option| self.is_withheld(option))
            {
                return Err(format!("the choice offers {option:?}, which is withheld"));
            }
            changes.push(match &decision {
                Decision::Free => "decision free".to_owned(),
                Decision::Choice { options, .. } => format!("choice of {}", options.len()),
                Decision::Schema { .. } => "decision schema".to_owned(),
            });
            self.decision = decision;
        }
        if let Some(votes) = change.votes {
            if !(1..=VOTES_LIMIT).contains(&votes) {
                return Err(format!("votes is not within 1 to {VOTES_LIMIT}"));
            }
            changes.push(format!("best of {votes} replies"));
            self.votes = votes;
        }
        Ok(changes)
    }

    /// An action of the environment that a processor took away.
    fn is_withheld(&self, action: &String) -> bool {
        self.admitted.contains(action) && !self.actions.contains(action)
    }

    /// A choice that an earlier processor put loses the actions taken away since.
    fn withhold(&mut self, changes: &mut Vec<String>) -> Result<(), String> {
        let Decision::Choice { options, score } = &self.decision else { return Ok(()) };
        let left: Vec<String> = options.iter().filter(|option| !self.is_withheld(option)).cloned().collect();
        if left.is_empty() {
            return Err("no option of the choice is left".to_owned());
        }
        if left.len() < options.len() {
            changes.push(format!("choice of {}", left.len()));
            self.decision = Decision::Choice { options: left, score: *score };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::request::ScoreRule;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn choice(options: &[&str]) -> Decision {
        Decision::Choice { options: texts(options), score: ScoreRule::Mean }
    }

    fn draft() -> Draft {
        let mut conversation = Conversation::default();
        conversation.push(Message::user("go"));
        Draft {
            conversation,
            tools: Vec::new(),
            admitted: texts(&["a", "b", "c"]),
            actions: texts(&["a", "b", "c"]),
            role: ModelRole::Main,
            sampling: Sampling::default(),
            decision: Decision::Free,
            votes: 1,
            voter: None,
        }
    }

    fn narrow(actions: &[&str]) -> RequestChange {
        RequestChange { actions: Some(texts(actions)), ..RequestChange::default() }
    }

    fn decide(decision: Decision) -> RequestChange {
        RequestChange { decision: Some(decision), ..RequestChange::default() }
    }

    #[test]
    fn actions_taken_away_leave_a_choice_that_was_put_before() {
        let mut draft = draft();
        draft.apply(decide(choice(&["a", "b", "c", "wait"]))).unwrap();
        draft.apply(narrow(&["b"])).unwrap();
        assert_eq!(draft.decision, choice(&["b", "wait"]));
    }

    #[test]
    fn no_processor_brings_back_what_another_took_away() {
        let mut draft = draft();
        draft.apply(narrow(&["a", "b"])).unwrap();
        assert!(draft.apply(narrow(&["a", "c"])).unwrap_err().contains("subset"));
        assert!(draft.apply(decide(choice(&["a", "c"]))).unwrap_err().contains("\"c\", which is withheld"));
        assert!(draft.apply(decide(choice(&["a", "new"]))).is_ok());
    }

    #[test]
    fn what_no_provider_takes_is_refused() {
        assert!(draft().apply(narrow(&["a", "a"])).is_err());
        assert!(draft().apply(narrow(&[])).is_err());
        assert!(draft().apply(decide(choice(&["a", "a"]))).is_err());
        assert!(draft().apply(decide(Decision::Schema { schema: serde_json::json!(3) })).is_err());
        for bad in [
            Sampling { temperature: Some(f64::NAN), ..Sampling::default() },
            Sampling { temperature: Some(-1.0), ..Sampling::default() },
            Sampling { top_p: Some(0.0), ..Sampling::default() },
            Sampling { max_tokens: Some(0), ..Sampling::default() },
        ] {
            assert!(draft().apply(RequestChange { sampling: Some(bad), ..RequestChange::default() }).is_err());
        }
    }
}
