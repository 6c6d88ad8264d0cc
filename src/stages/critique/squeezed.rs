//! A text as the leak rules compare it: letters and digits alone, lower case, look-alike letters made plain. Blanks, signs, line breaks and
//! invisible letters between them hide nothing.

use std::cmp::Ordering;

/// Letters and digits of a text, with what is needed to find one's way back.
pub(super) struct Squeezed {
    /// Lower-case letters and digits.
    pub letters: Vec<char>,
    /// Whether something else stood before each letter.
    starts: Vec<bool>,
    /// Byte of the text at which each letter stands.
    offsets: Vec<usize>,
}

impl Squeezed {
    pub fn new(text: &str) -> Self {
        let mut squeezed = Self { letters: Vec::new(), starts: Vec::new(), offsets: Vec::new() };
        let mut parted = true;
        for (offset, letter) in text.char_indices() {
            let letter = plain(letter);
            if !letter.is_alphanumeric() {
                // Letters that are not seen part nothing.
                parted |= !is_invisible(letter);
                continue;
            }
            for lower in letter.to_lowercase() {
                squeezed.letters.push(lower);
                squeezed.starts.push(parted);
                squeezed.offsets.push(offset);
                parted = false;
            }
        }
        squeezed
    }

    /// Byte of the text at which a letter stands.
    pub fn offset(&self, letter: usize) -> usize {
        self.offsets.get(letter).copied().unwrap_or(0)
    }

    /// Ranges of its words.
    pub fn words(&self) -> Vec<(usize, usize)> {
        let begins: Vec<usize> = (0..self.letters.len()).filter(|at| self.starts[*at]).collect();
        let ends = begins.iter().skip(1).copied().chain([self.letters.len()]);
        begins.iter().copied().zip(ends).collect()
    }

    /// Whether a stretch holds so many whole words. Glued words hide their beginnings and count too, as do
    /// words cut in two, but two numbers never make one.
    pub fn is_whole(&self, from: usize, to: usize, words: usize) -> bool {
        let inside = self.starts.get(from + 1..to).map_or(0, |starts| starts.iter().filter(|start| **start).count());
        let opens = |at: usize| self.starts.get(at).is_none_or(|start| *start);
        let is_digit = |at: usize| self.letters.get(at).is_some_and(char::is_ascii_digit);
        // A number is never part of a longer one.
        let cuts_number = |at: usize| at > 0 && !opens(at) && is_digit(at - 1) && is_digit(at);
        if cuts_number(from) || cuts_number(to) {
            return false;
        }
        let joins_numbers = || (from + 1..to).any(|at| opens(at) && is_digit(at - 1) && is_digit(at));
        match (inside + 1).cmp(&words) {
            Ordering::Less => true,
            Ordering::Equal => (opens(from) && opens(to)) || (words == 1 && to - from >= GLUED),
            Ordering::Greater => opens(from) && opens(to) && !joins_numbers(),
        }
    }
}

/// A single long word counts also within a longer one.
const GLUED: usize = 24;

fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// Whether a text has letters that nobody sees.
pub(super) fn has_invisible(text: &str) -> bool {
    text.chars().any(is_invisible)
}

/// A letter that looks like one of the Latin alphabet, as that one.
fn plain(letter: char) -> char {
    const ALIKE: [(&str, char); 20] = [
        ("аα", 'a'),
        ("в", 'b'),
        ("сϲ", 'c'),
        ("ԁ", 'd'),
        ("еєε", 'e'),
        ("һ", 'h'),
        ("іι", 'i'),
        ("ј", 'j'),
        ("кκ", 'k'),
        ("ӏ", 'l'),
        ("м", 'm'),
        ("пη", 'n'),
        ("оοσ", 'o'),
        ("рρ", 'p'),
        ("ѕ", 's'),
        ("тτ", 't'),
        ("υ", 'u'),
        ("ѵν", 'v'),
        ("хχ", 'x'),
        ("уγ", 'y'),
    ];
    if letter.is_ascii() {
        return letter;
    }
    let code = letter as u32;
    if (0xff01..=0xff5e).contains(&code) {
        return char::from_u32(code - 0xfee0).unwrap_or(letter);
    }
    let lower = letter.to_lowercase().next().unwrap_or(letter);
    ALIKE.iter().find(|(alike, _)| alike.contains(lower)).map_or(letter, |(_, plain)| *plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(text: &str) -> String {
        Squeezed::new(text).letters.into_iter().collect()
    }

    #[test]
    fn signs_blanks_and_look_alikes_hide_nothing() {
        for text in ["Put a Cup", "p-u-t a\ncup", "put_aCup", "рut а сup", "ｐｕｔ　ａ cup", "pu\u{200b}t a cup"] {
            assert_eq!(letters(text), "putacup", "{text}");
        }
    }

    #[test]
    fn whole_words_and_numbers_are_told_from_parts() {
        let text = Squeezed::new("in windmillyard 12");
        assert!(!text.is_whole(0, "inwindmill".len(), 2));
        assert!(text.is_whole(0, "inwindmillyard".len(), 2));
        assert!(!text.is_whole(0, "inwindmillyard1".len(), 3));
        assert!(Squeezed::new("xputacupy").is_whole(1, 8, 3));
        assert!(Squeezed::new("p u t a c u p").is_whole(0, 7, 3));
        assert!(!Squeezed::new("place 1. 3 cups").is_whole(0, "place13".len(), 2));
    }
}
