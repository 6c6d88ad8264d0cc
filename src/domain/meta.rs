//! The parts that the meta-agent's model plays, when in a round each of its sessions sits, and what sessions took (`system.md` §6). A
//! session is an episode under `R<n>/meta` whose task is called `<name>/R<n>`.

use super::id::TaskId;
use super::outcome::EpisodeResult;
use super::request::Usage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A part that the meta-agent's model plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Says why things fail.
    Digester,
    /// Says what to work on.
    Planner,
    /// Makes a candidate.
    Evolver,
    /// Judges candidates.
    Critic,
    /// Does all of it in one session.
    Single,
}

impl Role {
    /// All of them, in the order in which they sit.
    pub const ALL: [Self; 5] = [Self::Digester, Self::Planner, Self::Evolver, Self::Critic, Self::Single];

    /// Lower-case name: that of its harness within the folder of meta harnesses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Digester => "digester",
            Self::Planner => "planner",
            Self::Evolver => "evolver",
            Self::Critic => "critic",
            Self::Single => "single",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// When in a round sessions sit, in order. Those of one sitting sit side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sitting {
    /// The Digester.
    Digest,
    /// The Planner.
    Plan,
    /// Evolvers, and the one who does all.
    Evolve,
    /// The Critic.
    Review,
    /// Evolvers on what the Critic sent back.
    Revise,
    /// The Critic on what came of that.
    Again,
}

impl Sitting {
    /// In plain words: who sits.
    pub fn who(self) -> &'static str {
        match self {
            Self::Digest => "the Digester",
            Self::Plan => "the Planner",
            Self::Evolve => "engines with a meta-agent",
            Self::Review => "the Critic",
            Self::Revise => "Evolvers who would revise",
            Self::Again => "the Critic's second sitting",
        }
    }
}

/// Who sat in a session and when, by its task.
pub fn session_of(task: &TaskId) -> Option<(Role, Sitting)> {
    let (name, _) = task.as_str().split_once('/')?;
    let (part, number) = name.split_once('-').unwrap_or((name, ""));
    match (part, number) {
        ("digester", _) => Some((Role::Digester, Sitting::Digest)),
        ("planner", _) => Some((Role::Planner, Sitting::Plan)),
        ("evolver", _) => Some((Role::Evolver, Sitting::Evolve)),
        ("single", _) => Some((Role::Single, Sitting::Evolve)),
        ("critic", "2") => Some((Role::Critic, Sitting::Again)),
        ("critic", _) => Some((Role::Critic, Sitting::Review)),
        ("revision", _) => Some((Role::Evolver, Sitting::Revise)),
        _ => None,
    }
}

/// What a session is called before people, by its task: `Evolver 1`.
pub fn called(task: &TaskId) -> String {
    let name = task.as_str().split('/').next().unwrap_or_default().replace('-', " ");
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What sessions took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// How many.
    pub sessions: u64,
    /// Model calls.
    pub calls: u64,
    /// Tokens and money.
    pub usage: Usage,
    /// Milliseconds that they waited for the model; replies from the ledger take none.
    pub milliseconds: u64,
}

/// The same by role.
pub type ByRole = BTreeMap<Role, Sessions>;

impl Sessions {
    /// Counts one session.
    pub fn add(&mut self, result: &EpisodeResult) {
        self.sessions += 1;
        self.calls += u64::from(result.calls);
        self.usage.add(&result.usage);
        self.milliseconds += result.milliseconds;
    }

    /// All of several together.
    pub fn sum<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        all.into_iter().fold(Self::default(), |mut sum, more| {
            sum.sessions += more.sessions;
            sum.calls += more.calls;
            sum.usage.add(&more.usage);
            sum.milliseconds += more.milliseconds;
            sum
        })
    }
}

/// Finished sessions, by role.
pub fn by_role<'a>(sessions: impl IntoIterator<Item = (&'a TaskId, &'a EpisodeResult)>) -> ByRole {
    let mut roles = ByRole::new();
    for (task, result) in sessions {
        if let Some((role, _)) = session_of(task) {
            roles.entry(role).or_default().add(result);
        }
    }
    roles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outcome::{Ending, Outcome};

    #[test]
    fn a_session_is_told_by_its_task() {
        for (task, expected) in [
            ("digester/R2", Some((Role::Digester, Sitting::Digest))),
            ("planner/R2", Some((Role::Planner, Sitting::Plan))),
            ("evolver-12/R2", Some((Role::Evolver, Sitting::Evolve))),
            ("single/R2", Some((Role::Single, Sitting::Evolve))),
            ("critic-1/R10", Some((Role::Critic, Sitting::Review))),
            ("critic-2/R10", Some((Role::Critic, Sitting::Again))),
            ("revision-3/R2", Some((Role::Evolver, Sitting::Revise))),
            ("heat/17", None),
            ("digester", None),
        ] {
            assert_eq!(session_of(&TaskId::from(task)), expected, "{task}");
        }
        assert_eq!(["planner/R2", "evolver-12/R2"].map(|task| called(&TaskId::from(task))), ["Planner", "Evolver 12"]);
    }

    #[test]
    fn sessions_add_up_by_role() {
        let usage = Usage { input_tokens: 100, cached_tokens: 0, output_tokens: 10, cost: 0.5 };
        let result = EpisodeResult {
            outcome: Outcome::Failed,
            end: Ending::EnvironmentDone,
            reward: 0.0,
            steps: 3,
            calls: 3,
            retries: 0,
            usage,
            milliseconds: 40,
        };
        let tasks: Vec<TaskId> = ["evolver-1/R1", "evolver-2/R1", "revision-2/R1", "planner/R1", "else/R1"].map(TaskId::from).into();
        let roles = by_role(tasks.iter().map(|task| (task, &result)));
        let evolver = roles[&Role::Evolver];
        assert_eq!((evolver.sessions, evolver.calls, evolver.usage.tokens(), evolver.milliseconds), (3, 9, 330, 120));
        assert_eq!((roles.len(), Sessions::sum(roles.values()).sessions), (2, 4));
    }
}
