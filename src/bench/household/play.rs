//! One episode of a game: commands in, observations out.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::command::Command;
use super::game::{Game, Traits};
use super::goal::Facts;
use super::grammar::{HELP, NOTHING_HAPPENS, TASK_PREFIX, WELCOME, list};
use super::problem::{Id, Predicate};
use super::state::{Mark, State};

/// One episode of a game.
#[derive(Debug, Clone)]
pub struct Play {
    pub(super) game: Arc<Game>,
    pub(super) state: State,
}

/// What a command led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepResult {
    /// The text that the player sees.
    pub observation: String,
    /// 1 when the goal holds, else 0.
    pub reward: u8,
    /// Whether the goal holds.
    pub done: bool,
}

impl Play {
    /// A new episode.
    pub fn new(game: Arc<Game>) -> Self {
        let state = game.start.clone();
        Self { game, state }
    }

    /// The text before the first command: welcome, room, task.
    pub fn opening(&self) -> String {
        let game = &self.game;
        let room = if game.receptacles_at(self.state.place).is_empty() {
            middle_of_room(&list("a ", game.routes.iter().map(|(receptacle, _)| game.name(*receptacle))))
        } else {
            self.look()
        };
        format!("{WELCOME}\n\n{room}\n\n{TASK_PREFIX}{}", game.task_sentence())
    }

    /// Every command that does something now, sorted by code points, without repeats.
    pub fn admissible(&self) -> Vec<String> {
        let mut commands = Vec::with_capacity(self.game.routes.len() + 16);
        let _ = Command::each(&self.game, &self.state, |command| {
            commands.push(command.text(&self.game));
            ControlFlow::Continue(())
        });
        commands.sort_unstable();
        commands.dedup();
        commands
    }

    /// Carries out a command; one that is not admissible changes nothing.
    pub fn step(&mut self, command: &str) -> StepResult {
        let observation = match self.find(command) {
            Some(command) => {
                command.apply(&self.game, &mut self.state);
                self.feedback(command)
            }
            None => NOTHING_HAPPENS.to_owned(),
        };
        let done = self.won();
        StepResult { observation, reward: u8::from(done), done }
    }

    /// Whether the goal holds now.
    pub fn won(&self) -> bool {
        self.game.goal.eval(self)
    }

    /// The game being played.
    pub fn game(&self) -> &Arc<Game> {
        &self.game
    }

    /// The admissible command that the player's words mean.
    fn find(&self, words: &str) -> Option<Command> {
        let words = words.trim_matches(is_blank);
        let mut found = None;
        let _ = Command::each(&self.game, &self.state, |command| {
            if command.is(words, &self.game) {
                found = Some(command);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        found
    }

    /// The text for a command just carried out.
    fn feedback(&self, command: Command) -> String {
        let name = |id| self.game.name(id);
        match command {
            Command::Look => self.look(),
            Command::Inventory if !self.state.hand_full => "You are not carrying anything.".to_owned(),
            Command::Inventory => format!("You are carrying: {}.", self.things(&self.state.held)),
            Command::Help => HELP.to_owned(),
            Command::Go { receptacle, .. } => {
                format!("You arrive at {}. {}", name(receptacle), self.receptacle(receptacle))
            }
            Command::Open { receptacle } => {
                format!("You open the {}. {}", name(receptacle), self.receptacle(receptacle))
            }
            Command::Close { receptacle } => format!("You close the {}.", name(receptacle)),
            Command::Take { object, receptacle } => {
                format!("You pick up the {} from the {}.", name(object), name(receptacle))
            }
            Command::Move { object, receptacle } => {
                format!("You move the {} to the {}.", name(object), name(receptacle))
            }
            Command::ExamineReceptacle { receptacle } => self.receptacle(receptacle),
            Command::ExamineObject { object } => self.object(object),
            // The original asks whether it was ever toggled, so it never says "off".
            Command::Use { object } => format!("You turn on the {}.", name(object)),
            Command::Heat { object, receptacle } => self.treated("heat", object, receptacle),
            Command::Clean { object, receptacle } => self.treated("clean", object, receptacle),
            Command::Cool { object, receptacle } => self.treated("cool", object, receptacle),
            Command::Slice { object, knife } => {
                format!("You sliced the {} with the {}.", name(object), name(knife))
            }
        }
    }

    fn treated(&self, verb: &str, object: Id, receptacle: Id) -> String {
        format!("You {verb} the {} using the {}.", self.game.name(object), self.game.name(receptacle))
    }

    /// What stands around the agent.
    fn look(&self) -> String {
        let (game, state) = (&self.game, &self.state);
        let near = game.receptacles_at(state.place);
        if near.is_empty() {
            return middle_of_room("nothing");
        }
        // The original lists an object here once for each receptacle of the place that it was taken out of and not put back.
        let beside = state
            .parted
            .iter()
            .filter(|(object, receptacle)| near.contains(receptacle) && state.lies_at[*object as usize].contains(&state.place))
            .map(|(object, _)| game.name(*object));
        let beside = list("a ", beside);
        let near = list("", near.iter().map(|receptacle| game.name(*receptacle)));
        format!("You are facing the {near}. Next to it, you see {beside}.")
    }

    /// What a receptacle shows.
    fn receptacle(&self, receptacle: Id) -> String {
        let name = self.game.name(receptacle);
        let openable = self.game.has(receptacle, Traits::OPENABLE);
        let inside = || self.things(self.state.inside(receptacle));
        match (openable, self.state.is(receptacle, Mark::Opened)) {
            (true, true) => format!("The {name} is open. In it, you see {}.", inside()),
            (true, false) => format!("The {name} is closed."),
            (false, _) => format!("On the {name}, you see {}.", inside()),
        }
    }

    /// What an object shows.
    fn object(&self, object: Id) -> String {
        let (game, state) = (&self.game, &self.state);
        let name = game.name(object);
        if game.has(object, Traits::HOLDS_THINGS) {
            return format!("This is a normal {name}. In it, you see {}.", self.things(&game.inner[object as usize]));
        }
        let is = |mark| state.is(object, mark);
        let adjective = match (is(Mark::Clean), is(Mark::Hot), is(Mark::Cool), is(Mark::Sliced)) {
            (true, true, _, true) => "hot and clean sliced",
            (true, false, true, true) => "cool and clean sliced",
            (true, false, false, true) => "clean sliced",
            (false, true, _, true) => "hot sliced",
            (false, false, true, true) => "cool sliced",
            (true, true, _, false) => "hot and clean",
            (true, false, true, false) => "cool and clean",
            (false, true, _, false) => "hot",
            (true, false, false, false) => "clean",
            (false, false, true, false) => "cold",
            (false, false, false, _) if game.has(object, Traits::TOGGLEABLE) && is(Mark::Toggled) => {
                return format!("This {name} is on.");
            }
            (false, false, false, true) if game.has(object, Traits::SLICEABLE) => "sliced",
            (false, false, false, _) => return format!("There's nothing special about {name}."),
        };
        format!("This is a {adjective} {name}.")
    }

    fn things(&self, ids: &[Id]) -> String {
        list("a ", ids.iter().map(|id| self.game.name(*id)))
    }
}

impl Facts for Play {
    fn holds(&self, predicate: Predicate, first: Id, second: Id) -> bool {
        if let Some(mark) = Mark::of(predicate) {
            return self.state.is(first, mark);
        }
        match predicate {
            Predicate::AtLocation if first == self.game.agent => self.state.place == second,
            Predicate::InReceptacle => self.state.inside(second).binary_search(&first).is_ok(),
            Predicate::ObjectAtLocation => self.state.lies_at[first as usize].binary_search(&second).is_ok(),
            Predicate::Holds => self.state.held.binary_search(&second).is_ok(),
            Predicate::HoldsAny => self.state.hand_full,
            Predicate::AtLocation
            | Predicate::ReceptacleAtLocation
            | Predicate::Openable
            | Predicate::Opened
            | Predicate::IsReceptacleObject
            | Predicate::InReceptacleObject
            | Predicate::IsReceptacleObjectFull
            | Predicate::WasInReceptacle
            | Predicate::Checked
            | Predicate::Examined
            | Predicate::ReceptacleType
            | Predicate::CanContain
            | Predicate::ObjectType
            | Predicate::HoldsAnyReceptacleObject
            | Predicate::Full
            | Predicate::IsClean
            | Predicate::Cleanable
            | Predicate::IsHot
            | Predicate::Heatable
            | Predicate::IsCool
            | Predicate::Coolable
            | Predicate::Pickupable
            | Predicate::Moveable
            | Predicate::Toggleable
            | Predicate::IsOn
            | Predicate::IsToggled
            | Predicate::Sliceable
            | Predicate::IsSliced => self.game.facts.contains(&(predicate, first, second)),
        }
    }
}

fn middle_of_room(things: &str) -> String {
    format!("You are in the middle of a room. Looking quickly around you, you see {things}.")
}

/// What the original's `strip` takes off both ends of a command.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}
