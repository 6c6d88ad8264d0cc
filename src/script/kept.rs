//! The static check for what a script would keep outside `state`: variables of the module that functions change, members of what they hold,
//! and variables that a function which outlives its caller changes. What is not seen here and is not frozen when the script runs (`module`)
//! is lost when an instance is made again.

#![expect(clippy::wildcard_enum_match_arm, reason = "the kinds of a syntax tree are many, and another crate's")]

use super::globals::THERE;
use oxc_ast::AstKind;
use oxc_ast::ast::UnaryOperator;
use oxc_semantic::{NodeId, Reference, Semantic};
use oxc_span::GetSpan;

/// Places in a script, as bytes from its start, with what is wrong there.
pub(super) fn kept(semantic: &Semantic<'_>) -> Vec<(usize, String)> {
    let (scoping, reading) = (semantic.scoping(), Reading(semantic));
    let root = scoping.root_scope_id();
    let mut found = Vec::new();
    let mut remark = |reference: &Reference, message: String| {
        found.push((semantic.reference_span(reference).start as usize, message));
    };
    for symbol in scoping.symbol_ids() {
        let (name, is_of_module) = (scoping.symbol_name(symbol), scoping.symbol_scope_id(symbol) == root);
        let instead = format!("keep what an episode gathers in `state.{name}`");
        for reference in scoping.get_resolved_references(symbol) {
            let at = reference.node_id();
            if is_of_module && (reference.is_write() && reference.scope_id() != root || reading.writes_member(at) && reading.runs_later(at))
            {
                remark(reference, format!("`{name}` belongs to the module and is changed here: {instead}"));
            } else if !is_of_module && reference.is_write() && reading.outlives(scoping.symbol_declaration(symbol), at) {
                remark(reference, format!("`{name}` lives as long as the module and is changed here: {instead}"));
            }
        }
    }
    for (name, references) in scoping.root_unresolved_references() {
        if *name != "arguments" && THERE.contains(&name.as_str()) {
            for reference in references.iter().map(|reference| scoping.get_reference(*reference)) {
                if reading.writes_member(reference.node_id()) {
                    remark(
                        reference,
                        format!("`{name}` belongs to the language and is changed here: keep what an episode gathers in `state`"),
                    );
                }
            }
        }
    }
    found
}

struct Reading<'a, 's>(&'s Semantic<'a>);

impl Reading<'_, '_> {
    /// Whether something within the value of a name is written to, or deleted.
    fn writes_member(&self, name: NodeId) -> bool {
        let nodes = self.0.nodes();
        let (mut span, mut is_member) = (nodes.kind(name).span(), false);
        for above in nodes.ancestor_kinds(name) {
            let goes_on = match above {
                AstKind::StaticMemberExpression(member) => member.object.span() == span,
                AstKind::ComputedMemberExpression(member) => member.object.span() == span,
                AstKind::ParenthesizedExpression(_) | AstKind::ChainExpression(_) => true,
                AstKind::AssignmentExpression(assignment) => return is_member && assignment.left.span() == span,
                AstKind::UpdateExpression(_) => return is_member,
                AstKind::UnaryExpression(unary) => return is_member && unary.operator == UnaryOperator::Delete,
                _ => false,
            };
            if !goes_on {
                return false;
            }
            is_member = is_member || matches!(above, AstKind::StaticMemberExpression(_) | AstKind::ComputedMemberExpression(_));
            span = above.span();
        }
        false
    }

    /// The functions around a place, from within.
    fn functions(&self, at: NodeId) -> impl Iterator<Item = NodeId> {
        let nodes = self.0.nodes();
        nodes.ancestor_ids(at).filter(move |id| matches!(nodes.kind(*id), AstKind::Function(_) | AstKind::ArrowFunctionExpression(_)))
    }

    /// Whether a function is called where it stands, or given to one that is.
    fn is_called_at_once(&self, function: NodeId) -> bool {
        let above = self.0.nodes().ancestor_kinds(function).find(|kind| !matches!(kind, AstKind::ParenthesizedExpression(_)));
        matches!(above, Some(AstKind::CallExpression(_) | AstKind::NewExpression(_)))
    }

    /// Whether a place is reached after the module has been read.
    fn runs_later(&self, at: NodeId) -> bool {
        self.functions(at).any(|function| !self.is_called_at_once(function))
    }

    /// Whether a variable that is made while the module is read is changed by a function that is called later.
    fn outlives(&self, declared: NodeId, at: NodeId) -> bool {
        let home = self.functions(declared).next();
        let is_made_at_once = home.is_some() && !self.runs_later(declared);
        is_made_at_once
            && self.functions(at).take_while(|function| Some(*function) != home).any(|function| !self.is_called_at_once(function))
    }
}
