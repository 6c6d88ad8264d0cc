//! What a `run` plays, by its settings: benchmark, harness, tasks by split, run directory. Shared by `run` and `estimate`.

use super::failure::{Exit, Failure};
use super::loop_settings::{LoopFlags, LoopKeys};
use super::settings::{Layered, layered, layered_loop, layered_run};
use super::{Shared, assets};
use crate::bench::{Benchmark, LoadedTask};
use crate::domain::request::ModelRole;
use crate::domain::task::Split;
use crate::domain::trace::Stream;
use crate::runtime::desk::Desk;
use std::path::{Path, PathBuf};

/// What a loop takes in the place of the tasks and rollouts of a plain run.
const OF_A_LOOP: &str = "--set train=N, gate=N, heldout=N bound the tasks of each split; --profile sets the rollouts";

/// Settings with what they name, found and checked.
pub(crate) struct Assignment {
    /// Settings with their origins.
    pub layered: Layered,
    /// The benchmark.
    pub benchmark: Benchmark,
    /// The harness.
    pub harness: assets::LoadedHarness,
    /// The run directory; it need not be there yet.
    pub dir: PathBuf,
}

impl Assignment {
    /// Lays the settings over each other and finds what they name.
    pub fn new(shared: &Shared) -> Result<Self, Failure> {
        Self::found(layered(shared)?)
    }

    fn found(mut layered: Layered) -> Result<Self, Failure> {
        let benchmark = assets::benchmark(&layered.settings.bench)?;
        layered.default_harness(benchmark.default_harness.as_deref());
        let name = layered.settings.harness.clone().unwrap_or_else(|| "minimal".to_owned());
        let harness = assets::harness(&name)?;
        let dir = layered.settings.run.clone().unwrap_or_else(|| default_dir(&layered, &name));
        Ok(Self { layered, benchmark, harness, dir })
    }

    /// The same for a loop; its run directory has the loop's name in it.
    pub fn of_loop(shared: &Shared, flags: &LoopFlags) -> Result<Self, Failure> {
        let unused = [("split", shared.split.is_some()), ("tasks", shared.tasks.is_some()), ("rollouts", shared.rollouts.is_some())];
        if let Some((flag, _)) = unused.into_iter().find(|(_, is_given)| *is_given) {
            return Err(Failure::new(Exit::Usage, format!("read --{flag}: a loop does not take it")).hint(OF_A_LOOP));
        }
        let layered = layered_loop(shared, flags)?;
        let refused =
            ["split", "tasks", "rollouts"].into_iter().find_map(|key| layered.refused(key, &format!("{key}: a loop does not take it")));
        if let Some(failure) = refused {
            return Err(failure.hint(OF_A_LOOP));
        }
        let mut assignment = Self::found(layered)?;
        let LoopKeys { profile, engine, .. } = &assignment.layered.settings.evolution;
        if assignment.layered.settings.run.is_none() {
            let (profile, engine) = (profile.unwrap_or_default(), engine.clone().unwrap_or_default().to_string().replace(',', "-"));
            let name = assignment.dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            assignment.dir.set_file_name(format!("{name}-{}-{engine}", profile.as_str()));
        }
        Ok(assignment)
    }

    /// A run that was begun, by the settings frozen in its `run.toml`.
    pub fn of_run(dir: &Path) -> Result<Self, Failure> {
        Self::found(layered_run(dir)?)
    }

    /// What must not change while a run goes on, besides its settings.
    pub fn facts(&self, desk: &Desk) -> toml::Table {
        toml::Table::from_iter([
            ("tool_version".to_owned(), env!("CARGO_PKG_VERSION").into()),
            ("benchmark".to_owned(), self.benchmark.name.as_str().into()),
            ("benchmark_digest".to_owned(), self.benchmark.digest.to_string().into()),
            ("harness_tree".to_owned(), self.harness.id.as_str().into()),
            ("policy".to_owned(), desk.policy_of(ModelRole::Main).as_str().into()),
        ])
    }

    /// Tasks by split, as the settings choose them.
    pub fn parts(&self) -> Result<Vec<(Split, Vec<&LoadedTask>)>, Failure> {
        let settings = &self.layered.settings;
        let splits = match settings.split.as_str() {
            "train" => vec![Split::Train],
            "gate" => vec![Split::Gate],
            "heldout" => vec![Split::Heldout],
            "all" => vec![Split::Train, Split::Gate, Split::Heldout],
            other => return Err(Failure::settings(format!("read split {other:?}: use train, gate, heldout or all"))),
        };
        let glob = settings
            .tasks
            .as_deref()
            .map(globset::Glob::new)
            .transpose()
            .map_err(|error| Failure::settings(format!("read tasks: {error}")))?
            .map(|glob| glob.compile_matcher());
        let limit = settings.limit.unwrap_or(usize::MAX);
        let parts: Vec<(Split, Vec<&LoadedTask>)> = splits
            .into_iter()
            .map(|split| {
                let matching = |loaded: &&LoadedTask| glob.as_ref().is_none_or(|glob| glob.is_match(loaded.task.id.as_str()));
                (split, self.benchmark.split(split).filter(matching).take(limit).collect::<Vec<_>>())
            })
            .filter(|(_, tasks)| !tasks.is_empty())
            .collect();
        if parts.is_empty() {
            return Err(Failure::settings(format!("choose tasks of {}: none matches", self.benchmark.name)));
        }
        Ok(parts)
    }
}

/// The evidence stream of a split in a plain run.
pub(crate) fn stream_of(split: Split) -> Stream {
    match split {
        Split::Train => Stream::visible(),
        Split::Gate => Stream("sealed/0".into()),
        Split::Heldout => Stream::heldout(),
    }
}

fn default_dir(layered: &Layered, harness: &str) -> PathBuf {
    let model = layered.settings.model.get(&ModelRole::Main).map_or("model", String::as_str);
    let name = format!("{}-{harness}-{model}", layered.settings.bench);
    let slug: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' }).collect();
    Path::new("runs").join(slug)
}
