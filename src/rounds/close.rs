//! What is told of a round: the decision for engines and people, verdicts, ledgers, the journal, the curves, and last `round.json`.

use super::Rounds;
use super::digest::write_ledgers;
use super::error::RoundsError;
use super::propose::Proposals;
use super::settings::Event;
use crate::domain::curves::Point;
use crate::domain::figures::{count, money};
use crate::domain::gate::{Reader, Ruling, Verdict};
use crate::domain::history::History;
use crate::domain::id::{CandidateId, VariantId};
use crate::domain::interval::wilson;
use crate::domain::ledger::RejectedAt;
use crate::domain::meta::Sessions;
use crate::domain::round::{Decision, ROUND_FORMAT, Rollouts, RoundOutcome, RoundRecord, Ruled, RulingWord};
use crate::domain::task::Split;
use crate::domain::untrusted::{escaped, one_line, quoted};
use crate::store::harness_repo::Branch;
use std::collections::BTreeMap;
use std::fmt::Write;

impl Rounds<'_> {
    /// What came of a round at the gate.
    pub(super) fn outcome(&self, round: u32, proposals: &Proposals) -> RoundOutcome {
        let rulings = || self.gate.log().iter().filter(|verdict| verdict.round == round);
        if rulings().any(|verdict| matches!(verdict.ruling, Ruling::RolledBack { .. })) {
            RoundOutcome::RolledBack
        } else if rulings().any(|verdict| verdict.shipped_gain().is_some()) {
            RoundOutcome::Shipped
        } else if proposals.manifests.is_empty() && rulings().all(|verdict| verdict.candidate.is_none()) {
            RoundOutcome::Idle
        } else {
            RoundOutcome::Kept
        }
    }

    /// Ends a round. Written last: `round.json`.
    pub(super) fn close(&mut self, round: u32, outcome: RoundOutcome, proposals: Option<&Proposals>) -> Result<RoundRecord, RoundsError> {
        self.restore_after_rollback(round, outcome)?;
        let none = Proposals::default();
        let decision = self.decision(round, outcome, proposals.unwrap_or(&none))?;
        for ruled in &decision.candidates {
            (self.course.watch)(Event::Decided { round, line: &ruled.line });
        }
        if let Some(reason) = &decision.reason {
            (self.course.watch)(Event::Decided { round, line: &format!("{}: {reason}", word(outcome)) });
        }
        for line in &decision.notes {
            (self.course.watch)(Event::Decided { round, line });
        }
        self.write_verdicts(round)?;
        self.course.run.files(round).write_decision(&decision, &markdown(&decision))?;
        if let Some(tip) = self.repo.tip(&Branch::Main)? {
            self.repo.tag(round, &tip)?;
        }
        self.keep_forks(round)?;
        let record = self.record(round, outcome)?;
        for split in [Split::Train, Split::Gate] {
            self.course.run.add_point(round, split, self.point(split))?;
        }
        let past = self.visible.past_rounds()?;
        write_ledgers(self.course.run, &History::new(&past))?;
        self.course.run.add_memo(&memo(&decision, &record))?;
        self.course.run.write_index()?;
        self.stop_time()?;
        self.course.run.files(round).write_round(&record)?;
        self.audited("loop", round, "closed", format!("{outcome:?}"))?;
        (self.course.watch)(Event::Closed(&record));
        Ok(record)
    }

    /// After a rollback `main` goes back to the anchor's harness, as a commit of its own.
    fn restore_after_rollback(&mut self, round: u32, outcome: RoundOutcome) -> Result<(), RoundsError> {
        if outcome == RoundOutcome::RolledBack && self.repo.harness("main")? != self.incumbent() {
            let known = super::players::Known::read(&self.repo, &self.incumbent())?;
            let message = crate::store::harness_repo::CommitMessage {
                title: "Roll back: the incumbent was worse than an earlier one".to_owned(),
                body: String::new(),
                trailers: vec![("Round".to_owned(), round.to_string())],
            };
            let parents: Vec<_> = self.repo.tip(&Branch::Main)?.into_iter().collect();
            self.commit(&Branch::Main, &known, &parents, &message)?;
            self.lineage = self.read_lineage()?;
        }
        Ok(())
    }

    /// What gains but breaks something, and was offered as a fork, stays at hand as `variant/<k>`: k counts the offers of the run.
    fn keep_forks(&self, round: u32) -> Result<(), RoundsError> {
        let offered = self.gate.log().iter().filter(|verdict| matches!(verdict.ruling, Ruling::Blocked { fork: Some(_), .. }));
        for (number, verdict) in offered.enumerate().filter(|(_, verdict)| verdict.round == round) {
            let Some(id) = &verdict.candidate else { continue };
            let Some(tip) = self.repo.tip(&Branch::Candidate(id.clone()))? else { continue };
            let variant = VariantId((number + 1).to_string());
            self.repo.point(&Branch::Variant(variant.clone()), &tip)?;
            self.audited("gate", round, "fork", format!("{id} as variant/{variant}"))?;
        }
        Ok(())
    }

    fn decision(&self, round: u32, outcome: RoundOutcome, proposals: &Proposals) -> Result<Decision, RoundsError> {
        let titles: BTreeMap<&CandidateId, &str> =
            proposals.manifests.iter().map(|manifest| (&manifest.candidate_id, manifest.title.as_str())).collect();
        let title = |id: &CandidateId| titles.get(id).map_or_else(|| self.title_of(id), |title| (*title).to_owned());
        let mut candidates: Vec<Ruled> = Vec::new();
        for (id, reason) in &proposals.critique.rejected {
            let line = format!("rejected {id}: {reason}");
            candidates.push(Ruled {
                candidate: id.clone(),
                title: title(id),
                word: RulingWord::Rejected,
                line,
                rollouts: 0,
                gain: None,
                at: Some(RejectedAt::Critique),
            });
        }
        let mut notes = Vec::new();
        for verdict in self.gate.log().iter().filter(|verdict| verdict.round == round) {
            let line = verdict.with_tasks(self.gate.tasks(), Reader::Engine);
            let Some(id) = &verdict.candidate else {
                notes.push(line);
                continue;
            };
            candidates.retain(|ruled| ruled.candidate != *id);
            let (word, gain) = (word_of(&verdict.ruling), verdict.shipped_gain());
            candidates.push(Ruled {
                candidate: id.clone(),
                title: title(id),
                word,
                line,
                rollouts: verdict.rollouts,
                gain,
                at: ended_at(&verdict.ruling),
            });
        }
        notes.extend(self.out_of_reach(round));
        let reason = proposals.idle.clone().or_else(|| proposals.critique.no_op.clone()).filter(|_| outcome != RoundOutcome::Shipped);
        // What the reason says is not said twice.
        let is_said = |line: &String| reason.as_ref().is_some_and(|reason| reason.contains(line));
        notes.extend(self.unwell(round)?.into_iter().map(|(_, line)| line).filter(|line| !is_said(line)));
        let strategy_concern = proposals.critique.strategy_concern.clone();
        Ok(Decision { format: ROUND_FORMAT, round, outcome, reason, candidates, notes, strategy_concern })
    }

    /// A line on each candidate that waits for more than the rounds left can bring.
    fn out_of_reach(&self, round: u32) -> Vec<String> {
        let settings = self.gate.settings();
        let left = settings.rounds.saturating_sub(round);
        let each = (settings.budget * self.gate.tasks().len() as f64).floor() as i64;
        let most = self.gate.bankroll() + i64::from(left) * each;
        let waits = |id: &CandidateId| self.gate.candidates().iter().any(|candidate| candidate.id == *id && candidate.is_waiting());
        let parked = self.gate.log().iter().filter(|verdict| verdict.round == round && !settings.open_ended);
        let line = |verdict: &Verdict| {
            let (Ruling::Parked { cost, .. }, Some(id)) = (&verdict.ruling, &verdict.candidate) else { return None };
            let why = match left {
                0 => "no round is left to judge it in".to_owned(),
                left => format!("at most {most} rollouts come together in the {} left", count(u64::from(left), "round")),
            };
            let is_beyond = left == 0 || i64::try_from(*cost).is_ok_and(|cost| cost > most);
            (is_beyond && waits(id)).then(|| format!("{id} waits in vain: {why}"))
        };
        parked.filter_map(line).collect()
    }

    fn title_of(&self, id: &CandidateId) -> String {
        let candidate = self.gate.candidates().iter().find(|candidate| candidate.id == *id);
        candidate.and_then(|candidate| self.manifest_of(candidate).ok()).map_or_else(String::new, |manifest| manifest.title)
    }

    /// One page a verdict for engines, and all of them in full for people.
    fn write_verdicts(&self, round: u32) -> Result<(), RoundsError> {
        let mut full: Vec<String> = Vec::new();
        for verdict in self.gate.log().iter().filter(|verdict| verdict.round == round) {
            full.push(verdict.with_tasks(self.gate.tasks(), Reader::Person));
            if let Some(id) = &verdict.candidate {
                let line = verdict.with_tasks(self.gate.tasks(), Reader::Engine);
                self.course.run.files(round).write_verdict(id, &public(verdict, &line), &format!("{line}\n"))?;
            }
        }
        Ok(self.course.run.write_full_decision(round, &full)?)
    }

    fn record(&self, round: u32, outcome: RoundOutcome) -> Result<RoundRecord, RoundsError> {
        let spent = self.spent_in(round)?;
        let shipped = |verdict: &&Verdict| verdict.round == round && verdict.shipped_gain().is_some();
        Ok(RoundRecord {
            format: ROUND_FORMAT,
            round,
            outcome,
            before: self.gate.incumbents()[0].began.clone(),
            after: self.incumbent(),
            shipped: self.gate.log().iter().filter(shipped).filter_map(|verdict| verdict.candidate.clone()).collect(),
            rollouts: spent.rollouts,
            usage: spent.usage,
            milliseconds: self.elapsed(),
            engines: Some(self.course.settings.engines.clone()),
            meta: self.sessions_in(round)?,
        })
    }

    /// What the gate has counted of a split: all rollouts of the present incumbent, and of those before it that it would repeat.
    fn point(&self, split: Split) -> Point {
        let counts = self.gate.incumbents()[0].history();
        let of_split = self.gate.tasks().iter().zip(counts).filter(|(task, counts)| task.split == split && counts.total() > 0);
        let (mut mean, mut tasks, mut episodes) = (0.0, 0, 0);
        for (_, counts) in of_split {
            mean += f64::from(counts.solved) / f64::from(counts.total());
            tasks += 1;
            episodes += counts.total() as usize;
        }
        Point { pass_rate: wilson(mean, tasks), tasks, episodes, missing: None }
    }
}

/// What engines may know of a verdict.
#[derive(serde::Serialize)]
struct PublicVerdict<'a> {
    format: u32,
    round: u32,
    word: RulingWord,
    line: &'a str,
    rollouts: u32,
    gain: Option<f64>,
}

fn public<'a>(verdict: &Verdict, line: &'a str) -> PublicVerdict<'a> {
    let Verdict { round, rollouts, .. } = *verdict;
    PublicVerdict { format: ROUND_FORMAT, round, word: word_of(&verdict.ruling), line, rollouts, gain: verdict.shipped_gain() }
}

fn word_of(ruling: &Ruling) -> RulingWord {
    match ruling {
        Ruling::Shipped(_) | Ruling::ShippedWhole { .. } => RulingWord::Shipped,
        Ruling::Blocked { .. } => RulingWord::Blocked,
        Ruling::Parked { .. } | Ruling::Voided { again: true, .. } => RulingWord::Parked,
        Ruling::Futile { .. }
        | Ruling::Undetectable { .. }
        | Ruling::ClaimsNothing
        | Ruling::Unlikely { .. }
        | Ruling::FitsSeen(_)
        | Ruling::Crowded
        | Ruling::Voided { again: false, .. }
        | Ruling::Overtaken { .. }
        | Ruling::Undone { .. }
        | Ruling::Withheld { .. }
        | Ruling::Refused
        | Ruling::Seesaw { .. }
        | Ruling::NotBest { .. }
        | Ruling::SameHarness { .. }
        | Ruling::RolledBack { .. }
        | Ruling::AnchorMoved { .. }
        | Ruling::AnchorKept { .. } => RulingWord::Rejected,
    }
}

/// The check that ended a candidate, where one did.
fn ended_at(ruling: &Ruling) -> Option<RejectedAt> {
    match (word_of(ruling), ruling) {
        (_, Ruling::Withheld { .. }) => Some(RejectedAt::Heldout),
        (_, Ruling::Refused) => Some(RejectedAt::Person),
        (RulingWord::Rejected | RulingWord::Blocked, _) => Some(RejectedAt::Gate),
        (RulingWord::Shipped | RulingWord::Parked, _) => None,
    }
}

/// `decision.md`.
fn markdown(decision: &Decision) -> String {
    let mut text = format!("# Round {}: {}\n\n", decision.round, word(decision.outcome));
    if let Some(reason) = &decision.reason {
        _ = writeln!(text, "{}.\n", escaped(&one_line(reason)));
    }
    for ruled in &decision.candidates {
        _ = writeln!(text, "- **{}** ({}): {}", ruled.candidate, quoted(&ruled.title), escaped(&one_line(&ruled.line)));
    }
    for note in &decision.notes {
        _ = writeln!(text, "- {}", escaped(&one_line(note)));
    }
    if let Some(concern) = &decision.strategy_concern {
        _ = writeln!(text, "\nThe Critic is worried: {}", escaped(&one_line(concern)));
    }
    text
}

/// The round in the journal.
fn memo(decision: &Decision, record: &RoundRecord) -> String {
    let Rollouts { visible, gate, heldout, untouched, tokens_saved } = record.rollouts;
    let cost = format!(
        "Played: {visible} visible, {gate} gate and {heldout} held-out episodes, {} tokens, {}; {untouched} untouched episodes were not played ({tokens_saved} tokens saved).",
        record.usage.tokens(),
        money(record.usage.cost)
    );
    let sessions = Sessions::sum(record.meta.values());
    let of_meta = if sessions.sessions == 0 {
        String::new()
    } else {
        let took = (count(sessions.sessions, "session"), sessions.usage.tokens(), money(sessions.usage.cost));
        format!(" Of these, {} of the meta-agent took {} tokens, {}.", took.0, took.1, took.2)
    };
    format!("{}\n{cost}{of_meta}\n", markdown(decision).replacen("# ", "## ", 1))
}

fn word(outcome: RoundOutcome) -> &'static str {
    match outcome {
        RoundOutcome::Baseline => "the baseline was played",
        RoundOutcome::Shipped => "shipped",
        RoundOutcome::Kept => "nothing shipped",
        RoundOutcome::Idle => "idle",
        RoundOutcome::RolledBack => "rolled back",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_critic_says_is_no_markup_in_the_decision() {
        let hostile = "![x](http://evil/?q)";
        let ruled = Ruled {
            candidate: "C-R1-01".into(),
            title: hostile.to_owned(),
            word: RulingWord::Rejected,
            line: format!("rejected C-R1-01: the Critic: {hostile}"),
            rollouts: 0,
            gain: None,
            at: Some(RejectedAt::Critique),
        };
        let decision = Decision {
            format: ROUND_FORMAT,
            round: 1,
            outcome: RoundOutcome::Kept,
            reason: Some(hostile.to_owned()),
            candidates: vec![ruled],
            notes: vec![hostile.to_owned()],
            strategy_concern: Some(hostile.to_owned()),
        };
        let page = markdown(&decision).replace(&quoted(hostile), "");
        assert_eq!(page.matches("\\!\\[x\\](http:&#47;/evil/?q)").count(), 4, "{page}");
        assert!(!page.contains("![") && !page.contains("\\\\"), "{page}");
    }
}
