//! The cap on what a model sees: long texts are cut, and what was cut is said.

/// Most letters of one tool's result.
pub(super) const RESULT: usize = 12_000;

/// Most letters of what a session is shown first.
pub(super) const BRIEF: usize = 48_000;

/// Letters kept for saying what was cut.
const NOTE: usize = 120;

/// The beginning of a text, within `most` letters; what is missing is said in its last line, with `hint`.
pub(super) fn capped(text: &str, most: usize, hint: &str) -> String {
    let total = text.chars().count();
    if total <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(NOTE)).collect();
    // At a line's end, unless that would lose more than it keeps.
    let whole = kept.rsplit_once('\n').map(|(whole, _)| whole).filter(|whole| 2 * whole.len() > kept.len());
    let kept = whole.unwrap_or(&kept);
    let shown = kept.chars().count();
    format!("{kept}\n[cut here: {shown} of {total} letters are shown; {hint}]")
}

/// Some lines of a text with their numbers, from 1.
pub(super) fn lines_of(text: &str, from: usize, count: usize) -> String {
    let total = text.lines().count();
    let first = from.max(1);
    let shown: Vec<String> =
        text.lines().enumerate().skip(first - 1).take(count).map(|(at, line)| format!("{:>5}  {line}", at + 1)).collect();
    if shown.is_empty() {
        return format!("[{total} lines; none from {first}]");
    }
    let last = first + shown.len() - 1;
    let rest = if last < total { format!("\n[lines {first} to {last} of {total}]") } else { String::new() };
    format!("{}{rest}", shown.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_said() {
        assert_eq!(capped("abc", 3, "x"), "abc");
        let long = "line of text\n".repeat(100);
        let cut = capped(&long, 500, "ask for lines");
        assert!(cut.chars().count() <= 500, "{}", cut.len());
        assert!(cut.ends_with("of 1300 letters are shown; ask for lines]"), "{cut}");
        assert!(capped(&"ü".repeat(1000), 300, "x").starts_with("üü"));
        assert!(capped(&format!("head\n{}", "x".repeat(1000)), 300, "x").starts_with("head\nxx"));
    }

    #[test]
    fn lines_are_numbered_and_bounded() {
        assert_eq!(lines_of("a\nb\nc", 2, 1), "    2  b\n[lines 2 to 2 of 3]");
        assert_eq!(lines_of("a\nb\nc", 3, 9), "    3  c");
        assert_eq!(lines_of("a", 7, 9), "[1 lines; none from 7]");
        assert_eq!(lines_of("a\nb", 0, 1), "    1  a\n[lines 1 to 1 of 2]");
    }
}
