//! Commands: which are admissible in a state, how each is written, what each does.
//!
//! The conditions and effects are those of the actions in `ALFWorld`'s domain. Its `examineObject` has a slip (a comma in a type
//! list) that leaves only held objects examinable; kept, as the original engine shows it.

use super::game::{Game, Traits};
use super::problem::Id;
use super::state::{Mark, State};

/// One command with its things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Look,
    Inventory,
    Help,
    Go { receptacle: Id, location: Id },
    Open { receptacle: Id },
    Close { receptacle: Id },
    Take { object: Id, receptacle: Id },
    Move { object: Id, receptacle: Id },
    ExamineReceptacle { receptacle: Id },
    ExamineObject { object: Id },
    Use { object: Id },
    Heat { object: Id, receptacle: Id },
    Clean { object: Id, receptacle: Id },
    Cool { object: Id, receptacle: Id },
    Slice { object: Id, knife: Id },
}

impl Command {
    /// Calls `each` with every admissible command, until it says to stop.
    pub fn each(game: &Game, state: &State, mut each: impl FnMut(Self) -> Search) -> Search {
        let mut all = || {
            for command in [Self::Look, Self::Inventory, Self::Help] {
                each(command)?;
            }
            for &(receptacle, location) in &game.routes {
                if location != state.place {
                    each(Self::Go { receptacle, location })?;
                }
            }
            for &object in &state.held {
                each(Self::ExamineObject { object })?;
            }
            for &receptacle in game.receptacles_at(state.place) {
                Self::each_at(game, state, receptacle, &mut each)?;
            }
            Self::each_slice(game, state, &mut each)
        };
        all()
    }

    /// Commands that need one receptacle at the agent's place.
    fn each_at(game: &Game, state: &State, receptacle: Id, each: &mut impl FnMut(Self) -> Search) -> Search {
        each(Self::ExamineReceptacle { receptacle })?;
        let openable = game.has(receptacle, Traits::OPENABLE);
        let opened = state.is(receptacle, Mark::Opened);
        if openable {
            each(if opened { Self::Close { receptacle } } else { Self::Open { receptacle } })?;
        }
        let reachable = !openable || opened;
        for &object in state.inside(receptacle) {
            if reachable && !state.hand_full && game.has(object, Traits::PICKUPABLE) {
                each(Self::Take { object, receptacle })?;
            }
            if game.has(object, Traits::TOGGLEABLE) {
                each(Self::Use { object })?;
            }
        }
        for &object in &state.held {
            if reachable && game.fits.contains(&(receptacle, object)) {
                each(Self::Move { object, receptacle })?;
            }
            if game.has(receptacle, Traits::SINK) && game.has(object, Traits::CLEANABLE) {
                each(Self::Clean { object, receptacle })?;
            }
            if game.has(receptacle, Traits::MICROWAVE) && game.has(object, Traits::HEATABLE) {
                each(Self::Heat { object, receptacle })?;
            }
            if game.has(receptacle, Traits::FRIDGE) && game.has(object, Traits::COOLABLE) {
                each(Self::Cool { object, receptacle })?;
            }
        }
        Search::Continue(())
    }

    /// Slicing needs a held knife and the object at the place, even behind a closed door.
    fn each_slice(game: &Game, state: &State, each: &mut impl FnMut(Self) -> Search) -> Search {
        for &knife in state.held.iter().filter(|held| game.has(**held, Traits::KNIFE)) {
            for &object in &game.sliceable {
                if state.lies_at[object as usize].contains(&state.place) {
                    each(Self::Slice { object, knife })?;
                }
            }
        }
        Search::Continue(())
    }

    /// The words and things of the command, in order.
    fn parts(self, game: &Game) -> [&str; 4] {
        let name = |id| game.name(id);
        match self {
            Self::Look => ["look", "", "", ""],
            Self::Inventory => ["inventory", "", "", ""],
            Self::Help => ["help", "", "", ""],
            Self::Go { receptacle, .. } => ["go to ", name(receptacle), "", ""],
            Self::Open { receptacle } => ["open ", name(receptacle), "", ""],
            Self::Close { receptacle } => ["close ", name(receptacle), "", ""],
            Self::Take { object, receptacle } => ["take ", name(object), " from ", name(receptacle)],
            Self::Move { object, receptacle } => ["move ", name(object), " to ", name(receptacle)],
            Self::ExamineReceptacle { receptacle } => ["examine ", name(receptacle), "", ""],
            Self::ExamineObject { object } => ["examine ", name(object), "", ""],
            Self::Use { object } => ["use ", name(object), "", ""],
            Self::Heat { object, receptacle } => ["heat ", name(object), " with ", name(receptacle)],
            Self::Clean { object, receptacle } => ["clean ", name(object), " with ", name(receptacle)],
            Self::Cool { object, receptacle } => ["cool ", name(object), " with ", name(receptacle)],
            Self::Slice { object, knife } => ["slice ", name(object), " with ", name(knife)],
        }
    }

    /// The command as a player types it.
    pub fn text(self, game: &Game) -> String {
        self.parts(game).concat()
    }

    /// Whether a player's words are this command.
    pub fn is(self, words: &str, game: &Game) -> bool {
        let mut rest = words;
        for part in self.parts(game) {
            match rest.strip_prefix(part) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }

    /// What the command does to the state.
    pub fn apply(self, game: &Game, state: &mut State) {
        match self {
            Self::Look => state.set(state.place, Mark::Checked),
            Self::Inventory | Self::Help => state.set(game.agent, Mark::Checked),
            Self::Go { location, .. } => state.place = location,
            Self::Open { receptacle } => {
                state.set(receptacle, Mark::Opened);
                state.set(receptacle, Mark::Checked);
            }
            Self::Close { receptacle } => state.clear(receptacle, Mark::Opened),
            Self::Take { object, receptacle } => state.take(object, receptacle),
            Self::Move { object, receptacle } => state.put(object, receptacle),
            Self::ExamineReceptacle { receptacle } => state.set(receptacle, Mark::Checked),
            Self::ExamineObject { object } => state.set(object, Mark::Checked),
            Self::Use { object } => {
                if state.is(object, Mark::On) {
                    state.clear(object, Mark::On);
                } else {
                    state.set(object, Mark::On);
                }
                state.set(object, Mark::Toggled);
            }
            Self::Heat { object, .. } => {
                state.set(object, Mark::Hot);
                state.clear(object, Mark::Cool);
            }
            Self::Clean { object, .. } => state.set(object, Mark::Clean),
            Self::Cool { object, .. } => {
                state.set(object, Mark::Cool);
                state.clear(object, Mark::Hot);
            }
            Self::Slice { object, .. } => state.set(object, Mark::Sliced),
        }
    }
}

/// Whether a walk over commands goes on.
pub(super) type Search = std::ops::ControlFlow<()>;
