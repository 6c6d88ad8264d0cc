//! The line the gate says about each ruling (`gate.md` §5).

use super::fork::ForkOffer;
use super::stage_two::allowed_loss;
use super::verdict::{Evidence, FitsSeen, MOVE_ANCHOR_AT, ROLL_BACK_AT, Ruling, SameFinding, Verdict};
use super::{CandidateId, GateTask};
use crate::domain::task::Split;
use std::fmt;

/// Who reads a rendering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Sees everything.
    Person,
    /// Engines and ledgers: no gate task.
    Engine,
}

impl Verdict {
    /// The line with the names of the tasks that regressed: all of them for people, those of the train split for everyone else.
    pub fn with_tasks(&self, tasks: &[GateTask], reader: Reader) -> String {
        let names: Vec<&str> = self
            .regressed()
            .iter()
            .filter_map(|task| tasks.get(task.at()))
            .filter(|task| reader == Reader::Person || task.split == Split::Train)
            .map(|task| task.id.as_str())
            .collect();
        if names.is_empty() { self.to_string() } else { format!("{self} ({})", names.join(", ")) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.candidate.as_ref().map_or("incumbent", CandidateId::as_str);
        let rollouts = self.rollouts;
        match &self.ruling {
            Ruling::Shipped(evidence) => shipped(out, id, evidence, rollouts),
            Ruling::ShippedWhole { gain } => {
                write!(out, "shipped {id}: {gain:+.1} pts (raw, on the rollouts it was chosen by); {rollouts} rollouts")
            }
            Ruling::Blocked { evidence, fork } => blocked(out, id, evidence, fork.as_ref()),
            Ruling::Futile { passes, e, threshold } => {
                let (passes, e, threshold) = (count(*passes, "pass", "passes"), short(*e), short(*threshold));
                write!(out, "rejected {id}: futile after {passes} (e={e}, needs {threshold})")
            }
            Ruling::Undetectable { available, wanted } => {
                let wins = if *available == 1 { "1 win is" } else { &format!("{available} wins are") };
                write!(out, "rejected {id}: undetectable here: {wins} possible, {wanted} wanted; claim more tasks or by tag")
            }
            Ruling::ClaimsNothing => write!(out, "rejected {id}: it claims no task that could be bet on"),
            Ruling::Unlikely { probability, passes } => {
                let passes = count(*passes, "pass", "passes");
                write!(out, "rejected {id}: P(net gain)={probability:.2} after {passes} over what it does not claim")
            }
            Ruling::FitsSeen(fit) => write!(out, "rejected {id}: {fit}"),
            Ruling::Parked { cost, on_hand } => write!(out, "parked {id}: the next pass costs {cost} rollouts, {on_hand} are on hand"),
            Ruling::Crowded => write!(out, "rejected {id}: no budget, and no place to wait"),
            Ruling::Voided { missing, tasks, again } => {
                let word = if *again { "parked" } else { "rejected" };
                write!(out, "{word} {id}: {missing} of {tasks} tasks missing, the pass is void")
            }
            Ruling::Overtaken { by } => write!(out, "rejected {id}: {by} shipped and touches the same tasks"),
            Ruling::Undone { to } => write!(out, "rejected {id}: made on a harness that was rolled back to R{to}"),
            Ruling::Withheld { reason } => write!(out, "rejected {id}: withheld: {reason}"),
            Ruling::Refused => write!(out, "rejected {id}: it passed, and a person turned it down"),
            Ruling::Seesaw { before, after } => write!(out, "rejected {id}: pass@2 fell from {before} to {after} tasks"),
            Ruling::NotBest { gain } => {
                write!(out, "rejected {id}: not the best of the round, or no better than the incumbent ({gain:+.1} pts)")
            }
            Ruling::SameHarness { finding, e, threshold, regressed } => {
                let (word, e, threshold) = (word_of(*finding), short(*e), short(*threshold));
                write!(out, "{id} against itself: {word} (e={e}, needs {threshold}; {regressed} protected regressed; {rollouts} rollouts)")
            }
            Ruling::RolledBack { to, e } => {
                write!(out, "rolled back to R{to}: e={} ≥ {ROLL_BACK_AT} that the incumbent is worse", short(*e))
            }
            Ruling::AnchorMoved { e } => {
                write!(out, "checked for slow loss: e={} ≥ {MOVE_ANCHOR_AT} that the incumbent is better", short(*e))
            }
            Ruling::AnchorKept { better, worse } => {
                write!(out, "checked for slow loss: neither better (e={}) nor worse (e={})", short(*better), short(*worse))
            }
        }
    }
}

impl fmt::Display for FitsSeen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "fits the tasks it saw ({:+.1} train tasks, {:+.1} on their siblings)", self.train, self.siblings + 0.0)
    }
}

fn shipped(out: &mut fmt::Formatter<'_>, id: &str, evidence: &Evidence, rollouts: u32) -> fmt::Result {
    let Evidence { gain, probability, protected, .. } = evidence;
    let (e, threshold, regressed) = (short(evidence.e), short(evidence.threshold), evidence.regressed.len());
    write!(out, "shipped {id}: {gain:+.1} pts (fresh paired, shrunk); claimed fixes e={e} ≥ {threshold}; P(net gain)={probability:.2}; ")?;
    write!(out, "{regressed}/{protected} protected regressed; {rollouts} rollouts")?;
    evidence.fits_seen.map_or(Ok(()), |fit| write!(out, "; {fit}"))
}

fn blocked(out: &mut fmt::Formatter<'_>, id: &str, evidence: &Evidence, fork: Option<&ForkOffer>) -> fmt::Result {
    let Evidence { gain, probability, protected, loss, .. } = evidence;
    let regressed = evidence.regressed.len();
    write!(out, "blocked {id}: {gain:+.1} pts but ")?;
    if regressed > 0 {
        write!(out, "{regressed}/{protected} protected regressed")?;
    } else if *loss > allowed_loss(*protected) {
        write!(out, "{loss:.1} of {protected} protected tasks lost in sum")?;
    } else {
        write!(out, "P(net gain)={probability:.2} after fresh rollouts")?;
    }
    if fork.is_some() { write!(out, ": offered as fork") } else { Ok(()) }
}

fn word_of(finding: SameFinding) -> &'static str {
    match finding {
        SameFinding::Undecided => "undecided, as it must be",
        SameFinding::Shipped => "shipped: the gate sees a gain where there is none",
        SameFinding::Vetoed => "vetoed: the gate sees a regression where there is none",
    }
}

/// A count with its noun.
fn count(number: u32, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// An e-value with as many digits as matter.
fn short(e: f64) -> String {
    if e < 10.0 {
        let text = format!("{e:.1}");
        text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
    } else if e < 1e6 {
        format!("{e:.0}")
    } else {
        format!("{e:.0e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(candidate: &str, ruling: Ruling) -> String {
        Verdict { round: 3, candidate: Some(candidate.into()), rollouts: 212, ruling }.to_string()
    }

    /// The examples of `gate.md` §5, to the letter.
    #[test]
    fn the_lines_are_those_of_the_specification() {
        let evidence = Evidence {
            gain: 6.2,
            e: 171.2,
            threshold: 150.0,
            probability: 0.941,
            protected: 41,
            regressed: vec![],
            loss: 0.1,
            fits_seen: None,
        };
        assert_eq!(
            line("C-R3-02", Ruling::Shipped(evidence.clone())),
            "shipped C-R3-02: +6.2 pts (fresh paired, shrunk); claimed fixes e=171 ≥ 150; P(net gain)=0.94; 0/41 protected regressed; 212 rollouts"
        );
        assert_eq!(
            line("C-R3-01", Ruling::Futile { passes: 3, e: 0.4, threshold: 150.0 }),
            "rejected C-R3-01: futile after 3 passes (e=0.4, needs 150)"
        );
        let lost = Evidence { gain: 3.1, regressed: vec![super::super::TaskIndex(1), super::super::TaskIndex(2)], ..evidence };
        let fork = ForkOffer { clusters: vec![], enough: true, certified: false };
        assert_eq!(
            line("C-R3-03", Ruling::Blocked { evidence: lost, fork: Some(fork) }),
            "blocked C-R3-03: +3.1 pts but 2/41 protected regressed: offered as fork"
        );
        let back = Verdict { round: 9, candidate: None, rollouts: 40, ruling: Ruling::RolledBack { to: 7, e: 24.1 } };
        assert_eq!(back.to_string(), "rolled back to R7: e=24 ≥ 20 that the incumbent is worse");
    }
}
