//! Sealed controls of served models grow old (`gate.md` §2.6): nobody knows when such a model changes. Between rounds those older than a
//! day are dropped, and those in which another version of a model answered than in the newest with a model in that role.

use super::Rounds;
use super::error::RoundsError;
use crate::domain::gate::{Arm, Ask, Control, EvidenceStream, TaskIndex};
use crate::domain::id::LimitsId;
use crate::domain::request::ModelRole;
use crate::domain::trace::Record;
use crate::store::trace_file::{TraceReader, written_at};
use std::collections::BTreeMap;
use std::path::Path;

/// Milliseconds that a control holds.
const HOLDS: u64 = 24 * 60 * 60 * 1000;

/// What decides about a control.
struct Facts {
    written: u64,
    served_by: Names,
}

/// The name under which the model of each role answered last.
type Names = BTreeMap<ModelRole, String>;

impl Rounds<'_> {
    /// Drops the controls that no longer speak for the model.
    pub(super) fn expire_controls(&mut self) -> Result<(), RoundsError> {
        if !self.course.desk.seats.values().any(|seat| seat.provider.is_served()) {
            return Ok(());
        }
        let mut controls: Vec<(LimitsId, TaskIndex, Control)> = Vec::new();
        self.gate.retain_controls(|limits, task, control| {
            controls.push((limits.clone(), task, *control));
            true
        });
        let key = |limits: &LimitsId, task: TaskIndex, control: &Control| (limits.clone(), task, control.epoch, control.replicate);
        let mut known: BTreeMap<(LimitsId, TaskIndex, u32, u32), Facts> = BTreeMap::new();
        for (limits, task, control) in &controls {
            let ask = Ask::new(Arm::Incumbent, *task, EvidenceStream::Sealed(control.epoch), control.replicate);
            if let Some(trace) = self.control_trace(limits, &self.key_of(&ask), &ask) {
                let facts = Facts { written: written_at(&trace).unwrap_or(0), served_by: served_by(&trace) };
                known.insert(key(limits, *task, control), facts);
            }
        }
        let now = self.course.desk.clock.unix_milliseconds();
        let newest = newest(known.values());
        let mut dropped = 0;
        self.gate.retain_controls(|limits, task, control| {
            let facts = known.get(&key(limits, task, control));
            let holds = facts.is_some_and(|facts| now.saturating_sub(facts.written) < HOLDS && facts.is_of(&newest));
            dropped += usize::from(!holds);
            holds
        });
        if dropped > 0 {
            self.audited("gate", self.gate.round(), "expired", format!("{dropped} sealed controls of a served model"))?;
        }
        Ok(())
    }
}

impl Facts {
    /// Whether nobody answered in it under another name than in the newest: roles that did not speak in it say nothing.
    fn is_of(&self, newest: &Names) -> bool {
        self.served_by.iter().all(|(role, name)| newest.get(role) == Some(name))
    }
}

/// The name in the newest control in which a role spoke, by role.
fn newest<'a>(known: impl Iterator<Item = &'a Facts>) -> Names {
    let mut known: Vec<&Facts> = known.collect();
    known.sort_by_key(|facts| facts.written);
    known.into_iter().flat_map(|facts| facts.served_by.clone()).collect()
}

fn served_by(trace: &Path) -> Names {
    let mut names = Names::new();
    let mut asked = None;
    for record in TraceReader::open(trace).into_iter().flatten().filter_map(Result::ok) {
        match record {
            Record::Request { role, .. } => asked = Some(role),
            Record::Reply { reply, .. } => names.extend(asked.zip(reply.served_by)),
            Record::Episode { .. } | Record::Brought { .. } | Record::Tool { .. } | Record::Trigger { .. } | Record::Outcome(_) => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_spoke_in_the_newest_only_tells_nothing_of_the_others() {
        let facts = |written: u64, names: &[(ModelRole, &str)]| {
            let served_by = names.iter().map(|(role, name)| (*role, (*name).to_owned())).collect();
            Facts { written, served_by }
        };
        let (main, judge) = (ModelRole::Main, ModelRole::Judge);
        let known = [facts(3, &[(main, "m-2"), (judge, "j-1")]), facts(1, &[(main, "m-1")]), facts(2, &[(main, "m-2")]), facts(4, &[])];
        let newest = newest(known.iter());
        assert_eq!(known.map(|facts| facts.is_of(&newest)), [true, false, true, true]);
    }
}
