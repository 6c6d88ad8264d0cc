//! Text that others wrote, made harmless to look at: it breaks no line, turns no direction of reading, and never becomes mark-up. For
//! terminals, HTML (whose own escaping comes on top), Markdown and commit messages.

/// Most characters of one piece of a line.
const PIECE: usize = 200;

/// Lines of a text shown.
const LINES: usize = 200;

/// Characters of a line shown.
const LINE: usize = 300;

/// Letters that show nothing: what Unicode calls default ignorable, with the marks that turn text (UAX 9), tags and selectors of variants.
pub fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}')
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}')
        || matches!(letter, '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{fffe}' | '\u{ffff}')
        || matches!(letter, '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Control characters, separators of lines, and what shows nothing.
fn is_unseen(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') || is_invisible(letter)
}

/// On one line; every letter keeps its place.
pub fn plain(text: &str) -> String {
    text.chars().map(|letter| if is_unseen(letter) || letter.is_whitespace() { ' ' } else { letter }).collect()
}

/// On one line, with one blank between two words.
pub fn one_line(text: &str) -> String {
    plain(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// With its lines and tabs kept, and nothing in place of what cannot be seen.
pub fn paragraphs(text: &str) -> String {
    text.chars().filter(|letter| !is_unseen(*letter) || matches!(letter, '\n' | '\t')).collect()
}

/// Its lines, tabs kept; lines and the whole are cut where they are too long to be read.
pub fn plain_lines(text: &str) -> impl Iterator<Item = String> {
    let total = text.lines().count();
    let rest = (total > LINES).then(|| format!("… {} lines more", total - LINES));
    let shown = text.lines().take(LINES).map(|line| {
        let mut short: String =
            line.chars().take(LINE).map(|letter| if letter != '\t' && is_unseen(letter) { ' ' } else { letter }).collect();
        if line.chars().nth(LINE).is_some() {
            short.push('…');
        }
        short
    });
    shown.chain(rest)
}

/// As a code span of Markdown, outside tables.
pub fn quoted(text: &str) -> String {
    let text = plain(text).replace('`', " ");
    // Two backticks alone would begin a span that takes what follows.
    if text.is_empty() { "` `".to_owned() } else { format!("`{text}`") }
}

/// The same, cut where it is long.
pub fn quoted_piece(text: &str) -> String {
    quoted(&piece(text))
}

/// As a code span in a cell of a table, where a bar would end the cell.
pub fn cell(text: &str) -> String {
    quoted(text).replace('|', "\\|")
}

/// The same, cut where it is long.
pub fn cell_piece(text: &str) -> String {
    cell(&piece(text))
}

fn piece(text: &str) -> String {
    text.char_indices().nth(PIECE).map_or_else(|| text.to_owned(), |(end, _)| format!("{}…", &text[..end]))
}

/// Word for word, line by line, as a block of Markdown that nothing in it can end.
pub fn block(text: &str) -> String {
    paragraphs(text).lines().flat_map(|line| ["    ", line, "\n"]).collect()
}

/// A block of a language, its fence longer than any run of backticks in it.
pub fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let lines: Vec<String> = plain_lines(text).collect();
    format!("{fence}{language}\n{}\n{fence}", lines.join("\n"))
}

/// As words of a Markdown line: everything that Markdown or HTML would act on is escaped.
pub fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for letter in plain(text).chars() {
        match letter {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            // An address must not become a link, nor a name a mention.
            '@' => safe.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' | '$' => safe.extend(['\\', letter]),
            _ => safe.push(letter),
        }
    }
    safe.replace("://", ":&#47;/").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_turn_or_break_lines() {
        assert_eq!(plain("a\u{202e}b\nc\u{1b}[0m"), "a b c [0m");
        assert_eq!(one_line("  a\r\n\tb\u{2066}  c "), "a b c");
        assert_eq!(paragraphs("a\u{1b}[31mb\r\n\tc\u{7}\u{202e}"), "a[31mb\n\tc");
        assert_eq!(plain("a\u{e0062}\u{fe01}\u{e0101}\u{180b}\u{115f}\u{3164}b"), "a      b");
        assert_eq!(paragraphs("a\u{e0062}\u{1160}b\u{2028}c"), "abc");
        let lines: Vec<String> = plain_lines(&format!("{}\n{}", "x".repeat(400), "y\n".repeat(300))).collect();
        assert_eq!((lines.len(), lines[0].chars().count()), (LINES + 1, LINE + 1));
    }

    #[test]
    fn words_never_become_markup() {
        assert_eq!(quoted("a`b|c\nd\u{1b}\u{202e}"), "`a b|c d  `");
        assert_eq!(cell("a|b`"), "`a\\|b `");
        assert_eq!((quoted(""), cell("")), ("` `".to_owned(), "` `".to_owned()));
        assert_eq!((quoted_piece(&"ü".repeat(300)).chars().count(), cell_piece(&"ü".repeat(300)).chars().count()), (203, 203));
        assert_eq!(block("# one\n</div>\r\n\ntwo\u{7}\u{200f}"), "    # one\n    </div>\n    \n    two\n");
        assert_eq!(fenced("diff", "+````\n"), "`````diff\n+````\n`````");
        assert_eq!(escaped("<b> www.x @me | $a_b$"), "&lt;b&gt; www&#46;x &#64;me \\| \\$a\\_b\\$");
    }
}
