//! From a harness folder to running processors: checks with file and line, order, canonical form (`system.md` §2).

use super::native;
use super::processor::{Native, Processor};
use crate::domain::event::Hook;
use crate::domain::harness::{HARNESS_FILE, HARNESS_FORMAT, Harness, Manifest, Problem, ProcessorSpec};
use crate::domain::id::ProcessorName;
use crate::domain::nearest::did_you_mean;
use std::collections::{BTreeMap, BTreeSet};

/// A harness whose processors are known, checked and ordered; makes one pipeline an episode.
pub struct Assembly {
    harness: Harness,
    /// Indexes into the manifest's processors, in running order, with what each one is.
    order: Vec<(usize, &'static Native)>,
}

/// A processor at its place in the pipeline.
pub struct Station {
    /// Its name in traces.
    pub name: ProcessorName,
    /// Where it listens.
    pub hooks: &'static [Hook],
    /// The instance of this episode.
    pub processor: Box<dyn Processor>,
}

impl Assembly {
    /// Checks a harness; `lines` are the lines of its `[[processors]]` entries.
    ///
    /// # Errors
    /// Every problem found.
    pub fn new(harness: Harness, lines: &[usize]) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut known = Vec::new();
        for (index, spec) in harness.manifest.processors.iter().enumerate() {
            let line = lines.get(index).copied().unwrap_or(0);
            match check_processor(spec, &harness) {
                Ok(native) => known.push((index, native)),
                Err(message) => problems.push(located(message, line)),
            }
        }
        problems.extend(check_groups(&harness.manifest, &known, lines));
        let order = match running_order(&harness.manifest, &known) {
            Ok(order) => order,
            Err((index, message)) => {
                problems.push(Problem::at(HARNESS_FILE, lines.get(index).copied().unwrap_or(0), message));
                Vec::new()
            }
        };
        if problems.is_empty() { Ok(Self { harness, order }) } else { Err(problems) }
    }

    /// The harness.
    pub fn harness(&self) -> &Harness {
        &self.harness
    }

    /// Fresh processors for one episode, in running order.
    ///
    /// # Errors
    /// A fragment with the processor's name; cannot happen for a harness that passed [`Assembly::new`], short of a file vanishing.
    pub fn stations(&self) -> Result<Vec<Station>, String> {
        let mut seen = BTreeMap::new();
        self.order
            .iter()
            .map(|(index, native)| {
                let spec = &self.harness.manifest.processors[*index];
                let processor = (native.build)(&spec.params, &self.harness).map_err(|error| format!("{}: {error}", native.name))?;
                let count = seen.entry(native.name).and_modify(|count| *count += 1).or_insert(1);
                let name = if *count == 1 { native.name.to_owned() } else { format!("{}#{count}", native.name) };
                Ok(Station { name: ProcessorName(name), hooks: native.hooks, processor })
            })
            .collect()
    }

    /// The manifest in canonical form: defaults removed, behaviour versions written, keys sorted, arrays in order.
    pub fn canonical_manifest(&self) -> String {
        let mut manifest = self.harness.manifest.clone();
        manifest.format = HARNESS_FORMAT;
        for spec in &mut manifest.processors {
            let Some(native) = spec.native.as_deref().and_then(native::find) else { continue };
            let defaults = (native.defaults)();
            spec.params.retain(|key, value| defaults.get(key) != Some(value));
            spec.behaviour = Some(native.behaviour);
        }
        let value = toml::Value::try_from(&manifest).map(sorted);
        value.ok().and_then(|value| toml::to_string(&value).ok()).unwrap_or_default()
    }
}

/// The same value with the keys of every table in code-point order.
fn sorted(value: toml::Value) -> toml::Value {
    match value {
        toml::Value::Table(table) => {
            let entries: BTreeMap<String, toml::Value> = table.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            toml::Value::Table(entries.into_iter().collect())
        }
        toml::Value::Array(items) => toml::Value::Array(items.into_iter().map(sorted).collect()),
        toml::Value::String(_) | toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) | toml::Value::Datetime(_) => {
            value
        }
    }
}

/// A message that already names `file:line:` keeps it; any other is put on the processor's line.
fn located(message: String, line: usize) -> Problem {
    let mut parts = message.splitn(3, ':');
    if let (Some(file), Some(number), Some(rest)) = (parts.next(), parts.next(), parts.next())
        && let Ok(number) = number.parse()
        && !file.contains(' ')
    {
        return Problem::at(file, number, rest.trim());
    }
    Problem::at(HARNESS_FILE, line, message)
}

fn check_processor(spec: &ProcessorSpec, harness: &Harness) -> Result<&'static Native, String> {
    let name = match (&spec.native, &spec.script) {
        (Some(name), None) => name,
        (None, Some(script)) => {
            return Err(format!("script {script:?}: scripted processors are not supported by this version; use a native processor"));
        }
        _ => return Err("a processor needs exactly one of `use` and `script`".to_owned()),
    };
    if name == "opentelemetry" && !cfg!(feature = "otel") {
        return Err("opentelemetry: this build lacks it: build with --features otel".to_owned());
    }
    let native = native::find(name).ok_or_else(|| {
        let names = native::NATIVES.iter().map(|native| native.name);
        format!("unknown processor {name:?}; {}", did_you_mean(name, names))
    })?;
    if let Some(behaviour) = spec.behaviour
        && behaviour != native.behaviour
    {
        return Err(format!(
            "{name} was written for behaviour version {behaviour}, this program has {}; drop the key to take the new one",
            native.behaviour
        ));
    }
    let defaults = (native.defaults)();
    if let Some(key) = spec.params.keys().find(|key| !defaults.contains_key(*key) && !optional_param(native, key)) {
        let keys: Vec<&str> = defaults.keys().map(String::as_str).collect();
        return Err(format!("{name} has no parameter {key:?}; {}", did_you_mean(key, keys.iter().copied())));
    }
    (native.build)(&spec.params, harness)
        .map_err(|message| if message.contains(".md:") { message } else { format!("{name}: {message}") })?;
    Ok(native)
}

/// Parameters that are off by default do not show in the table of defaults; the typed reader has the last word on them.
fn optional_param(native: &Native, key: &str) -> bool {
    let mut probe = toml::Table::new();
    probe.insert(key.to_owned(), toml::Value::Boolean(true));
    let empty = Harness { manifest: empty_manifest(), files: BTreeMap::new() };
    (native.build)(&probe, &empty).err().is_none_or(|message| !message.contains("unknown field"))
}

fn empty_manifest() -> Manifest {
    Manifest {
        format: HARNESS_FORMAT,
        name: String::new(),
        description: String::new(),
        processors: Vec::new(),
        slots: crate::domain::harness::Slots::default(),
    }
}

fn group_of<'a>(spec: &'a ProcessorSpec, native: &'a Native) -> Option<&'a str> {
    spec.group.as_deref().or(native.group)
}

fn check_groups(manifest: &Manifest, known: &[(usize, &'static Native)], lines: &[usize]) -> Vec<Problem> {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    let mut problems = Vec::new();
    for (index, native) in known {
        let spec = &manifest.processors[*index];
        let Some(group) = group_of(spec, native) else { continue };
        if let Some(other) = first.insert(group, spec.label()) {
            let message =
                format!("group {group:?} holds {other} already: at most one processor a group; remove one, or set another `group`");
            problems.push(Problem::at(HARNESS_FILE, lines.get(*index).copied().unwrap_or(0), message));
        }
    }
    problems
}

/// Order by `order`, then as written, then moved behind the group named in `after`. An error names the entry on a cycle.
fn running_order(manifest: &Manifest, known: &[(usize, &'static Native)]) -> Result<Vec<(usize, &'static Native)>, (usize, String)> {
    let mut waiting: Vec<(usize, &'static Native)> = known.to_vec();
    waiting.sort_by_key(|(index, _)| (manifest.processors[*index].order, *index));
    let mut placed = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let open: BTreeSet<&str> = waiting.iter().filter_map(|(index, native)| group_of(&manifest.processors[*index], native)).collect();
        let ready =
            waiting.iter().position(|(index, _)| manifest.processors[*index].after.as_deref().is_none_or(|group| !open.contains(group)));
        let Some(position) = ready else {
            let names: Vec<&str> = waiting.iter().map(|(index, _)| manifest.processors[*index].label()).collect();
            return Err((waiting[0].0, format!("`after` runs in a circle among {}; remove one of them", names.join(", "))));
        };
        placed.push(waiting.remove(position));
    }
    Ok(placed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::harness::parse_manifest;

    fn assembled(text: &str) -> Result<Assembly, Vec<Problem>> {
        let (manifest, lines) = parse_manifest(text).map_err(|problem| vec![problem])?;
        let files = BTreeMap::from([("prompts/system.md".to_owned(), b"hello {{ task }}".to_vec())]);
        Assembly::new(Harness { manifest, files }, &lines)
    }

    fn first_problem(text: &str) -> String {
        assembled(text).err().unwrap()[0].to_string()
    }

    #[test]
    fn problems_name_file_line_and_cure() {
        let head = "format = 1\nname = \"x\"\n";
        let text = first_problem(&format!("{head}[[processors]]\nuse = \"sistem_prompt\"\n"));
        assert_eq!(text, "harness.toml:3: unknown processor \"sistem_prompt\"; did you mean \"system_prompt\"?");
        let text = first_problem(&format!("{head}[[processors]]\nuse = \"system_prompt\"\nparams = {{ templat = \"a\" }}\n"));
        assert_eq!(text, "harness.toml:3: system_prompt has no parameter \"templat\"; did you mean \"template\"?");
        let twice = "[[processors]]\nuse = \"system_prompt\"\n";
        assert!(first_problem(&format!("{head}{twice}{twice}")).starts_with("harness.toml:5: group \"system_prompt\" holds"));
        let circle = "[[processors]]\nuse = \"system_prompt\"\nafter = \"decision\"\n[[processors]]\nuse = \"admissible_choice\"\nafter = \"system_prompt\"\n";
        assert!(first_problem(&format!("{head}{circle}")).contains("runs in a circle"));
    }

    #[test]
    fn after_moves_a_processor_behind_its_group() {
        let text = "format = 1\nname = \"x\"\n[[processors]]\nuse = \"system_prompt\"\nafter = \"decision\"\n[[processors]]\nuse = \"admissible_choice\"\n";
        let stations = assembled(text).ok().unwrap().stations().unwrap();
        let names: Vec<&str> = stations.iter().map(|station| station.name.as_str()).collect();
        assert_eq!(names, ["admissible_choice", "system_prompt"]);
    }

    #[test]
    fn the_canonical_form_drops_defaults_and_is_a_fixed_point() {
        let text = "# a comment\nname = \"x\"\nformat = 1\n[[processors]]\nuse = \"admissible_choice\"\nparams = { style = \"choice\", score = \"sum\" }\n";
        let canonical = assembled(text).ok().unwrap().canonical_manifest();
        assert!(
            !canonical.contains("style") && canonical.contains("score = \"sum\"") && canonical.contains("behaviour = 1"),
            "{canonical}"
        );
        assert_eq!(assembled(&canonical).ok().unwrap().canonical_manifest(), canonical);
    }
}
