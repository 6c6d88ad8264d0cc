//! Arguments of command tools: a small part of JSON Schema, checked before a harness may run and before each call, and the places in a command
//! line that they fill. An argument never becomes more than one word, unless it is a list that stands alone.

use crate::domain::message::check_depth;
use serde_json::{Map, Value};

/// Types of JSON Schema.
const TYPES: [&str; 7] = ["string", "integer", "number", "boolean", "array", "object", "null"];

/// Names that argv and stdin may always have places for: what they stand for is no call's to choose, so no argument bears them.
pub(super) const STANDING: [&str; 2] = ["tools", "workspace"];

/// Whether a schema describes an object of named arguments.
///
/// # Errors
/// The key at fault, if one is, and what is wrong.
pub(super) fn check_schema(schema: &Value) -> Result<(), (Option<String>, String)> {
    let fault = |key: &str, message: String| Err((Some(key.to_owned()), message));
    let Some(object) = schema.as_object() else { return Err((None, "it must be a table".to_owned())) };
    check_depth(schema).map_err(|problem| (None, problem))?;
    if object.get("type").and_then(Value::as_str) != Some("object") {
        return fault("type", "type must be \"object\"".to_owned());
    }
    let Some(properties) = object.get("properties").and_then(Value::as_object) else {
        return fault("properties", "properties must be a table".to_owned());
    };
    for (name, property) in properties {
        if !is_name(name) {
            return fault(name, format!("{name:?}: names of arguments are letters, digits and `_`"));
        }
        if STANDING.contains(&name.as_str()) {
            return fault(name, format!("{name:?} stands for a folder in every command line: give the argument another name"));
        }
        let Some(property) = property.as_object() else { return fault(name, format!("{name}: it must be a table")) };
        match property.get("type") {
            Some(Value::String(kind)) if TYPES.contains(&kind.as_str()) => {}
            Some(kind) => return fault(&format!("properties.{name}"), format!("{name}: unknown type {kind}; known: {}", TYPES.join(", "))),
            None if property.contains_key("enum") => {}
            None => return fault(name, format!("{name}: needs a type")),
        }
        if property.get("enum").is_some_and(|options| options.as_array().is_none_or(Vec::is_empty)) {
            return fault(name, format!("{name}: enum must be a list that is not empty"));
        }
    }
    match object.get("required") {
        None => Ok(()),
        Some(Value::Array(names)) => match names.iter().find(|name| name.as_str().is_none_or(|name| !properties.contains_key(name))) {
            None => Ok(()),
            Some(name) => fault("required", format!("required names {name}, which properties does not have")),
        },
        Some(_) => fault("required", "required must be a list of names".to_owned()),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// Whether the arguments of a call fit; a sentence for the model if not.
///
/// # Errors
/// What does not fit.
pub fn check_arguments(schema: &Value, arguments: &Value) -> Result<(), String> {
    let Some(given) = arguments.as_object() else { return Err("The arguments must be a JSON object.".to_owned()) };
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let required = schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if let Some(name) = required.iter().filter_map(Value::as_str).find(|name| !given.contains_key(*name)) {
        return Err(format!("The argument {name:?} is missing."));
    }
    for (name, value) in given {
        let Some(property) = properties.get(name) else {
            let names: Vec<&str> = properties.keys().map(String::as_str).collect();
            return Err(format!("There is no argument {name:?}. Arguments: {}.", names.join(", ")));
        };
        if let Some(kind) = property.get("type").and_then(Value::as_str).filter(|kind| !is_of(value, kind)) {
            return Err(format!("The argument {name:?} must be of type {kind}."));
        }
        if let Some(options) = property.get("enum").and_then(Value::as_array).filter(|options| !options.contains(value)) {
            return Err(format!("The argument {name:?} must be one of {}.", Value::Array(options.clone())));
        }
    }
    Ok(())
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    }
}

/// The names between braces in a text; braces around anything but a name are only braces.
pub(super) fn places(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).filter(|name| is_name(name))
}

/// Fills the places of a command line. A word whose argument is not given is left out.
pub fn fill(words: &[String], value_of: &dyn Fn(&str) -> Option<Value>) -> Vec<String> {
    let mut filled = Vec::new();
    for word in words {
        let alone = places(word).next().filter(|name| word.len() == name.len() + 2);
        match alone.map(value_of) {
            Some(Some(Value::Array(items))) => filled.extend(items.iter().map(text_of)),
            Some(Some(value)) => filled.push(text_of(&value)),
            Some(None) => {}
            None => filled.extend(fill_text(word, value_of)),
        }
    }
    filled
}

/// Fills the places of one text; `None` if an argument is not given. What is filled in is not looked through again.
pub(super) fn fill_text(text: &str, value_of: &dyn Fn(&str) -> Option<Value>) -> Option<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some((name, after)) = rest[1..].split_once('}').filter(|(name, _)| is_name(name)) {
            filled.push_str(&text_of(&value_of(name)?));
            rest = after;
        } else {
            filled.push('{');
            rest = &rest[1..];
        }
    }
    filled.push_str(rest);
    Some(filled)
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_stay_single_words() {
        let arguments = json!({ "a": "x; rm -rf {b}", "list": ["1", "2 3"], "n": 4 });
        let words: Vec<String> = ["p", "{a}", "-n={n}", "{list}", "--gone={gone}", "{gone}", "{print $1}"].map(String::from).to_vec();
        let filled = fill(&words, &|name| arguments.get(name).cloned());
        assert_eq!(filled, ["p", "x; rm -rf {b}", "-n=4", "1", "2 3", "{print $1}"]);
    }

    #[test]
    fn calls_are_checked_before_they_run() {
        let schema = json!({ "type": "object", "properties": { "a": { "type": "string" }, "b": { "enum": [1, 2] } }, "required": ["a"] });
        assert!(check_arguments(&schema, &json!({ "a": "x", "b": 2 })).is_ok());
        for bad in [json!({}), json!([]), json!({ "a": 1 }), json!({ "a": "x", "b": 3 }), json!({ "a": "x", "c": 3 })] {
            assert!(check_arguments(&schema, &bad).is_err(), "{bad}");
        }
    }
}
