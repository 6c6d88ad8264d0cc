//! The round in one page: how many tasks hold, clusters of what fails, and both as Markdown for people.

use crate::domain::digest::{Cluster, DIGEST_FORMAT, Overview, Pathology, TaskDigest};
use crate::domain::history::History;
use crate::domain::untrusted::{cell, quoted};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Clusters shown in the overview.
const SHOWN: usize = 20;

/// Tasks named in a cluster's line.
const NAMED: usize = 5;

/// Adds digests up one by one.
#[derive(Default)]
struct Builder {
    overview: Overview,
    actionable: u32,
    clusters: BTreeMap<(String, Pathology), Cluster>,
}

/// The overview of the last of these rounds: every task as it stands, played in it or not.
pub fn overview(history: &History<'_>) -> Overview {
    let mut builder = Builder::default();
    let now = history.rounds().last().map(|past| past.round);
    for standing in history.standings() {
        builder.add(standing.digest);
        builder.overview.carried += u32::from(Some(standing.round) != now);
    }
    Overview { history: history.statuses(), ..builder.finish() }
}

impl Builder {
    /// Takes one digest.
    fn add(&mut self, digest: &TaskDigest) {
        let (solved, scored) = digest.solved_of();
        self.overview.tasks += 1;
        self.overview.dropped += digest.dropped;
        self.actionable += u32::from(digest.is_actionable());
        match (solved, scored) {
            (_, 0) => return,
            (0, _) => self.overview.never += 1,
            (solved, scored) if solved == scored => {
                self.overview.always += 1;
                return;
            }
            _ => self.overview.sometimes += 1,
        }
        let kinds: BTreeSet<&Pathology> = digest.causes().map(|signal| &signal.kind).collect();
        let mut tags: Vec<String> = digest.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        tags.push("all".to_owned());
        for tag in &tags {
            for kind in &kinds {
                let cluster = self.clusters.entry((tag.clone(), (*kind).clone())).or_insert_with(|| Cluster {
                    tag: tag.clone(),
                    kind: (*kind).clone(),
                    tasks: Vec::new(),
                    solved: 0,
                    scored: 0,
                });
                cluster.tasks.push(digest.task.clone());
                cluster.solved += solved;
                cluster.scored += scored;
            }
        }
    }

    /// The overview: clusters of most tasks first, ties by name.
    fn finish(self) -> Overview {
        let mut overview = self.overview;
        overview.format = DIGEST_FORMAT;
        overview.actionability = f64::from(self.actionable) / f64::from(overview.tasks.max(1));
        overview.clusters = self.clusters.into_values().collect();
        overview.clusters.sort_by(|one, two| (two.tasks.len(), &one.tag, &one.kind).cmp(&(one.tasks.len(), &two.tag, &two.kind)));
        overview
    }
}

/// The overview as Markdown.
pub fn overview_markdown(overview: &Overview) -> String {
    let mut text = format!(
        "# Overview\n\n{} tasks: {} always solved, {} sometimes, {} never. {:.0} % have a typed, anchored cause that an edit could mend.\n",
        overview.tasks,
        overview.always,
        overview.sometimes,
        overview.never,
        100.0 * overview.actionability
    );
    if overview.dropped > 0 {
        _ = writeln!(text, "\n{} snippets were not found at their anchor and dropped.", overview.dropped);
    }
    if overview.carried > 0 {
        _ = writeln!(
            text,
            "\n{} tasks were not played again, since nothing that shipped touches them: they stand as they were.",
            overview.carried
        );
    }
    if !overview.history.is_empty() {
        let counts: Vec<String> = overview.history.iter().map(|(status, tasks)| format!("{tasks} {}", status.as_str())).collect();
        _ = writeln!(text, "\nOver all rounds so far: {}.", counts.join(", "));
    }
    text.push_str("\n## What fails\n\n| where | what goes wrong | tasks | rollouts solved | for instance |\n|---|---|---|---|---|\n");
    for cluster in overview.clusters.iter().take(SHOWN) {
        let named: Vec<String> = cluster.tasks.iter().take(NAMED).map(|task| cell(task.as_str())).collect();
        let (tasks, tag, kind) = (cluster.tasks.len(), cell(&cluster.tag), cell(&cluster.kind.to_string()));
        _ = writeln!(text, "| {tag} | {kind} | {tasks} | {} of {} | {} |", cluster.solved, cluster.scored, named.join(", "));
    }
    if overview.clusters.len() > SHOWN {
        _ = writeln!(text, "\n{} smaller clusters are in `overview.json`.", overview.clusters.len() - SHOWN);
    }
    text
}

/// A task's digest as Markdown.
pub fn task_markdown(digest: &TaskDigest) -> String {
    let (solved, scored) = digest.solved_of();
    let mut text = format!("# {}\n\n{}\n\nSolved {solved} of {scored}.\n", quoted(digest.task.as_str()), quoted(&digest.text));
    for rollout in &digest.rollouts {
        let (calls, distinct, repeats) = (rollout.calls, rollout.distinct_calls, rollout.repeats);
        let end = rollout.verdict.as_ref().map_or_else(|| "no end on file".to_owned(), |verdict| ended(&verdict.end));
        _ = writeln!(
            text,
            "\n- rollout {}: {end}; {calls} calls, {distinct} different, {repeats} repeated in vain, {} errors",
            rollout.replicate, rollout.errors
        );
    }
    if !digest.signals.is_empty() {
        text.push_str("\n## Signals\n\n");
    }
    for signal in &digest.signals {
        let (kind, anchor) = (quoted(&signal.kind.to_string()), quoted(&signal.anchor.to_string()));
        _ = writeln!(text, "- {kind} ×{} at {anchor}: {}", signal.count, quoted(&signal.snippet));
    }
    if let Some(parting) = &digest.divergence {
        let (passing, failing) = (quoted(&parting.passing), quoted(&parting.failing));
        _ = writeln!(
            text,
            "\nAfter {} equal calls the passing rollout did {passing} ({}), the failing one {failing} ({}).",
            parting.shared,
            quoted(&parting.passing_at.to_string()),
            quoted(&parting.failing_at.to_string())
        );
    }
    text
}

fn ended(end: &crate::domain::outcome::Ending) -> String {
    use crate::domain::outcome::Ending;
    match end {
        Ending::FinalAnswer { .. } => "final answer".to_owned(),
        Ending::EnvironmentDone => "environment done".to_owned(),
        Ending::Budget { limit } => format!("out of {limit}"),
        Ending::Interrupt { processor, reason } => format!("ended by {}: {}", quoted(processor), quoted(reason)),
        Ending::HarnessFault { part, message } => format!("fault of {}: {}", quoted(part), quoted(message)),
        Ending::Fault { boundary, message } => format!("missing, {boundary:?}: {}", quoted(message)),
    }
}
