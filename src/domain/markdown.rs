//! Words that others wrote, within Markdown: they stay words and never become mark-up.

/// Most characters of one piece of a line.
const PIECE: usize = 200;

/// As a code span in a line or a table's cell.
pub fn quoted(text: &str) -> String {
    let mut plain = String::with_capacity(text.len() + 2);
    plain.push('`');
    for letter in text.chars() {
        match letter {
            '|' => plain.push_str("\\|"),
            '`' => plain.push(' '),
            _ if letter.is_control() => plain.push(' '),
            _ => plain.push(letter),
        }
    }
    plain.push('`');
    plain
}

/// The same, cut where it is long.
pub fn quoted_piece(text: &str) -> String {
    match text.char_indices().nth(PIECE) {
        Some((end, _)) => quoted(&format!("{}…", &text[..end])),
        None => quoted(text),
    }
}

/// Word for word, line by line, as a block that nothing in it can end.
pub fn block(text: &str) -> String {
    let mut block = String::new();
    for line in text.lines() {
        block.push_str("    ");
        block.extend(line.chars().filter(|letter| !letter.is_control() || *letter == '\t'));
        block.push('\n');
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_never_become_markup() {
        assert_eq!(quoted("a`b|c\nd\u{1b}"), "`a b\\|c d `");
        assert_eq!(quoted_piece(&"ü".repeat(300)).chars().count(), 203);
        assert_eq!(block("# one\n</div>\r\n\ntwo\u{7}"), "    # one\n    </div>\n    \n    two\n");
    }
}
