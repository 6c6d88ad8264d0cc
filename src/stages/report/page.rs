//! The page: head, first screen, and the order of the sections. One file, no scripts, nothing from elsewhere; what others wrote is
//! escaped by `maud`, and a content policy forbids everything but the page's own style.

use super::answers::{Answer, Tone, answers, headline};
use super::cost_chart::cost_chart;
use super::decisions::decisions;
use super::input::{Comparison, Control, Report, Use};
use super::success_chart::success_chart;
use super::tasks::{failures, tasks};
use crate::domain::figures::{count, gain, grouped, money, range, rate, tokens};
use crate::domain::request::Usage;
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
                    (tasks(report))
                    (failures(report))
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
                div class="sheet" { div class="scroll" { (spent(report)) } }
                h3 { "Episodes by round" }
            }
            @if let Some(chart) = cost_chart(report) { (chart) }
        }
    }
}

fn spent(report: &Report) -> Markup {
    let (usage, played) = (report.usage(), report.played());
    html! {
        table {
            caption { "By what the episodes were played for" }
            thead { tr {
                th scope="col" { "for" }
                @for head in ["episodes", "missing", "model calls", "prompt tokens", "of these cached", "reply tokens", "money"] { th scope="col" class="figure" { (head) } }
            } }
            tbody {
                @for what in Use::ALL {
                    @if let Some(spent) = report.spent.get(&what) {
                        tr {
                            th scope="row" { (what.words()) }
                            @for number in [spent.episodes, spent.missing, spent.calls] { td class="figure" { (grouped(number)) } }
                            (amounts(&spent.usage))
                        }
                    }
                }
                @if usage.tokens() > played.tokens() {
                    tr {
                        th scope="row" { "everything else, such as the engine's calls" }
                        td {} td {} td {}
                        (amounts(&Usage {
                            input_tokens: usage.input_tokens.saturating_sub(played.input_tokens),
                            cached_tokens: usage.cached_tokens.saturating_sub(played.cached_tokens),
                            output_tokens: usage.output_tokens.saturating_sub(played.output_tokens),
                            cost: (usage.cost - played.cost).max(0.0),
                        }))
                    }
                }
                tr {
                    th scope="row" { b { "all" } }
                    td class="figure" { (grouped(report.episodes())) }
                    td {} td {}
                    (amounts(&usage))
                }
            }
        }
    }
}

fn amounts(usage: &Usage) -> Markup {
    html! {
        @for number in [usage.input_tokens, usage.cached_tokens, usage.output_tokens] { td class="figure" { (grouped(number)) } }
        td class="figure" { (money(usage.cost)) }
    }
}

fn controls(report: &Report) -> Markup {
    let own = Control {
        name: format!("{} (this run)", report.run.name),
        engine: report.engine(),
        episodes: report.episodes(),
        tokens: report.usage().tokens(),
        heldout: report.heldout.clone(),
    };
    html! {
        @if !report.controls.is_empty() || report.evolves() {
            section {
                h2 { "Against controls" }
                @if report.controls.is_empty() {
                    p class="quiet" { "No control was given. A run with the engine " code { "random" } " or " code { "best-of-n" } " at the same budget, named with " code { "--control" } ", shows what chance alone reaches." }
                } @else {
                    div class="sheet" { div class="scroll" { table {
                        caption { "Each run from its own baseline to its last round, on held-out tasks. Budgets are equal where episodes and tokens are." }
                        thead { tr { @for head in ["run", "engine", "episodes", "tokens", "before", "after", "gain, points", "95 % interval"] { th scope="col" { (head) } } } }
                        tbody { @for control in std::iter::once(&own).chain(&report.controls) { (control_row(control)) } }
                    } } }
                }
            }
        }
    }
}

fn control_row(control: &Control) -> Markup {
    let side = |pick: fn(&Comparison) -> crate::domain::curves::Point| rate(control.heldout.as_ref().map(pick));
    html! {
        tr {
            th scope="row" { (plain(&control.name)) }
            td { (plain(&control.engine)) }
            td { (grouped(control.episodes)) }
            td { (tokens(control.tokens)) }
            td { (side(|heldout| heldout.before)) }
            td { (side(|heldout| heldout.after)) }
            td { (control.heldout.as_ref().map_or_else(|| "–".to_owned(), |heldout| gain(heldout.gain))) }
            td { (control.heldout.as_ref().map_or_else(|| "–".to_owned(), |heldout| range(heldout.gain))) }
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
