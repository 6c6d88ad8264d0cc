//! The two hooks around a tool call, under the same contract as the others (`system.md` §3).

use super::assembly::Station;
use super::episode::{Episode, Stop};
use super::hooks::attached;
use crate::domain::event::{Action, Event, Hook, Intercept, Replace, Split, ToolResult};
use crate::domain::message::ToolCall;
use crate::domain::trace::Record;

/// Most calls one call may be split into.
const CALLS_A_SPLIT: usize = 16;

impl Episode<'_> {
    /// One tool call with its two hooks.
    pub(super) async fn use_tool(&mut self, stations: &mut [Station], call: &ToolCall) -> Result<(ToolResult, bool), Stop> {
        let mut calls = vec![call.clone()];
        let mut supplied = None;
        for station in attached(stations, Hook::BeforeTool) {
            let first = calls[0].clone();
            match self.answer(station, &Event::BeforeTool { call: &first }).await? {
                Action::Pass => {}
                Action::Replace(Replace::BeforeTool { arguments }) => {
                    self.trigger(station, Hook::BeforeTool, "changed the input".to_owned());
                    calls[0].arguments = arguments;
                }
                Action::Split(Split::Calls(parts)) if (1..=CALLS_A_SPLIT).contains(&parts.len()) => {
                    self.trigger(station, Hook::BeforeTool, format!("split into {} calls", parts.len()));
                    calls = parts.into_iter().map(|(name, arguments)| ToolCall { id: first.id.clone(), name, arguments }).collect();
                }
                Action::Intercept(Intercept::Result(result)) => {
                    self.trigger(station, Hook::BeforeTool, "supplied the result".to_owned());
                    supplied = Some(result);
                    break;
                }
                Action::Replace(_) | Action::Split(_) | Action::Intercept(_) | Action::Interrupt { .. } | Action::Ask(_) => {
                    return Err(self.forbidden(station, Hook::BeforeTool));
                }
            }
        }
        let (mut result, mut done) = match supplied {
            Some(result) => {
                let record = Record::Tool { step: self.step, call: calls[0].clone(), result: result.clone(), actions: None };
                self.trace.write(&record);
                (result, false)
            }
            None => self.call_world(&calls[0])?,
        };
        for call in calls.iter().skip(1) {
            if done {
                break;
            }
            let (more, finished) = self.call_world(call)?;
            result = joined(&[result, more]);
            done = finished;
        }
        let result = self.after_tool(stations, &calls[0], result).await?;
        Ok((result, done))
    }

    async fn after_tool(&mut self, stations: &mut [Station], call: &ToolCall, mut result: ToolResult) -> Result<ToolResult, Stop> {
        for station in attached(stations, Hook::AfterTool) {
            let actions = self.actions.clone();
            let event = Event::AfterTool { call, result: &result, actions: &actions };
            match self.answer(station, &event).await? {
                Action::Pass => {}
                Action::Replace(Replace::AfterTool { result: new }) => {
                    self.trigger(station, Hook::AfterTool, "changed the result".to_owned());
                    result = new;
                }
                Action::Split(Split::Results(parts)) if !parts.is_empty() => {
                    self.trigger(station, Hook::AfterTool, format!("split into {} results", parts.len()));
                    result = joined(&parts);
                }
                Action::Intercept(Intercept::Hide { marker }) => {
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
