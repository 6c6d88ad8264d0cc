//! Figures as people read them, and text that others wrote made harmless to look at.

use crate::domain::curves::Point;
use crate::domain::interval::Difference;
use crate::domain::round::Rollouts;
use std::time::Duration;

/// `41.0 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The share of a point, or a dash.
pub(super) fn rate(point: Option<Point>) -> String {
    point.and_then(|point| point.pass_rate).map_or_else(|| "–".to_owned(), |share| share.to_string())
}

/// `+31.2 points`.
pub(super) fn points(points: f64) -> String {
    format!("{points:+.1} points")
}

/// A difference of shares in points.
pub(super) fn gain(difference: Difference) -> String {
    points(100.0 * difference.value)
}

/// `+18.0 to +44.1`.
pub(super) fn range(difference: Difference) -> String {
    format!("{:+.1} to {:+.1}", 100.0 * difference.low, 100.0 * difference.high)
}

/// `12,345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 task`, `2,000 tasks`.
pub(super) fn count(number: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `3.2 M tokens`.
pub(super) fn tokens(number: u64) -> String {
    let amount = match number {
        0..10_000 => grouped(number),
        10_000..1_000_000 => format!("{:.0} K", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", number as f64 / 1e6),
        _ => format!("{:.1} G", number as f64 / 1e9),
    };
    format!("{amount} tokens")
}

/// `$1.20`.
pub(super) fn money(dollars: f64) -> String {
    format!("${dollars:.2}")
}

/// `1 h 12 min`, `45 s`.
pub(super) fn time(milliseconds: u64) -> String {
    let seconds = Duration::from_millis(milliseconds).as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{} h {minutes} min", grouped(hours)),
    }
}

/// Everything a round played.
pub(super) fn played(rollouts: &Rollouts) -> u64 {
    rollouts.visible + rollouts.gate + rollouts.heldout
}

/// Text that others wrote, on one line: no control characters, nothing that turns the direction of reading.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|letter| if is_unseen(letter) || letter.is_whitespace() { ' ' } else { letter }).collect()
}

/// The same with its lines and tabs kept, and lines and the whole cut where they are too long to be read.
pub(super) fn plain_lines(text: &str) -> impl Iterator<Item = String> {
    let total = text.lines().count();
    let rest = (total > LINES_SHOWN).then(|| format!("… {} lines more", total - LINES_SHOWN));
    let shown = text.lines().take(LINES_SHOWN).map(|line| {
        let mut short: String =
            line.chars().take(LINE_SHOWN).map(|letter| if letter != '\t' && is_unseen(letter) { ' ' } else { letter }).collect();
        if line.chars().nth(LINE_SHOWN).is_some() {
            short.push('…');
        }
        short
    });
    shown.chain(rest)
}

/// Lines of a text shown.
const LINES_SHOWN: usize = 200;

/// Characters of a line shown.
const LINE_SHOWN: usize = 300;

/// Control characters, and the marks that turn or hide text (Unicode UAX 9).
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!((grouped(7), grouped(1_234), grouped(1_234_567)), ("7".to_owned(), "1,234".to_owned(), "1,234,567".to_owned()));
        assert_eq!((count(1, "task"), count(0, "task")), ("1 task".to_owned(), "0 tasks".to_owned()));
        assert_eq!(
            (tokens(999), tokens(45_600), tokens(3_210_000)),
            ("999 tokens".to_owned(), "46 K tokens".to_owned(), "3.2 M tokens".to_owned())
        );
        assert_eq!((time(45_900), time(61_000), time(4_320_000)), ("45 s".to_owned(), "1 min 1 s".to_owned(), "1 h 12 min".to_owned()));
    }

    #[test]
    fn text_cannot_turn_or_break_lines() {
        assert_eq!(plain("a\u{202e}b\nc\u{1b}[0m"), "a b c [0m");
        let lines: Vec<String> = plain_lines(&format!("{}\n{}", "x".repeat(400), "y\n".repeat(300))).collect();
        assert_eq!((lines.len(), lines[0].chars().count()), (LINES_SHOWN + 1, LINE_SHOWN + 1));
    }
}
