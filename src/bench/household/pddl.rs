//! The s-expression reader: PDDL text to nested lists, lower-cased, comments dropped, each node with its line.

use super::error::Fault;

/// Deepest nesting accepted; real problems stay under 12.
const DEPTH_LIMIT: usize = 64;

/// One node of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Line of the first character, from 1.
    pub line: u32,
    /// Word or list.
    pub form: Form,
}

/// A word or a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// A word in lower case.
    Word(String),
    /// What stood between two parentheses.
    List(Vec<Node>),
}

impl Node {
    /// The word, or a fault that says what was wanted.
    pub fn word(&self, wanted: &str) -> Result<&str, Fault> {
        match &self.form {
            Form::Word(word) => Ok(word),
            Form::List(_) => Err(Fault::new(self.line, format!("a list where {wanted} is wanted"))),
        }
    }

    /// The list, or a fault that says what was wanted.
    pub fn list(&self, wanted: &str) -> Result<&[Node], Fault> {
        match &self.form {
            Form::List(list) => Ok(list),
            Form::Word(word) => Err(Fault::new(self.line, format!("{} where {wanted} is wanted", shown(word)))),
        }
    }

    /// The first word of a list, if it is one.
    pub fn head(&self) -> Option<&str> {
        match &self.form {
            Form::List(list) => match list.first().map(|node| &node.form) {
                Some(Form::Word(word)) => Some(word),
                Some(Form::List(_)) | None => None,
            },
            Form::Word(_) => None,
        }
    }
}

/// A word quoted for an error text, cut where it is long.
pub(super) fn shown(word: &str) -> String {
    const LONGEST: usize = 60;
    if word.chars().count() <= LONGEST {
        return format!("`{word}`");
    }
    format!("`{}...`", word.chars().take(LONGEST).collect::<String>())
}

/// Reads the one list that the text holds.
pub(super) fn read(text: &str) -> Result<Node, Fault> {
    let mut reader = Reader::default();
    let mut line = 0;
    for row in text.split('\n') {
        line += 1;
        let code = row.split_once(';').map_or(row, |(before, _)| before);
        for token in tokens(code) {
            reader.take(token, line)?;
        }
    }
    if let Some((unclosed, _)) = reader.open.last() {
        return Err(Fault::new(*unclosed, "a parenthesis that is never closed"));
    }
    reader.whole.ok_or_else(|| Fault::new(line, "no list in the text"))
}

/// Lists under way.
#[derive(Default)]
struct Reader {
    /// Lists not closed yet, outermost first, with the line of their parenthesis.
    open: Vec<(u32, Vec<Node>)>,
    /// The outermost list, once closed.
    whole: Option<Node>,
}

impl Reader {
    fn take(&mut self, token: &str, line: u32) -> Result<(), Fault> {
        let fault = |reason: String| Err(Fault::new(line, reason));
        match token {
            ")" if self.open.is_empty() => {
                return fault("a closing parenthesis without an opening one".to_owned());
            }
            other if self.whole.is_some() => {
                return fault(format!("{} after the end of the problem", shown(other)));
            }
            "(" if self.open.len() >= DEPTH_LIMIT => {
                return fault(format!("lists nested deeper than {DEPTH_LIMIT}"));
            }
            "(" => self.open.push((line, Vec::new())),
            ")" => {
                if let Some((line, list)) = self.open.pop() {
                    self.add(Node { line, form: Form::List(list) });
                }
            }
            word if self.open.is_empty() => {
                return fault(format!("{} outside of any list", shown(word)));
            }
            word => self.add(Node { line, form: Form::Word(word.to_lowercase()) }),
        }
        Ok(())
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            Some((_, list)) => list.push(node),
            None => self.whole = Some(node),
        }
    }
}

/// Parentheses and the words between them.
fn tokens(code: &str) -> impl Iterator<Item = &str> {
    let mut rest = code;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let end = if matches!(first, '(' | ')') {
            1
        } else {
            rest.find(|c: char| c.is_whitespace() || c == '(' || c == ')').unwrap_or(rest.len())
        };
        let (token, after) = rest.split_at(end);
        rest = after;
        Some(token)
    })
}

/// Reads `a b - t c - u d`: each name with its type; names without one get `object`.
pub(super) fn typed(nodes: &[Node]) -> Result<Vec<(&str, &str, u32)>, Fault> {
    let mut names = Vec::with_capacity(nodes.len());
    let mut untyped = 0;
    let mut nodes = nodes.iter();
    while let Some(node) = nodes.next() {
        let word = node.word("a name")?;
        if word != "-" {
            names.push((word, "object", node.line));
            continue;
        }
        let Some(kind) = nodes.next() else {
            return Err(Fault::new(node.line, "no type after `-`"));
        };
        let kind = kind.word("a type")?;
        for name in &mut names[untyped..] {
            name.1 = kind;
        }
        untyped = names.len();
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lower_cased_and_comments_dropped() {
        let node = read("(A b ; c )\n (D))").unwrap();
        let list = node.list("x").unwrap();
        assert_eq!(list[0].word("x").unwrap(), "a");
        assert_eq!((list[2].head(), list[2].line), (Some("d"), 2));
    }

    #[test]
    fn faults_carry_the_line() {
        for (text, line) in [("(a\n(b)", 1), ("(a)\n)", 2), ("\n\nx", 3), ("", 1), ("(a)\n(b)", 2)] {
            assert_eq!(read(text).unwrap_err().line, line, "{text:?}");
        }
        assert!(read(&"(".repeat(100_000)).unwrap_err().reason.contains("deeper"));
    }

    #[test]
    fn a_type_holds_for_all_names_before_it() {
        let node = read("(a b - t c)").unwrap();
        assert_eq!(typed(node.list("x").unwrap()).unwrap(), [("a", "t", 1), ("b", "t", 1), ("c", "object", 1)]);
    }
}
