//! Who proposes, in the settings of a run: free between rounds, and kept where a command says nothing of it. So is the model that only the
//! meta-agent speaks to. Everything else of a loop is frozen in `run.toml`.

use super::failure::Failure;
use super::loop_settings::PROPOSING;
use crate::domain::engine::Engines;
use crate::store::record::frozen;
use std::collections::BTreeMap;
use std::path::Path;

/// A key of a run's settings, wherever it stands: runs of an older version have those of [`PROPOSING`] among the fixed ones.
fn of_run(run: &toml::Table, key: &str) -> Option<toml::Value> {
    ["free", "settings"].into_iter().find_map(|part| run.get(part)?.get(key).cloned())
}

/// Where nothing is said of who proposes, it stays as it is in the run.
pub(super) fn keep_proposing(table: &mut toml::Table, origins: &mut BTreeMap<String, String>) -> Result<(), Failure> {
    let Some(run) = table.get("run").and_then(toml::Value::as_str).map(|run| frozen(Path::new(run))).transpose()?.flatten() else {
        return Ok(());
    };
    for key in PROPOSING {
        if let (false, Some(value)) = (table.contains_key(key), of_run(&run, key)) {
            table.insert(key.to_owned(), value);
            origins.insert(key.to_owned(), "run.toml".to_owned());
        }
    }
    let engines = table.get("engine").and_then(toml::Value::as_str).and_then(|text| text.parse::<Engines>().ok());
    let is_set = table.get("model").is_some_and(|model| model.get("meta").is_some());
    if is_set || !engines.is_some_and(|engines| engines.needs_meta()) {
        return Ok(());
    }
    for key in ["model", "models"] {
        let of_part = |part: &str| run.get(part).and_then(|part| part.get(key)?.as_table().cloned()).unwrap_or_default();
        let mut known: toml::Table = of_part("settings").into_iter().chain(of_part("free")).collect();
        known.retain(|name, _| key == "models" || name == "meta");
        known.extend(table.remove(key).and_then(|own| own.as_table().cloned()).unwrap_or_default());
        if !known.is_empty() {
            table.insert(key.to_owned(), known.into());
        }
    }
    Ok(())
}

/// The meta-agent's model is free, and so are the entries of models that no other role names.
pub(super) fn free_meta(fixed: &mut toml::Table, free: &mut toml::Table) {
    let mut named = Vec::new();
    if let Some(toml::Value::Table(roles)) = fixed.get_mut("model") {
        if let Some(meta) = roles.remove("meta") {
            free.insert("model".to_owned(), toml::Table::from_iter([("meta".to_owned(), meta)]).into());
        }
        named = roles.values().filter_map(toml::Value::as_str).map(str::to_owned).collect();
    }
    if let Some(toml::Value::Table(entries)) = fixed.remove("models") {
        let (used, unused): (toml::Table, toml::Table) = entries.into_iter().partition(|(name, _)| named.contains(name));
        for (part, entries) in [(fixed, used), (free, unused)] {
            if !entries.is_empty() {
                part.insert("models".to_owned(), entries.into());
            }
        }
    }
}

/// Who proposed so far, by the settings of the run; `None` before it began.
pub(super) fn engines_on_file(dir: &Path) -> Result<Option<Engines>, Failure> {
    let Some(run) = frozen(dir)? else { return Ok(None) };
    let engines = of_run(&run, "engine").and_then(|engine| engine.as_str()?.parse().ok());
    Ok(Some(engines.unwrap_or_default()))
}
