//! Sealed controls of served models grow old (`gate.md` §2.6): nobody knows when such a model changes. Between rounds those older than a
//! day are dropped, and those that another version of the model answered than the newest.

use super::Rounds;
use super::error::RoundsError;
use crate::domain::gate::{Arm, Ask, Control, EvidenceStream, TaskIndex};
use crate::domain::id::LimitsId;
use crate::domain::trace::Record;
use crate::store::trace_file::{TraceReader, written_at};
use std::collections::BTreeMap;
use std::path::Path;

/// Milliseconds that a control holds.
const HOLDS: u64 = 24 * 60 * 60 * 1000;

/// What decides about a control.
struct Facts {
    written: u64,
    served_by: Option<String>,
}

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
        let newest = known.values().max_by_key(|facts| facts.written).and_then(|facts| facts.served_by.clone());
        let mut dropped = 0;
        self.gate.retain_controls(|limits, task, control| {
            let facts = known.get(&key(limits, task, control));
            let holds = facts.is_some_and(|facts| now.saturating_sub(facts.written) < HOLDS && facts.served_by == newest);
            dropped += usize::from(!holds);
            holds
        });
        if dropped > 0 {
            self.audited("gate", self.gate.round(), "expired", format!("{dropped} sealed controls of a served model"))?;
        }
        Ok(())
    }
}

/// The name under which the model answered last in an episode.
fn served_by(trace: &Path) -> Option<String> {
    let records = TraceReader::open(trace).ok()?.filter_map(Result::ok);
    let names = records.filter_map(|record| if let Record::Reply { reply, .. } = record { reply.served_by } else { None });
    names.last()
}
