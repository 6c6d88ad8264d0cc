//! Settings as given by flags and the environment (`cli.md`): tables, not yet typed.

use super::Shared;
use super::failure::{Exit, Failure};
use super::settings::{all_keys, merge};
use crate::domain::nearest::did_you_mean;
use crate::domain::request::ModelRole;

/// Keys whose values are text, even where they look like a number or truth value.
const TEXTS: [&str; 13] = [
    "run",
    "bench",
    "harness",
    "split",
    "tasks",
    "max_time",
    "sandbox",
    "profile",
    "engine",
    "engine_command",
    "meta_harness",
    "mode",
    "approve",
];

/// The same within an entry of `models`.
const ENTRY_TEXTS: [&str; 4] = ["base_url", "api", "model", "api_key_env"];

/// What the names of our variables begin with.
const PREFIX: &str = "HARNESSX_";

/// Variables of ours that are no settings: of logs, of weights, of crash tests, and of benches and tests.
const NO_SETTINGS: [&str; 8] = ["LOG", "SMOLLM2", "FAIL_AFTER", "EVERY_WRITE", "MOCK_LLM", "MCP_PYTHON", "SHARED_DATA", "EXAMPLE_USAGE"];

/// The same with any ending: keys of servers of tools.
const TOOL_KEYS: &str = "TOOL_KEY_";

/// Keys whose values are tables, which no variable holds.
const TABLES: [&str; 2] = ["sampling", "models"];

/// `HARNESSX_BENCH=shop` and so on, for the keys with plain values. A variable of ours that is none of these is an error.
pub(super) fn from_environment() -> Result<toml::Table, Failure> {
    let known: Vec<String> = all_keys().filter(|key| !TABLES.contains(key)).map(str::to_uppercase).collect();
    let names = std::env::vars_os().filter_map(|(name, _)| Some(name.to_str()?.strip_prefix(PREFIX)?.to_owned()));
    let is_known = |name: &String| known.contains(name) || NO_SETTINGS.contains(&name.as_str()) || name.starts_with(TOOL_KEYS);
    if let Some(name) = names.filter(|name| !is_known(name)).min() {
        let hint = did_you_mean(&name, known.iter().map(String::as_str).chain(NO_SETTINGS)).replacen('"', "\"HARNESSX_", 1);
        return Err(Failure::settings(format!("read settings from environment: unknown variable {PREFIX}{name}; {hint}")));
    }
    Ok(plain_from_environment())
}

fn plain_from_environment() -> toml::Table {
    let plain = all_keys().filter(|key| !TABLES.contains(key) && *key != "model");
    let mut table: toml::Table = plain
        .filter_map(|key| {
            let value = std::env::var(format!("{PREFIX}{}", key.to_uppercase())).ok()?;
            Some((key.to_owned(), plain_value(key, &value)))
        })
        .collect();
    if let Ok(spec) = std::env::var("HARNESSX_MODEL") {
        table.insert("model".to_owned(), toml::Value::Table(toml::Table::from_iter([("main".to_owned(), spec.into())])));
    }
    table
}

/// The value of a key, which may be a path with dots: as TOML where the text is that, else the text.
fn plain_value(key: &str, text: &str) -> toml::Value {
    let holds_text = match key.split('.').collect::<Vec<_>>()[..] {
        [key] => TEXTS.contains(&key),
        ["model", _] => true,
        ["models", _, key] => ENTRY_TEXTS.contains(&key),
        _ => false,
    };
    let parsed: Option<toml::Table> = format!("value = {text}").parse().ok();
    let value = parsed.and_then(|mut table| table.remove("value"));
    value.filter(|value| !holds_text || value.is_str() || value.is_array() || value.is_table()).unwrap_or_else(|| text.into())
}

/// A share from 0 to 1, as an argument.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err("use a share from 0 to 1".into()) }
}

/// An amount of money, as an argument.
pub(super) fn dollars(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if (0.0..=f64::MAX).contains(&value) { Ok(value) } else { Err("use a number of US dollars from 0".into()) }
}

/// Names of the roles that a model may play.
fn roles() -> impl Iterator<Item = &'static str> {
    ModelRole::ALL.into_iter().map(ModelRole::as_str)
}

/// Flags, `--set` last.
pub(super) fn from_flags(shared: &Shared) -> Result<toml::Table, Failure> {
    let mut table = toml::Table::new();
    let mut put = |key: &str, value: Option<toml::Value>| {
        if let Some(value) = value {
            table.insert(key.to_owned(), value);
        }
    };
    let number = |key: &str, number: Option<u64>| -> Result<Option<toml::Value>, Failure> {
        let bad = |_| Failure::new(Exit::Usage, format!("read {key}: {} is not within 0 to {}", number.unwrap_or_default(), i64::MAX));
        Ok(number.map(i64::try_from).transpose().map_err(bad)?.map(toml::Value::Integer))
    };
    put("run", shared.run.as_ref().map(|dir| dir.display().to_string().into()));
    put("bench", shared.bench.clone().map(Into::into));
    put("harness", shared.harness.clone().map(Into::into));
    put("split", shared.split.clone().map(Into::into));
    put("tasks", shared.tasks.clone().map(Into::into));
    put("limit", number("limit", shared.limit)?);
    put("rollouts", number("rollouts", shared.rollouts)?);
    put("jobs", number("jobs", shared.jobs)?);
    put("seed", number("seed", shared.seed)?);
    put("max_cost", shared.max_cost.map(Into::into));
    put("max_tokens", number("max_tokens", shared.max_tokens)?);
    put("max_time", shared.max_time.clone().map(Into::into));
    put("sandbox", shared.sandbox.clone().map(Into::into));
    let mut models = toml::Table::new();
    for spec in &shared.model {
        let (role, spec) = match spec.split_once('=') {
            Some((role, spec)) if roles().any(|known| known == role) => (role, spec),
            // In a name or path an equals sign is only itself.
            Some((role, _)) if !role.contains([':', '/']) => {
                let problem = format!("read --model {spec}: unknown role {role:?}; roles are {}", roles().collect::<Vec<_>>().join(", "));
                return Err(Failure::new(Exit::Usage, problem));
            }
            Some(_) | None => ("main", spec.as_str()),
        };
        models.insert(role.to_owned(), spec.into());
    }
    if !models.is_empty() {
        table.insert("model".to_owned(), models.into());
    }
    for entry in &shared.set {
        let (key, value) = entry.split_once('=').ok_or_else(|| Failure::settings(format!("read --set {entry:?}: it needs KEY=VALUE")))?;
        let mut parts = key.split('.').rev();
        let last = parts.next().unwrap_or(key);
        let mut nested = toml::Table::from_iter([(last.to_owned(), plain_value(key, value))]);
        for part in parts {
            nested = toml::Table::from_iter([(part.to_owned(), nested.into())]);
        }
        for (key, value) in nested {
            merge(&mut table, key, value);
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::settings::{Layered, layered};

    fn set(entry: &str) -> Result<Layered, Failure> {
        layered(&Shared { set: vec![entry.to_owned()], ..Shared::default() })
    }

    #[test]
    fn an_unknown_role_is_named_and_an_equals_sign_in_a_path_is_no_role() {
        let of = |spec: &str| layered(&Shared { model: vec![spec.to_owned()], ..Shared::default() });
        let failure = of("bogus=random").err().unwrap();
        assert_eq!(failure.what, "read --model bogus=random: unknown role \"bogus\"; roles are main, judge, meta, user");
        assert!(of("scripted:a=b.jsonl").is_ok() && of("judge=random").is_ok());
    }

    #[test]
    fn text_stays_text_where_it_looks_like_a_number() {
        assert_eq!(set("max_time=45").unwrap().settings.max_time.as_deref(), Some("45"));
        assert_eq!(set("max_time=\"45\"").unwrap().settings.max_time.as_deref(), Some("45"));
        assert_eq!(set("run=007").unwrap().settings.run, Some("007".into()));
        assert_eq!(plain_value("run", "2026"), "2026".into(), "as the environment has it");
        let nested = ["model.main", "models.mine.base_url", "models.mine.api", "models.mine.model", "models.mine.api_key_env"];
        for key in all_keys().filter(|key| !["model", "models", "sampling"].contains(key)).chain(nested) {
            for value in ["45", "true", "1.5"] {
                let said = set(&format!("{key}={value}")).err().map(|failure| failure.what).unwrap_or_default();
                assert!(!said.contains("expected a string"), "{key}={value}: {said}");
            }
        }
    }
}
