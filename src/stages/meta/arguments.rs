//! Arguments of the tools that look, and of those that state something short. What has a form of its own elsewhere is read as that.

use super::tool::Tool;
use crate::domain::id::{CandidateId, TaskId};
use crate::domain::message::Arguments;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Folder {
    pub(super) folder: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Excerpt {
    pub(super) path: String,
    pub(super) from: Option<usize>,
    pub(super) lines: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Passage {
    pub(super) trace: String,
    pub(super) from: Option<u32>,
    pub(super) steps: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sought {
    pub(super) words: String,
    pub(super) within: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) path: String,
    pub(super) text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnePath {
    pub(super) path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Justified {
    pub(super) task: TaskId,
    pub(super) why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    pub(super) order: Vec<CandidateId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spoken {
    pub(super) text: String,
}

/// Reads the arguments of a call.
///
/// # Errors
/// What is wrong and what the tool takes, in words for the model.
pub(super) fn read<T: DeserializeOwned>(tool: Tool, arguments: &Arguments) -> Result<T, String> {
    let problem = match &arguments.0 {
        Value::Object(_) => match serde_json::from_value(arguments.0.clone()) {
            Ok(read) => return Ok(read),
            Err(error) => in_plain_words(&error.to_string()),
        },
        Value::String(_) => "they are text that is no JSON object; a quote, a comma or a bracket may be missing".to_owned(),
        Value::Array(_) => "they are a list, and must be a JSON object whose fields have names".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => "they are no JSON object".to_owned(),
    };
    Err(format!("the arguments do not fit: {problem}\n{}", tool.takes()))
}

/// An error of the reader, without the names of our types.
fn in_plain_words(error: &str) -> String {
    let Some((before, after)) = error.split_once("expected struct ") else { return error.to_owned() };
    let rest = after.trim_start_matches(|letter: char| letter.is_alphanumeric() || letter == '_');
    format!("{before}expected an object{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diagnosis::Diagnosis;
    use serde_json::json;

    fn problem<T: DeserializeOwned>(tool: Tool, arguments: Value) -> String {
        read::<T>(tool, &Arguments(arguments)).err().unwrap()
    }

    #[test]
    fn arguments_that_do_not_fit_are_told_what_is_expected() {
        let takes = "write_harness takes a JSON object with path (text) and text (text)";
        for arguments in
            [json!("{\"path\": \"x"), json!(["harness.toml", "x"]), json!(3), json!({"path": "x"}), json!({"path": 1, "text": ""})]
        {
            let told = problem::<Written>(Tool::WriteHarness, arguments);
            assert!(told.starts_with("the arguments do not fit: ") && told.ends_with(takes) && !told.contains("Written"), "{told}");
        }
        assert!(
            problem::<Excerpt>(Tool::ReadHarness, json!([]))
                .ends_with("path (text); if wanted, from (a whole number) and lines (a whole number)")
        );
        let told = problem::<Diagnosis>(Tool::Diagnose, json!({"about": "a", "cause": "c", "bias": "prompt", "evidence": []}));
        assert!(told.contains("expected an object\n") && told.contains("evidence (a list)"), "{told}");
    }
}
