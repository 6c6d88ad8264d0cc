//! Words of a text, and the ranking of texts by the words they share with another.

use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Words too common to say what a text is about.
const COMMON: [&str; 39] = [
    "a", "an", "and", "any", "are", "as", "at", "be", "by", "do", "for", "from", "have", "in", "into", "is", "it", "its", "me", "must",
    "not", "of", "on", "or", "so", "some", "that", "the", "them", "then", "there", "this", "to", "was", "will", "with", "you", "your",
    "yours",
];

/// Lower-case words of letters, in order; digits and signs part them.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// The beginning of a text, at most `bytes` long, with a mark where it was cut.
pub fn clipped(text: &str, bytes: usize) -> String {
    if text.len() <= bytes { text.to_owned() } else { format!("{}…", &text[..text.floor_char_boundary(bytes)]) }
}

/// A word without its plural ending.
pub fn stem(word: &str) -> &str {
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 2 && !stem.ends_with('s') => stem,
        Some(_) | None => word,
    }
}

/// A thing's name in one piece: letters only, lower case, no plural ending.
pub fn joined(text: &str) -> String {
    let name: String = words(text).collect();
    stem(&name).to_owned()
}

/// Terms of a phrase: the whole, each word, each pair of neighbours ("soap bar" is also "soapbar").
pub fn terms_of(phrase: &str, stopwords: &BTreeSet<String>) -> BTreeSet<String> {
    let kept: Vec<String> = words(phrase).filter(|word| !stopwords.contains(word)).collect();
    let mut terms: BTreeSet<String> = kept.iter().map(|word| stem(word).to_owned()).collect();
    terms.extend(kept.windows(2).map(|pair| joined(&pair.concat())));
    terms.insert(joined(&kept.concat()));
    terms.remove("");
    terms
}

/// Stems of the words that say what a text is about.
pub fn telling_words(text: &str) -> BTreeSet<String> {
    words(text).filter(|word| !COMMON.contains(&word.as_str())).map(|word| stem(&word).to_owned()).collect()
}

/// Indices of the texts that share at least `least` words with `query`, best first: a shared word weighs more the fewer texts have
/// it; equal ones in order.
pub fn ranked(query: &str, texts: &[BTreeSet<String>], least: usize) -> Vec<usize> {
    let mut holders: BTreeMap<&str, usize> = BTreeMap::new();
    for word in texts.iter().flatten() {
        *holders.entry(word).or_default() += 1;
    }
    let wanted: HashSet<String> = telling_words(query).into_iter().collect();
    let weight = |word: &str| (1.0 + texts.len() as f64 / holders.get(word).copied().unwrap_or(1) as f64).ln();
    let mut scored = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let shared: Vec<&String> = text.iter().filter(|word| wanted.contains(*word)).collect();
        if !shared.is_empty() && shared.len() >= least {
            scored.push((shared.iter().map(|word| weight(word)).sum::<f64>(), index));
        }
    }
    scored.sort_by(|one, two| two.0.total_cmp(&one.0).then(one.1.cmp(&two.1)));
    scored.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_shared_words_rank_first() {
        let texts: Vec<_> = ["blue cups", "red cup", "blue plate"].iter().map(|text| telling_words(text)).collect();
        assert_eq!(ranked("the red cup", &texts, 1), [1, 0]);
        assert_eq!(ranked("the red cup", &texts, 2), [1]);
        assert!(ranked("nothing", &texts, 1).is_empty());
    }

    #[test]
    fn stems_lose_only_a_plural_ending() {
        assert_eq!((stem("cups"), stem("glass"), stem("gas")), ("cup", "glass", "gas"));
    }
}
