//! The same report as Markdown: the whole for people, and a job summary without diffs and task rows. What others wrote is escaped, so
//! that it is read and never rendered.

use super::answers::{Answer, answers, headline};
use super::decisions::{came_of, reason};
use super::input::{Cell, Report, Round, Use};
use crate::domain::figures::{count, grouped, money, points, rate, tokens};
use crate::domain::round::Ruled;
use crate::domain::untrusted::{escaped, fenced};
use std::fmt::Write;

/// The whole report.
pub fn markdown(report: &Report) -> String {
    let mut text = job_summary(report);
    candidates(report, &mut text);
    tasks(report, &mut text);
    text
}

/// Its first screen, the curves, the decisions and the cost.
pub fn job_summary(report: &Report) -> String {
    let mut text = format!("# {}\n\n**{}**\n", escaped(&report.run.name), escaped(&headline(report)));
    let (benchmark, policy) = (escaped(&report.run.benchmark), escaped(&report.run.policy));
    // Writing into a String cannot fail, here and below.
    _ = writeln!(text, "\nBenchmark {benchmark}, played by {policy}.");
    for Answer { question, short, lines, .. } in answers(report) {
        _ = writeln!(text, "\n## {question}\n\n**{}**\n", escaped(&short));
        for line in lines {
            _ = writeln!(text, "- {}", escaped(&line));
        }
    }
    curves(report, &mut text);
    decisions(report, &mut text);
    cost(report, &mut text);
    text
}

fn curves(report: &Report, text: &mut String) {
    text.push_str("\n## Success by round\n\n");
    if report.curves.rounds.is_empty() {
        text.push_str("No episode has been scored yet.\n");
        return;
    }
    text.push_str("Share of tasks solved, with 95 % intervals over tasks.\n\n| round | train | gate | held-out |\n|---|---|---|---|\n");
    for round in &report.curves.rounds {
        _ = writeln!(text, "| R{} | {} | {} | {} |", round.round, rate(round.train), rate(round.gate), rate(round.heldout));
    }
}

fn decisions(report: &Report, text: &mut String) {
    if !report.evolves() {
        return;
    }
    text.push_str("\n## Decisions\n");
    for round in &report.rounds {
        decision(report, round, text);
    }
}

fn decision(report: &Report, round: &Round, text: &mut String) {
    let outcome = round.record.as_ref().map(|record| record.outcome).or(round.decision.as_ref().map(|decision| decision.outcome));
    _ = writeln!(text, "\n### R{}: {}\n", round.round, outcome.map_or("not finished", |outcome| outcome.as_str()));
    let Some(decision) = &round.decision else { return };
    let notes = decision.reason.iter().chain(&decision.notes);
    for line in notes {
        _ = writeln!(text, "- {}", escaped(line));
    }
    if let Some(concern) = &decision.strategy_concern {
        _ = writeln!(text, "- The Critic is worried: {}", escaped(concern));
    }
    for ruled in &decision.candidates {
        ruling(report, ruled, text);
    }
}

fn ruling(report: &Report, ruled: &Ruled, text: &mut String) {
    let gain = ruled.gain.map_or_else(String::new, |gain| format!(", {}", points(gain)));
    let (candidate, title) = (escaped(ruled.candidate.as_str()), escaped(&ruled.title));
    _ = writeln!(text, "- **{}{gain}** {candidate}: {title}. {}", ruled.word.as_str(), escaped(reason(ruled)));
    if let Some(outcome) = report.ship_outcome(&ruled.candidate) {
        _ = writeln!(text, "  - {}", came_of(outcome));
    }
}

fn cost(report: &Report, text: &mut String) {
    text.push_str("\n## Cost\n\n| for | episodes | missing | tokens | money |\n|---|---|---|---|---|\n");
    for what in Use::ALL {
        let Some(spent) = report.spent.get(&what) else { continue };
        let (episodes, missing) = (grouped(spent.episodes), grouped(spent.missing));
        _ = writeln!(
            text,
            "| {} | {episodes} | {missing} | {} | {} |",
            what.words(),
            tokens(spent.usage.tokens()),
            escaped(&money(spent.usage.cost))
        );
    }
    let usage = report.usage();
    _ = writeln!(text, "| all | {} | | {} | {} |", grouped(report.episodes()), tokens(usage.tokens()), escaped(&money(usage.cost)));
    for control in &report.controls {
        let (name, engine, tokens) = (escaped(&control.name), escaped(&control.engine), tokens(control.tokens));
        let gain = control.heldout.as_ref().map_or_else(|| "not known".to_owned(), |heldout| crate::domain::figures::gain(heldout.gain));
        _ = writeln!(text, "\nControl {name} (engine {engine}): {}, {tokens}; held-out gain {gain}.", count(control.episodes, "episode"));
    }
    let records = report.rounds.iter().filter_map(|round| Some((round.round, round.record.as_ref()?)));
    let rows: Vec<String> = records.map(|(round, record)| format!("R{round} {}", grouped(record.rollouts.played()))).collect();
    if !rows.is_empty() {
        _ = writeln!(text, "\nEpisodes by round: {}.", rows.join(", "));
    }
}

fn candidates(report: &Report, text: &mut String) {
    let candidates: Vec<_> = report.rounds.iter().flat_map(|round| &round.candidates).collect();
    if candidates.is_empty() {
        return;
    }
    text.push_str("\n## Candidates\n");
    for candidate in candidates {
        let manifest = &candidate.manifest;
        _ = writeln!(text, "\n### {}: {}\n", escaped(manifest.candidate_id.as_str()), escaped(&manifest.title));
        _ = writeln!(text, "- proposed by {}, component {}", escaped(&manifest.engine), escaped(&manifest.component));
        _ = writeln!(text, "- what is wrong: {}\n- the fix: {}", escaped(&manifest.root_cause), escaped(&manifest.targeted_fix));
        let claims: Vec<String> = manifest.claims().map(|claim| escaped(&claim.to_string())).collect();
        if !claims.is_empty() {
            _ = writeln!(text, "- predicted: {}", claims.join(", "));
        }
        if let Some(diff) = &candidate.diff {
            _ = writeln!(text, "\n{}", fenced("diff", diff));
        }
    }
}

fn tasks(report: &Report, text: &mut String) {
    if report.train.is_empty() {
        return;
    }
    let heads: Vec<String> = report.rounds.iter().map(|round| format!(" R{} |", round.round)).collect();
    _ = writeln!(
        text,
        "\n## Train tasks by round\n\nRollouts solved of scored.\n\n| task |{}\n|---|{}",
        heads.concat(),
        "---|".repeat(heads.len())
    );
    for row in &report.train {
        let cells: Vec<String> = row.cells.iter().map(|cell| format!(" {} |", of_cell(*cell))).collect();
        _ = writeln!(text, "| {} |{}", escaped(row.task.as_str()), cells.concat());
    }
}

fn of_cell(cell: Cell) -> String {
    cell.map_or_else(|| "·".to_owned(), |(solved, scored)| format!("{solved}/{scored}"))
}
