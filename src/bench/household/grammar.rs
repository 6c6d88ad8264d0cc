//! The game's texts, the task sentence out of a twl2 grammar, and the check that rules and grammar are the standard ones.

use super::error::Fault;

/// What every opening starts with.
pub(super) const WELCOME: &str = "-= Welcome to TextWorld, ALFRED! =-";

/// What a command that is not admissible gets.
pub(super) const NOTHING_HAPPENS: &str = "Nothing happens.";

/// What `help` prints.
pub(super) const HELP: &str = "\
Available commands:
  look:                             look around your current location
  inventory:                        check your current inventory
  go to (receptacle):               move to a receptacle
  open (receptacle):                open a receptacle
  close (receptacle):               close a receptacle
  take (object) from (receptacle):  take an object from a receptacle
  move (object) to (receptacle):  place an object in or on a receptacle
  examine (something):              examine a receptacle or an object
  use (object):                     use an object
  heat (object) with (receptacle):  heat an object using a receptacle
  clean (object) with (receptacle): clean an object using a receptacle
  cool (object) with (receptacle):  cool an object using a receptacle
  slice (object) with (object):     slice an object using a sharp object
";

/// What stands before the task sentence.
pub(super) const TASK_PREFIX: &str = "Your task is to: ";

/// First 16 hex digits of blake3 over the standard domain, normalised (alfworld 0.4.2).
const DOMAIN_DIGEST: &str = "425d805d2f418445";

/// The same over the standard grammar with its task sentence blanked (alfworld 0.4.2).
const GRAMMAR_DIGEST: &str = "958ab316a39078fe";

/// `a X, a Y, and a Z`; `nothing` for an empty list.
pub(super) fn list<'a>(article: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter().peekable();
    let Some(first) = names.next() else {
        return "nothing".to_owned();
    };
    let mut text = format!("{article}{first}");
    while let Some(name) = names.next() {
        text.push_str(if names.peek().is_some() { ", " } else { ", and " });
        text.push_str(article);
        text.push_str(name);
    }
    text
}

/// The task sentence with its full stop, e.g. `put some mug on shelf.`
pub(super) fn task_sentence(grammar: &str) -> Result<String, Fault> {
    let (start, quoted) = task_literal(grammar)?;
    let line = grammar[..start].matches('\n').count() as u32 + 1;
    let text: String =
        serde_json::from_str(quoted).map_err(|source| Fault::new(line, format!("the task sentence is not a JSON string: {source}")))?;
    // The engine turns a written-out \n into a line break.
    let text = text.replace("\\n", "\n");
    Ok(text.strip_prefix(TASK_PREFIX).unwrap_or(&text).to_owned())
}

/// Where the JSON string of the task sentence starts, and the string with its quotation marks.
fn task_literal(grammar: &str) -> Result<(usize, &str), Fault> {
    let opening = format!("\"{TASK_PREFIX}");
    let start = grammar.find(&opening).ok_or_else(|| Fault::new(1, format!("no `{TASK_PREFIX}` in the grammar")))?;
    let mut escaped = false;
    for (place, byte) in grammar.bytes().enumerate().skip(start + 1) {
        match byte {
            b'"' if !escaped => return Ok((start, &grammar[start..=place])),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    let line = grammar[..start].matches('\n').count() as u32 + 1;
    Err(Fault::new(line, "the task sentence is never closed"))
}

/// A warning where the domain's rules are not the standard ones.
pub(super) fn check_domain(domain: &str) -> Option<String> {
    let mut plain = String::with_capacity(domain.len());
    for row in domain.lines() {
        plain.push_str(row.split_once(';').map_or(row, |(code, _)| code));
        plain.push('\n');
    }
    let found = digest(&plain.to_lowercase());
    (found != DOMAIN_DIGEST).then(|| format!("pddl_domain is not the standard one (digest {found}); standard rules are used"))
}

/// A warning where the grammar's texts are not the standard ones.
pub(super) fn check_grammar(grammar: &str) -> Option<String> {
    let blanked = match task_literal(grammar) {
        Ok((_, literal)) => grammar.replacen(literal, "TASK", 1),
        Err(_) => grammar.to_owned(),
    };
    let found = digest(&blanked);
    (found != GRAMMAR_DIGEST).then(|| format!("grammar is not the standard one (digest {found}); standard texts are used"))
}

/// Digest of a text whose whitespace does not count.
fn digest(text: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    for word in text.split_whitespace() {
        hasher.update(word.as_bytes());
        hasher.update(b" ");
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_a_comma_before_and() {
        assert_eq!(list("a ", []), "nothing");
        assert_eq!(list("a ", ["x"]), "a x");
        assert_eq!(list("a ", ["x", "y"]), "a x, and a y");
        assert_eq!(list("", ["x", "y", "z"]), "x, y, and z");
    }

    #[test]
    fn the_task_sentence_is_unescaped() {
        let grammar = "x\n\"rhs\": \"Your task is to: say \\\"hi\\\" \\u00e9.\"";
        assert_eq!(task_sentence(grammar).unwrap(), "say \"hi\" é.");
        assert_eq!(task_sentence("\n\n\"Your task is to: x").unwrap_err().line, 3);
        assert!(task_sentence("nothing").is_err());
    }

    #[test]
    fn only_whitespace_and_comments_are_free() {
        assert_eq!(check_domain("(a b) ; c"), check_domain("(A\n b)"));
        assert_ne!(check_domain("(a b)"), check_domain("(a c)"));
        assert_eq!(check_grammar("x \"Your task is to: a.\""), check_grammar("x\n\"Your task is to: b.\""));
    }
}
