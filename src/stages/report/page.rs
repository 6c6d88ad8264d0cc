//! The page: head, first screen, and the order of the sections. One file, no scripts, nothing from elsewhere; what others wrote is
//! escaped by `maud`, and a content policy forbids everything but the page's own style.

use super::answers::{Answer, Tone, answers, headline};
use super::compared::{side_by_side, warnings};
use super::cost::{by_round, by_stage};
use super::cost_chart::cost_chart;
use super::decisions::decisions;
use super::input::Report;
use super::proposers::by_engine;
use super::reading::readings;
use super::success_chart::success_chart;
use super::tasks::{failures, tasks};
use crate::domain::figures::count;
use crate::domain::round::RulingWord;
use crate::domain::untrusted::plain;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Digits of a git tree id shown.
const ID_SHOWN: usize = 10;

/// The report as one self-contained page.
pub fn html(report: &Report) -> String {
    let name = plain(&report.run.name);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (name) " · harnessx report" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(report, &name))
                main {
                    (success(report))
                    (decisions(report))
                    (proposers(report))
                    (tasks(report))
                    (failures(report))
                    (reading(report))
                    (cost(report))
                    (controls(report))
                    (settings(report))
                }
                footer {
                    "Intervals are 95 %, over tasks, never over rollouts. Gains of shipped candidates are the gate's shrunk estimates. "
                    "Gate tasks have no names here and held-out tasks are totals only. The last round is reported, not the best one."
                }
            }
        }
    }
    .into_string()
}

fn header(report: &Report, name: &str) -> Markup {
    let run = &report.run;
    let id: String = run.harness.chars().take(ID_SHOWN).collect();
    html! {
        header {
            h1 { (name) }
            p class="headline" { (plain(&headline(report))) }
            p class="facts" {
                "benchmark " b { (plain(&run.benchmark)) } " · played by " b { (plain(&run.policy)) }
                @if !id.is_empty() { " · first harness " code { (plain(&id)) } }
                @if report.last_round() > 0 { " · R0 to R" (report.last_round()) }
            }
            section class="answers" aria-label="The answers in short" { @for answer in answers(report) { (card(&answer)) } }
        }
    }
}

fn card(answer: &Answer) -> Markup {
    let class = match answer.tone {
        Tone::Good => Some("good"),
        Tone::Bad => Some("bad"),
        Tone::Plain => None,
    };
    html! {
        article class=[class] {
            h2 { (answer.question) }
            p class="short" { (plain(&answer.short)) }
            ul { @for line in &answer.lines { li { (plain(line)) } } }
        }
    }
}

fn success(report: &Report) -> Markup {
    let is_ship = |word| word == RulingWord::Shipped;
    let mut shipped: Vec<u32> = report.rulings().filter(|(_, ruled)| is_ship(ruled.word)).map(|(round, _)| round).collect();
    shipped.dedup();
    html! {
        section {
            h2 { "Success by round" }
            @match success_chart(&report.curves, &shipped) {
                Some(chart) => (chart),
                None => p class="quiet" { "No episode has been scored yet." },
            }
        }
    }
}

fn cost(report: &Report) -> Markup {
    html! {
        section {
            h2 { "Cost" }
            @if report.spent.is_empty() { p class="quiet" { "No episode is on file." } } @else {
                (by_stage(report).html())
                @if let Some(table) = by_round(report) { h3 { "The meta-agent by round" } (table.html()) }
                h3 { "Episodes by round" }
            }
            @if let Some(chart) = cost_chart(report) { (chart) }
        }
    }
}

fn proposers(report: &Report) -> Markup {
    html! { @if let Some(table) = by_engine(report) { section { h2 { "Who proposed" } (table.html()) } } }
}

fn reading(report: &Report) -> Markup {
    html! { @if let Some(table) = readings(report) { section { h2 { "What the Digester leaves" } (table.html()) } } }
}

fn controls(report: &Report) -> Markup {
    html! {
        @if !report.controls.is_empty() || report.evolves() {
            section {
                h2 { "Engines compared" }
                @if report.controls.is_empty() {
                    p class="quiet" { "No other run was given. A run with the engine " code { "random" } " or " code { "best-of-n" } " at the same budget, named with " code { "--control" } ", shows what chance alone reaches." }
                } @else {
                    (side_by_side(report).html())
                    @for line in warnings(report) { p class="note" { (plain(&line)) } }
                }
            }
        }
    }
}

fn settings(report: &Report) -> Markup {
    html! {
        section {
            h2 { "Settings" }
            details class="sheet" {
                summary { (count(report.run.settings.len() as u64, "setting")) ", as they were frozen" }
                dl { @for (key, value) in &report.run.settings { dt { (plain(key)) } dd { code { (plain(value)) } } } }
            }
        }
    }
}
