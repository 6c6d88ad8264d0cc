//! Settings of a loop: a profile, and what replaces parts of it. Flags of `loop`, keys of settings files and of `run.toml`.

use super::engine_command::{CommandLine, EngineLimits};
use crate::domain::engine::Engines;
use crate::domain::gate::{Mode, Profile};
use crate::rounds::Approve;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// Keys of [`LoopKeys`] that say who proposes: they may change between rounds, since what is measured and how it is judged stays the same.
/// Where a command names none, the run's own hold.
pub(crate) const PROPOSING: [&str; 9] = [
    "engine",
    "engine_command",
    "engine_seconds",
    "engine_output",
    "engine_env",
    "engine_network",
    "engine_limits",
    "meta_harness",
    "meta_tokens",
];

/// The others: what is measured, how it is judged, and when the loop ends.
const JUDGING: [&str; 13] = [
    "profile",
    "mode",
    "rounds",
    "patience",
    "approve",
    "train",
    "gate",
    "heldout",
    "heldout_rollouts",
    "heldout_veto",
    "generalise",
    "budget",
    "alpha",
];

/// Every key of [`LoopKeys`].
pub(crate) fn loop_keys() -> impl Iterator<Item = &'static str> {
    PROPOSING.into_iter().chain(JUDGING)
}

/// What is set; absent: the profile's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoopKeys {
    /// Constants to start from.
    pub profile: Option<ProfileName>,
    /// Who proposes.
    pub engine: Option<Engines>,
    /// The program of the engine `command`: words, or a line that is split at blanks.
    pub engine_command: Option<CommandLine>,
    /// Seconds that it may take for one candidate.
    pub engine_seconds: Option<u64>,
    /// Bytes of each of its stdout and stderr that are kept.
    pub engine_output: Option<usize>,
    /// Names of variables of the environment that it is given, none of which holds a key.
    pub engine_env: Option<Vec<String>>,
    /// Whether it has the network.
    pub engine_network: Option<bool>,
    /// What else it may use.
    pub engine_limits: Option<EngineLimits>,
    /// Folder of the meta-agent's harnesses, one a role.
    pub meta_harness: Option<String>,
    /// Most tokens that all sessions of the meta-agent may take together.
    pub meta_tokens: Option<u64>,
    /// How candidates are judged.
    pub mode: Option<ModeName>,
    /// Rounds of the run.
    pub rounds: Option<u32>,
    /// Rounds in a row that ship nothing.
    pub patience: Option<u32>,
    /// Which ships a person is asked about.
    pub approve: Option<ApproveName>,
    /// Train tasks at most.
    pub train: Option<usize>,
    /// Gate tasks at most.
    pub gate: Option<usize>,
    /// Held-out tasks at most.
    pub heldout: Option<usize>,
    /// Rollouts a held-out task.
    pub heldout_rollouts: Option<u32>,
    /// Whether the held-out tasks may veto, with one bit, a candidate that passed.
    pub heldout_veto: Option<bool>,
    /// Whether gains on train tasks alone do not ship.
    pub generalise: Option<bool>,
    /// Rollouts a task that the gate is granted each round.
    pub budget: Option<f64>,
    /// Bound on the chance that a run ships an edit whose claims are false, 0 to 1.
    pub alpha: Option<f64>,
}

/// The same as flags.
#[derive(Clone, Debug, Default, Args, Serialize)]
pub(crate) struct LoopFlags {
    /// Constants to start from: quick takes minutes
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<ProfileName>,
    /// Who proposes edits: catalog, random, best-of-n, aegis, single or command; several with commas [default: catalog]
    #[arg(long, value_name = "ENGINES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<Engines>,
    /// Program that engine `command` runs; without one it waits for you
    #[arg(long, value_name = "CMD")]
    #[serde(skip_serializing_if = "Option::is_none")]
    engine_command: Option<String>,
    /// How candidates are judged [default: the profile's]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<ModeName>,
    /// Rounds of the run [default: the profile's]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    rounds: Option<u32>,
    /// End after so many rounds in a row without a ship [default: 3]
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u32).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    patience: Option<u32>,
    /// Which ships need a person's word [default: never]
    #[arg(long, value_enum, value_name = "WHICH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    approve: Option<ApproveName>,
}

impl LoopFlags {
    /// As settings.
    pub fn table(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }
}

/// A mode of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ModeName {
    Split,
    SplitStrict,
    Paper,
    Greedy,
}

impl ModeName {
    /// What it names.
    pub fn mode(self) -> Mode {
        match self {
            Self::Split => Mode::Split,
            Self::SplitStrict => Mode::SplitStrict,
            Self::Paper => Mode::Paper,
            Self::Greedy => Mode::Greedy,
        }
    }
}

/// A profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProfileName {
    Quick,
    #[default]
    Standard,
    Paper,
}

impl ProfileName {
    /// What it names.
    pub fn profile(self) -> Profile {
        match self {
            Self::Quick => Profile::quick(),
            Self::Standard => Profile::standard(),
            Self::Paper => Profile::paper(),
        }
    }

    /// Lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Paper => "paper",
        }
    }
}

/// Which ships need a person's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ApproveName {
    #[default]
    Never,
    Risky,
    Always,
}

impl ApproveName {
    /// What it names.
    pub fn approve(self) -> Approve {
        match self {
            Self::Never => Approve::Never,
            Self::Risky => Approve::Risky,
            Self::Always => Approve::Always,
        }
    }
}
