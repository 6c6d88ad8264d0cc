//! Whose failure a model call without a reply is (`system.md` §4). A server that rejects a request which the harness had a hand in judges the
//! harness; one that rejects a plain request judges the run's settings, and no episode can go on.

use super::desk::CallFault;
use super::episode::{Abort, Episode, Stop};
use crate::domain::id::{ProcessorName, ToolName};
use crate::domain::outcome::{Boundary, Ending};
use crate::domain::request::{ModelRequest, ModelRole};
use crate::provider::ProviderError;

impl Episode<'_, '_> {
    /// A model call that failed: an ending where the harness or an outage is to blame, else the run must stop. `asked_by` is the processor
    /// whose question it was.
    pub(super) fn stop_for(&self, fault: CallFault, request: &ModelRequest, asked_by: Option<&ProcessorName>) -> Stop {
        let part = match &fault {
            CallFault::Provider(ProviderError::Outage { .. }) => {
                return Stop::End(Ending::Fault { boundary: Boundary::Provider, message: fault.to_string() });
            }
            CallFault::Provider(ProviderError::ContextTooLong { .. }) => Some("context".to_owned()),
            CallFault::Provider(ProviderError::Unsupported { .. }) => Some("decision".to_owned()),
            CallFault::Provider(ProviderError::Rejected { .. }) => self.shaper(request, asked_by),
            // A processor's role is checked before it takes effect, so this one is the run's own.
            CallFault::NoSeat(_) | CallFault::Provider(_) | CallFault::Ledger(_) => None,
        };
        match part {
            Some(part) => Stop::End(Ending::HarnessFault { part, message: fault.to_string() }),
            None => Stop::Abort(Abort::Call(fault)),
        }
    }

    /// The part of the harness that had a hand in a request; `None` where it is what any harness would send. A system prompt of plain text
    /// is no such part: every harness has one. The meta-agent's harness is not what is studied: its rejections are the user's to mend.
    fn shaper(&self, request: &ModelRequest, asked_by: Option<&ProcessorName>) -> Option<String> {
        if self.agent.role == ModelRole::Meta {
            return None;
        }
        let is_own = |name: &ToolName| self.own_tools.iter().any(|own| own.spec().name == *name);
        let is_odd = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t');
        let system = &request.head.system;
        if let Some(processor) = asked_by.or(self.changed_by.as_ref()) {
            Some(processor.0.clone())
        } else if request.head.tools.iter().any(|tool| is_own(&tool.name)) {
            Some("tools".to_owned())
        } else if self.agent.assembly.harness().manifest.slots.sampling.is_some() {
            Some("slots.sampling".to_owned())
        } else if self.within.is_some() {
            Some("agents".to_owned())
        } else if !system.is_empty() && system.trim().is_empty() || system.contains(is_odd) {
            Some("system prompt".to_owned())
        } else {
            None
        }
    }
}
