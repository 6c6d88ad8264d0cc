//! Settings as given by flags and the environment (`cli.md`): tables, not yet typed.

use super::Shared;
use super::failure::Failure;
use super::settings::{all_keys, merge};

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

/// `HARNESSX_BENCH=shop` and so on, for the keys with plain values.
pub(super) fn from_environment() -> toml::Table {
    let plain = all_keys().filter(|key| !["sampling", "models", "model"].contains(key));
    let mut table: toml::Table = plain
        .filter_map(|key| {
            let value = std::env::var(format!("HARNESSX_{}", key.to_uppercase())).ok()?;
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

/// Flags, `--set` last.
pub(super) fn from_flags(shared: &Shared) -> Result<toml::Table, Failure> {
    let mut table = toml::Table::new();
    let mut put = |key: &str, value: Option<toml::Value>| {
        if let Some(value) = value {
            table.insert(key.to_owned(), value);
        }
    };
    let number = |key: &str, number: Option<u64>| -> Result<Option<toml::Value>, Failure> {
        let bad = |_| Failure::settings(format!("read {key}: {} is not within 0 to {}", number.unwrap_or_default(), i64::MAX));
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
    let mut roles = toml::Table::new();
    for spec in &shared.model {
        let (role, spec) = match spec.split_once('=') {
            Some((role, spec)) if ["main", "judge", "meta", "user"].contains(&role) => (role, spec),
            _ => ("main", spec.as_str()),
        };
        roles.insert(role.to_owned(), spec.into());
    }
    if !roles.is_empty() {
        table.insert("model".to_owned(), roles.into());
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
