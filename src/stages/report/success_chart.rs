//! Success by round as an inline SVG: one line a split with its 95 % band, told apart by colour, dash and marker; the same as a table.

use crate::domain::curves::{Curves, Point, RoundPoints};
use crate::domain::figures::{percent, rate};
use crate::domain::interval::Share;
use maud::{Markup, html};
use std::fmt::Write;

/// Size of the drawing, in its own units; the page scales it.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 40.0;

/// Highest values of the axis, each cut into as many parts.
const AXES: [(f64, u32); 5] = [(0.1, 5), (0.2, 4), (0.4, 4), (0.6, 3), (1.0, 4)];

/// Height of a row where there is one round only.
const ROW: f64 = 34.0;

/// Room for the names and values of rows.
const NAME: f64 = 30.0;
const VALUE: f64 = 96.0;

/// Round labels that have room.
const LABELS: u32 = 16;

/// One line of the chart.
struct Series {
    /// Name, and class in the style sheet.
    name: &'static str,
    /// Said in the legend.
    words: &'static str,
    /// Which point of a round.
    point: fn(&RoundPoints) -> Option<Point>,
}

const SERIES: [Series; 3] = [
    Series { name: "train", words: "train (open to the engine)", point: |round| round.train },
    Series { name: "gate", words: "gate (decides what ships)", point: |round| round.gate },
    Series { name: "heldout", words: "held-out (never used)", point: |round| round.heldout },
];

impl Series {
    /// The first word of the legend.
    fn label(&self) -> &'static str {
        self.words.split(' ').next().unwrap_or(self.name)
    }
}

/// From shares and rounds to places.
struct Scale {
    first: u32,
    last: u32,
    top: f64,
    parts: u32,
}

impl Scale {
    /// `None` where no point was scored.
    fn of(curves: &Curves) -> Option<Self> {
        let shares = SERIES.iter().flat_map(|series| points(curves, series)).map(|(_, _, share)| share.high);
        let highest = shares.reduce(f64::max)?;
        let (top, parts) = AXES.into_iter().find(|(top, _)| highest <= *top).unwrap_or((1.0, 4));
        Some(Self { first: curves.rounds.first()?.round, last: curves.rounds.last()?.round, top, parts })
    }

    fn x(&self, round: u32) -> f64 {
        let width = WIDTH - LEFT - RIGHT;
        if self.first == self.last {
            return LEFT + width / 2.0;
        }
        LEFT + width * f64::from(round - self.first) / f64::from(self.last - self.first)
    }

    fn y(&self, share: f64) -> f64 {
        TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share / self.top)
    }
}

/// Scored points of a series.
fn points<'a>(curves: &'a Curves, series: &'a Series) -> impl Iterator<Item = (u32, Point, Share)> + 'a {
    curves.rounds.iter().filter_map(|round| {
        let point = (series.point)(round)?;
        Some((round.round, point, point.pass_rate?))
    })
}

/// The chart with its legend and its table; `shipped` are rounds in which something shipped. `None` where nothing was scored.
pub(super) fn success_chart(curves: &Curves, shipped: &[u32]) -> Option<Markup> {
    let scale = Scale::of(curves)?;
    let present: Vec<&Series> = SERIES.iter().filter(|series| points(curves, series).next().is_some()).collect();
    let (height, drawing) = if scale.first == scale.last {
        (ROW * present.len() as f64 + BOTTOM, rows(curves, &present, &scale))
    } else {
        (HEIGHT, lines(curves, &present, &scale, shipped))
    };
    Some(html! {
        figure class="chart" {
            (legend(&present, !shipped.is_empty()))
            svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-labelledby="success-title success-desc" {
                title id="success-title" { "Share of tasks solved, by round" }
                desc id="success-desc" { (described(curves, &present)) }
                (drawing)
            }
            (table(curves))
        }
    })
}

/// One line a split over the rounds.
fn lines(curves: &Curves, present: &[&Series], scale: &Scale, shipped: &[u32]) -> Markup {
    html! {
        (axes(scale, curves))
        @for round in shipped.iter().filter(|round| (scale.first..=scale.last).contains(*round)) {
            path class="ship" d=(format!("M{:.1} {:.1}l-5 8h10z", scale.x(*round), HEIGHT - BOTTOM + 3.0)) { title { "shipped in R" (round) } }
        }
        @for series in present { (band(curves, series, scale)) }
        @for series in present { (line(curves, series, scale)) }
    }
}

/// One row a split, where there is one round.
fn rows(curves: &Curves, present: &[&Series], scale: &Scale) -> Markup {
    let across = |share: f64| LEFT + NAME + (WIDTH - LEFT - NAME - VALUE) * share / scale.top;
    let bottom = ROW * present.len() as f64 + 6.0;
    html! {
        g class="axis" {
            @for part in 0..=scale.parts {
                @let value = scale.top * f64::from(part) / f64::from(scale.parts);
                @let x = format!("{:.1}", across(value));
                line x1=(x) x2=(x) y1="4" y2=(bottom) {}
                text x=(x) y=(bottom + 22.0) text-anchor="middle" { (format!("{:.0} %", 100.0 * value)) }
            }
        }
        @for (index, (series, (round, point, value))) in present.iter().filter_map(|series| Some((series, points(curves, series).next()?))).enumerate() {
            @let y = ROW * (index as f64 + 0.5) + 4.0;
            g class="axis" {
                text x=(LEFT + NAME - 12.0) y=(y) dy=".35em" text-anchor="end" { (series.label()) }
                text x=(WIDTH - VALUE + 14.0) y=(y) dy=".35em" { (percent(value.value)) }
            }
            g class=(series.name) {
                path class="whisker" d=(format!("M{:.1} {y:.1}H{:.1}", across(value.low), across(value.high))) {}
                path class="mark" d=(mark(series.name, across(value.value), y)) { (tip(series, round, point, value)) }
            }
        }
    }
}

/// What a mark says when it is pointed at.
fn tip(series: &Series, round: u32, point: Point, value: Share) -> Markup {
    html! { title { "R" (round) " " (series.label()) ": " (value.to_string()) " of " (point.tasks) " tasks" } }
}

fn described(curves: &Curves, present: &[&Series]) -> String {
    let parts: Vec<String> = present
        .iter()
        .filter_map(|series| {
            let (first, last) = (points(curves, series).next()?, points(curves, series).last()?);
            Some(format!("{}: {} in R{}, {} in R{}", series.label(), percent(first.2.value), first.0, percent(last.2.value), last.0))
        })
        .collect();
    parts.join("; ")
}

fn legend(present: &[&Series], ships: bool) -> Markup {
    html! {
        figcaption class="legend" {
            @for series in present {
                span {
                    svg class="swatch" viewBox="0 0 34 14" aria-hidden="true" {
                        g class=(series.name) {
                            path class="line" d="M1 7h32" {}
                            path class="mark" d=(mark(series.name, 17.0, 7.0)) {}
                        }
                    }
                    (series.words)
                }
            }
            @if ships { span { svg class="swatch" viewBox="0 0 34 14" aria-hidden="true" { path class="ship" d="M17 3l-5 8h10z" {} } "shipped" } }
            span class="quiet" { "bands and bars: 95 % intervals over tasks" }
        }
    }
}

fn axes(scale: &Scale, curves: &Curves) -> Markup {
    let every = (scale.last - scale.first) / LABELS + 1;
    html! {
        g class="axis" {
            @for part in 0..=scale.parts {
                @let value = scale.top * f64::from(part) / f64::from(scale.parts);
                @let y = format!("{:.1}", scale.y(value));
                line x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y) y2=(y) {}
                text x=(LEFT - 8.0) y=(y) dy=".35em" text-anchor="end" { (format!("{:.0} %", 100.0 * value)) }
            }
            @for round in curves.rounds.iter().map(|points| points.round).filter(|round| (round - scale.first).is_multiple_of(every)) {
                text class=[(!(round - scale.first).is_multiple_of(2) && scale.last - scale.first > 7).then_some("odd")]
                    x=(format!("{:.1}", scale.x(round))) y=(HEIGHT - 10.0) text-anchor="middle" { "R" (round) }
            }
        }
    }
}

/// The area between both ends of the intervals; nothing for a single point, which has a bar.
fn band(curves: &Curves, series: &Series, scale: &Scale) -> Markup {
    let points: Vec<(u32, Point, Share)> = points(curves, series).collect();
    let ends = points.iter().map(|(round, _, share)| (*round, share.high));
    let back = points.iter().rev().map(|(round, _, share)| (*round, share.low));
    let outline = path(ends.chain(back), scale);
    html! {
        @if points.len() > 1 { path class=(format!("{} band", series.name)) d=(format!("{outline}z")) {} }
    }
}

fn line(curves: &Curves, series: &Series, scale: &Scale) -> Markup {
    let points: Vec<(u32, Point, Share)> = points(curves, series).collect();
    html! {
        g class=(series.name) {
            @if points.len() > 1 { path class="line" d=(path(points.iter().map(|(round, _, share)| (*round, share.value)), scale)) {} }
            @for (round, point, value) in &points {
                @let (x, y) = (scale.x(*round), scale.y(value.value));
                @if points.len() == 1 { path class="whisker" d=(format!("M{x:.1} {:.1}V{:.1}", scale.y(value.low), scale.y(value.high))) {} }
                path class="mark" d=(mark(series.name, x, y)) { (tip(series, *round, *point, *value)) }
            }
        }
    }
}

fn path(points: impl Iterator<Item = (u32, f64)>, scale: &Scale) -> String {
    let mut text = String::new();
    for (round, share) in points {
        let letter = if text.is_empty() { 'M' } else { 'L' };
        // Writing into a String cannot fail.
        let _ = write!(text, "{letter}{:.1} {:.1}", scale.x(round), scale.y(share));
    }
    text
}

/// A circle, a square or a diamond around a place.
fn mark(name: &str, x: f64, y: f64) -> String {
    match name {
        "train" => format!("M{:.1} {y:.1}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", x - 4.0),
        "gate" => format!("M{:.1} {:.1}h7v7h-7z", x - 3.5, y - 3.5),
        _ => format!("M{x:.1} {:.1}l5.5 5.5l-5.5 5.5l-5.5 -5.5z", y - 5.5),
    }
}

fn table(curves: &Curves) -> Markup {
    html! {
        details {
            summary { "The same as a table" }
            div class="scroll" {
                table {
                    caption { "Share of tasks solved, with 95 % intervals over tasks" }
                    thead { tr { th scope="col" { "round" } th scope="col" { "train" } th scope="col" { "gate" } th scope="col" { "held-out" } } }
                    tbody {
                        @for round in &curves.rounds {
                            tr { th scope="row" { "R" (round.round) } td { (rate(round.train)) } td { (rate(round.gate)) } td { (rate(round.heldout)) } }
                        }
                    }
                }
            }
        }
    }
}
