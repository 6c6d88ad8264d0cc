//! Forms of actions, found by induction and without any word of a domain: actions that begin with the same word are laid side by side;
//! words that all of them have stay, what varies between those is a slot. `fetch cup 1 from shelf 2` and its like become
//! `fetch … from …`.

use std::collections::{BTreeMap, BTreeSet};

/// Words of an action that are looked at.
const WORDS: usize = 24;

/// The form of all actions that begin with one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// What stays and what varies, in order; begins with a word that stays.
    parts: Vec<Part>,
}

/// One part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Word(String),
    /// Something varies here; `named`: it has letters, so that it can be a thing that a task speaks of.
    Slot {
        named: bool,
    },
}

impl Template {
    /// The word it begins with.
    pub fn head(&self) -> &str {
        self.parts.first().map_or("", |part| if let Part::Word(word) = part { word } else { "" })
    }

    /// Slots, in order: whether what stands there has letters.
    pub fn slots(&self) -> Vec<bool> {
        self.parts.iter().filter_map(|part| if let Part::Slot { named } = part { Some(*named) } else { None }).collect()
    }

    /// What an action has in the slots; `None`: it is of another form.
    pub fn fillers(&self, action: &str) -> Option<Vec<String>> {
        let words: Vec<&str> = action.split_whitespace().collect();
        let (mut at, mut fillers) = (0, Vec::new());
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Word(word) => {
                    if words.get(at) != Some(&word.as_str()) {
                        return None;
                    }
                    at += 1;
                }
                Part::Slot { .. } => {
                    let next = self.parts.get(index + 1).and_then(|part| if let Part::Word(word) = part { Some(word) } else { None });
                    let rest = words.get(at..).unwrap_or_default();
                    let length = next.map_or(Some(rest.len()), |next| rest.iter().position(|word| word == next))?;
                    if length == 0 {
                        return None;
                    }
                    fillers.push(rest[..length].join(" "));
                    at += length;
                }
            }
        }
        (at == words.len()).then_some(fillers)
    }

    /// A pattern of the whole action; slots for which `captured` holds become captures.
    pub fn pattern(&self, captured: impl Fn(usize) -> bool) -> String {
        let mut slot = 0;
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Word(word) => regex::escape(word),
                Part::Slot { .. } => {
                    slot += 1;
                    if captured(slot - 1) { "(.+)".to_owned() } else { ".+".to_owned() }
                }
            })
            .collect();
        format!("^{}$", parts.join(" "))
    }

    /// As a person reads it.
    pub fn shown(&self) -> String {
        let parts: Vec<&str> = self.parts.iter().map(|part| if let Part::Word(word) = part { word.as_str() } else { "…" }).collect();
        parts.join(" ")
    }
}

/// Forms of these actions, in order of the word they begin with.
pub(super) fn induce<'a>(actions: impl Iterator<Item = &'a str>) -> Vec<Template> {
    let mut groups: BTreeMap<&str, BTreeSet<Vec<&str>>> = BTreeMap::new();
    for action in actions {
        let words: Vec<&str> = action.split_whitespace().take(WORDS + 1).collect();
        if let Some(head) = words.first().filter(|_| words.len() <= WORDS) {
            groups.entry(head).or_default().insert(words);
        }
    }
    groups.into_values().map(|group| form(&group)).collect()
}

fn form(group: &BTreeSet<Vec<&str>>) -> Template {
    let staying = staying(group);
    // What each member has before, between and after the words that stay.
    let gaps: Vec<Vec<Vec<&str>>> = group.iter().map(|words| gaps(words, &staying)).collect();
    let mut parts = Vec::new();
    for (index, word) in staying.iter().enumerate() {
        parts.push(Part::Word((*word).to_owned()));
        let fillers = || gaps.iter().filter_map(|gaps| gaps.get(index)).filter(|gap| !gap.is_empty());
        if fillers().next().is_some() {
            let named = fillers().flatten().any(|word| word.chars().any(char::is_alphabetic));
            parts.push(Part::Slot { named });
        }
    }
    Template { parts }
}

/// Words that every member has, in one and the same order; the first word is always one of them.
fn staying<'a>(group: &BTreeSet<Vec<&'a str>>) -> Vec<&'a str> {
    let Some(first) = group.first() else { return Vec::new() };
    let mut kept: Vec<&str> = Vec::new();
    for word in first {
        kept.push(word);
        let is_first = kept.len() == 1;
        let once = |words: &Vec<&str>| words.iter().filter(|other| *other == word).count() == 1;
        let holds = group.iter().all(|words| once(words) && gaps(words, &kept).len() == kept.len());
        if !is_first && !holds {
            kept.pop();
        }
    }
    kept
}

/// What follows each of the words that stay, up to the next; fewer where they are not found in order.
fn gaps<'a>(words: &[&'a str], staying: &[&str]) -> Vec<Vec<&'a str>> {
    let (mut found, mut next) = (Vec::new(), 0);
    for word in words {
        if staying.get(next) == Some(word) {
            found.push(Vec::new());
            next += 1;
        } else if let Some(gap) = found.last_mut() {
            gap.push(*word);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_becomes_a_slot_and_what_stays_a_word() {
        let actions = [
            "lift red rake 1 from shelf 1",
            "lift cup 2 from barn 2",
            "walk to barn 2",
            "walk to shelf 1",
            "wait",
            "press lamp 1",
            "press lamp 2",
        ];
        let templates = induce(actions.into_iter());
        let shown: Vec<String> = templates.iter().map(Template::shown).collect();
        assert_eq!(shown, ["lift … from …", "press lamp …", "wait", "walk to …"]);
        assert_eq!(templates[0].pattern(|slot| slot == 0), "^lift (.+) from .+$");
        assert_eq!(templates[0].fillers("lift red rake 1 from shelf 1").unwrap(), ["red rake 1", "shelf 1"]);
        assert_eq!(templates[0].fillers("lift rake 1 off shelf 1"), None);
        assert_eq!(templates[1].slots(), [false]);
        assert_eq!(templates[2].fillers("wait").unwrap().len(), 0);
    }

    #[test]
    fn odd_actions_are_survived() {
        for actions in [vec![""], vec!["a a a", "a a"], vec!["é", "é ü"], vec!["x y", "x z y"]] {
            for template in induce(actions.iter().copied()) {
                assert!(actions.iter().any(|action| template.fillers(action).is_some()) || template.parts.is_empty(), "{template:?}");
            }
        }
    }
}
