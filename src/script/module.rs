//! A script's module as it is run: behind its own text stands a line that gives all its values to the prelude, which freezes them. What an
//! episode gathers is then in `state` alone, from which an instance can be made again.

use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_semantic::SemanticBuilder;
use oxc_span::SourceType;

/// A script with its last line.
pub(super) struct Settled {
    /// The text to run; places in the script are as they were.
    pub(super) source: String,
    /// Name of the function that its last line calls, one that the script does not have.
    pub(super) function: String,
}

impl Settled {
    /// Adds the line. A script that does not parse stays as it is: the engine says what is wrong.
    pub(super) fn of(source: &str) -> Self {
        let mut function = "settle".to_owned();
        while source.contains(&function) {
            function.push('_');
        }
        Self { source: format!("{source}\n{function}({});", names(source).join(", ")), function }
    }
}

/// The names that a module declares at its top.
fn names(source: &str) -> Vec<String> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::mjs()).parse();
    if !parsed.diagnostics.is_empty() {
        return Vec::new();
    }
    let scoping = SemanticBuilder::new().build(&parsed.program).semantic.into_scoping();
    let of_module = scoping.symbol_ids().filter(|symbol| scoping.symbol_scope_id(*symbol) == scoping.root_scope_id());
    of_module.map(|symbol| scoping.symbol_name(symbol).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_top_is_given_away() {
        let source =
            "const { a, b: [c] } = x;\nfor (var d of []) { let e; }\nexport function f(g) { const h = 1; }\nclass settle {} // end";
        let Settled { source: run, function } = Settled::of(source);
        assert_eq!((function.as_str(), run.strip_prefix(source)), ("settle_", Some("\nsettle_(a, c, d, f, settle);")));
        assert_eq!(Settled::of("const = 1").source, "const = 1\nsettle();");
    }
}
