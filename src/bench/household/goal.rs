//! Goals: nested formulas over typed variables, compiled once and evaluated after every command.
//!
//! Supported: `and`, `or`, `not`, `imply`, `exists`, `forall`, `=` and all predicates. A quantifier over `object` ranges over
//! every entity, since `object` is the root type of PDDL.

use super::error::Fault;
use super::pddl::{Form, Node, shown, typed};
use super::problem::{Id, Kind, Predicate, Problem, predicate};

/// Where an argument's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Term {
    /// A named entity.
    Entity(Id),
    /// The variable in that slot.
    Slot(usize),
}

/// A compiled formula.
#[derive(Debug, Clone)]
pub(super) enum Formula {
    All(Vec<Formula>),
    Any(Vec<Formula>),
    Not(Box<Formula>),
    Exists(Variable, Box<Formula>),
    Forall(Variable, Box<Formula>),
    Same(Term, Term),
    Holds(Predicate, Term, Term),
}

/// A quantified variable: its slot and the entities worth trying.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    slot: usize,
    candidates: Vec<Id>,
}

/// Answers whether a fact holds now.
pub(super) trait Facts {
    /// Whether the predicate holds for the arguments (one-place predicates get theirs twice).
    fn holds(&self, predicate: Predicate, first: Id, second: Id) -> bool;
}

impl Formula {
    /// Compiles the problem's goal.
    pub fn compile(problem: &Problem) -> Result<Self, Fault> {
        Compiler { problem, scope: Vec::new(), next: 0 }.formula(&problem.goal)
    }

    /// Whether the formula holds.
    pub fn eval(&self, facts: &impl Facts) -> bool {
        self.eval_in(facts, &mut Vec::new())
    }

    fn eval_in(&self, facts: &impl Facts, slots: &mut Vec<Id>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.eval_in(facts, slots)),
            Self::Any(parts) => parts.iter().any(|part| part.eval_in(facts, slots)),
            Self::Not(part) => !part.eval_in(facts, slots),
            Self::Exists(variable, body) => variable.any(slots, |slots| body.eval_in(facts, slots)),
            Self::Forall(variable, body) => !variable.any(slots, |slots| !body.eval_in(facts, slots)),
            Self::Same(one, two) => one.value(slots) == two.value(slots),
            Self::Holds(predicate, one, two) => facts.holds(*predicate, one.value(slots), two.value(slots)),
        }
    }

    /// Collects conditions on one variable alone that must hold wherever the formula holds.
    fn necessary(&self, slot: usize, found: &mut Vec<Predicate2>) {
        match self {
            Self::All(parts) => {
                for part in parts {
                    part.necessary(slot, found);
                }
            }
            Self::Exists(_, body) => body.necessary(slot, found),
            Self::Holds(predicate, Term::Slot(one), two) if *one == slot => match two {
                Term::Entity(two) => found.push((*predicate, Some(*two))),
                Term::Slot(two) if *two == slot && predicate.arity() == 1 => {
                    found.push((*predicate, None));
                }
                Term::Slot(_) => {}
            },
            Self::Any(_) | Self::Not(_) | Self::Forall(..) | Self::Same(..) | Self::Holds(..) => {}
        }
    }

    /// Binds a variable; what does not mention it is asked first and once, not for each candidate.
    fn exists(self, variable: Variable) -> Self {
        let Self::All(parts) = self else {
            return Self::Exists(variable, Box::new(self));
        };
        let (inner, mut outer): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.mentions(variable.slot));
        outer.push(Self::Exists(variable, Box::new(Self::All(inner))));
        Self::All(outer)
    }

    /// Whether the formula depends on a variable.
    fn mentions(&self, slot: usize) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.mentions(slot)),
            Self::Not(part) | Self::Exists(_, part) | Self::Forall(_, part) => part.mentions(slot),
            Self::Same(one, two) | Self::Holds(_, one, two) => [*one, *two].contains(&Term::Slot(slot)),
        }
    }

    /// Every predicate with a constant second argument, such as the goal's object and receptacle types.
    pub fn constants(&self, found: &mut Vec<(Predicate, Id)>) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.constants(found);
                }
            }
            Self::Not(part) | Self::Exists(_, part) | Self::Forall(_, part) => {
                part.constants(found);
            }
            Self::Holds(predicate, _, Term::Entity(id)) => found.push((*predicate, *id)),
            Self::Holds(..) | Self::Same(..) => {}
        }
    }
}

/// A predicate on one variable, perhaps with a constant second argument.
type Predicate2 = (Predicate, Option<Id>);

impl Variable {
    fn any(&self, slots: &mut Vec<Id>, mut body: impl FnMut(&mut Vec<Id>) -> bool) -> bool {
        if slots.len() <= self.slot {
            slots.resize(self.slot + 1, 0);
        }
        self.candidates.iter().any(|id| {
            slots[self.slot] = *id;
            body(slots)
        })
    }
}

impl Term {
    fn value(self, slots: &[Id]) -> Id {
        match self {
            Self::Entity(id) => id,
            Self::Slot(slot) => slots[slot],
        }
    }
}

/// Names in scope while a formula is compiled.
struct Compiler<'a> {
    problem: &'a Problem,
    scope: Vec<(String, usize)>,
    next: usize,
}

impl Compiler<'_> {
    fn formula(&mut self, node: &Node) -> Result<Formula, Fault> {
        let list = node.list("a formula")?;
        if list.is_empty() {
            return Ok(Formula::All(Vec::new()));
        }
        let head = node.head().ok_or_else(|| Fault::new(node.line, "a formula without an operator"))?;
        let rest = &list[1..];
        match (head, rest) {
            ("and", parts) => Ok(Formula::All(self.formulas(parts)?)),
            ("or", parts) => Ok(Formula::Any(self.formulas(parts)?)),
            ("not", [part]) => Ok(Formula::Not(Box::new(self.formula(part)?))),
            ("imply", [given, then]) => {
                let given = Formula::Not(Box::new(self.formula(given)?));
                Ok(Formula::Any(vec![given, self.formula(then)?]))
            }
            ("exists", [variables, body]) => self.quantified(variables, body, Quantifier::Exists),
            ("forall", [variables, body]) => self.quantified(variables, body, Quantifier::Forall),
            ("=", [one, two]) => Ok(Formula::Same(self.term(one)?, self.term(two)?)),
            ("not" | "imply" | "exists" | "forall" | "=", _) => {
                Err(Fault::new(node.line, format!("{} with {} parts in the goal", shown(head), rest.len())))
            }
            (head, arguments) => {
                let predicate = predicate(head, node)?;
                let terms = arguments.iter().map(|part| self.term(part)).collect::<Result<Vec<_>, _>>()?;
                match terms[..] {
                    [one] => Ok(Formula::Holds(predicate, one, one)),
                    [one, two] => Ok(Formula::Holds(predicate, one, two)),
                    _ => Err(Fault::new(node.line, format!("{} with no arguments", shown(head)))),
                }
            }
        }
    }

    fn formulas(&mut self, nodes: &[Node]) -> Result<Vec<Formula>, Fault> {
        nodes.iter().map(|node| self.formula(node)).collect()
    }

    fn quantified(&mut self, variables: &Node, body: &Node, quantifier: Quantifier) -> Result<Formula, Fault> {
        let before = self.scope.len();
        let mut bound = Vec::new();
        for (name, kind, line) in typed(variables.list("variables")?)? {
            let kind = Kind::named(kind).ok_or_else(|| Fault::new(line, format!("unknown type {}", shown(kind))))?;
            self.scope.push((name.to_owned(), self.next));
            bound.push((self.next, kind));
            self.next += 1;
        }
        let mut formula = self.formula(body)?;
        self.scope.truncate(before);
        for (slot, kind) in bound.into_iter().rev() {
            let mut needed = Vec::new();
            if quantifier == Quantifier::Exists {
                formula.necessary(slot, &mut needed);
            }
            let candidates = self.candidates(kind, &needed);
            let variable = Variable { slot, candidates };
            formula = match quantifier {
                Quantifier::Exists => formula.exists(variable),
                Quantifier::Forall => Formula::Forall(variable, Box::new(formula)),
            };
        }
        Ok(formula)
    }

    /// Entities of a type that meet the conditions which never change during play.
    fn candidates(&self, kind: Kind, needed: &[Predicate2]) -> Vec<Id> {
        let facts: std::collections::HashSet<_> = self.problem.facts.iter().filter(|(predicate, ..)| is_type(*predicate)).collect();
        let fits = |id: Id| {
            let given = self.problem.kinds[id as usize];
            (kind == Kind::Object || given == kind)
                && needed
                    .iter()
                    .filter(|(predicate, _)| is_type(*predicate))
                    .all(|(predicate, second)| facts.contains(&(*predicate, id, second.unwrap_or(id))))
        };
        (0..self.problem.ids.len() as Id).filter(|id| fits(*id)).collect()
    }

    fn term(&self, node: &Node) -> Result<Term, Fault> {
        let word = match &node.form {
            Form::Word(word) => word,
            Form::List(_) => {
                return Err(Fault::new(node.line, "a list where an argument is wanted"));
            }
        };
        if let Some((_, slot)) = self.scope.iter().rev().find(|(name, _)| name == word) {
            return Ok(Term::Slot(*slot));
        }
        let entity = self.problem.entity(word).map(Term::Entity);
        entity.ok_or_else(|| Fault::new(node.line, format!("undeclared {} in the goal", shown(word))))
    }
}

/// Predicates that say what a thing is; no command changes them.
fn is_type(predicate: Predicate) -> bool {
    matches!(predicate, Predicate::ObjectType | Predicate::ReceptacleType)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    Exists,
    Forall,
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Facts for Problem {
        fn holds(&self, predicate: Predicate, first: Id, second: Id) -> bool {
            self.facts.contains(&(predicate, first, second))
        }
    }

    fn truth(goal: &str) -> bool {
        let text = format!(
            "(define (problem p) (:objects a b - object r - receptacle T - otype)
             (:init (objectType a T) (objectType b T) (inReceptacle a r) (isHot a) (opened r)) (:goal {goal}))"
        );
        let problem = Problem::parse(&text).unwrap();
        Formula::compile(&problem).unwrap().eval(&problem)
    }

    #[test]
    fn connectives_and_quantifiers() {
        for goal in [
            "(and)",
            "()",
            "(exists (?o - object ?r - receptacle) (and (objectType ?o T) (inReceptacle ?o ?r)))",
            "(forall (?r - receptacle) (opened ?r))",
            "(exists (?o1 - object) (and (isHot ?o1) (exists (?o2 - object) (and (not (= ?o1 ?o2)) (objectType ?o2 T)))))",
            "(forall (?o - object) (imply (isHot ?o) (objectType ?o T)))",
            "(or (isHot b) (isHot a))",
            "(exists (?o - object ?r - receptacle) (and (isHot ?o) (opened ?r)))",
            "(not (exists (?l - location) (isHot a)))",
            "(exists (?o - object) (and (opened ?o) (exists (?o - object) (isHot ?o)) (opened ?o)))",
        ] {
            assert!(truth(goal), "{goal}");
            assert!(!truth(&format!("(not {goal})")), "{goal}");
        }
        assert!(!truth("(or)"));
        assert!(!truth("(forall (?o - object) (isHot ?o))"));
    }
}
