//! The PDDL problem as typed entities, facts and the goal's text; still without any rule of the game.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::error::Fault;
use super::pddl::{self, Node, shown};

/// An entity: its place in the sorted list of lower-case ids.
pub(super) type Id = u32;

/// Most entities accepted; the largest real game has about 900.
const ENTITY_LIMIT: usize = 20_000;

/// The types of the household domain; `Object` is also the root of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Agent,
    Location,
    Receptacle,
    Object,
    ReceptacleType,
    ObjectType,
}

impl Kind {
    /// The type of that name.
    pub fn named(word: &str) -> Option<Self> {
        Some(match word {
            "agent" => Self::Agent,
            "location" => Self::Location,
            "receptacle" => Self::Receptacle,
            "object" => Self::Object,
            "rtype" => Self::ReceptacleType,
            "otype" => Self::ObjectType,
            _ => return None,
        })
    }
}

macro_rules! predicates {
    ($($name:ident $word:literal $arity:literal),* $(,)?) => {
        /// The predicates of the household domain.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(super) enum Predicate { $($name),* }

        impl Predicate {
            /// The predicate of that lower-case name.
            pub fn named(word: &str) -> Option<Self> {
                Some(match word { $($word => Self::$name,)* _ => return None })
            }

            /// How many arguments it takes.
            pub fn arity(self) -> usize {
                match self { $(Self::$name => $arity),* }
            }
        }
    };
}

predicates! {
    AtLocation "atlocation" 2, ReceptacleAtLocation "receptacleatlocation" 2, ObjectAtLocation "objectatlocation" 2,
    Openable "openable" 1, Opened "opened" 1, InReceptacle "inreceptacle" 2, IsReceptacleObject "isreceptacleobject" 1,
    InReceptacleObject "inreceptacleobject" 2, IsReceptacleObjectFull "isreceptacleobjectfull" 1,
    WasInReceptacle "wasinreceptacle" 2, Checked "checked" 1, Examined "examined" 1, ReceptacleType "receptacletype" 2,
    CanContain "cancontain" 2, ObjectType "objecttype" 2, Holds "holds" 2, HoldsAny "holdsany" 1,
    HoldsAnyReceptacleObject "holdsanyreceptacleobject" 1, Full "full" 1, IsClean "isclean" 1, Cleanable "cleanable" 1,
    IsHot "ishot" 1, Heatable "heatable" 1, IsCool "iscool" 1, Coolable "coolable" 1, Pickupable "pickupable" 1,
    Moveable "moveable" 1, Toggleable "toggleable" 1, IsOn "ison" 1, IsToggled "istoggled" 1, Sliceable "sliceable" 1,
    IsSliced "issliced" 1,
}

/// A fact; one-place predicates hold their argument twice.
pub(super) type Fact = (Predicate, Id, Id);

/// A parsed problem.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    /// Lower-case ids, sorted; an [`Id`] points into them.
    pub ids: Vec<String>,
    /// Type of each entity.
    pub kinds: Vec<Kind>,
    /// Whether any initial fact names the entity: only those are counted when names are given.
    pub mentioned: Vec<bool>,
    /// What holds at the start, in a fixed order without repeats.
    pub facts: Vec<Fact>,
    /// The goal, still as lists.
    pub goal: Node,
}

impl Problem {
    /// Reads `(define (problem ..) (:objects ..) (:init ..) (:goal ..))`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let root = pddl::read(text)?;
        if root.head() != Some("define") {
            return Err(Fault::new(root.line, "the problem does not start with `(define`"));
        }
        let sections = sections(&root)?;
        let section = |name: &str| {
            let node = sections.get(name).copied();
            node.ok_or_else(|| Fault::new(root.line, format!("no {} section in the problem", shown(name))))
        };
        let entities = entities(section(":objects")?)?;
        let ids: Vec<String> = entities.keys().map(|id| (*id).to_owned()).collect();
        let index: HashMap<&str, Id> = ids.iter().zip(0..).map(|(id, place)| (id.as_str(), place)).collect();
        let (facts, seen) = facts(section(":init")?, &index)?;
        let mut mentioned = vec![false; ids.len()];
        for id in seen {
            mentioned[id as usize] = true;
        }
        let goal = match section(":goal")?.list("a goal")? {
            [_, goal] => goal.clone(),
            other => {
                let line = other.first().map_or(root.line, |node| node.line);
                return Err(Fault::new(line, "the goal is not one formula"));
            }
        };
        let kinds = entities.into_values().collect();
        Ok(Self { ids, kinds, mentioned, facts, goal })
    }

    /// The entity of that lower-case id.
    pub fn entity(&self, id: &str) -> Option<Id> {
        self.ids.binary_search_by(|known| known.as_str().cmp(id)).ok().map(|place| place as Id)
    }
}

/// The problem's sections by name.
fn sections(root: &Node) -> Result<HashMap<&str, &Node>, Fault> {
    let mut sections = HashMap::new();
    for section in &root.list("a problem")?[1..] {
        let head = section.head().ok_or_else(|| Fault::new(section.line, "a section without a name"))?;
        let known = ["problem", ":domain", ":requirements", ":objects", ":init", ":goal", ":metric"];
        if !known.contains(&head) {
            return Err(Fault::new(section.line, format!("unknown section {}", shown(head))));
        }
        if sections.insert(head, section).is_some() {
            return Err(Fault::new(section.line, format!("section {} given twice", shown(head))));
        }
    }
    Ok(sections)
}

/// The declared entities with their types, sorted.
fn entities(section: &Node) -> Result<BTreeMap<&str, Kind>, Fault> {
    let mut entities = BTreeMap::new();
    for (id, kind, line) in pddl::typed(&section.list("objects")?[1..])? {
        let kind = Kind::named(kind).ok_or_else(|| Fault::new(line, format!("unknown type {}", shown(kind))))?;
        if entities.insert(id, kind).is_some_and(|before| before != kind) {
            return Err(Fault::new(line, format!("{} declared with two types", shown(id))));
        }
        if entities.len() > ENTITY_LIMIT {
            return Err(Fault::new(line, format!("more than {ENTITY_LIMIT} objects")));
        }
    }
    Ok(entities)
}

/// The initial facts, and the entities that they name.
fn facts(section: &Node, index: &HashMap<&str, Id>) -> Result<(Vec<Fact>, BTreeSet<Id>), Fault> {
    let (mut facts, mut known, mut mentioned) = (Vec::new(), HashSet::new(), BTreeSet::new());
    for node in &section.list("facts")?[1..] {
        let head = node.head().ok_or_else(|| Fault::new(node.line, "a fact without a predicate"))?;
        // Costs and distances play no part here; what is denied at the start is what is not listed.
        if head == "=" || head == "not" {
            continue;
        }
        let predicate = predicate(head, node)?;
        let mut arguments = Vec::with_capacity(2);
        for argument in &node.list("a fact")?[1..] {
            let word = argument.word("an object")?;
            let id = *index.get(word).ok_or_else(|| Fault::new(argument.line, format!("undeclared object {}", shown(word))))?;
            mentioned.insert(id);
            arguments.push(id);
        }
        let fact = match arguments[..] {
            [one] => (predicate, one, one),
            [one, two] => (predicate, one, two),
            _ => continue,
        };
        if known.insert(fact) {
            facts.push(fact);
        }
    }
    Ok((facts, mentioned))
}

/// The predicate that a list starts with, its number of arguments checked.
pub(super) fn predicate(head: &str, node: &Node) -> Result<Predicate, Fault> {
    let predicate = Predicate::named(head).ok_or_else(|| Fault::new(node.line, format!("unknown predicate {}", shown(head))))?;
    let given = node.list("a fact")?.len() - 1;
    if given != predicate.arity() {
        let wanted = predicate.arity();
        return Err(Fault::new(node.line, format!("{} with {given} arguments instead of {wanted}", shown(head))));
    }
    Ok(predicate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_read_in_any_layout() {
        let text = "(define (problem p) (:domain alfred) (:objects b_bar_1\n A_bar_1 - object r - receptacle)
            (:init (= (total-cost) 0) (inReceptacle A_bar_1 r)\n(pickupable b_bar_1)) (:goal (and)))";
        let problem = Problem::parse(text).unwrap();
        assert_eq!(problem.ids, ["a_bar_1", "b_bar_1", "r"]);
        assert_eq!(problem.facts, [(Predicate::InReceptacle, 0, 2), (Predicate::Pickupable, 1, 1)]);
        assert_eq!(problem.entity("r"), Some(2));
    }

    #[test]
    fn faults_name_line_and_word() {
        for (text, line, word) in [
            ("(define\n(:objects a - thing) (:init) (:goal (and)))", 2, "unknown type `thing`"),
            ("(define (:objects a - object)\n(:init\n(flies a)) (:goal (and)))", 3, "unknown predicate `flies`"),
            ("(define (:objects a - object)\n(:init (pickupable b)) (:goal (and)))", 2, "undeclared object `b`"),
            ("(define (:objects a - object)\n(:init (pickupable a a)) (:goal (and)))", 2, "2 arguments"),
            ("(define (:objects a - object) (:goal (and)))", 1, "no `:init`"),
            ("(define)", 1, "no `:objects`"),
        ] {
            let fault = Problem::parse(text).unwrap_err();
            assert_eq!(fault.line, line, "{text}");
            assert!(fault.reason.contains(word), "{}", fault.reason);
        }
    }
}
