//! A text as the leak rules compare it: letters and digits alone, lower case, look-alike letters made plain. Blanks, signs, line breaks and
//! invisible letters between them hide nothing.

use crate::domain::untrusted::is_invisible;
use std::cmp::Ordering;
use unicode_normalization::UnicodeNormalization;

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
        // Letters that are not seen part nothing.
        for (offset, letter) in text.char_indices().filter(|(_, letter)| !is_invisible(*letter)) {
            for letter in plain(letter) {
                if !letter.is_alphanumeric() {
                    parted = true;
                    continue;
                }
                for lower in letter.to_lowercase() {
                    squeezed.letters.push(lower);
                    squeezed.starts.push(parted);
                    squeezed.offsets.push(offset);
                    parted = false;
                }
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

/// Whether a text has letters that nobody sees. That a sign is to be shown as an emoji, or is not, hides nothing.
pub(super) fn has_invisible(text: &str) -> bool {
    let is_sign = |before: char| !before.is_ascii_alphabetic() && !before.is_whitespace() && !is_invisible(before);
    let before = std::iter::once('a').chain(text.chars());
    before.zip(text.chars()).any(|(before, letter)| match letter {
        '\u{fe0e}' | '\u{fe0f}' => !is_sign(before),
        _ => is_invisible(letter),
    })
}

/// A letter in its plain form: wide, mathematical and ringed ones (NFKC), and those that look like one of the Latin alphabet, as that one.
fn plain(letter: char) -> impl Iterator<Item = char> {
    letter.nfkc().map(alike)
}

fn alike(letter: char) -> char {
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
        for text in ["Put a Cup", "p-u-t a\ncup", "put_aCup", "рut а сup", "ｐｕｔ　ａ cup", "pu\u{200b}t a cup", "𝐩𝓾𝖙 𝒶 ⓒup"]
        {
            assert_eq!(letters(text), "putacup", "{text}");
        }
        let unseen = "\u{e0041}\u{fe0f}\u{e0101}\u{180b}\u{115f}\u{1160}\u{3164}\u{2066}\u{61c}";
        for letter in unseen.chars() {
            let text = Squeezed::new(&format!("pu{letter}t a cup"));
            assert_eq!((text.letters.iter().collect::<String>().as_str(), text.words().len()), ("putacup", 3), "{letter:?}");
        }
    }

    #[test]
    fn unseen_letters_are_told_from_emoji() {
        for letter in "\u{e0041}\u{fe00}\u{e0101}\u{180e}\u{115f}\u{1160}\u{3164}\u{2069}\u{61c}\u{200b}".chars() {
            assert!(has_invisible(&format!("ab{letter}c")), "{letter:?}");
        }
        assert!(!has_invisible("Well done ❤\u{fe0f}, see ☎\u{fe0e} and 1\u{fe0f}\u{20e3}."));
        assert!(has_invisible("a\u{fe0f}b") && has_invisible("❤\u{fe0f}\u{fe0f}") && has_invisible("\u{fe0f}"));
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
