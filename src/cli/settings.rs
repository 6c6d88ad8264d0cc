//! Settings in layers — flag, environment, file, benchmark, built-in — each value with its origin (`cli.md`).

use super::Shared;
use super::failure::Failure;
use super::given::{from_environment, from_flags};
use super::loop_settings::{LoopFlags, LoopKeys, PROPOSING, loop_keys};
use super::proposing::{free_meta, keep_proposing};
use super::settings_file::{SettingsFile, plain_words};
use crate::domain::nearest::did_you_mean;
use crate::domain::request::{ModelRole, Sampling};
use crate::provider::{ModelEntry, ModelSpec};
use crate::sandbox::Wanted;
use crate::store::record::{RUN_FORMAT, frozen};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every key, for messages and for the environment.
const KEYS: [&str; 18] = [
    "run",
    "bench",
    "harness",
    "model",
    "split",
    "tasks",
    "limit",
    "rollouts",
    "jobs",
    "seed",
    "max_cost",
    "max_tokens",
    "max_time",
    "sampling",
    "models",
    "threads",
    "sandbox",
    "tool_network",
];

/// Keys that may differ when a run is continued, beside [`PROPOSING`]: they change how long it takes, not what comes out.
const FREE: [&str; 7] = ["run", "jobs", "max_cost", "max_tokens", "max_time", "threads", "sandbox"];

/// Least and most of each number, by its key; the gate's own are checked by the gate.
const BOUNDS: [(&str, f64, f64); 14] = [
    ("limit", 1.0, f64::MAX),
    ("rollouts", 1.0, MOST_ROLLOUTS as f64),
    ("jobs", 1.0, MOST_JOBS as f64),
    ("threads", 1.0, 1024.0),
    ("max_cost", 0.0, f64::MAX),
    ("rounds", 1.0, 1000.0),
    ("patience", 1.0, f64::MAX),
    ("train", 1.0, f64::MAX),
    ("gate", 1.0, f64::MAX),
    ("heldout", 1.0, f64::MAX),
    ("heldout_rollouts", 1.0, MOST_ROLLOUTS as f64),
    ("meta_tokens", 0.0, f64::MAX),
    ("alpha", 0.0, 1.0),
    ("budget", 0.0, f64::MAX),
];

/// Most rollouts of a task.
pub(super) const MOST_ROLLOUTS: u64 = 1000;

/// Most episodes live at once.
pub(super) const MOST_JOBS: u64 = 100_000;

/// Their origin.
const BUILT_IN_NAME: &str = "built-in";

/// Built-in defaults.
const BUILT_IN: &str = r#"
bench = "household"
split = "train"
rollouts = 1
jobs = 12
seed = 1
threads = 2
sandbox = "auto"
[model]
main = "local:smollm2"
"#;

/// The effective settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Run directory.
    pub run: Option<PathBuf>,
    /// Benchmark.
    pub bench: String,
    /// Harness; absent: the benchmark's own.
    pub harness: Option<String>,
    /// Model spec a role.
    pub model: BTreeMap<ModelRole, String>,
    /// Which split, or `all`.
    pub split: String,
    /// Glob over task ids.
    pub tasks: Option<String>,
    /// First N tasks.
    pub limit: Option<usize>,
    /// Rollouts a task.
    pub rollouts: u32,
    /// Live episodes.
    pub jobs: usize,
    /// Seed.
    pub seed: u64,
    /// US dollars.
    pub max_cost: Option<f64>,
    /// Tokens.
    pub max_tokens: Option<u64>,
    /// Such as `20m`.
    pub max_time: Option<String>,
    /// Sampling defaults of the main model.
    #[serde(default)]
    pub sampling: Sampling,
    /// Models by name.
    #[serde(default)]
    pub models: BTreeMap<String, ModelEntry>,
    /// Threads of a local policy.
    pub threads: usize,
    /// What keeps commands in their place. Runs begun by an older version have no such key.
    #[serde(default)]
    pub sandbox: Wanted,
    /// Whether tools of a harness that ask for the network get it.
    #[serde(default)]
    pub tool_network: bool,
    /// Of a loop.
    #[serde(skip)]
    pub evolution: LoopKeys,
}

impl Settings {
    /// Milliseconds that a command may take.
    pub fn most_milliseconds(&self) -> Result<Option<u64>, Failure> {
        self.max_time.as_deref().map(milliseconds).transpose()
    }

    /// Variables of the environment that keys of models come from.
    pub fn key_names(&self) -> BTreeSet<&str> {
        let own = self.models.values().filter_map(|entry| entry.api_key_env.as_deref());
        ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"].into_iter().chain(own).collect()
    }
}

/// Settings with where each came from.
pub(crate) struct Layered {
    /// Typed.
    pub settings: Settings,
    /// As tables, for `run.toml`.
    table: toml::Table,
    sources: Sources,
}

/// Where settings came from.
#[derive(Default)]
struct Sources {
    /// The layer that named each key last.
    origins: BTreeMap<String, String>,
    file: Option<SettingsFile>,
}

impl Sources {
    /// A failure to read what a path of keys leads to, with its place.
    fn failure(&self, path: &[&str], problem: &str) -> Failure {
        let origin = path.first().and_then(|key| self.origins.get(*key)).map_or("", String::as_str);
        let place = match &self.file {
            Some(file) if file.name() == origin => file.place(path),
            Some(_) | None if origin == "environment" => "settings from environment".to_owned(),
            Some(_) | None => "settings".to_owned(),
        };
        Failure::settings(format!("read {place}: {problem}"))
    }
}

/// Lays the layers of a plain run over each other.
pub(crate) fn layered(shared: &Shared) -> Result<Layered, Failure> {
    layered_loop(shared, &LoopFlags::default())
}

/// The settings frozen in a run.
pub(crate) fn layered_run(dir: &Path) -> Result<Layered, Failure> {
    let begin = "begin a run with `harnessx loop`, or name its folder with --run";
    let missing = || Failure::settings(format!("find a run in {}: it has no run.toml", dir.display())).hint(begin);
    let whole = frozen(dir)?.ok_or_else(missing)?;
    let part = |name: &str| whole.get(name).and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let mut table = part("settings");
    for (key, value) in part("free") {
        merge(&mut table, key, value);
    }
    table.insert("run".to_owned(), dir.display().to_string().into());
    let origins = part("origins").into_iter().filter_map(|(key, origin)| Some((key, origin.as_str()?.to_owned()))).collect();
    read(table, Sources { origins, file: None })
}

/// Lays the layers of a loop over each other.
pub(crate) fn layered_loop(shared: &Shared, flags: &LoopFlags) -> Result<Layered, Failure> {
    let mut layers: Vec<(String, toml::Table)> = vec![(BUILT_IN_NAME.to_owned(), BUILT_IN.parse().unwrap_or_default())];
    let mut sources = Sources::default();
    if let Some(path) = &shared.config {
        let (file, table) = SettingsFile::read(path)?;
        layers.push((file.name(), table));
        sources.file = Some(file);
    }
    layers.push(("environment".to_owned(), from_environment()?));
    let mut given = from_flags(shared)?;
    given.extend(flags.table());
    layers.push(("flag".to_owned(), given));
    let mut table = toml::Table::new();
    for (origin, layer) in layers {
        for (key, value) in layer {
            sources.origins.insert(key.clone(), origin.clone());
            if !all_keys().any(|known| known == key) {
                let hint = did_you_mean(&key, all_keys());
                return Err(sources.failure(&[key.as_str()], &format!("unknown key {key:?}; {hint}")));
            }
            merge(&mut table, key, value);
        }
    }
    keep_proposing(&mut table, &mut sources.origins)?;
    read(table, sources)
}

pub(super) fn all_keys() -> impl Iterator<Item = &'static str> {
    KEYS.into_iter().chain(loop_keys())
}

/// Makes types of the keys.
fn read(table: toml::Table, sources: Sources) -> Result<Layered, Failure> {
    let bad = |error: toml::de::Error| {
        let (problem, path) = plain_words(&error);
        sources.failure(&path.iter().map(String::as_str).collect::<Vec<_>>(), &problem)
    };
    let (evolution, common): (toml::Table, toml::Table) =
        table.clone().into_iter().partition(|(key, _)| loop_keys().any(|known| known == key));
    let mut settings = Settings::deserialize(toml::Value::Table(common)).map_err(bad)?;
    settings.evolution = LoopKeys::deserialize(toml::Value::Table(evolution)).map_err(bad)?;
    if let Some((key, problem)) = out_of_bounds(&table) {
        return Err(sources.failure(&[key], &problem));
    }
    settings.sampling.check().map_err(|problem| sources.failure(&["sampling"], &format!("sampling.{problem}")))?;
    Ok(Layered { settings, table, sources })
}

/// The first key whose number is not within its bounds, with them.
fn out_of_bounds(table: &toml::Table) -> Option<(&'static str, String)> {
    let number = |key: &str| table.get(key).and_then(|value| value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64)));
    BOUNDS.into_iter().find_map(|(key, least, most)| {
        let number = number(key).filter(|number| !(least..=most).contains(number))?;
        let bounds = match (number.is_finite(), most < f64::MAX) {
            (false, _) => "be a finite number".to_owned(),
            (true, true) => format!("lie within {least} to {most}"),
            (true, false) => format!("be at least {least}"),
        };
        Some((key, format!("{key} must {bounds}")))
    })
}

/// Tables are merged, other values replaced.
pub(super) fn merge(into: &mut toml::Table, key: String, value: toml::Value) {
    match (into.get_mut(&key), value) {
        (Some(toml::Value::Table(old)), toml::Value::Table(new)) => {
            for (inner, value) in new {
                merge(old, inner, value);
            }
        }
        (_, value) => {
            into.insert(key, value);
        }
    }
}

impl Layered {
    /// The text of `run.toml`: settings that must stay, those that may change, origins, and the facts given.
    pub fn frozen(&self, facts: toml::Table) -> String {
        let is_free = |key: &str| FREE.contains(&key) || PROPOSING.contains(&key);
        let (mut free, mut fixed): (toml::Table, toml::Table) = self.table.clone().into_iter().partition(|(key, _)| is_free(key));
        free_meta(&mut fixed, &mut free);
        let mut whole = toml::Table::from_iter([("format".to_owned(), toml::Value::Integer(RUN_FORMAT.into()))]);
        whole.insert("facts".to_owned(), facts.into());
        whole.insert("settings".to_owned(), fixed.into());
        whole.insert("free".to_owned(), free.into());
        let origins: toml::Table = self.sources.origins.iter().map(|(key, origin)| (key.clone(), origin.as_str().into())).collect();
        whole.insert("origins".to_owned(), origins.into());
        toml::to_string(&whole).unwrap_or_default()
    }

    /// Where a key was set, if it was: a failure that it was, with its place.
    pub fn refused(&self, key: &str, problem: &str) -> Option<Failure> {
        let is_set = self.sources.origins.get(key).is_some_and(|origin| origin != BUILT_IN_NAME);
        is_set.then(|| self.sources.failure(&[key], problem))
    }

    /// A failure to use what a path of keys leads to, with its place.
    pub fn failure(&self, path: &[&str], problem: &str) -> Failure {
        self.sources.failure(path, problem)
    }

    /// Takes the harness of the benchmark where none was named.
    pub fn default_harness(&mut self, name: Option<&str>) {
        if self.settings.harness.is_none()
            && let Some(name) = name
        {
            self.settings.harness = Some(name.to_owned());
            self.table.insert("harness".to_owned(), name.into());
            self.sources.origins.insert("harness".to_owned(), "benchmark".to_owned());
        }
    }
}

/// Reads the model spec of a role; an entry that it names must be there.
pub(crate) fn model_spec(role: ModelRole, text: &str, settings: &Settings) -> Result<ModelSpec, Failure> {
    let spec: ModelSpec =
        text.parse().map_err(|error: String| Failure::settings(format!("read the model for {}: {error}", role.as_str())))?;
    spec.check(&settings.models).map_err(|error| Failure::settings(error.to_string()))?;
    Ok(spec)
}

/// Milliseconds of a duration such as `90s`, `20m`, `2h` or, in seconds, `45`.
fn milliseconds(text: &str) -> Result<u64, Failure> {
    let bad = || Failure::settings(format!("read max_time {text:?}: use a number with s, m or h, such as 20m"));
    let (digits, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = digits.parse().map_err(|_| bad())?;
    let scale = match unit {
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(bad()),
    };
    number.checked_mul(scale).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_beat_the_file_and_unknown_keys_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.toml");
        std::fs::write(&path, "rollouts = 3\nseed = 9\n").unwrap();
        let shared = Shared { config: Some(path.clone()), rollouts: Some(2), ..Shared::default() };
        let layered = layered(&shared).unwrap();
        assert_eq!((layered.settings.rollouts, layered.settings.seed), (2, 9));
        for (text, line, said) in [
            ("seed = 1\nrolouts = 3\n", 2, "unknown key \"rolouts\"; did you mean \"rollouts\"?"),
            ("seed = 1\n\nrollouts = \"two\"\n", 3, "invalid type: string \"two\", expected a whole number from 0 in `rollouts`"),
            ("[sampling]\ntemprature = 1\n", 2, "unknown field \"temprature\"; did you mean \"temperature\"?"),
            ("[models.m]\nbase_url = \"x\"\nmodel = \"m\"\nmax_retries = -1\n", 4, "expected a whole number from 0"),
            ("max_cost = nan\n", 1, "max_cost must be a finite number"),
            ("rounds = 3\nbudget = inf\n", 2, "budget must be a finite number"),
            ("engine_command = true\n", 1, "expected a command line: a text, or a list of words"),
            ("gate = 0\n", 1, "gate must be at least 1"),
            ("rollouts = 4000000000\n", 1, "rollouts must lie within 1 to 1000"),
        ] {
            std::fs::write(&path, text).unwrap();
            let failure = super::layered(&Shared { config: Some(path.clone()), ..Shared::default() }).err().unwrap();
            assert!(failure.what.contains(&format!("s.toml:{line}: ")) && failure.what.contains(said), "{failure:?}");
        }
    }

    #[test]
    fn set_reaches_nested_keys() {
        let shared = Shared { set: vec!["sampling.temperature=0.5".into(), "limit=4".into()], ..Shared::default() };
        let found = layered(&shared).unwrap();
        assert_eq!(found.settings.sampling.temperature, Some(0.5));
        assert_eq!(found.settings.limit, Some(4));
        let shared = Shared { set: vec!["max_cost=much".into()], ..Shared::default() };
        let failure = layered(&shared).err().unwrap();
        assert!(failure.what.contains("in `max_cost`"), "{failure:?}");
    }

    fn set(entry: &str) -> Result<Layered, Failure> {
        layered(&Shared { set: vec![entry.to_owned()], ..Shared::default() })
    }

    #[test]
    fn a_number_or_sampling_out_of_range_is_refused_with_the_range() {
        let failure = layered(&Shared { seed: Some(u64::MAX), ..Shared::default() }).err().unwrap();
        assert_eq!(failure.what, "read seed: 18446744073709551615 is not within 0 to 9223372036854775807");
        assert_eq!(layered(&Shared { seed: Some(i64::MAX as u64), ..Shared::default() }).unwrap().settings.seed, i64::MAX as u64);
        for value in ["5", "nan", "-0.1"] {
            let failure = set(&format!("sampling.temperature={value}")).err().unwrap();
            assert_eq!(failure.what, "read settings: sampling.temperature is not within 0 to 2");
        }
        assert!(set("sampling.stop=[\"\"]").err().unwrap().what.contains("sampling.stop holds an empty text"));
    }

    #[test]
    fn durations() {
        assert_eq!((milliseconds("2h").unwrap(), milliseconds("45").unwrap()), (7_200_000, 45_000));
        assert!(milliseconds("2 days").is_err() && milliseconds("").is_err());
        assert!(milliseconds("18446744073709551615").is_err(), "more than can be counted");
    }
}
