//! Texts that must not appear in a harness. Of gate and held-out tasks only hashes of runs of words are kept, never a word; of train tasks
//! also whose they are. Nothing here can be written to a file.

use super::squeezed::Squeezed;
use crate::domain::id::{Digest, TaskId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is known of one task, as the benchmark gives it.
#[derive(Clone, Debug)]
pub struct TaskTexts {
    /// Whose.
    pub task: TaskId,
    /// What it asks for; words that nine of ten goals begin with are passed over.
    pub goal: String,
    /// Answers that its verifier accepts, and anything else that gives it away.
    pub answers: Vec<String>,
}

/// Words of one run that is hashed: shorter texts are one run, longer ones all of their runs of this length.
const RUN: usize = 8;

/// Letters by which a long run is looked for.
const ANCHOR: usize = 12;

/// Fewest letters of a text that is evidence at all; shorter ones stand anywhere by chance.
const FEWEST: usize = 4;

/// Fewest letters of a text that is evidence alone; of shorter ones two must stand in one place.
const ALONE: usize = 8;

/// The same where letters and digits mix, as in ids.
const ALONE_MIXED: usize = 6;

/// Most words of a text shorter than [`ANCHOR`].
const SHORT_WORDS: usize = 6;

/// Hashes of everything that must not appear.
#[derive(Default)]
pub struct Secrets {
    /// Of gate and held-out tasks.
    pub(super) sealed: Fingerprints,
    /// Of train tasks.
    pub(super) train: Fingerprints,
    /// Owners of `train`.
    pub(super) tasks: Vec<TaskId>,
}

/// A set of runs of words, as hashes, each with the tasks it comes from.
#[derive(Default)]
pub(super) struct Fingerprints {
    runs: BTreeMap<Digest, Run>,
    /// Lengths of the long runs, by the hash of their first letters.
    anchors: HashMap<u64, BTreeSet<usize>>,
    /// Lengths of the short ones.
    lengths: BTreeSet<usize>,
}

struct Run {
    letters: usize,
    words: usize,
    /// Hash of its first letters.
    anchor: u64,
    owners: BTreeSet<usize>,
    /// Distinct texts it was taken from.
    sources: BTreeSet<Digest>,
}

/// A run that stands in a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    /// Byte of the text.
    pub offset: usize,
    /// Whether it is evidence alone.
    alone: bool,
    /// Which run.
    pub run: Digest,
    /// Places of its tasks.
    pub owners: BTreeSet<usize>,
}

impl Secrets {
    /// Hashes the texts. Runs that also stand in a train text are no secret, nor are those that one in twenty tasks share.
    pub fn new(sealed: &[TaskTexts], train: &[TaskTexts]) -> Self {
        let lead = common_lead(sealed.iter().chain(train).map(|texts| texts.goal.as_str()));
        let mut secrets = Self {
            sealed: Fingerprints::of(sealed, lead),
            train: Fingerprints::of(train, lead),
            tasks: train.iter().map(|texts| texts.task.clone()).collect(),
        };
        for text in train.iter().flat_map(all_of) {
            let text = Squeezed::new(text);
            let shown = [secrets.sealed.long(&text), secrets.sealed.short(&text)].concat();
            for hit in &shown {
                secrets.sealed.runs.remove(&hit.run);
            }
        }
        secrets
    }
}

fn all_of(texts: &TaskTexts) -> impl Iterator<Item = &str> {
    [texts.goal.as_str(), texts.task.as_str()].into_iter().chain(texts.answers.iter().map(String::as_str))
}

/// Letters with which nine of ten goals begin, whole words only.
fn common_lead<'a>(goals: impl Iterator<Item = &'a str>) -> usize {
    let goals: Vec<Squeezed> = goals.map(Squeezed::new).collect();
    if goals.len() < 10 {
        return 0;
    }
    let mut counts: BTreeMap<&[char], usize> = BTreeMap::new();
    for goal in &goals {
        for (_, end) in goal.words() {
            *counts.entry(&goal.letters[..end]).or_default() += 1;
        }
    }
    counts.iter().filter(|(_, count)| **count * 10 >= goals.len() * 9).map(|(lead, _)| lead.len()).max().unwrap_or(0)
}

impl Fingerprints {
    fn of(all: &[TaskTexts], lead: usize) -> Self {
        let mut prints = Self::default();
        for (owner, texts) in all.iter().enumerate() {
            let goal = Squeezed::new(&texts.goal);
            let words = goal.words();
            let skipped = words.iter().take_while(|(_, end)| *end <= lead).count();
            prints.insert(&goal, if skipped < words.len() { &words[skipped..] } else { &words }, owner);
            for text in all_of(texts).skip(1).map(Squeezed::new) {
                prints.insert(&text, &text.words(), owner);
            }
        }
        let goals: BTreeSet<Digest> = all.iter().map(|texts| hash(&Squeezed::new(&texts.goal).letters)).collect();
        let most = (goals.len() / 20).max(2);
        prints.runs.retain(|_, run| run.sources.len() <= most);
        for run in prints.runs.values() {
            let lengths = if run.letters < ANCHOR { &mut prints.lengths } else { prints.anchors.entry(run.anchor).or_default() };
            lengths.insert(run.letters);
        }
        prints
    }

    fn insert(&mut self, text: &Squeezed, words: &[(usize, usize)], owner: usize) {
        let source = hash(&text.letters);
        for run in words.windows(RUN.min(words.len()).max(1)) {
            let (Some((from, _)), Some((_, to))) = (run.first(), run.last()) else { continue };
            let letters = &text.letters[*from..*to];
            if letters.len() < FEWEST {
                continue;
            }
            let new = || Run {
                letters: letters.len(),
                words: run.len(),
                anchor: rolling(letters).next().unwrap_or(0),
                owners: BTreeSet::new(),
                sources: BTreeSet::new(),
            };
            let run = self.runs.entry(hash(letters)).or_insert_with(new);
            run.owners.insert(owner);
            run.sources.insert(source);
        }
    }

    /// Every run that stands in a text, by place. Short runs count where there are two different ones.
    pub fn hits(&self, text: &str) -> Vec<Hit> {
        if self.runs.is_empty() {
            return Vec::new();
        }
        let text = Squeezed::new(text);
        let mut found = self.long(&text);
        let short = self.short(&text);
        let weak: BTreeSet<Digest> = short.iter().filter(|hit| !hit.alone).map(|hit| hit.run).collect();
        found.extend(short.into_iter().filter(|hit| hit.alone || weak.len() > 1));
        found.sort();
        found
    }

    fn long(&self, text: &Squeezed) -> Vec<Hit> {
        let mut found = Vec::new();
        for (from, anchor) in rolling(&text.letters).enumerate() {
            let Some(lengths) = self.anchors.get(&anchor) else { continue };
            let stretches = lengths.iter().map(|length| (from, from + length)).filter(|(_, to)| *to <= text.letters.len());
            found.extend(stretches.filter_map(|(from, to)| self.hit(text, from, to)));
        }
        found
    }

    fn short(&self, text: &Squeezed) -> Vec<Hit> {
        let mut found = Vec::new();
        if self.lengths.is_empty() {
            return found;
        }
        let words = text.words();
        for (first, (from, _)) in words.iter().enumerate() {
            for (_, to) in words[first..].iter().take(SHORT_WORDS).take_while(|(_, to)| to - from < ANCHOR) {
                found.extend(self.lengths.contains(&(to - from)).then(|| self.hit(text, *from, *to)).flatten());
            }
        }
        found
    }

    fn hit(&self, text: &Squeezed, from: usize, to: usize) -> Option<Hit> {
        let digest = hash(&text.letters[from..to]);
        let run = self.runs.get(&digest).filter(|run| text.is_whole(from, to, run.words))?;
        Some(Hit { offset: text.offset(from), alone: is_telling(&text.letters[from..to]), run: digest, owners: run.owners.clone() })
    }
}

fn is_telling(letters: &[char]) -> bool {
    let is_mixed = letters.iter().any(char::is_ascii_digit) && !letters.iter().all(char::is_ascii_digit);
    letters.len() >= if is_mixed { ALONE_MIXED } else { ALONE }
}

fn hash(letters: &[char]) -> Digest {
    Digest::of(letters.iter().collect::<String>().as_bytes())
}

/// Polynomial hashes of every [`ANCHOR`] letters in a row.
fn rolling(letters: &[char]) -> impl Iterator<Item = u64> {
    const BASE: u64 = 0x9e37_79b9_7f4a_7c15;
    let highest = (1..ANCHOR).fold(1_u64, |power, _| power.wrapping_mul(BASE));
    let mut state = 0_u64;
    letters.iter().enumerate().filter_map(move |(at, letter)| {
        if at >= ANCHOR {
            state = state.wrapping_sub(u64::from(letters[at - ANCHOR]).wrapping_mul(highest));
        }
        state = state.wrapping_mul(BASE).wrapping_add(u64::from(*letter));
        (at + 1 >= ANCHOR).then_some(state)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(task: &str, goal: &str, answers: &[&str]) -> TaskTexts {
        TaskTexts { task: task.into(), goal: goal.to_owned(), answers: answers.iter().map(|text| (*text).to_owned()).collect() }
    }

    fn secrets() -> Secrets {
        let sealed = [texts("fetch/17", "bring a red stone to the old mill", &["Canberra", "1876", "Lima"])];
        Secrets::new(&sealed, &[texts("fetch/1", "bring a blue cup to the old mill", &["Oslo"])])
    }

    fn seen(text: &str) -> usize {
        secrets().sealed.hits(text).len()
    }

    #[test]
    fn goals_ids_and_answers_are_found_and_their_parts_are_not() {
        assert_eq!(seen("Please bring a RED stone to the old mill."), 1);
        assert_eq!(seen("bring_a_red_stone_to_the_old_mill"), 1);
        assert_eq!(seen("xbringaredstonetotheoldmillx"), 1);
        assert_eq!(seen("bring a red stone to the old windmill"), 0);
        assert_eq!((seen("fetch/17"), seen("fetch/1"), seen("fetch/171")), (1, 0, 0));
        assert_eq!((seen("Canberra"), seen("in 1876"), seen("1876, Lima")), (1, 0, 2));
    }

    #[test]
    fn what_train_tasks_show_is_no_secret() {
        let secrets = Secrets::new(&[texts("a", "walk to the very old mill", &[])], &[texts("b", "walk to the very old mill", &[])]);
        assert!(secrets.sealed.hits("walk to the very old mill").is_empty());
        assert_eq!(secrets.train.hits("walk to the very old mill").len(), 1);
    }

    #[test]
    fn a_short_answer_that_a_train_text_shows_is_no_secret() {
        let sealed = [texts("fetch/17", "bring a red stone to the old mill", &["1876", "Lima"])];
        let seen = |goal| Secrets::new(&sealed, &[texts("fetch/1", goal, &[])]).sealed.hits("1876, Lima").len();
        assert_eq!((seen("bring a cup to the mill of 1875"), seen("bring a cup to the mill of 1876")), (2, 0));
    }

    #[test]
    fn the_words_all_goals_begin_with_are_passed_over() {
        let goals: Vec<TaskTexts> =
            (0..12).map(|index| texts(&format!("t{index}"), &format!("Your task is: bring item number {index}"), &[])).collect();
        let secrets = Secrets::new(&goals, &[]);
        assert_eq!(secrets.sealed.hits("bring item number 7").len(), 0, "only the number differs");
        assert_eq!(common_lead(goals.iter().map(|texts| texts.goal.as_str())), "yourtaskisbringitemnumber".len());
    }
}
