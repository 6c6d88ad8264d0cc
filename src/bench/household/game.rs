//! A game: everything about one household that never changes during play, read from a real `game.tw-pddl` file.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::domain::id::Digest;

use super::error::{Fault, GameError};
use super::goal::Formula;
use super::problem::{Fact, Id, Kind, Predicate, Problem};
use super::state::State;
use super::{grammar, names};

/// Most bytes of an unpacked game or transcript.
pub(super) const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

/// One household game; cheap to share behind an `Arc`.
#[derive(Debug, Clone)]
pub struct Game {
    /// What each entity is called.
    pub(super) names: Vec<String>,
    /// What each entity is and can be used for.
    pub(super) traits: Vec<Traits>,
    /// The agent.
    pub(super) agent: Id,
    /// Receptacles of each location, sorted; indexed by entity.
    pub(super) at: Vec<Vec<Id>>,
    /// Every receptacle with its location, sorted.
    pub(super) routes: Vec<(Id, Id)>,
    /// Things inside of things such as plates; indexed by the outer.
    pub(super) inner: Vec<Vec<Id>>,
    /// Objects that can be sliced, sorted.
    pub(super) sliceable: Vec<Id>,
    /// Which receptacle (first) may hold which object (second).
    pub(super) fits: HashSet<(Id, Id)>,
    /// Facts at the start.
    pub(super) facts: HashSet<Fact>,
    /// The changing part, as it starts.
    pub(super) start: State,
    /// The goal.
    pub(super) goal: Formula,
    task: String,
    warnings: Vec<String>,
}

/// What an entity is and can be used for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Traits(u16);

impl Traits {
    pub const OPENABLE: Self = Self(1);
    pub const PICKUPABLE: Self = Self(1 << 1);
    pub const CLEANABLE: Self = Self(1 << 2);
    pub const HEATABLE: Self = Self(1 << 3);
    pub const COOLABLE: Self = Self(1 << 4);
    pub const TOGGLEABLE: Self = Self(1 << 5);
    pub const SLICEABLE: Self = Self(1 << 6);
    pub const HOLDS_THINGS: Self = Self(1 << 7);
    pub const SINK: Self = Self(1 << 8);
    pub const MICROWAVE: Self = Self(1 << 9);
    pub const FRIDGE: Self = Self(1 << 10);
    pub const KNIFE: Self = Self(1 << 11);

    /// Whether all of the other's marks are set here.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// The fields of a game file that matter here.
#[derive(Deserialize)]
struct GameFile {
    #[serde(default)]
    pddl_domain: Option<String>,
    #[serde(default)]
    grammar: Option<String>,
    #[serde(default)]
    pddl_problem: Option<String>,
}

impl Game {
    /// Reads a game file, gzipped or not.
    pub fn read(path: &Path) -> Result<Self, GameError> {
        Ok(Self::read_known(path)?.0)
    }

    /// The same, with the digest of the file.
    pub fn read_known(path: &Path) -> Result<(Self, Digest), GameError> {
        let bytes = read_file(path)?;
        Ok((Self::parse(&bytes, &path.display().to_string())?, Digest::of(&bytes)))
    }

    /// Parses the bytes of a game file, gzipped or not; `source` names them in errors.
    pub fn parse(bytes: &[u8], source: &str) -> Result<Self, GameError> {
        let bytes = unpack(bytes, source)?;
        let file: GameFile = parse_json(&bytes, source)?;
        let field = |text: Option<String>, field: &'static str| {
            let missing = || GameError::MissingField { path: source.to_owned(), field };
            text.filter(|text| !text.trim().is_empty()).ok_or_else(missing)
        };
        let domain = field(file.pddl_domain, "pddl_domain")?;
        let grammar = field(file.grammar, "grammar")?;
        let problem = field(file.pddl_problem, "pddl_problem")?;
        let task = grammar::task_sentence(&grammar).map_err(|Fault { line, reason }| GameError::Grammar {
            path: source.to_owned(),
            line,
            reason,
        })?;
        let mut game = Self::from_problem(&problem, task, source)?;
        game.warnings.extend(grammar::check_domain(&domain));
        game.warnings.extend(grammar::check_grammar(&grammar));
        Ok(game)
    }

    /// A game of the standard rules from a problem text and a task sentence.
    pub(super) fn from_problem(problem: &str, task: String, source: &str) -> Result<Self, GameError> {
        let named = |Fault { line, reason }| GameError::Problem { path: source.to_owned(), line, reason };
        Self::build(problem, task).map_err(named)
    }

    /// The task sentence with its full stop, e.g. `put a clean mug in coffeemachine.`
    pub fn task_sentence(&self) -> &str {
        &self.task
    }

    /// What in the file is not as expected though the game can be played.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn build(text: &str, task: String) -> Result<Self, Fault> {
        let problem = Problem::parse(text)?;
        let goal = Formula::compile(&problem)?;
        let agent = match (0..).zip(&problem.kinds).filter(|(_, kind)| **kind == Kind::Agent).collect::<Vec<_>>()[..] {
            [(agent, _)] => agent,
            ref agents => {
                return Err(Fault::new(1, format!("{} agents instead of one", agents.len())));
            }
        };
        let start = State::start(&problem, agent)?;
        let count = problem.ids.len();
        let mut at = vec![Vec::new(); count];
        let mut routes = Vec::new();
        let mut inner = vec![Vec::new(); count];
        for (predicate, one, two) in &problem.facts {
            if *predicate == Predicate::ReceptacleAtLocation {
                at[*two as usize].push(*one);
                routes.push((*one, *two));
            } else if *predicate == Predicate::InReceptacleObject {
                inner[*two as usize].push(*one);
            }
        }
        at.iter_mut().chain(&mut inner).for_each(|list| list.sort_unstable());
        routes.sort_unstable();
        let traits = traits(&problem);
        let sliceable = (0..).zip(&traits).filter(|(_, marks)| marks.has(Traits::SLICEABLE)).map(|(id, _)| id).collect();
        Ok(Self {
            names: display_names(&problem),
            traits,
            sliceable,
            agent,
            at,
            routes,
            inner,
            fits: fits(&problem),
            facts: problem.facts.iter().copied().collect(),
            start,
            goal,
            task,
            warnings: Vec::new(),
        })
    }

    /// What an entity is called.
    pub(super) fn name(&self, id: Id) -> &str {
        &self.names[id as usize]
    }

    /// Whether an entity has all of the marks.
    pub(super) fn has(&self, id: Id, traits: Traits) -> bool {
        self.traits[id as usize].has(traits)
    }

    /// Receptacles at a location, sorted.
    pub(super) fn receptacles_at(&self, location: Id) -> &[Id] {
        &self.at[location as usize]
    }
}

/// Names; entities that no fact names are not counted.
fn display_names(problem: &Problem) -> Vec<String> {
    let known = || problem.mentioned.iter().zip(&problem.ids).filter(|(mentioned, _)| **mentioned);
    let ids: Vec<&str> = known().map(|(_, id)| id.as_str()).collect();
    let mut given = names::demangle(&ids).into_iter();
    let name = |(mentioned, id): (&bool, &String)| {
        if *mentioned { given.next().unwrap_or_default() } else { id.clone() }
    };
    problem.mentioned.iter().zip(&problem.ids).map(name).collect()
}

/// Uses of all entities.
fn traits(problem: &Problem) -> Vec<Traits> {
    let mut all = vec![Traits::default(); problem.ids.len()];
    for (predicate, one, two) in &problem.facts {
        let kind = problem.ids[*two as usize].as_str();
        let added = match (predicate, kind) {
            (Predicate::Openable, _) => Traits::OPENABLE,
            (Predicate::Pickupable, _) => Traits::PICKUPABLE,
            (Predicate::Cleanable, _) => Traits::CLEANABLE,
            (Predicate::Heatable, _) => Traits::HEATABLE,
            (Predicate::Coolable, _) => Traits::COOLABLE,
            (Predicate::Toggleable, _) => Traits::TOGGLEABLE,
            (Predicate::Sliceable, _) => Traits::SLICEABLE,
            (Predicate::IsReceptacleObject, _) => Traits::HOLDS_THINGS,
            (Predicate::ReceptacleType, "sinkbasintype") => Traits::SINK,
            (Predicate::ReceptacleType, "microwavetype") => Traits::MICROWAVE,
            (Predicate::ReceptacleType, "fridgetype") => Traits::FRIDGE,
            (Predicate::ObjectType, "knifetype" | "butterknifetype") => Traits::KNIFE,
            _ => continue,
        };
        all[*one as usize].add(added);
    }
    all
}

/// Which receptacle may hold which object, from the types' `canContain`.
fn fits(problem: &Problem) -> HashSet<(Id, Id)> {
    let pairs = |wanted: Predicate| problem.facts.iter().filter(move |fact| fact.0 == wanted).map(|(_, one, two)| (*one, *two));
    let mut fits = HashSet::new();
    let allowed: HashSet<(Id, Id)> = pairs(Predicate::CanContain).collect();
    let objects: Vec<(Id, Id)> = pairs(Predicate::ObjectType).collect();
    for (receptacle, receptacle_type) in pairs(Predicate::ReceptacleType) {
        for (object, object_type) in &objects {
            if allowed.contains(&(receptacle_type, *object_type)) {
                fits.insert((receptacle, *object));
            }
        }
    }
    fits
}

/// The bytes of a file, up to the limit.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, GameError> {
    let failed = |source| GameError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(GameError::TooLarge { path: path.display().to_string(), limit: SIZE_LIMIT });
    }
    Ok(bytes)
}

/// The bytes without their gzip wrapping, if they have one.
pub(super) fn unpack<'a>(bytes: &'a [u8], source: &str) -> Result<std::borrow::Cow<'a, [u8]>, GameError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.into());
    }
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes)
        .take(SIZE_LIMIT + 1)
        .read_to_end(&mut plain)
        .map_err(|error| GameError::Unpack { path: source.to_owned(), source: error })?;
    if plain.len() as u64 > SIZE_LIMIT {
        return Err(GameError::TooLarge { path: source.to_owned(), limit: SIZE_LIMIT });
    }
    Ok(plain.into())
}

/// JSON bytes as a value.
pub(super) fn parse_json<T: for<'de> Deserialize<'de>>(bytes: &[u8], source: &str) -> Result<T, GameError> {
    serde_json::from_slice(bytes).map_err(|error| GameError::Json { path: source.to_owned(), line: error.line(), source: error })
}
