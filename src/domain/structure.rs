//! What `harness.toml` declares as whole parts (`system.md` §6): agents that the harness calls as tools, its control strategy, its memory
//! policy. Strategy and memory are the processors of two groups, `strategy` and `memory`: the tables only name them by what they do, so
//! that there is one form in which edits, checks and the canonical form see them.

use super::harness::{Limits, ProcessorSpec};
use super::nearest::did_you_mean;
use serde::{Deserialize, Serialize};

/// Where the harnesses of agents lie.
pub const AGENTS_FOLDER: &str = "agents/";

/// Most agents of a harness.
pub const AGENTS_LIMIT: usize = 16;

/// `[agents.NAME]`: an agent that the harness calls as a tool of that name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// What it can do, as the calling model reads it.
    pub description: String,
    /// Folder of its own harness: `agents/…`.
    pub harness: String,
    /// Most it may use in one call. The limits of its own harness and what is left to the caller hold beside these.
    #[serde(default, skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
    /// Tools of the environment that it may use; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
}

/// The folder of a sub-agent that a path lies in, if it lies in one, and the path within it.
pub fn parted(path: &str) -> (Option<&str>, &str) {
    let name = path.strip_prefix(AGENTS_FOLDER).and_then(|rest| rest.find('/'));
    name.map_or((None, path), |length| (Some(&path[..AGENTS_FOLDER.len() + length]), &path[AGENTS_FOLDER.len() + length + 1..]))
}

/// A policy that a table declares by its kind.
pub(super) struct Policy {
    /// The table, and the group of the processor that it stands for.
    pub group: &'static str,
    /// Each kind with its native processor; the first needs none.
    kinds: &'static [(&'static str, Option<&'static str>)],
}

/// `[memory]`: what is kept and shown again.
pub(super) const MEMORY: Policy =
    Policy { group: "memory", kinds: &[("none", None), ("retrieval", Some("memory")), ("line", Some("memory_line"))] };

/// `[strategy]`: how replies become actions.
pub(super) const STRATEGY: Policy = Policy {
    group: "strategy",
    kinds: &[
        ("react", None),
        ("plan_then_act", Some("plan_then_act")),
        ("verify_then_answer", Some("self_verify")),
        ("propose_and_vote", Some("propose_and_vote")),
    ],
};

impl Policy {
    /// The processor that a table stands for; `None` where the kind needs none.
    ///
    /// # Errors
    /// A fragment about the kind. The parameters are for the processor's own check.
    pub fn processor(&self, mut table: toml::Table) -> Result<Option<ProcessorSpec>, String> {
        let names = || self.kinds.iter().map(|(kind, _)| *kind);
        let group = self.group;
        let Some(kind) = table.remove("kind") else {
            return Err(format!("{group}: missing key `kind`; known: {}", names().collect::<Vec<_>>().join(", ")));
        };
        let known = kind.as_str().and_then(|kind| self.kinds.iter().find(|(known, _)| *known == kind));
        match known {
            None => Err(format!("{group}: unknown kind {kind}; {}", did_you_mean(kind.as_str().unwrap_or_default(), names()))),
            Some((kind, None)) => {
                table.keys().next().map_or(Ok(None), |key| Err(format!("{group}: kind {kind:?} has no parameter {key:?}; drop it")))
            }
            Some((_, Some(native))) => Ok(Some(ProcessorSpec {
                native: Some((*native).to_owned()),
                params: table,
                group: Some(group.to_owned()),
                ..ProcessorSpec::default()
            })),
        }
    }
}
