//! `INDEX.md` of a run directory: what is where, for people. Lists what is there, so it is written again whenever a command ends.

use super::run_dir::{RunDir, RunDirError};
use std::fmt::Write;

/// Files and folders of a run in reading order, with what they are (`system.md` §5). `R*` stands for every round.
const ENTRIES: [(&str, &str); 22] = [
    ("run.toml", "the frozen settings with their origins, seed, benchmark digest, harness and policy"),
    ("journal.md", "one memo a round"),
    ("report.html", "the report"),
    ("curves.json", "pass rates by round and split, with 95 % intervals over tasks"),
    ("scoreboard.json", "reputation of each bucket, component and engine"),
    ("audit.jsonl", "every stage, check and commit"),
    ("harness", "git repository of the harnesses: `main` is the incumbent, a tag `R<n>` each round"),
    ("R*/episodes.jsonl", "one line a finished train episode: outcome, steps, tokens, its trace"),
    ("R*/trajectories", "traces of train episodes; `harnessx show FILE` prints one as a story"),
    ("R*/digests", "what went wrong, task by task"),
    ("R*/overview.md", "failures by cluster"),
    ("R*/regressions.md", "tasks that got worse, with the ships suspected"),
    ("R*/landscape.md", "what fails, what was tried, what is untried"),
    ("R*/meta", "sessions of the meta-agent, each an episode with its trace"),
    ("R*/candidates", "proposed edits, each with its manifest"),
    ("R*/desk", "one folder a candidate of the engine `command`: what its program left, or where a person works"),
    ("R*/verdicts", "what the gate found for each candidate"),
    ("R*/decision.md", "what was shipped or kept, and why"),
    ("R*/round.json", "written last: the round is done; its outcome, rollouts and cost"),
    ("data", "ledgers over all rounds, rebuilt from them: task history, outcomes of ships, rejected candidates"),
    ("sealed/decisions", "decisions in full, with the names of gate tasks: for people"),
    ("sealed", "gate and held-out episodes and the response ledger: stages and engines never read here"),
];

impl RunDir {
    /// Writes `INDEX.md`.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_index(&self) -> Result<(), RunDirError> {
        let mut text = "# What is where\n\nThe same command as before continues this run; nothing here is edited by hand.\n\n".to_owned();
        text.push_str("| path | what it is |\n|---|---|\n");
        for (pattern, what) in ENTRIES {
            for path in self.matching(pattern) {
                // Writing into a String cannot fail.
                let _ = writeln!(text, "| `{path}` | {what} |");
            }
        }
        self.write("INDEX.md", text.as_bytes())
    }

    /// Paths that are there, relative to the run; a leading `R*` stands for every round, in order.
    fn matching(&self, pattern: &str) -> Vec<String> {
        let candidates = match pattern.strip_prefix("R*/") {
            None => vec![pattern.to_owned()],
            Some(rest) => (0..).map_while(|round| self.round_name(round)).map(|round| format!("{round}/{rest}")).collect(),
        };
        candidates.into_iter().filter(|path| self.path().join(path).exists()).collect()
    }

    fn round_name(&self, round: u32) -> Option<String> {
        let name = format!("R{round}");
        self.path().join(&name).is_dir().then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_lists_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::open(dir.path()).unwrap();
        run.write("curves.json", b"{}").unwrap();
        run.round(0).unwrap();
        run.write_index().unwrap();
        let text = std::fs::read_to_string(dir.path().join("INDEX.md")).unwrap();
        assert!(text.contains("`curves.json`") && text.contains("`R0/trajectories`") && !text.contains("landscape"), "{text}");
    }
}
