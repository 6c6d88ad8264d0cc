//! A model request while processors change it: what `before_model` allows, and nothing else (`system.md` §3).

use crate::domain::conversation::Conversation;
use crate::domain::event::RequestChange;
use crate::domain::message::{Message, ToolSpec};
use crate::domain::request::{Decision, ModelRole, Sampling};
use std::collections::BTreeSet;

/// One request as the processors change it.
pub(super) struct Draft {
    pub(super) conversation: Conversation,
    pub(super) tools: Vec<ToolSpec>,
    pub(super) actions: Vec<String>,
    pub(super) role: ModelRole,
    pub(super) sampling: Sampling,
    pub(super) decision: Decision,
}

impl Draft {
    /// Applies a change within the contract; says what changed.
    pub(super) fn apply(&mut self, change: RequestChange) -> Result<Vec<String>, String> {
        let mut changes = Vec::new();
        if let Some(actions) = change.actions {
            if actions.is_empty() || actions.iter().any(|action| !self.actions.contains(action)) {
                return Err("actions must be a subset of those offered, and not empty".to_owned());
            }
            if actions != self.actions {
                changes.push(format!("actions {} → {}", self.actions.len(), actions.len()));
                self.actions = actions;
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
            changes.push("sampling".to_owned());
            self.sampling = sampling.or(&self.sampling);
        }
        if let Some(decision) = change.decision {
            check_decision(&decision)?;
            changes.push(match &decision {
                Decision::Free => "decision free".to_owned(),
                Decision::Choice { options, .. } => format!("choice of {}", options.len()),
                Decision::Schema { .. } => "decision schema".to_owned(),
            });
            self.decision = decision;
        }
        Ok(changes)
    }
}

fn check_decision(decision: &Decision) -> Result<(), String> {
    match decision {
        Decision::Choice { options, .. } => {
            let distinct: BTreeSet<&String> = options.iter().collect();
            if options.is_empty() || distinct.len() != options.len() || options.iter().any(String::is_empty) {
                return Err("the options of a choice must be distinct, not empty, and at least one".to_owned());
            }
            Ok(())
        }
        Decision::Free | Decision::Schema { .. } => Ok(()),
    }
}
