//! One text in every shape in which something could be hidden in it: with its escapes undone, reversed, with shifted letters, its quoted
//! parts joined, as a program reads its names, decoded from base64, hex and character codes, also over several lines and twice over.

use regex::Regex;
use std::sync::LazyLock;

/// A text as one way of reading shows it.
pub(super) struct View {
    /// How it was read; empty for the text itself.
    pub how: &'static str,
    /// What it reads.
    pub text: String,
    /// Line of the original, from 1, at which it begins, where single lines cannot be told.
    pub line: Option<usize>,
}

/// Fewest letters of encoded text worth decoding.
const ENCODED: usize = 12;

/// Encodings within encodings that are undone.
const DEPTH: usize = 2;

/// Most text that shifted letters are looked for in, in bytes; beyond it only the shift by 13.
const SHIFTED: usize = 1 << 18;

static ESCAPES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:\\u[0-9a-fA-F]{4})+|\\x[0-9a-fA-F]{2}|\\u\{[0-9a-fA-F]{1,6}\}|\\U[0-9a-fA-F]{8}|\\[ntr]").ok());
/// A stroke before a letter or a line's end that means nothing there.
static NEEDLESS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\\(?:\r?\n|([^\n]))").ok());
/// Quoted parts, each alone or with those that a program puts it together with.
static CHAIN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let part = r#"(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`$]*`)"#;
    let gap = r"(?:[\s()]|/\*[^*]*\*/)*";
    let joined = format!(r#"\[\s*{part}(?:\s*,\s*{part})*\s*,?\s*\]\s*\.\s*join\(\s*(?:""|''|``)\s*\)"#);
    Regex::new(&format!(r"{joined}|{part}(?:{gap}(?:\+|~|\.concat\(){gap}{part})*")).ok()
});
/// A quoted part put into a text.
static WITHIN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"\$\{\s*(?:"([^"\\\n]*)"|'([^'\\\n]*)'|`([^`$]*)`)\s*\}"#).ok());
/// A name in brackets.
static KEY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"\[\s*["'`](\w+)["'`]\s*\]"#).ok());
static QUOTED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#""((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'|`([^`]*)`"#).ok());
static RUNS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[A-Za-z0-9_-][A-Za-z0-9+/=_-]*(?:[^A-Za-z0-9]{0,8}[\r\n]?[^A-Za-z0-9]{0,8}[A-Za-z0-9+/=_-]+)*").ok());
static CODES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:(?:\\x|\\u00|\\u\{|0x|%|&#x?)?[0-9a-fA-F]{2,3}[;}]?[\s,]*){8,}").ok());

/// All views of a text.
pub(super) fn views(text: &str) -> Vec<View> {
    let mut all = readings(text);
    all.push(View { how: "with its letters reversed", text: text.chars().rev().collect(), line: Some(1) });
    all.push(View { how: "with its words reversed", text: text.split_whitespace().rev().collect::<Vec<_>>().join(" "), line: Some(1) });
    for shift in (1..26).filter(|shift| *shift == 13 || text.len() <= SHIFTED) {
        all.push(View { how: "with shifted letters", text: shifted(text, shift), line: None });
    }
    all
}

/// The views that a program could read: the text itself first, its quoted parts, and what is decoded.
pub(super) fn readings(text: &str) -> Vec<View> {
    let mut all = vec![View { how: "", text: unescaped(text), line: None }];
    let joined = quoted(text);
    if !joined.is_empty() {
        all.push(View { how: "with its quoted parts joined", text: joined.clone(), line: Some(1) });
    }
    decode(text, 1, DEPTH, &mut all);
    decode(&joined, 1, DEPTH, &mut all);
    all
}

/// The text with its escapes undone, on the lines it had: blanks and signs that nobody sees become blanks.
pub(super) fn unescaped(text: &str) -> String {
    let Some(pattern) = ESCAPES.as_ref() else { return text.to_owned() };
    pattern.replace_all(text, |found: &regex::Captures<'_>| meant(&found[0])).into_owned()
}

/// What an escape means.
fn meant(escape: &str) -> String {
    let digits = |from: usize| escape.get(from..).unwrap_or_default().trim_matches(['{', '}']);
    let number = |from: usize| u32::from_str_radix(digits(from), 16).ok();
    let letters = match escape.as_bytes().get(1) {
        // Two of four digits may be one letter.
        Some(b'u') if !escape.contains('{') => {
            let units = escape.split("\\u").filter_map(|digits| u16::from_str_radix(digits, 16).ok());
            char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        Some(b'u' | b'x' | b'U') => number(2).and_then(char::from_u32).map_or_else(String::new, String::from),
        _ => "  ".to_owned(),
    };
    letters.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// The text as a program reads its names, on the lines it had: escapes undone, quoted parts in a row put together, `["name"]` as `.name`.
pub(super) fn spelled(text: &str) -> String {
    let (Some(chain), Some(within), Some(key)) = (CHAIN.as_ref(), WITHIN.as_ref(), KEY.as_ref()) else { return unescaped(text) };
    // Lines that a chain goes over follow it.
    let whole = |found: &regex::Captures<'_>| {
        let text = quoted(&found[0]);
        let sign = if text.contains('"') { '\'' } else { '"' };
        let lines = found[0].matches('\n').count() - text.matches('\n').count();
        format!("{sign}{text}{sign}{}", "\n".repeat(lines))
    };
    let text = within.replace_all(text, "$1$2$3");
    let text = chain.replace_all(&text, whole);
    let text = unescaped(&text);
    key.replace_all(&text, ".$1").into_owned()
}

fn shifted(text: &str, shift: u8) -> String {
    let turn = |letter: char, base: u8| char::from((letter as u8 - base + shift) % 26 + base);
    let turned = |letter: char| match letter {
        'a'..='z' => turn(letter, b'a'),
        'A'..='Z' => turn(letter, b'A'),
        other => other,
    };
    text.chars().map(turned).collect()
}

/// The quoted parts of a text joined, as a program reads them.
pub(super) fn quoted(text: &str) -> String {
    let (Some(pattern), Some(needless)) = (QUOTED.as_ref(), NEEDLESS.as_ref()) else { return String::new() };
    let inner = |found: regex::Captures<'_>| {
        let part = found.iter().skip(1).flatten().next()?;
        Some(needless.replace_all(&unescaped(part.as_str()), "$1").into_owned())
    };
    pattern.captures_iter(text).filter_map(inner).collect()
}

/// Everything in a text that base64, hex or character codes make readable.
fn decode(text: &str, line: usize, depth: usize, all: &mut Vec<View>) {
    if depth == 0 {
        return;
    }
    let mut found: Vec<(usize, &'static str, String)> = Vec::new();
    let mut lines = Lines::of(text, line);
    for run in RUNS.iter().flat_map(|pattern| pattern.find_iter(text)) {
        let at = lines.at(run.start());
        let whole: String = run.as_str().chars().filter(|letter| is_base64(*letter)).collect();
        let pieces = run.as_str().split(|letter: char| !is_base64(letter) && letter != '=').map(|piece| piece.replace('=', ""));
        for candidate in [whole].into_iter().chain(pieces).filter(|candidate| candidate.len() >= ENCODED) {
            found.extend(base64(&candidate).into_iter().map(|text| (at, "in base64", text)));
            found.extend(hex(&candidate).into_iter().map(|text| (at, "in hex", text)));
        }
    }
    let mut lines = Lines::of(text, line);
    for run in CODES.iter().flat_map(|pattern| pattern.find_iter(text)) {
        let at = lines.at(run.start());
        found.extend(codes(run.as_str()).into_iter().map(|text| (at, "in character codes", text)));
    }
    for (at, how, text) in found {
        decode(&text, at, depth - 1, all);
        all.push(View { how: "reversed and encoded", text: text.chars().rev().collect(), line: Some(at) });
        all.push(View { how: "shifted and encoded", text: shifted(&text, 13), line: Some(at) });
        all.push(View { how, text, line: Some(at) });
    }
}

/// Lines of places that come in their order, each counted from the one before.
pub(super) struct Lines<'a> {
    text: &'a str,
    /// The place asked for last.
    offset: usize,
    /// Its line.
    line: usize,
}

impl<'a> Lines<'a> {
    /// Of a text that begins at this line.
    pub fn of(text: &'a str, line: usize) -> Self {
        Self { text, offset: 0, line }
    }

    /// The line of a place; one before the last is on the last one's line.
    pub fn at(&mut self, offset: usize) -> usize {
        self.line += self.text.get(self.offset..offset).map_or(0, |passed| passed.matches('\n').count());
        self.offset = self.offset.max(offset);
        self.line
    }
}

fn is_base64(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/' | '-' | '_')
}

/// The readable texts that these letters are in base64, whichever of them comes first.
fn base64(letters: &str) -> Vec<String> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => u32::from(letter - b'A'),
        b'a'..=b'z' => u32::from(letter - b'a') + 26,
        b'0'..=b'9' => u32::from(letter - b'0') + 52,
        b'+' | b'-' => 62,
        _ => 63,
    };
    let values: Vec<u32> = letters.bytes().map(value).collect();
    let decoded = |skip: usize| {
        let bytes: Vec<u8> = values[skip.min(values.len())..].chunks(4).filter(|chunk| chunk.len() > 1).flat_map(quantum).collect();
        readable(&bytes)
    };
    (0..4).filter_map(decoded).collect()
}

fn quantum(chunk: &[u32]) -> Vec<u8> {
    let bits = chunk.iter().fold(0, |bits, value| (bits << 6) | value) << (6 * (4 - chunk.len()));
    [(bits >> 16) as u8, (bits >> 8) as u8, bits as u8][..chunk.len() - 1].to_vec()
}

fn hex(letters: &str) -> Vec<String> {
    let digits: Vec<u8> = letters.chars().filter_map(|letter| letter.to_digit(16)).map(|digit| digit as u8).collect();
    if digits.len() < letters.len() {
        return Vec::new();
    }
    let decoded = |skip: usize| readable(&digits[skip..].chunks_exact(2).map(|pair| pair[0] * 16 + pair[1]).collect::<Vec<u8>>());
    (0..2).filter_map(decoded).collect()
}

/// Numbers or escapes in a row as the letters they stand for, read as decimal and as hex.
fn codes(run: &str) -> Vec<String> {
    let numbers = run.split(|letter: char| !letter.is_ascii_hexdigit()).filter(|number| !number.is_empty());
    let numbers: Vec<&str> = numbers.map(|number| number.strip_prefix("00").unwrap_or(number)).collect();
    let read = |radix: u32| readable(&numbers.iter().filter_map(|number| u8::from_str_radix(number, radix).ok()).collect::<Vec<u8>>());
    [read(10), read(16)].into_iter().flatten().collect()
}

/// Bytes as text, where four of five are letters, digits, blanks or signs.
fn readable(bytes: &[u8]) -> Option<String> {
    let plain = bytes.iter().filter(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t')).count();
    (bytes.len() >= 6 && plain * 5 >= bytes.len() * 4).then(|| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(text: &str, words: &str) -> bool {
        views(text).iter().any(|view| view.text.contains(words))
    }

    #[test]
    fn encoded_words_are_read() {
        let words = "bring a red stone";
        for text in [
            "x = \"YnJpbmcgYSByZWQgc3RvbmU=\"",
            "x = \"YnJpbmcg\" +\n    \"YSByZWQg\" +\n    \"c3RvbmU=\"",
            "WW5KcGJtY2dZU0J5WldRZ2MzUnZibVU9",
            "6272696e6720612072656420\n73746f6e65",
            "\\x62\\x72\\x69\\x6e\\x67\\x20\\x61\\x20\\x72\\x65\\x64\\x20\\x73\\x74\\x6f\\x6e\\x65",
            "[98, 114, 105, 110, 103, 32, 97, 32, 114, 101, 100, 32, 115, 116, 111, 110, 101]",
            "oevat n erq fgbar",
            "enots der a gnirb",
            "stone red a bring",
            "bring\\na red stone".replace("\\n", " ").as_str(),
            "'bring a' + ' red' + ' stone'",
        ] {
            assert!(shows(text, words), "{text}");
        }
    }
}
