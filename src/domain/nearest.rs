//! The nearest known name to one that is not known, for messages.

/// A hint with the nearest known name, or all of them.
pub fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known.iter().map(|other| (distance(name, other), *other)).min();
    match nearest {
        Some((far, other)) if far <= 1 + name.len() / 3 => format!("did you mean {other:?}?"),
        _ => format!("known: {}", known.join(", ")),
    }
}

/// A message of serde about an unknown field or variant, with the nearest known one where it lists any; other messages as they are.
pub fn with_nearest(message: &str) -> String {
    let Some((head, list)) = message.split_once(", expected ") else { return message.to_owned() };
    let Some((what, name)) = head.split_once('`').and_then(|(what, rest)| Some((what, rest.strip_suffix('`')?))) else {
        return message.to_owned();
    };
    if !matches!(what, "unknown field " | "unknown variant ") {
        return message.to_owned();
    }
    // Odd pieces stand between backticks.
    let known = list.split('`').skip(1).step_by(2);
    format!("{what}{name:?}; {}", did_you_mean(name, known))
}

/// Insertions, deletions and changes of one letter that lead from one text to the other (Levenshtein).
pub fn distance(one: &str, two: &str) -> usize {
    let two: Vec<char> = two.chars().collect();
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in two.iter().enumerate() {
            let cost = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[two.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_or_all() {
        assert_eq!(did_you_mean("sead", ["seed", "jobs"].into_iter()), "did you mean \"seed\"?");
        assert_eq!(did_you_mean("wholly other", ["seed", "jobs"].into_iter()), "known: seed, jobs");
    }

    #[test]
    fn messages_of_serde_gain_the_nearest_name() {
        let message = "unknown field `nam`, expected one of `format`, `name`";
        assert_eq!(with_nearest(message), "unknown field \"nam\"; did you mean \"name\"?");
        assert_eq!(with_nearest("unknown field `x`, expected `seconds`"), "unknown field \"x\"; known: seconds");
        assert_eq!(with_nearest("missing field `name`"), "missing field `name`");
    }
}
