//! Scripts of a harness folder: looked over, with what they say of themselves, and made into processors and tools of one episode.

use super::processor::Dimension;
use crate::domain::event::Hook;
use crate::domain::harness::{Harness, Problem};
use crate::domain::id::{PLAIN_LIMIT, is_plain};
use crate::domain::message::{Arguments, ToolSpec};
use crate::domain::nearest::{did_you_mean, with_nearest};
use crate::script::{Card, Instance, Kind, Pool, Remark, ScriptError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

/// Whether a path names a script.
pub(super) fn is_script(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|end| end == "js")
}

/// A script that passed its check.
#[derive(Clone, Debug)]
pub(super) struct Script {
    path: String,
    source: String,
    /// Hooks it listens to.
    pub(super) hooks: Vec<Hook>,
    /// At most one processor of a group in a harness.
    pub(super) group: Option<String>,
    /// Where it runs when the manifest does not say.
    pub(super) order: i32,
    /// Defaults of its parameters.
    defaults: toml::Table,
}

/// `meta` of a processor.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Meta {
    #[serde(rename = "name")]
    _name: Option<String>,
    group: Option<String>,
    order: i32,
    #[serde(rename = "dimension")]
    _dimension: Option<Dimension>,
    params: toml::Table,
}

/// `meta` of a tool.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolMeta {
    name: String,
    description: String,
    schema: serde_json::Map<String, serde_json::Value>,
}

/// A composed tool that passed its check.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    path: String,
    source: String,
    pub(super) spec: ToolSpec,
}

impl Script {
    /// Looks a processor's script over.
    pub(super) fn of(path: &str, harness: &Harness, pool: &Pool) -> Result<Self, Vec<Problem>> {
        let (source, card) = checked(path, harness, pool, Kind::Processor)?;
        let Meta { group, order, params: defaults, .. } = meta(path, &source, &card)?;
        Ok(Self { path: path.to_owned(), source, hooks: card.hooks, group, order, defaults })
    }

    /// All parameters: those given over the defaults.
    ///
    /// # Errors
    /// A fragment that names a parameter that the script has not, or not of this kind.
    pub(super) fn complete(&self, given: &toml::Table) -> Result<toml::Table, String> {
        let mut all = self.defaults.clone();
        for (key, value) in given {
            let Some(default) = all.get(key) else {
                let hint = if all.is_empty() { "it has none".to_owned() } else { did_you_mean(key, all.keys().map(String::as_str)) };
                return Err(format!("{} has no parameter {key:?}; {hint}", self.path));
            };
            let are_numbers = |value: &toml::Value| value.is_integer() || value.is_float();
            if !(default.same_type(value) || are_numbers(default) && are_numbers(value)) {
                return Err(format!("{}: parameter {key:?} is a {}, its default a {}", self.path, value.type_str(), default.type_str()));
            }
            all.insert(key.clone(), value.clone());
        }
        Ok(all)
    }

    /// An instance for one episode.
    pub(super) fn instance(&self, pool: &Pool, given: &toml::Table) -> Result<Instance, String> {
        let params = serde_json::to_string(&self.complete(given)?).map_err(|error| error.to_string())?;
        Instance::new(pool, &self.path, &self.source, Kind::Processor, &params).map_err(|error| error.to_string())
    }
}

impl Tool {
    /// Whether a file of a harness is a composed tool.
    pub(super) fn is_one(path: &str) -> bool {
        path.starts_with("tools/") && is_script(path)
    }

    /// Looks all composed tools of a harness over.
    pub(super) fn all(harness: &Harness, pool: &dyn Fn() -> Pool) -> Result<Vec<Self>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut tools: BTreeMap<String, Self> = BTreeMap::new();
        for path in harness.files.keys().filter(|path| Self::is_one(path)) {
            match Self::of(path, harness, &pool()) {
                Ok(tool) => {
                    if let Some(other) = tools.insert(tool.spec.name.0.clone(), tool) {
                        problems.push(Problem::at(path, 0, format!("{} is a tool named {:?} too", other.path, other.spec.name.0)));
                    }
                }
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(tools.into_values().collect()) } else { Err(problems) }
    }

    fn of(path: &str, harness: &Harness, pool: &Pool) -> Result<Self, Vec<Problem>> {
        let (source, card) = checked(path, harness, pool, Kind::Tool)?;
        let ToolMeta { name, description, schema } = meta(path, &source, &card)?;
        if !is_plain(&name) {
            let message = format!("meta.name {name:?}: a tool's name has 1 to {PLAIN_LIMIT} letters, digits, _ and -");
            return Err(vec![Problem::at(path, card.meta_at.0 as usize, message)]);
        }
        let schema = Arguments(serde_json::Value::Object(schema));
        Ok(Self { path: path.to_owned(), source, spec: ToolSpec { name: name.as_str().into(), description, schema } })
    }

    /// An instance for one episode.
    pub(super) fn instance(&self, pool: &Pool) -> Result<Instance, String> {
        Instance::new(pool, &self.path, &self.source, Kind::Tool, "{}").map_err(|error| error.to_string())
    }
}

fn meta<M: DeserializeOwned>(path: &str, source: &str, card: &Card) -> Result<M, Vec<Problem>> {
    serde_json::from_value(serde_json::Value::Object(card.meta.clone())).map_err(|error| {
        let message = format!("meta: {}", with_nearest(&error.to_string()));
        vec![problem(path, source, &Remark { line: card.meta_at.0, column: card.meta_at.1, message })]
    })
}

fn checked(path: &str, harness: &Harness, pool: &Pool, kind: Kind) -> Result<(String, Card), Vec<Problem>> {
    let Some(source) = harness.text(path) else {
        return Err(vec![Problem::at(path, 0, "there is no such file in the harness, or it is no text")]);
    };
    let whole = |error: ScriptError| vec![Problem::at(path, 0, error.to_string())];
    match pool.check(path, source, kind).map_err(whole)? {
        Ok(card) => Ok((source.to_owned(), card)),
        Err(remarks) => Err(remarks.iter().map(|remark| problem(path, source, remark)).collect()),
    }
}

/// A remark with the line it is about.
fn problem(path: &str, source: &str, remark: &Remark) -> Problem {
    let line = remark.line.checked_sub(1).and_then(|line| source.lines().nth(line as usize)).map(str::trim).unwrap_or_default();
    let shown: String = line.chars().take(160).collect();
    let message = if shown.is_empty() { remark.message.clone() } else { format!("{}\n      | {shown}", remark.message) };
    Problem { column: remark.column as usize, ..Problem::at(path, remark.line as usize, message) }
}
