//! The two hooks around a tool call, under the same contract as the others (`system.md` §3).

use super::assembly::Station;
use super::episode::{Episode, Stop, not_called};
use super::hooks::attached;
use crate::domain::event::{Action, Event, Hook, Intercept, Replace, Split, ToolResult};
use crate::domain::message::ToolCall;
use crate::domain::trace::ToolSource;

/// Most calls or results that one may be split into.
const CALLS_A_SPLIT: usize = 16;

/// A tool call on its way to the environment.
struct Pending {
    call: ToolCall,
    /// What a processor supplied in its place.
    supplied: Option<ToolResult>,
}

impl Episode<'_, '_> {
    /// One tool call with its two hooks. Split, it is several calls, each with its own result; the model reads them joined.
    pub(super) async fn use_tool(&mut self, stations: &mut [Station], call: &ToolCall) -> Result<(ToolResult, bool), Stop> {
        let mut calls = vec![Pending { call: call.clone(), supplied: None }];
        for station in attached(stations, Hook::BeforeTool) {
            let mut next = Vec::new();
            for pending in calls {
                if pending.supplied.is_some() {
                    next.push(pending);
                } else {
                    next.extend(self.before_tool(station, pending.call).await?);
                }
            }
            if next.len() > CALLS_A_SPLIT {
                return Err(self.blame(station, Hook::BeforeTool, &format!("split one call into more than {CALLS_A_SPLIT}")));
            }
            calls = next;
        }
        let mut results = Vec::new();
        let mut done = false;
        for Pending { call, supplied } in calls {
            if done {
                results.push(not_called());
                continue;
            }
            let result = if let Some(result) = supplied {
                self.record_tool(&call, &result, None, ToolSource::Harness);
                result
            } else {
                let (result, finished) = self.call_tool(&call).await?;
                done = finished;
                result
            };
            results.push(self.after_tool(stations, &call, result).await?);
        }
        Ok((joined(&results), done))
    }

    /// What one processor makes of one call.
    async fn before_tool(&mut self, station: &mut Station, mut call: ToolCall) -> Result<Vec<Pending>, Stop> {
        let mut supplied = None;
        match self.answer(station, &Event::BeforeTool { call: &call }).await? {
            Action::Pass => {}
            Action::Replace(Replace::BeforeTool { arguments }) => {
                self.trigger(station, Hook::BeforeTool, "changed the input".to_owned());
                call.arguments = arguments;
            }
            Action::Split(Split::Calls(parts)) if (1..=CALLS_A_SPLIT).contains(&parts.len()) => {
                self.trigger(station, Hook::BeforeTool, format!("split into {} calls", parts.len()));
                let mut first = Some(call.id);
                let mut part = |(name, arguments)| {
                    let id = first.take().unwrap_or_else(|| self.call_ids.take());
                    Pending { call: ToolCall { id, name, arguments }, supplied: None }
                };
                return Ok(parts.into_iter().map(&mut part).collect());
            }
            Action::Intercept(Intercept::Result(result)) => {
                self.trigger(station, Hook::BeforeTool, "supplied the result".to_owned());
                supplied = Some(result);
            }
            Action::Replace(_) | Action::Split(_) | Action::Intercept(_) | Action::Interrupt { .. } | Action::Ask(_) => {
                return Err(self.forbidden(station, Hook::BeforeTool));
            }
        }
        Ok(vec![Pending { call, supplied }])
    }

    async fn after_tool(&mut self, stations: &mut [Station], call: &ToolCall, mut result: ToolResult) -> Result<ToolResult, Stop> {
        for station in attached(stations, Hook::AfterTool) {
            let actions = self.ground.actions.clone();
            let event = Event::AfterTool { call, result: &result, actions: &actions };
            match self.answer(station, &event).await? {
                Action::Pass => {}
                Action::Replace(Replace::AfterTool { result: new }) => {
                    self.trigger(station, Hook::AfterTool, "changed the result".to_owned());
                    result = new;
                }
                Action::Split(Split::Results(parts)) if (1..=CALLS_A_SPLIT).contains(&parts.len()) => {
                    self.trigger(station, Hook::AfterTool, format!("split into {} results", parts.len()));
                    result = joined(&parts);
                }
                Action::Intercept(Intercept::Hide { marker }) if !marker.trim().is_empty() => {
                    self.trigger(station, Hook::AfterTool, "hid the result".to_owned());
                    result.text = marker;
                }
                Action::Replace(_) | Action::Split(_) | Action::Intercept(_) | Action::Interrupt { .. } | Action::Ask(_) => {
                    return Err(self.forbidden(station, Hook::AfterTool));
                }
            }
        }
        Ok(result)
    }
}

fn joined(results: &[ToolResult]) -> ToolResult {
    let texts: Vec<&str> = results.iter().map(|result| result.text.as_str()).collect();
    ToolResult { text: texts.join("\n\n"), is_error: results.iter().any(|result| result.is_error) }
}
