//! Generated households: a seed and a task type give a room, a task and its game, always the same for the same seed.
//!
//! The game goes through the same reader as a real file; its PDDL problem is kept in [`Scene::problem`].

use std::fmt::Write as _;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::error::GameError;
use super::game::Game;
use super::room::{Furniture, OPENABLE, Room, Thing, Use};
use super::task::TaskKind;

/// How hard a generated task is: more receptacles, and the goal object more often behind a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// 8 or 9 receptacles; the goal object in plain sight.
    Easy,
    /// 10 to 12 receptacles.
    Medium,
    /// 13 to 16 receptacles; the goal object behind a door where it can be.
    Hard,
}

/// A generated household task.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The game.
    pub game: Game,
    /// The task type.
    pub kind: TaskKind,
    /// The room.
    pub room: Room,
    /// How hard it is.
    pub level: Level,
    /// Type of the object asked for, lower-case.
    pub goal_object: String,
    /// Type of the receptacle or lamp asked for, lower-case.
    pub goal_place: String,
    /// The PDDL problem that the game was read from.
    pub problem: String,
}

impl Scene {
    /// What is to be done, without the room: near-copies of a task share it.
    pub fn errand(&self) -> String {
        format!("{} | {} {}", self.kind.as_str(), self.goal_object, self.goal_place)
    }
}

/// Makes the household of a seed and task type.
pub fn generate(seed: u64, kind: TaskKind) -> Scene {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed ^ (kind as u64) << 56));
    // Every draft is accepted sooner or later: each room has objects for each task that it is listed for.
    loop {
        if let Some(scene) = Draft::roll(&mut dice, kind).and_then(|draft| draft.finish(&mut dice).ok()) {
            return scene;
        }
    }
}

/// Chance, from a seeded stream.
struct Dice(ChaCha8Rng);

impl Dice {
    /// A number below `count`, which is at least 1.
    fn below(&mut self, count: usize) -> usize {
        (self.0.next_u64() % count.max(1) as u64) as usize
    }

    fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most.saturating_sub(least) + 1)
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        items.get(self.below(items.len())).copied()
    }
}

/// A household before it is written down.
struct Draft {
    kind: TaskKind,
    room: Room,
    level: Level,
    receptacles: Vec<&'static str>,
    /// Each object with the receptacle that it starts in.
    objects: Vec<(&'static Thing, usize)>,
    goal: &'static Thing,
    place: &'static str,
}

impl Draft {
    /// Rolls a room and a task; none where they do not go together.
    fn roll(dice: &mut Dice, kind: TaskKind) -> Option<Self> {
        let room = dice.pick(kind.rooms())?;
        let level = dice.pick(&[Level::Easy, Level::Medium, Level::Hard])?;
        let receptacles = furnish(dice, room, level);
        let fits: Vec<&Thing> = room.things().filter(|thing| thing.uses.contains(&kind.needs())).collect();
        let goal = dice.pick(&fits)?;
        let place = if kind == TaskKind::LookInLight {
            "DeskLamp"
        } else {
            let avoided = kind.device();
            let places: Vec<&str> = goal.places.iter().copied().filter(|place| receptacles.contains(place) && *place != avoided).collect();
            dice.pick(&places)?
        };
        let mut draft = Self { kind, room, level, receptacles, objects: Vec::new(), goal, place };
        draft.fill(dice)?;
        Some(draft)
    }

    /// Puts the goal objects, the lamp and distractors into the receptacles.
    fn fill(&mut self, dice: &mut Dice) -> Option<()> {
        let copies = if self.kind == TaskKind::PlaceTwo { 2 } else { 1 } + dice.below(2);
        for copy in 0..copies {
            let mut starts = self.starts(self.goal);
            starts.retain(|start| self.receptacles[*start] != self.place);
            let closed = |start: &usize| OPENABLE.contains(&self.receptacles[*start]);
            let wanted: Vec<usize> = match self.level {
                Level::Easy => starts.iter().copied().filter(|start| !closed(start)).collect(),
                Level::Medium => Vec::new(),
                Level::Hard => starts.iter().copied().filter(closed).collect(),
            };
            let start = if wanted.is_empty() || copy > 0 { dice.pick(&starts)? } else { dice.pick(&wanted)? };
            self.objects.push((self.goal, start));
        }
        let others: Vec<&Thing> = self.room.things().filter(|thing| thing.kind != self.goal.kind).collect();
        if let Some(lamp) = others.iter().find(|thing| thing.kind == self.place) {
            let start = dice.pick(&self.starts(lamp))?;
            self.objects.push((lamp, start));
        }
        for _ in 0..dice.between(6, 8 + self.receptacles.len()) {
            let thing = dice.pick(&others)?;
            // One lamp at most: a second would make the task's "the" a lie.
            if thing.uses.contains(&Use::Toggle) && self.objects.iter().any(|(known, _)| known.kind == thing.kind) {
                continue;
            }
            if let Some(start) = dice.pick(&self.starts(thing)) {
                self.objects.push((thing, start));
            }
        }
        Some(())
    }

    /// Receptacles that can hold a thing.
    fn starts(&self, thing: &Thing) -> Vec<usize> {
        (0..self.receptacles.len()).filter(|place| thing.places.contains(&self.receptacles[*place])).collect()
    }

    /// Writes the problem and reads it back as a game.
    fn finish(self, dice: &mut Dice) -> Result<Scene, GameError> {
        let problem = self.problem(dice);
        let (goal_object, goal_place) = (self.goal.kind.to_lowercase(), self.place.to_lowercase());
        let phrasings = self.kind.phrasings();
        let phrasing = phrasings[dice.below(phrasings.len())];
        let task = phrasing.replace("{o}", &goal_object).replace("{p}", &goal_place);
        let game = Game::from_problem(&problem, task, "generated scene")?;
        Ok(Scene { game, kind: self.kind, room: self.room, level: self.level, goal_object, goal_place, problem })
    }

    fn problem(&self, dice: &mut Dice) -> String {
        let (mut objects, mut facts) = (String::new(), String::new());
        let receptacles: Vec<String> =
            self.receptacles.iter().enumerate().map(|(number, kind)| receptacle_id(kind, number, dice)).collect();
        let mut kinds: Vec<&str> = self.receptacles.clone();
        kinds.sort_unstable();
        kinds.dedup();
        let mut things: Vec<&Thing> = self.objects.iter().map(|(thing, _)| *thing).collect();
        things.sort_unstable_by_key(|thing| thing.kind);
        things.dedup_by_key(|thing| thing.kind);
        let _ = writeln!(objects, "agent1 - agent loc_0 - location");
        for (number, id) in receptacles.iter().enumerate() {
            let (kind, location) = (self.receptacles[number], number + 1);
            let _ = writeln!(objects, "{id} - receptacle loc_{location} - location");
            let _ = writeln!(facts, "(receptacleType {id} {kind}Type) (receptacleAtLocation {id} loc_{location})");
            if OPENABLE.contains(&kind) {
                let _ = writeln!(facts, "(openable {id})");
            }
        }
        for (number, (thing, start)) in self.objects.iter().enumerate() {
            let (id, location) = (format!("{}{}", thing.kind, place_suffix(number, dice)), start + 1);
            let _ = writeln!(objects, "{id} - object");
            let _ = write!(facts, "(objectType {id} {}Type) (inReceptacle {id} {})", thing.kind, receptacles[*start]);
            let _ = write!(facts, " (objectAtLocation {id} loc_{location})");
            for usage in thing.uses {
                let _ = write!(facts, " ({} {id})", usage.predicate());
            }
            facts.push('\n');
        }
        for kind in &kinds {
            let _ = writeln!(objects, "{kind}Type - rtype");
        }
        for thing in &things {
            let _ = writeln!(objects, "{}Type - otype", thing.kind);
            for kind in kinds.iter().filter(|kind| thing.places.contains(kind)) {
                let _ = writeln!(facts, "(canContain {kind}Type {}Type)", thing.kind);
            }
        }
        let goal = self.goal();
        format!(
            "(define (problem generated) (:domain alfred)\n(:objects\n{objects})\n(:init (= (total-cost) 0) \
             (atLocation agent1 loc_0)\n{facts})\n(:goal {goal}))\n"
        )
    }

    fn goal(&self) -> String {
        let (object, place) = (self.goal.kind, self.place);
        let change = match self.kind {
            TaskKind::LookInLight => {
                return format!(
                    "(and (exists (?t - object ?r - receptacle ?a - agent ?l - location) (and (objectType ?t {place}Type) \
                     (toggleable ?t) (isToggled ?t) (receptacleAtLocation ?r ?l) (atLocation ?a ?l) (inReceptacle ?t ?r))) \
                     (exists (?o - object ?a - agent) (and (objectType ?o {object}Type) (holds ?a ?o))))"
                );
            }
            TaskKind::PlaceTwo => {
                return format!(
                    "(exists (?r - receptacle) (and (receptacleType ?r {place}Type) (exists (?o1 ?o2 - object) \
                     (and (not (= ?o1 ?o2)) (objectType ?o1 {object}Type) (inReceptacle ?o1 ?r) \
                     (objectType ?o2 {object}Type) (inReceptacle ?o2 ?r)))))"
                );
            }
            TaskKind::Place => "",
            TaskKind::CleanThenPlace => "(isClean ?o) ",
            TaskKind::HeatThenPlace => "(isHot ?o) ",
            TaskKind::CoolThenPlace => "(isCool ?o) ",
        };
        format!(
            "(exists (?r - receptacle ?o - object) (and (receptacleType ?r {place}Type) (objectType ?o {object}Type) \
             {change}(inReceptacle ?o ?r)))"
        )
    }
}

/// Receptacles of a room: the least of each type, then more of what may be more, up to the level's number.
fn furnish(dice: &mut Dice, room: Room, level: Level) -> Vec<&'static str> {
    let count = match level {
        Level::Easy => dice.between(8, 9),
        Level::Medium => dice.between(10, 12),
        Level::Hard => dice.between(13, 16),
    };
    let furniture = room.furniture();
    let each = |item: &Furniture| std::iter::repeat_n(item.kind, item.least);
    let mut receptacles: Vec<&'static str> = furniture.iter().flat_map(each).collect();
    while receptacles.len() < count {
        let here = |item: &Furniture| receptacles.iter().filter(|kind| **kind == item.kind).count();
        let more: Vec<&'static str> = furniture.iter().filter(|item| here(item) < item.most).map(|item| item.kind).collect();
        let Some(kind) = dice.pick(&more) else { break };
        receptacles.push(kind);
    }
    receptacles
}

/// An id as real games have them; basins carry their type at the end.
fn receptacle_id(kind: &str, number: usize, dice: &mut Dice) -> String {
    let suffix = place_suffix(number, dice);
    match kind.strip_suffix("Basin") {
        Some(plain) => format!("{plain}{suffix}_bar_{kind}"),
        None => format!("{kind}{suffix}"),
    }
}

/// A made-up position; the number in it keeps ids apart.
fn place_suffix(number: usize, dice: &mut Dice) -> String {
    let mut coordinate = || {
        let sign = if dice.below(2) == 0 { "plus" } else { "minus" };
        format!("_bar__{sign}_0{}_dot_{:02}", dice.below(4), dice.below(100))
    };
    format!("{}{}_bar__plus_00_dot_{number:02}", coordinate(), coordinate())
}
