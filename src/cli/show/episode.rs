//! An episode's trace as readable text. Reads one trace file, streaming.

use crate::cli::Done;
use crate::cli::failure::{Exit, Failure};
use crate::cli::printer::Printer;
use crate::domain::event::Hook;
use crate::domain::id::ToolName;
use crate::domain::message::Message;
use crate::domain::request::{ChoiceRecord, Decision};
use crate::domain::trace::{Record, ReplySource};
use crate::store::trace_file::TraceReader;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Longest text shown without `--full`, in characters.
const SHORT: usize = 600;

/// Prints a trace file, or the traces in a folder; `full` cuts nothing.
pub(super) fn show(path: &Path, full: bool, printer: &Printer) -> Done {
    if path.is_dir() {
        return list(path, printer);
    }
    let reader = TraceReader::open(path).map_err(|error| Failure::from(error.0))?;
    let mut view = View { full, options: Vec::new(), step: 0, agent: None, pending: Vec::new() };
    let mut finished = false;
    for record in reader {
        let record = record.map_err(|error| Failure::from(error.0))?;
        printer.event(&record);
        finished = matches!(record, Record::Outcome(_));
        view.lines(&record).iter().for_each(|line| printer.line(line));
    }
    if !finished {
        printer.line("(the episode has not finished)");
    }
    Ok(Exit::Done)
}

fn list(path: &Path, printer: &Printer) -> Done {
    let dir = ["", "R0/trajectories", "trajectories"]
        .iter()
        .map(|inner| path.join(inner))
        .find(|dir| has_traces(dir))
        .ok_or_else(|| Failure::settings(format!("show {}: no traces in this folder", path.display())))?;
    let entries = std::fs::read_dir(&dir).map_err(|error| Failure::settings(format!("show {}: {error}", dir.display())))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        printer.event(&TraceEvent { event: "trace", file: &path });
        printer.line(&path.display().to_string());
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct TraceEvent<'a> {
    event: &'static str,
    file: &'a Path,
}

fn has_traces(dir: &Path) -> bool {
    let is_trace = |path: &Path| path.to_string_lossy().contains("_r") && path.to_string_lossy().contains(".jsonl");
    std::fs::read_dir(dir).is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(|entry| is_trace(&entry.path()))))
}

struct View {
    full: bool,
    options: Vec<String>,
    step: u32,
    /// The sub-agent whose steps are shown.
    agent: Option<ToolName>,
    /// Changes made to a request that is still to come.
    pending: Vec<String>,
}

impl View {
    fn cut(&self, text: &str) -> String {
        if self.full || text.chars().count() <= SHORT {
            return text.to_owned();
        }
        let head: String = text.chars().take(SHORT).collect();
        format!("{head} … ({} characters more; --full shows them)", text.chars().count() - SHORT)
    }

    /// The lines of a record, with a heading where a step or a sub-agent begins; what a sub-agent does is set off.
    fn lines(&mut self, record: &Record) -> Vec<String> {
        let Some((step, agent)) = record.place() else { return self.body(record, false) };
        if let Record::Trigger { hook: Hook::BeforeModel, processor, change, .. } = record {
            self.pending.push(format!("  · {processor} at {}: {change}", Hook::BeforeModel.as_str()));
            return Vec::new();
        }
        let begins = self.agent.as_ref() != agent;
        let is_new = step > 0 && (begins || step != self.step);
        (self.step, self.agent) = (step, agent.cloned());
        let lines = self.body(record, step == 1 || begins);
        let (margin, whose) = agent.map_or(("", String::new()), |agent| ("  │ ", format!(" · {agent}")));
        let heading = is_new.then(|| [String::new(), format!("{margin}── step {step}{whose}")]);
        // A text of several lines stays within the margin.
        let set_off =
            |line: String| if margin.is_empty() { line } else { format!("{margin}{}", line.replace('\n', &format!("\n{margin}"))) };
        heading.into_iter().flatten().chain(lines.into_iter().map(set_off)).collect()
    }

    /// `is_first`: demonstrations may stand before what is seen.
    fn body(&mut self, record: &Record, is_first: bool) -> Vec<String> {
        match record {
            Record::Episode { key, harness, policy, task_text, .. } => vec![
                format!("{} · rollout {} · stream {}", key.task, key.replicate, key.stream.0),
                format!("harness {harness} · policy {policy}"),
                format!("task: {task_text}"),
            ],
            Record::Brought { file, offers, .. } => {
                let names: Vec<&str> = offers.iter().map(|tool| tool.name.as_str()).collect();
                vec![format!("{file} brings {}", names.join(", "))]
            }
            Record::Request { turns, system, decision, asked_by, .. } => {
                let mut lines = Vec::new();
                if let Some(who) = asked_by {
                    lines.push(format!("{who} asks the model:"));
                }
                if let Some(system) = system.as_deref().filter(|text| !text.is_empty()) {
                    lines.push(format!("system: {}", self.cut(system)));
                }
                let shown = if is_first && !self.full && turns.len() > 3 {
                    lines.push(format!("({} demonstration turns)", turns.len() - 1));
                    &turns[turns.len() - 1..]
                } else {
                    turns.as_slice()
                };
                for turn in shown {
                    match turn {
                        Message::User { text } | Message::Tool { text, .. } => lines.push(format!("sees:  {}", self.cut(text))),
                        Message::Assistant { .. } => {}
                    }
                }
                lines.append(&mut self.pending);
                self.options = match decision {
                    Decision::Choice { options, .. } => options.clone(),
                    Decision::Free | Decision::Schema { .. } => Vec::new(),
                };
                lines
            }
            Record::Reply { reply, latency_ms, retries, source, .. } => self.reply(reply, *latency_ms, retries, *source),
            Record::Tool { call, result, .. } => {
                let error = if result.is_error { " (error)" } else { "" };
                vec![format!("calls: {} {}", call.name, call.arguments.0), format!("  → {}{error}", self.cut(&result.text))]
            }
            Record::Trigger { hook, processor, change, .. } => vec![format!("  · {processor} at {}: {change}", hook.as_str())],
            Record::Outcome(result) => {
                let outcome = serde_json::to_string(&result.outcome).unwrap_or_default();
                let end = serde_json::to_string(&result.end).unwrap_or_default();
                vec![
                    String::new(),
                    format!("── {outcome} after {} steps, reward {}, {} tokens", result.steps, result.reward, result.usage.tokens()),
                    format!("   {end}"),
                ]
            }
        }
    }

    fn reply(&mut self, reply: &crate::domain::request::Reply, latency_ms: u64, retries: &[String], source: ReplySource) -> Vec<String> {
        let from = match source {
            ReplySource::Model => format!("{latency_ms} ms"),
            ReplySource::Ledger => "from the ledger".to_owned(),
            ReplySource::Processor => "supplied by a processor".to_owned(),
            ReplySource::Forced => "the only option".to_owned(),
        };
        let mut lines = std::mem::take(&mut self.pending);
        lines.extend(retries.iter().map(|cause| format!("  retried: {cause}")));
        lines.push(format!("does:  {} ({from})", self.cut(&reply.text)));
        if let Some(choice) = &reply.choice {
            lines.extend(self.ranking(choice));
        }
        lines
    }

    fn ranking(&self, choice: &ChoiceRecord) -> Option<String> {
        let mut order: Vec<usize> = (0..choice.scores.len().min(self.options.len())).collect();
        order.sort_by(|one, two| choice.scores[*two].total_cmp(&choice.scores[*one]));
        let most = if self.full { order.len() } else { 4 };
        let best: Vec<String> =
            order.iter().take(most).map(|index| format!("{} {:.2}", self.options[*index], choice.scores[*index])).collect();
        (!best.is_empty()).then(|| format!("  of {}: {}", self.options.len(), best.join(" | ")))
    }
}
