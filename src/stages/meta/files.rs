//! What a role may read of the run: by the run's allow-list, and within it nothing that others make in this very round.

use super::window::{RESULT, lines_of};
use super::{Office, Role};
use crate::store::trace_file::TraceReader;
use crate::store::trace_lines::{TraceLine, read_trace_lines};
use crate::store::visible::ReadError;
use serde_json::value::RawValue;
use std::fmt::Write;
use std::path::Path;

/// Most places that a search gives.
const HITS: usize = 40;

/// Letters shown around what was searched for.
const AROUND: usize = 80;

/// Most letters of a line of the audit.
const AUDITED: usize = 400;

/// Most letters of one line of a trace.
const LINE: usize = 1_200;

/// Most letters of the steps of a trace: with what stands around them they fit into a result.
const TRACE: usize = RESULT - LINE;

/// What is there of a round before its candidates: all else in it is made by others than the one who asks.
const GIVEN: [&str; 9] = [
    "trajectories",
    "episodes.jsonl",
    "digests",
    "overview.json",
    "overview.md",
    "regressions.md",
    "diagnoses.json",
    "landscape.json",
    "landscape.md",
];

/// A run as one session sees it. Nothing here writes to the audit but [`Files::audit`].
pub(super) struct Files<'a> {
    pub(super) office: &'a Office<'a>,
    pub(super) role: Role,
    /// Named in the audit.
    pub(super) session: String,
}

impl Files<'_> {
    /// Names in a folder of the run.
    ///
    /// # Errors
    /// Refused, in words for the model.
    pub(super) fn list(&self, folder: &str) -> Result<String, String> {
        if let Some(mut names) = self.office.visible.top(folder).map_err(|_| format!("{folder:?} cannot be listed"))? {
            names.retain(|name| self.role == Role::Critic || !self.is_made(&Path::new(folder).join(name)));
            return Ok(listed(&names));
        }
        if !self.is_there(folder)? {
            return Ok(listed(&[]));
        }
        let names = self.office.visible.list(folder).map_err(|_| format!("{folder:?} is no folder; read_file reads files"))?;
        Ok(listed(&names))
    }

    /// Lines of a text file of the run.
    ///
    /// # Errors
    /// Refused, or not there.
    pub(super) fn read(&self, path: &str, from: usize, count: usize) -> Result<String, String> {
        if !self.is_there(path)? {
            return Err(format!("there is no file {path:?}"));
        }
        let text = self.office.visible.read_text(path);
        let text = text.map_err(|_| format!("{path:?} is no text file; list_files lists folders, read_trace reads traces"))?;
        Ok(lines_of(&text, from, count))
    }

    /// Steps of a visible trace, as they happened.
    ///
    /// # Errors
    /// No such trace among those that speak for the incumbent.
    pub(super) fn trace(&self, name: &str, from: u32, steps: u32) -> Result<String, String> {
        let path = self.trace_path(name)?;
        let (mut page, mut end) = (Page::default(), String::new());
        let last = from.saturating_add(steps.max(1)) - 1;
        each_line(path, |line| {
            if line.record == "outcome" {
                shown(line, &mut end);
            } else if (from..=last).contains(&line.step) || (line.step == 0 && from <= 1) {
                let mut text = String::new();
                shown(line, &mut text);
                page.add(line.step, text);
            }
        })?;
        Ok(page.ended(&end))
    }

    /// Places where words stand in visible traces, whatever their case.
    ///
    /// # Errors
    /// Nothing to search for, or a trace that cannot be read.
    pub(super) fn search(&self, words: &str, within: Option<&str>) -> Result<String, String> {
        if words.trim().is_empty() {
            return Err("words is empty".to_owned());
        }
        let wanted = words.to_lowercase();
        let (mut found, mut total) = (String::new(), 0_usize);
        for (name, path) in self.office.traces {
            if within.is_some_and(|part| !name.contains(part)) {
                continue;
            }
            each_line(path, |line| {
                for text in texts(line) {
                    let Some(snippet) = around(&text, &wanted) else { continue };
                    total += 1;
                    if total <= HITS {
                        _ = writeln!(found, "{name}#step_{} ({}): {snippet}", line.step, line.record);
                    }
                }
            })?;
        }
        let more = total.saturating_sub(HITS);
        if more > 0 {
            _ = writeln!(found, "[{more} more; name a part of the trace's name in `within`]");
        }
        Ok(if total == 0 { "[found nowhere]".to_owned() } else { found })
    }

    fn trace_path(&self, name: &str) -> Result<&Path, String> {
        let found = self.office.traces.get(name.split('#').next().unwrap_or(name));
        found
            .map(AsRef::as_ref)
            .ok_or_else(|| format!("there is no visible trace {name:?}; names are those of anchors, such as trajectories/FILE.jsonl"))
    }

    /// Whether something is at a path that the role may read. What others make in this round is for the Critic alone: candidates are built
    /// side by side, each without sight of the others, by whatever detour.
    fn is_there(&self, path: &str) -> Result<bool, String> {
        let place = match self.office.visible.place(path) {
            Ok(place) => Some(place),
            Err(refused @ ReadError::Refused { .. }) => {
                return Err(format!("{refused}; list_files with the folder \"\" says what may be read"));
            }
            Err(_) => None,
        };
        if self.role != Role::Critic && (self.is_made(Path::new(path)) || place.as_deref().is_some_and(|place| self.is_made(place))) {
            return Err(format!("read {path:?} of the run: refused, it is made in this round by others"));
        }
        Ok(place.is_some())
    }

    /// Whether a place is of this round and made by its engines.
    fn is_made(&self, place: &Path) -> bool {
        let own = format!("R{}", self.office.round);
        let first = place.strip_prefix(&own).ok().and_then(|rest| rest.iter().next());
        first.is_some_and(|name| !GIVEN.iter().any(|given| name == *given))
    }

    /// A line of the audit. One that cannot be written is the run's trouble at its next write, not the model's.
    pub(super) fn audit(&self, what: &str, on: &str) {
        let recorded = self.office.audit.record(&self.session, Some(self.office.round), what, on.chars().take(AUDITED).collect::<String>());
        if let Err(error) = recorded {
            tracing::warn!(%error, "the audit has no line of an access");
        }
    }
}

/// Steps of a trace that fit into one result.
#[derive(Default)]
struct Page {
    text: String,
    letters: usize,
    /// The step that is read, and its lines so far.
    step: u32,
    lines: Vec<String>,
    /// The first step that is left for another call.
    rest: Option<u32>,
}

impl Page {
    fn add(&mut self, step: u32, line: String) {
        if step != self.step {
            self.turn();
            self.step = step;
        }
        if self.rest.is_none() {
            self.lines.push(line);
        }
    }

    /// A step goes on the page whole or is left for another call; the first of a page is made to fit.
    fn turn(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let letters: usize = lines.iter().map(|line| line.chars().count()).sum();
        if self.letters > 0 && self.letters + letters > TRACE {
            self.rest.get_or_insert(self.step);
            return;
        }
        let most = if letters > TRACE { TRACE / lines.len() } else { letters };
        for line in lines {
            if line.chars().count() > most {
                self.text.extend(line.chars().take(most.saturating_sub(2)));
                self.text.push_str("…\n");
            } else {
                self.text.push_str(&line);
            }
        }
        self.letters += letters.min(TRACE);
    }

    fn ended(mut self, end: &str) -> String {
        self.turn();
        if let Some(step) = self.rest {
            _ = writeln!(self.text, "[cut here: ask from step {step} for the rest]");
        }
        self.text + end
    }
}

/// Names, a line each.
fn listed(names: &[String]) -> String {
    if names.is_empty() { "[nothing there]".to_owned() } else { names.join("\n") }
}

/// A whole visible trace as it happened, in words.
///
/// # Errors
/// A trace that cannot be read.
pub fn transcript(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    each_line(path, |line| shown(line, &mut text))?;
    Ok(text)
}

fn each_line(path: &Path, mut visit: impl FnMut(&TraceLine<'_>)) -> Result<(), String> {
    // Where the run lies is nothing that a model needs to know.
    let broken = |_| "the trace cannot be read".to_owned();
    let mut reader = TraceReader::open(path).map_err(broken)?;
    let read = read_trace_lines(&mut reader, |line, _| {
        visit(line);
        Ok(())
    });
    read.map_err(broken)
}

/// The texts of a line that a model or an environment wrote.
fn texts(line: &TraceLine<'_>) -> Vec<String> {
    let raw = |raw: &RawValue| raw.get().to_owned();
    let call = line.call.as_ref().map(|call| raw(call.arguments));
    let result = line.result.as_ref().map(|result| result.text.clone().into_owned());
    [line.text.as_ref().map(|text| text.clone().into_owned()), call, result].into_iter().flatten().collect()
}

/// The words with what stands around them, on one line.
fn around(text: &str, wanted: &str) -> Option<String> {
    let letters: Vec<char> = text.chars().collect();
    let lower: String = letters.iter().map(|letter| letter.to_lowercase().next().unwrap_or(*letter)).collect();
    let at = lower[..lower.find(wanted)?].chars().count();
    let from = at.saturating_sub(AROUND);
    let to = (at + wanted.chars().count() + AROUND).min(letters.len());
    Some(letters[from..to].iter().collect::<String>().replace(['\n', '\r'], " "))
}

/// One line of a trace, for a model.
fn shown(line: &TraceLine<'_>, text: &mut String) {
    let cut = |text: &str| text.chars().take(LINE).collect::<String>();
    let step = line.step;
    match &*line.record {
        "episode" => _ = writeln!(text, "task: {}", cut(line.task_text.as_deref().unwrap_or_default())),
        "reply" => _ = writeln!(text, "[{step}] model: {}", cut(line.text.as_deref().unwrap_or_default())),
        "tool" => {
            let (call, result) = (line.call.as_ref(), line.result.as_ref());
            let called = call.map_or_else(String::new, |call| format!("{} {}", call.name, cut(call.arguments.get())));
            let came = result.map_or_else(String::new, |result| cut(&result.text));
            _ = writeln!(text, "[{step}] {called}\n     → {came}");
            if let Some(actions) = &line.actions {
                _ = writeln!(text, "     actions now: {}", cut(&actions.join(" | ")));
            }
        }
        "trigger" => _ = writeln!(text, "[{step}] {} acted", line.processor.as_deref().unwrap_or("a processor")),
        "outcome" => _ = writeln!(text, "outcome: {}", line.outcome.as_deref().unwrap_or("unknown")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Page, RESULT, around};

    #[test]
    fn a_page_holds_whole_steps_and_says_where_it_goes_on() {
        let line = |letters: usize| format!("{}\n", "ä".repeat(letters));
        let mut page = Page::default();
        page.add(1, line(6_000));
        page.add(2, line(3_000));
        page.add(2, line(3_000));
        page.add(3, line(10));
        assert_eq!(page.ended("outcome: failed\n"), line(6_000) + "[cut here: ask from step 2 for the rest]\noutcome: failed\n");
        let mut page = Page::default();
        (0..9).for_each(|_| page.add(4, line(3_000)));
        page.add(5, line(10));
        let text = page.ended("");
        assert!(text.chars().count() < RESULT && text.matches('…').count() == 9, "all of a long step is shown in part");
        assert!(text.ends_with("[cut here: ask from step 5 for the rest]\n"));
    }

    #[test]
    fn words_are_found_whatever_their_case() {
        assert_eq!(around("You see a MUG 1.\nIt is empty", "mug 1").unwrap(), "You see a MUG 1. It is empty");
        assert_eq!(around("nothing", "mug"), None);
        assert!(around(&format!("{}mug{}", "ä".repeat(500), "ß".repeat(500)), "mug").unwrap().chars().count() <= 163);
    }
}
