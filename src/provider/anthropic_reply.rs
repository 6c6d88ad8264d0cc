//! Replies in the form of Anthropic messages, whole or as a stream.

use super::anthropic::{FORM_TOOL, is_wrapped};
use super::decoded::{DecodeError, Decoded, RawCall, RawUsage};
use crate::domain::request::{Decision, Finish};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    content: Vec<Block>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    usage: WireUsage,
    #[serde(default)]
    error: Option<Reported>,
}

#[derive(Deserialize)]
struct Block {
    r#type: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    input: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
struct WireUsage {
    #[serde(default, rename = "input_tokens")]
    fresh: Option<u64>,
    #[serde(default, rename = "cache_read_input_tokens")]
    cached: Option<u64>,
    #[serde(default, rename = "cache_creation_input_tokens")]
    written: Option<u64>,
    #[serde(default, rename = "output_tokens")]
    output: Option<u64>,
}

#[derive(Deserialize)]
struct Reported {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Event {
    r#type: String,
    #[serde(default)]
    index: usize,
    #[serde(default)]
    message: Option<Answer>,
    #[serde(default)]
    content_block: Option<Block>,
    #[serde(default)]
    delta: Option<Delta>,
    #[serde(default)]
    usage: WireUsage,
    #[serde(default)]
    error: Option<Reported>,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    text: String,
    #[serde(default)]
    partial_json: String,
    #[serde(default)]
    stop_reason: Option<String>,
}

/// Reads a whole answer.
pub fn whole(bytes: &[u8], decision: &Decision) -> Result<Decoded, DecodeError> {
    let answer: Answer = serde_json::from_slice(bytes).map_err(|error| DecodeError::malformed(&error))?;
    let mut pieces = Pieces::default();
    pieces.answer(answer)?;
    pieces.finish(decision)
}

/// Puts the pieces of a stream together.
#[derive(Debug, Default)]
pub struct Pieces {
    decoded: Decoded,
    /// For each block of the stream, the tool call it is, if it is one.
    blocks: Vec<Option<usize>>,
    is_done: bool,
}

impl Pieces {
    /// Takes the data of one event; `true` when the stream has said that it is over.
    pub fn event(&mut self, data: &str) -> Result<bool, DecodeError> {
        let event: Event = serde_json::from_str(data).map_err(|error| DecodeError::malformed(&error))?;
        match event.r#type.as_str() {
            "message_start" => {
                if let Some(answer) = event.message {
                    self.answer(answer)?;
                }
            }
            "content_block_start" => {
                if let Some(block) = event.content_block {
                    self.block(block);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = event.delta {
                    self.delta(event.index, &delta);
                }
            }
            "message_delta" => {
                self.usage(&event.usage);
                self.stop(event.delta.and_then(|delta| delta.stop_reason));
            }
            "error" => return Err(reported(event.error)),
            "message_stop" => return Ok(true),
            _ => {}
        }
        Ok(false)
    }

    fn answer(&mut self, answer: Answer) -> Result<(), DecodeError> {
        if answer.error.is_some() {
            return Err(reported(answer.error));
        }
        self.decoded.served_by = answer.model;
        self.usage(&answer.usage);
        answer.content.into_iter().for_each(|block| self.block(block));
        self.stop(answer.stop_reason);
        Ok(())
    }

    fn block(&mut self, block: Block) {
        match block.r#type.as_str() {
            "tool_use" => {
                // A stream opens a call with empty input and sends the text of it after; an empty object is what no text stands for.
                let arguments = block.input.map(|input| input.get().to_owned()).filter(|text| text != "{}").unwrap_or_default();
                self.blocks.push(Some(self.decoded.calls.len()));
                self.decoded.calls.push(RawCall { id: block.id, name: block.name, arguments });
            }
            "text" => {
                self.blocks.push(None);
                self.decoded.text.push_str(&block.text);
            }
            _ => self.blocks.push(None),
        }
    }

    fn delta(&mut self, index: usize, delta: &Delta) {
        self.decoded.text.push_str(&delta.text);
        let call = self.blocks.get(index).copied().flatten().and_then(|call| self.decoded.calls.get_mut(call));
        if let Some(call) = call {
            call.arguments.push_str(&delta.partial_json);
        }
    }

    /// Counts in later events replace earlier ones; what an event leaves out stays.
    fn usage(&mut self, usage: &WireUsage) {
        let known = self.decoded.usage;
        self.decoded.usage = RawUsage {
            fresh: usage.fresh.unwrap_or(known.fresh),
            cached: usage.cached.unwrap_or(known.cached),
            written: usage.written.unwrap_or(known.written),
            output: usage.output.unwrap_or(known.output),
        };
    }

    fn stop(&mut self, reason: Option<String>) {
        let Some(reason) = reason else { return };
        self.is_done = true;
        self.decoded.finish = match reason.as_str() {
            "max_tokens" | "model_context_window_exceeded" => Finish::Length,
            "tool_use" => Finish::ToolCalls,
            "refusal" => Finish::Refusal,
            _ => Finish::Stop,
        };
    }

    /// The reply, if the answer came to its end; a call of the form tool becomes its text.
    pub fn finish(mut self, decision: &Decision) -> Result<Decoded, DecodeError> {
        if !self.is_done {
            return Err(DecodeError::Malformed("it ended without a stop reason".to_owned()));
        }
        let is_bare = match decision {
            Decision::Free => return Ok(self.decoded),
            Decision::Choice { .. } => true,
            Decision::Schema { schema } => !is_wrapped(schema),
        };
        if let Some(call) = self.decoded.calls.iter().find(|call| call.name == FORM_TOOL) {
            let inner = if is_bare { None } else { serde_json::from_str::<Wrapped>(&call.arguments).ok() };
            self.decoded.text = inner.map_or_else(|| call.arguments.clone(), |inner| inner.value.get().to_owned());
            self.decoded.calls.clear();
            if self.decoded.finish == Finish::ToolCalls {
                self.decoded.finish = Finish::Stop;
            }
        }
        Ok(self.decoded)
    }
}

/// A reply whose schema is not an object's.
#[derive(Deserialize)]
struct Wrapped {
    value: Box<RawValue>,
}

fn reported(error: Option<Reported>) -> DecodeError {
    DecodeError::Reported(error.map_or_else(|| "an error".to_owned(), |error| format!("{}: {}", error.r#type, error.message)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::request::ScoreRule;

    #[test]
    fn a_whole_answer_is_read() {
        let bytes = br#"{"model":"c","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"ok"},
            {"type":"tool_use","id":"t","name":"echo","input":{"x":1}}],"stop_reason":"tool_use",
            "usage":{"input_tokens":10,"cache_read_input_tokens":90,"cache_creation_input_tokens":5,"output_tokens":4}}"#;
        let decoded = whole(bytes, &Decision::Free).unwrap();
        assert_eq!((decoded.text.as_str(), decoded.calls[0].arguments.as_str()), ("ok", "{\"x\":1}"));
        assert_eq!(decoded.usage, RawUsage { fresh: 10, cached: 90, written: 5, output: 4 });
        assert_eq!(decoded.finish, Finish::ToolCalls);
    }

    #[test]
    fn a_forced_form_becomes_the_text() {
        let bytes = |input: &str| {
            format!(r#"{{"content":[{{"type":"tool_use","id":"t","name":"reply","input":{input}}}],"stop_reason":"tool_use"}}"#)
        };
        let choice = Decision::Choice { options: vec!["go".into()], score: ScoreRule::Mean };
        let decoded = whole(bytes(r#"{"choice":"go"}"#).as_bytes(), &choice).unwrap();
        assert_eq!((decoded.text.as_str(), decoded.calls.len(), decoded.finish), (r#"{"choice":"go"}"#, 0, Finish::Stop));
        let list = Decision::Schema { schema: serde_json::json!({"type": "array"}) };
        assert_eq!(whole(bytes(r#"{"value":[1, 2]}"#).as_bytes(), &list).unwrap().text, "[1, 2]");
    }

    #[test]
    fn a_stream_is_put_together_and_must_end() {
        let mut pieces = Pieces::default();
        for data in [
            r#"{"type":"message_start","message":{"model":"c","content":[],"stop_reason":null,"usage":{"input_tokens":9,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hey"}}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"echo","input":{}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"x\""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":":1}"}}"#,
        ] {
            assert!(!pieces.event(data).unwrap());
        }
        pieces.event(r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":12}}"#).unwrap();
        assert!(pieces.event(r#"{"type":"message_stop"}"#).unwrap());
        let decoded = pieces.finish(&Decision::Free).unwrap();
        assert_eq!((decoded.text.as_str(), decoded.calls[0].arguments.as_str()), ("Hey", "{\"x\":1}"));
        assert_eq!((decoded.usage.fresh, decoded.usage.output), (9, 12));
        assert!(Pieces::default().finish(&Decision::Free).is_err());
        let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#;
        assert!(matches!(Pieces::default().event(overloaded), Err(DecodeError::Reported(_))));
    }
}
