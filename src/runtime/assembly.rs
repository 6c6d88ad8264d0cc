//! From a harness folder to running processors: checks with file and line, order, canonical form (`system.md` §2).

use super::native;
use super::processor::Native;
use super::scripted::{Script, Tool, is_script};
use super::station::Part;
pub use super::station::{Station, Trouble};
use super::sub_agent::{AgentTool, SubAgent};
use super::tool_files::{self, ToolFile};
use super::tools::{HarnessTool, ScriptTool};
use crate::domain::harness::{FILE_LIMIT, HARNESS_FILE, HARNESS_FORMAT, Harness, Manifest, Problem, ProcessorSpec, sorted};
use crate::domain::nearest::did_you_mean;
use crate::domain::request::Sampling;
use crate::script::Pool;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A harness whose processors are known, checked and ordered; makes one pipeline an episode.
pub struct Assembly {
    harness: Harness,
    /// Indexes into the manifest's processors, in running order, with what each one is.
    order: Vec<(usize, Known)>,
    tools: Vec<Tool>,
    tool_files: Vec<ToolFile>,
    agents: Vec<Arc<SubAgent>>,
    canonical: String,
    /// Where its scripts run; the process's own when absent.
    pool: Option<Pool>,
}

/// What a processor of the manifest is.
#[derive(Clone)]
enum Known {
    Native(&'static Native),
    Script(Arc<Script>),
}

impl Known {
    fn group(&self) -> Option<&str> {
        match self {
            Self::Native(native) => native.group,
            Self::Script(script) => script.group.as_deref(),
        }
    }

    /// Where it runs: as the manifest says, else as a script says itself.
    fn order(&self, spec: &ProcessorSpec) -> i32 {
        match self {
            Self::Script(script) if spec.order == 0 => script.order,
            Self::Native(_) | Self::Script(_) => spec.order,
        }
    }

    fn complete(&self, params: &toml::Table) -> Result<toml::Table, String> {
        match self {
            Self::Native(native) => (native.complete)(params),
            Self::Script(script) => script.complete(params),
        }
    }
}

impl Assembly {
    /// Checks a harness; `lines` are the lines of its processors and agents, as `parse_manifest` found them.
    ///
    /// # Errors
    /// Every problem found.
    pub fn new(harness: Harness, lines: &[usize]) -> Result<Self, Vec<Problem>> {
        Self::assemble(harness, lines, None)
    }

    /// As `new`, with the harness's scripts in a pool of the caller's.
    ///
    /// # Errors
    /// As `new`.
    pub fn with_pool(harness: Harness, lines: &[usize], pool: &Pool) -> Result<Self, Vec<Problem>> {
        Self::assemble(harness, lines, Some(pool.clone()))
    }

    pub(super) fn assemble(mut harness: Harness, lines: &[usize], pool: Option<Pool>) -> Result<Self, Vec<Problem>> {
        let get_pool = || pool.clone().unwrap_or_else(Pool::shared);
        let mut problems = Vec::new();
        let mut known = Vec::new();
        for (index, spec) in harness.manifest.processors.iter().enumerate() {
            let line = lines.get(index).copied().unwrap_or(0);
            match check_processor(spec, &harness, &get_pool) {
                Ok(processor) => known.push((index, processor)),
                Err(Wrong::Here(message)) => problems.push(located(message, line)),
                Err(Wrong::There(found)) => problems.extend(found),
            }
        }
        problems.extend(check_spare_scripts(&harness, &get_pool));
        problems.extend(check_groups(&harness.manifest, &known, lines));
        let order = match running_order(&harness.manifest, &known) {
            Ok(order) => order,
            Err((index, message)) => {
                problems.push(Problem::at(HARNESS_FILE, lines.get(index).copied().unwrap_or(0), message));
                Vec::new()
            }
        };
        if let Some(Err(message)) = harness.manifest.slots.sampling.as_ref().map(Sampling::check) {
            problems.push(Problem::at(HARNESS_FILE, 0, format!("slots.sampling: {message}")));
        }
        let tools = Tool::all(&harness, &get_pool).unwrap_or_else(|found| {
            problems.extend(found);
            Vec::new()
        });
        let tool_files = tool_files::read_all(&harness).unwrap_or_else(|found| {
            problems.extend(found);
            Vec::new()
        });
        let taken = tools.iter().map(|tool| tool.spec.name.0.clone()).chain(tool_files.iter().map(|file| file.name().to_owned()));
        let agent_lines = lines.get(harness.manifest.processors.len()..).unwrap_or_default();
        let agents = SubAgent::all(&harness, agent_lines, pool.as_ref(), &taken.collect()).unwrap_or_else(|found| {
            problems.extend(found);
            Vec::new()
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        for agent in &agents {
            harness.files.insert(format!("{}/{HARNESS_FILE}", agent.folder()), agent.assembly.canonical.clone().into_bytes());
        }
        let agents = agents.into_iter().map(Arc::new).collect();
        match canonical(&harness.manifest, &known) {
            Ok(canonical) => Ok(Self { harness, order, tools, tool_files, agents, canonical, pool }),
            Err(message) => Err(vec![Problem::at(HARNESS_FILE, 0, message)]),
        }
    }

    /// The harness, with the manifests of its agents in canonical form: with `canonical_manifest`, all that its identity rests on.
    pub fn harness(&self) -> &Harness {
        &self.harness
    }

    /// Fresh processors for one episode, in running order.
    ///
    /// # Errors
    /// A fragment with the processor's name; cannot happen for a harness that passed [`Assembly::new`], short of a file vanishing.
    pub fn stations(&self) -> Result<Vec<Station>, String> {
        let names = self.harness.manifest.names();
        self.order
            .iter()
            .map(|(index, known)| {
                let (spec, name) = (&self.harness.manifest.processors[*index], names[*index].clone());
                match known {
                    Known::Native(native) => {
                        let processor = (native.build)(&spec.params, &self.harness).map_err(|error| format!("{}: {error}", native.name))?;
                        Ok(Station::native(name, native.hooks, processor))
                    }
                    Known::Script(script) => {
                        let instance = script.instance(&self.pool(), &spec.params)?;
                        Ok(Station { name, hooks: Cow::Owned(script.hooks.clone()), part: Part::Script(Box::new(instance)) })
                    }
                }
            })
            .collect()
    }

    /// Fresh tools of the harness for one episode.
    ///
    /// # Errors
    /// As `stations`.
    pub fn tools(&self) -> Result<Vec<HarnessTool>, String> {
        let tool = |tool: &Tool| Ok(HarnessTool::Script(ScriptTool::new(tool.spec.clone(), tool.instance(&self.pool())?)));
        let agents = self.agents.iter().map(|agent| Ok(HarnessTool::Agent(AgentTool(agent.clone()))));
        self.tools.iter().map(tool).chain(agents).collect()
    }

    /// Its command tools and MCP servers.
    pub fn tool_files(&self) -> &[ToolFile] {
        &self.tool_files
    }

    /// Those of its agents too, each with its place in the folder.
    pub fn all_tool_files(&self) -> Vec<ToolFile> {
        let of_agent = |agent: &Arc<SubAgent>| agent.assembly.tool_files.iter().map(|file| file.below(agent.folder())).collect::<Vec<_>>();
        self.tool_files.iter().cloned().chain(self.agents.iter().flat_map(of_agent)).collect()
    }

    /// Fresh processors of its agents, for trying them out.
    ///
    /// # Errors
    /// As `stations`.
    pub fn agent_stations(&self) -> Result<Vec<Station>, String> {
        let stations: Result<Vec<Vec<Station>>, String> = self.agents.iter().map(|agent| agent.assembly.stations()).collect();
        Ok(stations?.into_iter().flatten().collect())
    }

    fn pool(&self) -> Pool {
        self.pool.clone().unwrap_or_else(Pool::shared)
    }

    /// The manifest in canonical form: defaults removed, behaviour versions written, keys sorted, arrays in order.
    pub fn canonical_manifest(&self) -> &str {
        &self.canonical
    }
}

fn canonical(manifest: &Manifest, known: &[(usize, Known)]) -> Result<String, String> {
    let mut manifest = manifest.clone();
    manifest.format = HARNESS_FORMAT;
    manifest.slots.sampling = manifest.slots.sampling.filter(|sampling| *sampling != Sampling::default());
    for (index, known) in known {
        let spec = &mut manifest.processors[*index];
        let defaults = known.complete(&toml::Table::new())?;
        spec.params = known.complete(&spec.params)?;
        spec.params.retain(|key, value| defaults.get(key) != Some(value));
        spec.group = spec.group.take().filter(|group| known.group() != Some(group));
        spec.behaviour = match known {
            Known::Native(native) => Some(native.behaviour),
            Known::Script(script) => {
                spec.order = if spec.order == script.order { 0 } else { spec.order };
                None
            }
        };
    }
    let value = toml::Value::try_from(&manifest).map_err(|error| error.to_string())?;
    let text = toml::to_string(&sorted(value)).map_err(|error| error.to_string())?;
    if text.len() as u64 > FILE_LIMIT {
        return Err(format!("{} bytes in canonical form; a file of a harness has at most {FILE_LIMIT}", text.len()));
    }
    Ok(text)
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

/// What is wrong with a processor: on its line of the manifest, or within its script.
enum Wrong {
    Here(String),
    There(Vec<Problem>),
}

fn check_processor(spec: &ProcessorSpec, harness: &Harness, pool: &dyn Fn() -> Pool) -> Result<Known, Wrong> {
    match (&spec.native, &spec.script) {
        (Some(name), None) => check_native(name, spec, harness).map(Known::Native).map_err(Wrong::Here),
        (None, Some(path)) => {
            if !harness.files.contains_key(path) {
                let scripts = harness.files.keys().map(String::as_str).filter(|path| is_script(path));
                return Err(Wrong::Here(format!("script {path:?} is not a file of the harness; {}", did_you_mean(path, scripts))));
            }
            if !is_script(path) {
                return Err(Wrong::Here(format!("script {path:?}: a script is a .js file under processors/")));
            }
            if spec.behaviour.is_some() {
                return Err(Wrong::Here(format!("{path}: a script has no behaviour version; drop the key")));
            }
            let script = Script::of(path, harness, &pool()).map_err(Wrong::There)?;
            script.complete(&spec.params).map_err(Wrong::Here)?;
            Ok(Known::Script(Arc::new(script)))
        }
        _ => Err(Wrong::Here("a processor needs exactly one of `use` and `script`".to_owned())),
    }
}

/// Scripts under processors/ that the manifest does not name: an edit may, so they are looked over like the others.
fn check_spare_scripts(harness: &Harness, pool: &dyn Fn() -> Pool) -> Vec<Problem> {
    let is_named = |path: &str| harness.manifest.processors.iter().any(|spec| spec.script.as_deref() == Some(path));
    let spare = harness.files.keys().filter(|path| path.starts_with("processors/") && is_script(path) && !is_named(path));
    spare.filter_map(|path| Script::of(path, harness, &pool()).err()).flatten().collect()
}

fn check_native(name: &str, spec: &ProcessorSpec, harness: &Harness) -> Result<&'static Native, String> {
    let native = native::find(name).ok_or_else(|| {
        if let Some(feature) = native::missing_feature(name) {
            return format!("{name}: this build lacks it: build with --features {feature}");
        }
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
    (native.complete)(&spec.params).map_err(|message| unknown_param(native, spec).unwrap_or_else(|| format!("{name}: {message}")))?;
    (native.build)(&spec.params, harness)
        .map_err(|message| if message.contains(".md:") { message } else { format!("{name}: {message}") })?;
    Ok(native)
}

/// The complaint about a parameter that the native does not have, if that is what is wrong.
fn unknown_param(native: &Native, spec: &ProcessorSpec) -> Option<String> {
    let is_unknown = |key: &&String| {
        let alone = toml::Table::from_iter([((*key).clone(), spec.params[*key].clone())]);
        (native.complete)(&alone).is_err_and(|message| message.contains("unknown field"))
    };
    let key = spec.params.keys().find(is_unknown)?;
    let defaults = (native.complete)(&toml::Table::new()).unwrap_or_default();
    Some(format!("{} has no parameter {key:?}; {}", native.name, did_you_mean(key, defaults.keys().map(String::as_str))))
}

fn group_of<'a>(spec: &'a ProcessorSpec, known: &'a Known) -> Option<&'a str> {
    spec.group.as_deref().or(known.group())
}

fn check_groups(manifest: &Manifest, known: &[(usize, Known)], lines: &[usize]) -> Vec<Problem> {
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
fn running_order(manifest: &Manifest, known: &[(usize, Known)]) -> Result<Vec<(usize, Known)>, (usize, String)> {
    let mut waiting: Vec<(usize, Known)> = known.to_vec();
    waiting.sort_by_key(|(index, known)| (known.order(&manifest.processors[*index]), *index));
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
        let assembly = assembled(text).ok().unwrap();
        let canonical = assembly.canonical_manifest();
        assert!(
            !canonical.contains("style") && canonical.contains("score = \"sum\"") && canonical.contains("behaviour = 1"),
            "{canonical}"
        );
        assert_eq!(assembled(canonical).ok().unwrap().canonical_manifest(), canonical);
    }
}
