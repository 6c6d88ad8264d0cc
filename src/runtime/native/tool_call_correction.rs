//! Mends tool calls that are nearly right: arguments as a text of JSON, code fences, misspelt names, a call written out as text.

use crate::domain::event::{Action, Event, Hook, Replace, Scene};
use crate::domain::harness::Harness;
use crate::domain::id::{CallId, ToolName};
use crate::domain::message::{Arguments, ToolCall, ToolSpec};
use crate::domain::nearest::distance;
use crate::domain::request::{Finish, Reply};
use crate::runtime::native::fence::{first_fenced, unfenced};
use crate::runtime::native::pattern::within;
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "tool_call_correction",
    behaviour: 1,
    group: Some("tool_call_correction"),
    hooks: &[Hook::AfterModel],
    dimension: Dimension::Tools,
    summary: "Mends tool calls: arguments as text of JSON, code fences, misspelt names, calls written as text.",
    build,
    complete: complete_params::<Params>,
};

/// Longest name that is compared with others, in bytes.
const NAME_BYTES: usize = 64;

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Read arguments that are a text of JSON, with or without a code fence.
    arguments: bool,
    /// Letters by which a name may differ from that of a tool (insertions, deletions, changes), 0 to 8; 0 mends only case and
    /// `-`, `_`, `.` and blanks. The nearest tool is taken, unless two are equally near.
    distance: usize,
    /// Read a call `{"name": …, "arguments": …}` from the text of a reply without tool calls.
    from_text: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self { arguments: true, distance: 2, from_text: false }
    }
}

struct ToolCallCorrection {
    params: Params,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("distance", params.distance, 0, 8)?;
    Ok(Box::new(ToolCallCorrection { params }))
}

/// The object written in a text.
fn object_in(text: &str) -> Option<Value> {
    serde_json::from_str::<Value>(unfenced(text)).ok().filter(Value::is_object)
}

/// A name without what models confuse.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl ToolCallCorrection {
    /// The tool that was meant; none where the name is right or nobody can tell.
    fn meant(&self, name: &str, tools: &[ToolSpec]) -> Option<ToolName> {
        if name.len() > NAME_BYTES || tools.iter().any(|tool| tool.name.as_str() == name) {
            return None;
        }
        let wanted = plain(name);
        let mut near: Vec<(usize, &ToolName)> = tools
            .iter()
            .map(|tool| (distance(&wanted, &plain(tool.name.as_str())), &tool.name))
            .filter(|(apart, tool)| *apart <= self.params.distance && *apart < tool.as_str().chars().count())
            .collect();
        near.sort_by_key(|(apart, _)| *apart);
        match near.as_slice() {
            [(best, _), (second, _), ..] if best == second => None,
            [(_, tool), ..] => Some((*tool).clone()),
            [] => None,
        }
    }

    fn mended(&self, call: &ToolCall, tools: &[ToolSpec]) -> ToolCall {
        let mut call = call.clone();
        if let Some(name) = self.meant(call.name.as_str(), tools) {
            call.name = name;
        }
        if self.params.arguments
            && let Some(object) = call.arguments.0.as_str().and_then(object_in)
        {
            call.arguments = Arguments(object);
        }
        call
    }

    /// The call that a text writes out; only of a tool that there is.
    fn written(&self, text: &str, scene: &Scene<'_>) -> Option<ToolCall> {
        let mut value = object_in(text).or_else(|| first_fenced(text).and_then(object_in))?;
        let name = ToolName(value.get("name")?.as_str()?.to_owned());
        let arguments = Arguments(value.get_mut("arguments")?.take());
        let call = ToolCall { id: CallId(format!("text-{}", scene.step)), name, arguments };
        let call = self.mended(&call, scene.tools);
        (scene.tools.iter().any(|tool| tool.name == call.name) && call.arguments.0.is_object()).then_some(call)
    }
}

impl Processor for ToolCallCorrection {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        let Event::AfterModel { reply, .. } = event else { return Ok(Action::Pass) };
        let mut tool_calls: Vec<ToolCall> = reply.tool_calls.iter().map(|call| self.mended(call, scene.tools)).collect();
        if tool_calls.is_empty() && self.params.from_text {
            tool_calls.extend(self.written(&reply.text, scene));
        }
        if tool_calls == reply.tool_calls {
            return Ok(Action::Pass);
        }
        let reply = Box::new(Reply { tool_calls, finish: Finish::ToolCalls, ..(*reply).clone() });
        Ok(Action::Replace(Replace::AfterModel { reply: Some(reply), again: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, reply, tool};

    fn calls(drive: &mut Drive, reply: &Reply) -> Vec<ToolCall> {
        let action = drive.on(&Event::AfterModel { reply, actions: &[], calls: 1, is_final: false });
        let Action::Replace(Replace::AfterModel { reply: Some(reply), again: None }) = action else { return Vec::new() };
        reply.tool_calls
    }

    fn drive(params: &str) -> Drive {
        let mut drive = Drive::new(&NATIVE, params);
        drive.tools = vec![tool("read_file"), tool("write_file"), tool("x")];
        drive
    }

    fn asking(name: &str, arguments: Value) -> Reply {
        let call = ToolCall { id: CallId::from("c"), name: name.into(), arguments: Arguments(arguments) };
        Reply { tool_calls: vec![call], ..reply("") }
    }

    #[test]
    fn names_and_arguments_are_mended() {
        let mended = calls(&mut drive(""), &asking("Read-Fil", "```json\n{\"path\": \"a\"}\n```".into()));
        assert_eq!(mended[0].name.as_str(), "read_file");
        assert_eq!(mended[0].arguments.field("path"), Some("a"));
        assert!(calls(&mut drive(""), &asking("read_file", serde_json::json!({}))).is_empty());
        assert!(calls(&mut drive(""), &asking("yz", "no".into())).is_empty());
    }

    #[test]
    fn calls_written_as_text_are_read_when_asked() {
        let said = reply("I will.\n```json\n{\"name\": \"write_file\", \"arguments\": {\"path\": \"a\"}}\n```");
        assert!(calls(&mut drive(""), &said).is_empty());
        assert_eq!(calls(&mut drive("from_text = true"), &said)[0].name.as_str(), "write_file");
        assert!(calls(&mut drive("from_text = true"), &reply("{\"name\": \"fly\", \"arguments\": {}}")).is_empty());
    }

    #[test]
    fn distances_count_edits() {
        assert_eq!((distance("kitten", "sitting"), distance("", "ab"), distance("a", "a")), (3, 2, 0));
    }
}
