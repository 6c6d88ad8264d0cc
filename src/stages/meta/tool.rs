//! The tools of the workroom: names, what they do, which role has them.

use super::Role;
use crate::domain::id::ToolName;
use crate::domain::message::{Arguments, ToolSpec};
use serde_json::{Value, json};

/// One tool. The set is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    ListFiles,
    ReadFile,
    ReadTrace,
    SearchTraces,
    Natives,
    ScriptTypes,
    ListHarness,
    ReadHarness,
    WriteHarness,
    RemoveHarness,
    ResetHarness,
    Check,
    Smoke,
    Replay,
    Diagnose,
    Direct,
    Propose,
    Justify,
    Review,
    Rank,
    Concern,
}

use Role::{Critic, Digester, Evolver, Planner, Single};
use Tool::{
    Check, Concern, Diagnose, Direct, Justify, ListFiles, ListHarness, Natives, Propose, Rank, ReadFile, ReadHarness, ReadTrace,
    RemoveHarness, Replay, ResetHarness, Review, ScriptTypes, SearchTraces, Smoke, WriteHarness,
};

const ALL: [Tool; 21] = [
    ListFiles,
    ReadFile,
    ReadTrace,
    SearchTraces,
    Natives,
    ScriptTypes,
    ListHarness,
    ReadHarness,
    WriteHarness,
    RemoveHarness,
    ResetHarness,
    Check,
    Smoke,
    Replay,
    Diagnose,
    Direct,
    Propose,
    Justify,
    Review,
    Rank,
    Concern,
];

impl Tool {
    /// The tool of that name, where the role has it.
    pub(super) fn of(role: Role, name: &str) -> Option<Self> {
        ALL.into_iter().find(|tool| tool.roles().contains(&role) && tool.name() == name)
    }

    /// Every tool of a role, as its model sees them.
    pub(super) fn specs(role: Role) -> Vec<ToolSpec> {
        ALL.into_iter().filter(|tool| tool.roles().contains(&role)).map(Self::spec).collect()
    }

    fn roles(self) -> &'static [Role] {
        match self {
            ListFiles | ReadFile | ReadTrace | SearchTraces => &Role::ALL,
            Natives => &[Planner, Evolver, Critic, Single],
            ScriptTypes | WriteHarness | RemoveHarness | ResetHarness | Check | Smoke | Replay | Propose | Justify => &[Evolver, Single],
            ListHarness | ReadHarness => &[Digester, Planner, Evolver, Critic, Single],
            Diagnose => &[Digester],
            Direct => &[Planner],
            Review | Rank => &[Critic],
            Concern => &[Critic, Single],
        }
    }

    /// Whether it states something, rather than looks something up or changes the working copy.
    pub(super) fn states(self) -> bool {
        match self {
            Diagnose | Direct | Propose | Justify | Review | Rank | Concern => true,
            ListFiles | ReadFile | ReadTrace | SearchTraces | Natives | ScriptTypes | ListHarness | ReadHarness | WriteHarness
            | RemoveHarness | ResetHarness | Check | Smoke | Replay => false,
        }
    }

    /// Whether an error of it is a finding about the working copy, and no refusal.
    pub(super) fn tests(self) -> bool {
        match self {
            Check | Smoke | Replay => true,
            ListFiles | ReadFile | ReadTrace | SearchTraces | Natives | ScriptTypes | ListHarness | ReadHarness | WriteHarness
            | RemoveHarness | ResetHarness | Diagnose | Direct | Propose | Justify | Review | Rank | Concern => false,
        }
    }

    /// What a call is about, as the audit names it.
    pub(super) fn subject(self, arguments: &Arguments) -> &str {
        let field = match self {
            ReadFile | ReadHarness | WriteHarness | RemoveHarness => "path",
            ListFiles => "folder",
            ReadTrace => "trace",
            SearchTraces => "words",
            Natives => "name",
            Diagnose => "about",
            Direct | Propose => "title",
            Justify => "task",
            Review => "candidate",
            ScriptTypes | ListHarness | ResetHarness | Check | Smoke | Replay | Rank | Concern => return "",
        };
        arguments.field(field).unwrap_or_default()
    }

    /// As the model calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            ListFiles => "list_files",
            ReadFile => "read_file",
            ReadTrace => "read_trace",
            SearchTraces => "search_traces",
            Natives => "natives",
            ScriptTypes => "script_types",
            ListHarness => "list_harness",
            ReadHarness => "read_harness",
            WriteHarness => "write_harness",
            RemoveHarness => "remove_harness",
            ResetHarness => "reset_harness",
            Check => "check",
            Smoke => "smoke",
            Replay => "replay",
            Diagnose => "diagnose",
            Direct => "direct",
            Propose => "propose",
            Justify => "justify",
            Review => "review",
            Rank => "rank",
            Concern => "concern",
        }
    }

    fn spec(self) -> ToolSpec {
        ToolSpec { name: ToolName::from(self.name()), description: self.does().to_owned(), schema: Arguments(self.schema()) }
    }

    fn does(self) -> &'static str {
        match self {
            ListFiles => "Lists a folder of the run, such as R2/digests; the folder \"\" is the run itself.",
            ReadFile => {
                "Reads lines of a file of the run: R<n>/overview.md, R<n>/digests/*.md, R<n>/landscape.md, data/*, scoreboard.json, journal.md."
            }
            ReadTrace => "Reads steps of a visible episode. Traces are named as in anchors: trajectories/FILE.jsonl.",
            SearchTraces => "Finds words in all visible episodes; gives anchors with what stands around them.",
            Natives => "Lists the native processors, or reads one with its parameters.",
            ScriptTypes => "Declarations of what a script processor or tool is given and may answer.",
            ListHarness => "Lists the files of the harness.",
            ReadHarness => "Reads lines of a file of the harness.",
            WriteHarness => "Writes a whole file of the working copy: harness.toml, prompts/*, processors/*.js, tools/*, skills/*.",
            RemoveHarness => "Removes a file of the working copy.",
            ResetHarness => "Puts the working copy back to what it was when you began.",
            Check => "Checks the working copy: every problem with file, line and column, or ok.",
            Smoke => "Assembles the working copy, drives it on synthetic events, and leads it through recorded episodes.",
            Replay => "Names the train tasks whose recorded episodes the working copy would change.",
            Diagnose => "States why a cluster or a task fails and which part of the harness makes it so, with quoted evidence.",
            Direct => "States one thing to work on next; the first one stated is the most promising.",
            Propose => {
                "Hands in the working copy as a candidate, with what it is and what it will do. The copy is then what it was when you began."
            }
            Justify => "States why a train task that got worse needs no candidate.",
            Review => "States what is to become of a candidate: pass, reject or revise.",
            Rank => "States the order of the candidates, best first.",
            Concern => "States what the next Planner must know, in a few sentences.",
        }
    }

    /// The arguments that it takes, in plain words.
    pub(super) fn takes(self) -> String {
        let schema = self.schema();
        let fields = |is_wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
            let of = |(name, about): (&String, &Value)| {
                let kind = match about["type"].as_str() {
                    Some("integer") => "a whole number",
                    Some("array") => "a list",
                    Some("object") => "an object",
                    Some(_) | None => "text",
                };
                format!("{name} ({kind})")
            };
            schema["properties"].as_object().into_iter().flatten().filter(|(name, _)| is_wanted(name)).map(of).collect()
        };
        let is_required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|other| other == name));
        let (required, optional) = (fields(&is_required), fields(&|name| !is_required(name)));
        let part =
            |before: &str, fields: Vec<String>| if fields.is_empty() { String::new() } else { before.to_owned() + &fields.join(" and ") };
        format!("{} takes a JSON object{}{}", self.name(), part(" with ", required), part("; if wanted, ", optional))
    }

    fn schema(self) -> Value {
        let text = |about: &str| json!({"type": "string", "description": about});
        let number = |about: &str| json!({"type": "integer", "minimum": 1, "description": about});
        let texts = |about: &str| json!({"type": "array", "items": {"type": "string"}, "description": about});
        let bucket = || json!({"type": "string", "enum": ["prompt", "tools", "processor", "config"]});
        let evidence = || {
            json!({"type": "array", "items": object(&["kind", "anchor", "snippet"], json!({
                "kind": text("a pathology: tool_effect_missing, repeat_without_progress, error_ignored, silent_drop, hallucinated_reference, missing_capability, budget_starvation, prompt_rule_violation, final_answer_brittle, invalid_action, or other:<tag>"),
                "anchor": text("trajectories/FILE.jsonl#step_N"),
                "snippet": text("words that stand there, letter for letter"),
            }))})
        };
        let claims = |about: &str| json!({"type": "array", "description": about, "items": {"type": "object", "description": "{\"task\": \"train task id\"} or {\"tags\": {\"name\": \"value\"}}; empty tags mean every task"}});
        match self {
            ListFiles => object(&["folder"], json!({"folder": text("path within the run")})),
            ReadFile | ReadHarness => {
                object(&["path"], json!({"path": text("path"), "from": number("first line"), "lines": number("how many")}))
            }
            ReadTrace => object(&["trace"], json!({"trace": text("name"), "from": number("first step"), "steps": number("how many")})),
            SearchTraces => object(&["words"], json!({"words": text("what to find"), "within": text("part of the traces' names")})),
            Natives => object(&[], json!({"name": text("which; absent: the list")})),
            ScriptTypes | ListHarness | ResetHarness | Check | Smoke | Replay => object(&[], json!({})),
            WriteHarness => object(&["path", "text"], json!({"path": text("path within the harness"), "text": text("the whole new text")})),
            RemoveHarness => object(&["path"], json!({"path": text("path within the harness")})),
            Diagnose => object(
                &["about", "cause", "bias", "evidence"],
                json!({
                    "about": text("the cluster as the overview names it, or a train task's id"),
                    "cause": text("why, in one or two sentences"),
                    "bias": object(&["bucket", "element"], json!({"bucket": bucket(), "element": text("processor, prompt, tool or setting")})),
                    "evidence": evidence(),
                }),
            ),
            Direct => object(
                &["title", "bucket", "why"],
                json!({
                    "title": text("one line"), "bucket": bucket(), "component": text("processor, prompt, tool or setting"),
                    "why": text("why this, and why now"), "tasks": texts("train tasks that should improve"), "evidence": texts("anchors"),
                }),
            ),
            Propose => object(
                &["title"],
                json!({
                    "title": text("one line"), "component": text("what reputation is kept on, such as the processor's name"),
                    "root_cause": text("what is wrong"), "targeted_fix": text("how the edit mends it"),
                    "why_risk_holds": text("why solved tasks stay solved"), "capability": text("why it can work at all"),
                    "observed": texts("anchors where that was seen"),
                    "will_unlock": claims("tasks that fail and will be solved"),
                    "will_stabilize": claims("tasks that are solved at times and will be more often"),
                    "at_risk": claims("tasks that might be lost"),
                    "failure_evidence": evidence(),
                    "signature": object(&["type", "name", "expected_min_calls"], json!({
                        "type": {"type": "string", "enum": ["processor", "tool", "prompt", "setting"]},
                        "name": text("how the effect shows in a trace"), "expected_min_calls": {"type": "integer", "minimum": 0},
                    })),
                    "iterates_from": text("an earlier candidate that this takes up again"),
                }),
            ),
            Justify => object(&["task", "why"], json!({"task": text("train task"), "why": text("why it needs no candidate")})),
            Review => object(
                &["candidate", "word", "reason", "interaction"],
                json!({
                    "candidate": text("its id"), "word": {"type": "string", "enum": ["pass", "reject", "revise"]},
                    "reason": text("why; of a revision: what to change"), "interaction": text("how it goes together with what is there"),
                }),
            ),
            Rank => object(&["order"], json!({"order": texts("candidate ids, best first")})),
            Concern => object(&["text"], json!({"text": text("a few sentences")})),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "callers build the properties in place")]
fn object(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_reads_and_only_evolvers_write() {
        for role in Role::ALL {
            assert!(Tool::of(role, "read_trace").is_some());
            assert_eq!(Tool::of(role, "write_harness").is_some(), matches!(role, Evolver | Single), "{role}");
            assert!(Tool::specs(role).iter().all(|spec| spec.schema.0["type"] == "object"));
        }
        assert!(Tool::of(Digester, "propose").is_none() && Tool::of(Evolver, "nothing").is_none());
    }
}
