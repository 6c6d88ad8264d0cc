//! A shortest way to the goal, for checks that a game can be won: breadth first over the commands that matter to the goal.

use std::collections::{HashSet, VecDeque};
use std::ops::ControlFlow;

use super::command::Command;
use super::game::Traits;
use super::play::Play;
use super::problem::{Id, Predicate};
use super::state::State;

/// Most states looked at before giving up.
const STATE_LIMIT: usize = 400_000;

/// A shortest list of commands to the goal, up to `limit` of them; none where there is none or the search grows too large.
///
/// It knows where everything is, and only touches objects of the types that the goal names and receptacles that hold them,
/// that the goal names, or that change them.
pub fn plan(play: &Play, limit: usize) -> Option<Vec<String>> {
    let relevant = Relevant::of(play);
    let mut seen: HashSet<State> = HashSet::from([play.state.clone()]);
    let mut paths: Vec<(Option<usize>, Option<Command>, usize)> = vec![(None, None, 0)];
    let mut queue = VecDeque::from([(0, play.clone())]);
    if play.won() {
        return Some(Vec::new());
    }
    while let Some((from, play)) = queue.pop_front() {
        let depth = paths[from].2 + 1;
        if depth > limit || seen.len() > STATE_LIMIT {
            return None;
        }
        let mut commands = Vec::new();
        let _ = Command::each(&play.game, &play.state, |command| {
            if relevant.matters(command) {
                commands.push(command);
            }
            ControlFlow::Continue(())
        });
        for command in commands {
            let mut next = play.clone();
            command.apply(&play.game, &mut next.state);
            if !seen.insert(next.state.clone()) {
                continue;
            }
            paths.push((Some(from), Some(command), depth));
            if next.won() {
                return Some(commands_to(&paths, paths.len() - 1, &next));
            }
            queue.push_back((paths.len() - 1, next));
        }
    }
    None
}

/// The commands on the way to an entry, as text.
fn commands_to(paths: &[(Option<usize>, Option<Command>, usize)], last: usize, play: &Play) -> Vec<String> {
    let (mut commands, mut at) = (Vec::new(), Some(last));
    while let Some(place) = at {
        commands.extend(paths[place].1.map(|command| command.text(&play.game)));
        at = paths[place].0;
    }
    commands.reverse();
    commands
}

/// What the goal is about.
struct Relevant {
    objects: HashSet<Id>,
    receptacles: HashSet<Id>,
}

impl Relevant {
    fn of(play: &Play) -> Self {
        let (game, state) = (&play.game, &play.state);
        let mut constants = Vec::new();
        game.goal.constants(&mut constants);
        let of_type = |predicate: Predicate| -> HashSet<Id> {
            let named = |fact: &&(Predicate, Id, Id)| fact.0 == predicate && constants.contains(&(predicate, fact.2));
            game.facts.iter().filter(named).map(|fact| fact.1).collect()
        };
        let objects = of_type(Predicate::ObjectType);
        let mut receptacles = of_type(Predicate::ReceptacleType);
        for (receptacle, _) in &game.routes {
            let holds = state.inside(*receptacle).iter().any(|object| objects.contains(object));
            let changes = [Traits::SINK, Traits::MICROWAVE, Traits::FRIDGE];
            if holds || changes.into_iter().any(|change| game.has(*receptacle, change)) {
                receptacles.insert(*receptacle);
            }
        }
        Self { objects, receptacles }
    }

    fn matters(&self, command: Command) -> bool {
        match command {
            Command::Go { receptacle, .. } | Command::Open { receptacle } => self.receptacles.contains(&receptacle),
            Command::Take { object, .. } | Command::Use { object } => self.objects.contains(&object),
            Command::Move { .. } | Command::Heat { .. } | Command::Clean { .. } | Command::Cool { .. } => true,
            Command::Look
            | Command::Inventory
            | Command::Help
            | Command::Close { .. }
            | Command::ExamineReceptacle { .. }
            | Command::ExamineObject { .. }
            | Command::Slice { .. } => false,
        }
    }
}
