//! The four questions that a reader brings, answered in plain words: what was gained on tasks never seen, what it cost, what shipped
//! and why, and whether it is the harness or the model. Page and Markdown print the same answers; a missing part says so.

use super::input::{Comparison, Report};
use super::put_back::{By, PutBack};
use crate::domain::curves::{ModelShare, Point};
use crate::domain::figures::{count, gain, money, percent, points, range, time, tokens};
use crate::domain::id::CandidateId;
use crate::domain::interval::{Share, difference};
use crate::domain::meta::Sessions;
use crate::domain::round::{Rollouts, Ruled, RulingWord};
use std::collections::{BTreeMap, BTreeSet};

/// One question with its answer. Text of others is in it as they wrote it: whoever prints it makes it harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The question.
    pub question: &'static str,
    /// The answer in a few words.
    pub short: String,
    /// How sure, from what, and what is missing; one line each.
    pub lines: Vec<String>,
    /// How it is to be taken.
    pub tone: Tone,
}

/// How an answer is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Better.
    Good,
    /// Worse, or a warning.
    Bad,
    /// Neither, or not known.
    Plain,
}

/// Where nothing shipped, or all of it was taken back.
const NO_CHANGE: &str = "The harness is still the one it began with, so nothing was gained or lost.";

/// Ships named in the answer.
const SHIPS_SHOWN: usize = 3;

/// Characters of a cause shown.
const CAUSE_SHOWN: usize = 100;

/// All four, in order.
pub(super) fn answers(report: &Report) -> [Answer; 4] {
    [gained(report), spent(report), shipped(report), model(report)]
}

/// The report in one sentence.
pub(super) fn headline(report: &Report) -> String {
    let played = count(u64::from(report.last_round()), "round");
    let rounds = report.put_back_last().map_or_else(|| played.clone(), |back| format!("{played}, put back by hand to {},", back.version()));
    if let Some(Comparison { before, after, gain: difference, .. }) = &report.heldout {
        let rate = |share: Option<Share>| share.map_or_else(String::new, |share| percent(share.value));
        let sure = if difference.low > 0.0 || difference.high < 0.0 { "" } else { ", which may be chance" };
        let (before, after) = (rate(before.pass_rate), rate(after.pass_rate));
        return format!("After {rounds} the harness solves {after} of the tasks it was never tuned on; it began at {before}{sure}.");
    }
    let Some((what, value)) = single(report) else { return "Nothing has been scored yet.".to_owned() };
    if report.is_unchanged() {
        return format!("After {rounds} the harness is still the one it began with: it solves {} of {what}.", percent(value.value));
    }
    if report.evolves() {
        return format!("After {rounds} the harness solves {} of {what}; on tasks it never saw it was not compared.", percent(value.value));
    }
    format!("One harness was played: it solves {} of {what}.", percent(value.value))
}

/// The last rate of the harness that the run stands with, on the split that says most.
fn single(report: &Report) -> Option<(String, Share)> {
    let points = report.points_of(report.incumbent()).rev();
    let mut found = points.flat_map(|round| [("held-out", round.heldout), ("train", round.train), ("gate", round.gate)]);
    found.find_map(|(name, point)| point.and_then(|point| Some((format!("{} {name} tasks", point.tasks), point.pass_rate?))))
}

fn gained(report: &Report) -> Answer {
    let question = "What was gained on tasks never seen?";
    let mut lines: Vec<String> = report.put_back_last().map(put_back_line).into_iter().collect();
    if let Some(comparison) = &report.heldout {
        let Comparison { from_round, to_round, before, after, gain: difference, paired } = comparison;
        let rate = |share: Option<Share>| share.map_or_else(|| "–".to_owned(), |share| percent(share.value));
        lines.push(format!("95 % interval over tasks: {} points", range(*difference)));
        lines.push(format!(
            "R{from_round} {} → R{to_round} {} of {} held-out tasks",
            rate(before.pass_rate),
            rate(after.pass_rate),
            after.tasks
        ));
        if !paired {
            lines.push("Compared as if on different tasks, so the interval is wide".to_owned());
        }
        let tone = match () {
            () if difference.low > 0.0 => Tone::Good,
            () if difference.high < 0.0 => Tone::Bad,
            () => {
                lines.push("The interval holds 0: it may be nothing.".to_owned());
                Tone::Plain
            }
        };
        return Answer { question, short: gain(*difference), lines, tone };
    }
    let (short, heldout) = not_compared(report);
    lines.extend(heldout);
    lines.extend(train_line(report));
    Answer { question, short: short.to_owned(), lines, tone: Tone::Plain }
}

/// Why no two harnesses are compared on held-out tasks, after what one of them solved.
fn not_compared(report: &Report) -> (&'static str, Vec<String>) {
    let rated = |(round, point): (u32, Point)| Some((round, point.pass_rate?));
    let solved = |(_, value)| format!("Held-out tasks solved: {value}, 95 % interval over tasks");
    if let Some(present) = report.heldout_of(report.incumbent()).and_then(rated) {
        let (short, why) = match () {
            () if report.is_unchanged() => ("Nothing", NO_CHANGE),
            () if report.stands_with_first() => ("No comparison", "One harness only, so there is no gain to report."),
            () => ("No comparison", "The first harness was not played on held-out tasks, so there is no gain to report."),
        };
        return (short, vec![solved(present), why.to_owned()]);
    }
    let other = report.curves.rounds.iter().rev().find_map(|points| rated((points.round, points.heldout?)));
    let Some((round, value)) = other else { return ("Not known", vec!["Held-out tasks were not played.".to_owned()]) };
    let why = format!("This is the harness of R{round}; the present one was not played on held-out tasks yet.");
    ("No comparison", vec![solved((round, value)), why])
}

/// That a person took back what had shipped.
pub(super) fn put_back_line(back: &PutBack) -> String {
    format!("After R{} the harness was put back by hand to {}: what shipped in between is undone.", back.after, back.version())
}

/// What became of a ship that was taken back.
pub(super) fn undone(back: &PutBack) -> String {
    match back.by {
        By::Hand => format!("undone: put back by hand to {} after R{}", back.version(), back.after),
        By::Gate => format!("undone: rolled back by the gate to {} in R{}", back.version(), back.after),
    }
}

/// Train tasks, where nothing better is known.
fn train_line(report: &Report) -> Option<String> {
    let rates: Vec<Share> = report.points().filter_map(|round| round.train?.pass_rate).collect();
    let (first, last) = (rates.first()?, rates.last()?);
    Some(if rates.len() == 1 {
        format!("Train tasks solved: {last}")
    } else {
        format!("Train tasks: {} → {}; edits were made for these, so this flatters", percent(first.value), percent(last.value))
    })
}

fn spent(report: &Report) -> Answer {
    let usage = report.usage();
    let mut lines = Vec::new();
    let episodes = count(report.episodes(), "episode");
    let milliseconds: u64 = report.rounds.iter().filter_map(|round| round.record.as_ref()).map(|record| record.milliseconds).sum();
    let took = if milliseconds > 0 { format!("; the rounds took {}", time(milliseconds)) } else { String::new() };
    lines.push(format!("{episodes}{took}"));
    let cached = if usage.input_tokens == 0 { 0.0 } else { usage.cached_tokens as f64 / usage.input_tokens as f64 };
    if cached > 0.0 {
        lines.push(format!("{:.0} % of the prompt tokens served from a cache", 100.0 * cached));
    }
    let sessions = Sessions::sum(report.sessions().values());
    if sessions.sessions > 0 {
        let (held, took) = (count(sessions.sessions, "session"), tokens(sessions.usage.tokens()));
        lines.push(format!("of this, the meta-agent: {took}, {} in {held}", money(sessions.usage.cost)));
    }
    let saved = saved(report);
    if saved.untouched > 0 {
        let (untouched, worth) = (count(saved.untouched, "episode"), tokens(saved.tokens_saved));
        lines.push(format!("{untouched} more not played, because a dry replay showed no difference ({worth} saved)"));
    }
    let missing: u64 = report.spent.values().map(|spent| spent.missing).sum();
    if missing > 0 {
        lines.push(format!("{} missing, because plumbing failed: not scored", count(missing, "episode")));
    }
    Answer {
        question: "What did it cost?", short: format!("{} · {}", money(usage.cost), tokens(usage.tokens())), lines, tone: Tone::Plain
    }
}

/// Episodes and tokens that a dry replay saved.
pub(super) fn saved(report: &Report) -> Rollouts {
    let records = report.rounds.iter().filter_map(|round| round.record.as_ref());
    records.fold(Rollouts::default(), |sum, record| Rollouts {
        untouched: sum.untouched + record.rollouts.untouched,
        tokens_saved: sum.tokens_saved + record.rollouts.tokens_saved,
        ..sum
    })
}

fn shipped(report: &Report) -> Answer {
    let question = "What shipped, and why?";
    let rulings: Vec<(u32, &Ruled)> = report.rulings().collect();
    let ships: Vec<&(u32, &Ruled)> = rulings.iter().filter(|(_, ruled)| ruled.word == RulingWord::Shipped).collect();
    if rulings.is_empty() {
        let line = if report.evolves() { "No candidate was judged." } else { "This run played one harness; nothing was proposed." };
        return Answer { question, short: "Nothing".to_owned(), lines: vec![line.to_owned()], tone: Tone::Plain };
    }
    let mut lines: Vec<String> = ships.iter().take(SHIPS_SHOWN).map(|(round, ruled)| ship_line(report, *round, ruled)).collect();
    if ships.len() > SHIPS_SHOWN {
        lines.push(format!("and {} more, below", ships.len() - SHIPS_SHOWN));
    }
    if ships.is_empty() {
        let last: BTreeMap<&CandidateId, RulingWord> = rulings.iter().map(|(_, ruled)| (&ruled.candidate, ruled.word)).collect();
        let of = |word| last.values().filter(|last| **last == word).count();
        let (rejected, blocked, parked) = (of(RulingWord::Rejected), of(RulingWord::Blocked), of(RulingWord::Parked));
        lines.push(format!("{rejected} rejected, {blocked} blocked, {parked} waiting: the reasons are below"));
    }
    let undone = ships.iter().filter(|(round, _)| report.taken_back(*round).is_some()).count();
    let tone = if undone < ships.len() { Tone::Good } else { Tone::Plain };
    // One that waits is ruled on once a round.
    let candidates: BTreeSet<&CandidateId> = rulings.iter().map(|(_, ruled)| &ruled.candidate).collect();
    let since = if undone == 0 { String::new() } else { format!(", {undone} of them undone since") };
    let short = format!("{} of {}{since}", ships.len(), count(candidates.len() as u64, "candidate"));
    Answer { question, short, lines, tone }
}

fn ship_line(report: &Report, round: u32, ruled: &Ruled) -> String {
    let estimate = ruled.gain.map_or_else(String::new, |gain| format!(" ({})", points(gain)));
    let why = report.candidate(&ruled.candidate).map(|candidate| candidate.manifest.root_cause.as_str()).unwrap_or_default();
    let mut cause: String = why.chars().take(CAUSE_SHOWN).collect();
    if why.len() > cause.len() {
        cause.push('…');
    }
    let because = if cause.is_empty() { String::new() } else { format!(", because {cause}") };
    let undone = report.taken_back(round).map_or_else(String::new, |back| format!("; {}", undone(back)));
    format!("R{round}{estimate}: {}{because}{undone}", ruled.title)
}

fn model(report: &Report) -> Answer {
    let question = "Is it the harness or the model?";
    let found = report.points().rev().find_map(|round| Some((round.round, round.model_share.as_ref()?)));
    let measured = found.and_then(|(round, ModelShare { split, model, random, flag })| {
        let (with, without) = (model.pass_rate?, random.pass_rate?);
        let (value, split) = (difference(without, with, 0.0), if split.as_str() == "heldout" { "held-out" } else { split.as_str() });
        let mut lines = vec![
            format!(
                "R{round}: {} solved with the model, {} with a random chooser in its place",
                percent(with.value),
                percent(without.value)
            ),
            format!("95 % interval of the model's part: {} points, on {} {split} tasks", range(value), model.tasks),
        ];
        lines.extend(flag.clone());
        let tone = if flag.is_some() || value.low <= 0.0 { Tone::Bad } else { Tone::Good };
        Some(Answer { question, short: format!("{} by the model", gain(value)), lines, tone })
    });
    measured.unwrap_or_else(|| {
        let line = if report.run.by_chance {
            "A random chooser played in the model's place: what is solved here, the harness and luck solve."
        } else {
            "No random chooser was played in the model's place, so the two cannot be told apart."
        };
        let short = if report.run.by_chance { "No model played" } else { "Not measured" };
        Answer { question, short: short.to_owned(), lines: vec![line.to_owned()], tone: Tone::Plain }
    })
}
