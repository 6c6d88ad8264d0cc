//! The same report as Markdown: the whole for people, and a job summary without diffs and task rows. What others wrote is escaped, so
//! that it is read and never rendered.

use super::answers::{Answer, answers, headline, put_back_line, undone};
use super::compared::{side_by_side, warnings};
use super::cost::{by_round, by_stage};
use super::cost_chart::episodes_by_round;
use super::decisions::{came_of, reason};
use super::input::{Cell, Report, Round};
use super::proposers::by_engine;
use super::reading::readings;
use super::tasks::READ;
use crate::domain::figures::{grouped, points, rate};
use crate::domain::round::{Ruled, RulingWord};
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
    engines(report, &mut text);
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
        ruling(report, decision.round, ruled, text);
    }
    if let Some(back) = report.put_back_after(round.round) {
        _ = writeln!(text, "- {}", put_back_line(back));
    }
}

fn ruling(report: &Report, round: u32, ruled: &Ruled, text: &mut String) {
    let gain = ruled.gain.map_or_else(String::new, |gain| format!(", {}", points(gain)));
    let (candidate, title) = (escaped(ruled.candidate.as_str()), escaped(&ruled.title));
    _ = writeln!(text, "- **{}{gain}** {candidate}: {title}. {}", ruled.word.as_str(), escaped(reason(ruled)));
    if let Some(outcome) = report.ship_outcome(&ruled.candidate) {
        _ = writeln!(text, "  - {}", came_of(outcome));
    }
    if let (RulingWord::Shipped, Some(back)) = (ruled.word, report.taken_back(round)) {
        _ = writeln!(text, "  - {}", undone(back));
    }
}

fn cost(report: &Report, text: &mut String) {
    text.push_str("\n## Cost\n");
    text.push_str(&by_stage(report).markdown());
    if let Some(table) = by_round(report) {
        text.push_str(&table.markdown());
    }
    if report.rounds.iter().any(|round| round.record.is_some()) {
        let rows = episodes_by_round(report);
        let rows: Vec<String> = rows.iter().map(|(round, rollouts)| format!("{round} {}", grouped(rollouts.played()))).collect();
        _ = writeln!(text, "\nEpisodes by round (after: beyond the last one that ended): {}.", rows.join(", "));
    }
}

/// Who proposed, what the Digester left, and other runs: sections that may be missing.
fn engines(report: &Report, text: &mut String) {
    let compared = (!report.controls.is_empty()).then(|| side_by_side(report));
    for (head, table) in
        [("Who proposed", by_engine(report)), ("What the Digester leaves", readings(report)), ("Engines compared", compared)]
    {
        if let Some(table) = table {
            _ = writeln!(text, "\n## {head}\n{}", table.markdown().trim_end());
        }
    }
    for line in warnings(report) {
        _ = writeln!(text, "\n{}.", escaped(&line));
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
        _ = writeln!(text, "- proposed by {}, component {}", manifest.engine, escaped(&manifest.component));
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
        "\n## Train tasks by round\n\nRollouts solved of scored. {READ}\n\n| task |{}\n|---|{}",
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
