//! The household world: `ALFWorld`'s text games, natively.
//!
//! A [`Game`] is read from a real `game.tw-pddl` file or made by [`generate`]; a [`Play`] is one episode of it: commands in,
//! observations out, reward 1 at the first truth of the goal. [`replay`] counts how many recorded steps of the original engine
//! come out byte for byte the same, [`plan`] finds a shortest way to the goal.
//!
//! Reading order: `pddl` (text to lists), `problem` (lists to facts), `goal`, `grammar` (task sentence and texts), `game`,
//! `state`, `command`, `play`, `planner`, `room`, `task` and `scene` (generator), `transcript`.

mod command;
mod error;
mod game;
mod goal;
mod grammar;
mod names;
mod pddl;
mod planner;
mod play;
mod problem;
mod room;
mod scene;
mod state;
mod task;
mod transcript;
mod world;

pub use error::GameError;
pub use game::Game;
pub use planner::plan;
pub use play::{Play, StepResult};
pub use room::Room;
pub use scene::{Level, Scene, generate};
pub use task::TaskKind;
pub use transcript::{Agreement, Difference, replay};
pub use world::{ARGUMENT, HouseholdWorld, TOOL};

#[cfg(test)]
pub(crate) mod tests;
