//! Benchmark folders: `benchmark.toml` to tasks with splits, and from a task to its world (`benchmarks.md`).

use super::World;
use super::echo::EchoWorld;
use super::household::{Game, GameError, HouseholdWorld, Play, TaskKind, generate};
use crate::domain::estimate::PerEpisode;
use crate::domain::harness::{Limits, Problem, line_of};
use crate::domain::id::{Digest, TaskId};
use crate::domain::nearest::with_nearest;
use crate::domain::task::{Split, Tags, Task};
use serde::Deserialize;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Spanned;

/// The file that makes a folder a benchmark.
pub const BENCHMARK_FILE: &str = "benchmark.toml";

/// A benchmark could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// `benchmark.toml` is wrong.
    #[error("read benchmark {}: {problem}", dir.display())]
    Manifest {
        /// The folder.
        dir: PathBuf,
        /// What and where.
        problem: Problem,
    },
    /// A game file is wrong.
    #[error(transparent)]
    Game(#[from] GameError),
    /// A game file is not the one that the benchmark was read with.
    #[error("read {}: it changed while it was played; give the command again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A folder of games could not be listed.
    #[error("list games in {}: {source}", dir.display())]
    List {
        /// The folder.
        dir: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    name: String,
    kind: Kind,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default)]
    default_harness: Option<String>,
    #[serde(default)]
    source: Source,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    estimate: Option<PerEpisode>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Household,
    Echo,
}

/// Where tasks come from.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Source {
    /// How many tasks are generated (household: scenes of each kind).
    generated: Option<Spanned<u64>>,
    /// A folder of game files, searched with its sub-folders, relative to the benchmark folder.
    games: Option<PathBuf>,
}

impl Source {
    fn count(&self) -> u64 {
        self.generated.as_ref().map_or(0, |generated| *generated.get_ref())
    }
}

/// Most tasks (household: of each kind) that are generated: all of them are held at once, and made whenever the benchmark is read.
const MOST_GENERATED: u64 = 2_000;

/// Seeds from here on are those of siblings.
const SIBLINGS: u64 = 1 << 40;

/// What a task's world is made from.
#[derive(Clone, Debug)]
enum Origin {
    Scene { kind: TaskKind, seed: u64 },
    File { path: PathBuf, digest: Digest },
    Echo,
}

/// A task with what its world is made from.
#[derive(Clone, Debug)]
pub struct LoadedTask {
    /// The task.
    pub task: Task,
    origin: Origin,
}

/// A benchmark, ready to play.
#[derive(Debug)]
pub struct Benchmark {
    /// Name.
    pub name: String,
    /// Digest of the manifest and of all tasks: results of other contents never mix with these.
    pub digest: Digest,
    /// The benchmark's own limits.
    pub limits: Limits,
    /// What one episode takes by the benchmark's own word, with the default harness and the local model.
    pub estimate: Option<PerEpisode>,
    /// Harness used where none is named.
    pub default_harness: Option<String>,
    /// All tasks, by split and rank.
    pub tasks: Vec<LoadedTask>,
}

impl Benchmark {
    /// Reads a benchmark from the text of its `benchmark.toml`; `dir` is its folder.
    ///
    /// # Errors
    /// See [`BenchError`].
    pub fn parse(text: &str, dir: &Path) -> Result<Self, BenchError> {
        let problem =
            |line, message: String| BenchError::Manifest { dir: dir.to_owned(), problem: Problem::at(BENCHMARK_FILE, line, message) };
        let manifest: Manifest = toml::from_str(text)
            .map_err(|error| problem(error.span().map_or(0, |span| line_of(text, span.start)), with_nearest(error.message().trim())))?;
        if manifest.format != 1 {
            return Err(problem(1, format!("format {} is not known here; this program reads format 1", manifest.format)));
        }
        if let Some(generated) = manifest.source.generated.as_ref().filter(|generated| *generated.get_ref() > MOST_GENERATED) {
            let message = format!("source.generated is {}; the most is {MOST_GENERATED}", generated.get_ref());
            return Err(problem(line_of(text, generated.span().start), message));
        }
        let mut tasks = match manifest.kind {
            Kind::Echo => (0..manifest.source.count()).map(|index| echo_task(&manifest.name, index)).collect(),
            Kind::Household => household_tasks(&manifest, dir)?,
        };
        tasks.sort_by_cached_key(|loaded| (loaded.task.split, loaded.task.rank()));
        if tasks.is_empty() {
            return Err(problem(0, "no tasks: set `source.generated` or `source.games`".to_owned()));
        }
        let listing = serde_json::to_vec(&tasks.iter().map(|loaded| &loaded.task).collect::<Vec<_>>()).unwrap_or_default();
        let files: String = tasks.iter().filter_map(LoadedTask::file).map(ToString::to_string).collect();
        // Without files as it always was.
        let parts: [&[u8]; 3] = [text.as_bytes(), &listing, files.as_bytes()];
        let digest = Digest::of_parts(if files.is_empty() { &parts[..2] } else { &parts });
        let Manifest { name, limits, estimate, default_harness, .. } = manifest;
        Ok(Self { name, digest, limits, estimate, default_harness, tasks })
    }

    /// Tasks of one split in rank order.
    pub fn split(&self, split: Split) -> impl Iterator<Item = &LoadedTask> {
        self.tasks.iter().filter(move |loaded| loaded.task.split == split)
    }
}

impl LoadedTask {
    /// The n-th sibling: the same tags and kind, made from a seed of its own that no task of the benchmark has. `None` where tasks are not
    /// generated.
    pub fn sibling(&self, number: u32) -> Option<Self> {
        match self.origin {
            Origin::Scene { kind, seed } => {
                let seed = SIBLINGS + (seed << 16) + u64::from(number);
                let scene = generate(seed, kind);
                let id = TaskId(format!("{}/{seed}", kind.as_str()));
                let task = Task { id, text: scene.game.task_sentence().to_owned(), ..self.task.clone() };
                Some(Self { task, origin: Origin::Scene { kind, seed } })
            }
            Origin::File { .. } | Origin::Echo => None,
        }
    }

    /// Digest of the file that it is made from, if it is made from one.
    fn file(&self) -> Option<&Digest> {
        match &self.origin {
            Origin::File { digest, .. } => Some(digest),
            Origin::Scene { .. } | Origin::Echo => None,
        }
    }

    /// A fresh world.
    ///
    /// # Errors
    /// A game file that can no longer be read, or is another one now.
    pub fn world(&self) -> Result<World<'static>, BenchError> {
        Ok(match &self.origin {
            Origin::Scene { kind, seed } => household(Arc::new(generate(*seed, *kind).game)),
            Origin::File { path, digest } => {
                let (game, found) = Game::read_known(path)?;
                if found != *digest {
                    return Err(BenchError::Changed { path: path.clone() });
                }
                household(Arc::new(game))
            }
            Origin::Echo => World::Echo(EchoWorld::new(&self.task.text)),
        })
    }
}

fn household(game: Arc<Game>) -> World<'static> {
    World::Household(Box::new(HouseholdWorld::new(Play::new(game))))
}

fn loaded(benchmark: &str, id: String, text: String, tags: Tags, group: String, origin: Origin) -> LoadedTask {
    let split = Split::of_group(benchmark, &group);
    LoadedTask { task: Task { id: TaskId(id), text, tags, group, split }, origin }
}

fn echo_task(benchmark: &str, index: u64) -> LoadedTask {
    let text = format!("Task {index}: call the tool, then answer.");
    loaded(benchmark, format!("echo/{index}"), text, Tags::new(), format!("echo {index}"), Origin::Echo)
}

fn household_tasks(manifest: &Manifest, dir: &Path) -> Result<Vec<LoadedTask>, BenchError> {
    let mut tasks = Vec::new();
    for kind in TaskKind::ALL {
        for seed in 0..manifest.source.count() {
            let scene = generate(seed, kind);
            let text = scene.game.task_sentence().to_owned();
            let group = format!("{} | {}", scene.errand(), scene.room.as_str());
            let tags = Tags::from([("kind".to_owned(), kind.as_str().to_owned())]);
            let id = format!("{}/{seed}", kind.as_str());
            tasks.push(loaded(&manifest.name, id, text, tags, group, Origin::Scene { kind, seed }));
        }
    }
    if let Some(games) = &manifest.source.games {
        let mut paths = Vec::new();
        find_games(&dir.join(games), &mut paths)?;
        for path in paths {
            tasks.push(file_task(manifest, &path, &path_below(&dir.join(games), &path))?);
        }
    }
    Ok(tasks)
}

/// Files named `*.tw-pddl` or `*.tw-pddl.gz`, sorted.
fn find_games(dir: &Path, found: &mut Vec<PathBuf>) -> Result<(), BenchError> {
    let failed = |source| BenchError::List { dir: dir.to_owned(), source };
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(dir).map_err(failed)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(failed)?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            find_games(&path, found)?;
        } else if path.to_string_lossy().trim_end_matches(".gz").ends_with(".tw-pddl") {
            found.push(path);
        }
    }
    Ok(())
}

/// The path below a folder, with `/` between its parts.
fn path_below(dir: &Path, path: &Path) -> String {
    let below = path.strip_prefix(dir).unwrap_or(path);
    below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The kind of a real game stands in the name of its file or of a folder around it, the nearest first; its place below the games' folder is
/// its id.
fn file_task(manifest: &Manifest, path: &Path, place: &str) -> Result<LoadedTask, BenchError> {
    let (game, digest) = Game::read_known(path)?;
    let text = game.task_sentence().to_owned();
    let named = |part: &OsStr| TaskKind::ALL.into_iter().find(|kind| part.to_string_lossy().contains(kind.as_str()));
    let kind = path.iter().rev().find_map(named).map_or("unknown", TaskKind::as_str);
    let tags = Tags::from([("kind".to_owned(), kind.to_owned())]);
    let group = format!("{kind} | {text}");
    Ok(loaded(&manifest.name, place.to_owned(), text, tags, group, Origin::File { path: path.to_owned(), digest }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const MANIFEST: &str = "format = 1\nname = \"real\"\nkind = \"household\"\n[source]\ngames = \"games\"\n";

    /// A folder with the same game in two places, below a folder that is named like another kind.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::Builder::new().prefix("pick_heat_then_place_in_recep").tempdir().unwrap();
        for place in ["games/one/look_at_obj_in_light-1", "games/two/look_at_obj_in_light-1"] {
            let folder = dir.path().join(place);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("game.tw-pddl"), super::super::household::tests::game_file()).unwrap();
        }
        dir
    }

    #[test]
    fn games_are_told_apart_by_their_place_and_their_kind_stands_nearest_to_them() {
        let dir = folder();
        let benchmark = Benchmark::parse(MANIFEST, dir.path()).unwrap();
        let ids: BTreeSet<&str> = benchmark.tasks.iter().map(|loaded| loaded.task.id.as_str()).collect();
        assert_eq!(ids, BTreeSet::from(["one/look_at_obj_in_light-1/game.tw-pddl", "two/look_at_obj_in_light-1/game.tw-pddl"]));
        assert!(benchmark.tasks.iter().all(|loaded| loaded.task.tags["kind"] == "look_at_obj_in_light"));
    }

    #[test]
    fn more_generated_tasks_than_can_be_held_are_refused_with_the_line() {
        for kind in ["echo", "household"] {
            let text = format!("format = 1\nname = \"b\"\nkind = \"{kind}\"\n[source]\ngenerated = 4000000000\n");
            let error = Benchmark::parse(&text, Path::new("b")).unwrap_err().to_string();
            assert_eq!(error, "read benchmark b: benchmark.toml:5: source.generated is 4000000000; the most is 2000");
        }
    }

    #[test]
    fn another_world_under_the_same_words_is_another_benchmark() {
        let dir = folder();
        let before = Benchmark::parse(MANIFEST, dir.path()).unwrap();
        assert!(before.tasks[0].world().is_ok());
        for loaded in &before.tasks {
            let path = dir.path().join("games").join(loaded.task.id.as_str());
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, [bytes.as_slice(), b"\n"].concat()).unwrap();
        }
        assert_ne!(Benchmark::parse(MANIFEST, dir.path()).unwrap().digest, before.digest);
        assert!(matches!(before.tasks[0].world(), Err(BenchError::Changed { .. })));
    }
}
