//! Figures as people read them: shares, gains, counts, tokens, money, time.

use super::curves::Point;
use super::interval::Difference;
use std::time::Duration;

/// `41.0 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The share of a point, or a dash.
pub fn rate(point: Option<Point>) -> String {
    point.and_then(|point| point.pass_rate).map_or_else(|| "–".to_owned(), |share| share.to_string())
}

/// `+31.2 points`.
pub fn points(points: f64) -> String {
    format!("{points:+.1} points")
}

/// A difference of shares in points.
pub fn gain(difference: Difference) -> String {
    points(100.0 * difference.value)
}

/// `+18.0 to +44.1`.
pub fn range(difference: Difference) -> String {
    format!("{:+.1} to {:+.1}", 100.0 * difference.low, 100.0 * difference.high)
}

/// `12,345`.
pub fn grouped(number: u64) -> String {
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
pub fn count(number: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `3.2 M tokens`.
pub fn tokens(number: u64) -> String {
    let amount = match number {
        0..10_000 => grouped(number),
        10_000..1_000_000 => format!("{:.0} K", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", number as f64 / 1e6),
        _ => format!("{:.1} G", number as f64 / 1e9),
    };
    format!("{amount} tokens")
}

/// `$1.20`.
pub fn money(dollars: f64) -> String {
    format!("${dollars:.2}")
}

/// `1 h 12 min`, `45 s`.
pub fn time(milliseconds: u64) -> String {
    let seconds = Duration::from_millis(milliseconds).as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{} h {minutes} min", grouped(hours)),
    }
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
}
