//! The engine `command`: candidates that a program of the user's own makes, or a person. Each candidate has a desk, `R<n>/desk/<k>`: what
//! was changed there lies in `harness/`, what is said of it in `statement.toml`, and an empty file `done` or `skip` is written last. A
//! program works in the sandbox on a copy, one candidate after another, and its desk is what it left; where that does not hold it is
//! started once more on it, and told why. A person works at the desk, and the round waits. A desk with its mark is not begun again, so that
//! a killed run makes no candidate twice.

use super::Rounds;
use super::error::RoundsError;
use super::evolve::{Made, Stock};
use super::settings::{EngineCommand, Word};
use crate::domain::engine::Engine;
use crate::domain::harness::Harness;
use crate::domain::id::{CandidateId, HarnessId, TaskId};
use crate::domain::untrusted::plain_lines;
use crate::sandbox::{End, Finished, Sandbox, SandboxError, ToolCommand, Workspace};
use crate::stages::evolve::{Proposed, Statement, Submission, Workshop, accept};
use crate::stages::handwork::{self, JUSTIFIED, Place, STATEMENT, Words};
use crate::stages::meta::Ground;
use crate::store::atomic::FileError;
use crate::store::handed::{self, Files};
use crate::store::harness_dir::from_files;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The candidate is made.
const DONE: &str = "done";

/// There is none.
const SKIP: &str = "skip";

/// What went wrong, for whoever sits there.
const LOG: &str = "log.txt";

/// Why a program's first attempt was not taken; where it lies at a desk, that was the second.
const REFUSED: &str = "refused.txt";

/// How a person ends the work at a desk.
const BY_HAND: &str = "Where a candidate is refused, `log.txt` says why. When you are done, make an empty file `done` beside this one — or \
     `skip` to leave this candidate out — and give the command again that began the run.";

/// How a program ends its work.
const BY_PROGRAM: &str = "You are started in this folder, may write here and in the folder for temporary files, and are given a limited \
     time. End with exit code 0; with another one the candidate is dropped. Where what you leave is refused you are started once more, on it, \
     and `refused.txt` says why.";

/// What a desk holds when it is left.
struct Left {
    harness: Harness,
    statement: Statement,
}

impl Rounds<'_> {
    /// Candidates made at the desks; or who is waited for. `taken` are harnesses that others made.
    pub(super) async fn by_command(
        &self,
        stock: &Stock<'_>,
        (first, count): (usize, usize),
        taken: BTreeSet<HarnessId>,
    ) -> Result<Made, RoundsError> {
        let numbers = first..first + count;
        for number in numbers.clone() {
            let desk = self.desk(stock.round, number);
            match &self.course.settings.command {
                Some(_) if is_left(&desk) || is_begun_by_hand(&desk) => {}
                Some(program) => self.run_program(program, stock, number, None).await?,
                None => self.lay_desk(stock, number)?,
            }
        }
        let left = numbers.filter(|number| is_left(&self.desk(stock.round, *number))).collect::<Vec<_>>();
        let mut made = Made::default();
        if left.len() == count {
            let take_up = async |workshop: &Workshop<'_>| Ok(self.taken_up(stock.round, &left, workshop));
            let mut refused;
            (made, refused) = self.at_workshop(stock, (first, count), taken.clone(), take_up).await?;
            if self.sent_back(stock, &refused).await? {
                (made, refused) = self.at_workshop(stock, (first, count), taken, take_up).await?;
            }
            for (number, problem) in refused {
                self.refuse(stock.round, number, &problem)?;
            }
        }
        let open: Vec<String> = (first..first + count)
            .map(|number| self.desk(stock.round, number))
            .filter(|desk| !is_left(desk))
            .map(|desk| desk.display().to_string())
            .collect();
        made.waiting = (!open.is_empty()).then(|| {
            let work = "edit harness/, fill in statement.toml, then make an empty file `done` or `skip`; README.md says more";
            format!("R{} waits for candidates made by hand: {work}; open: {}", stock.round, open.join(", "))
        });
        Ok(made)
    }

    fn desk(&self, round: u32, number: usize) -> PathBuf {
        self.course.run.path().join(format!("R{round}/desk/{number}"))
    }

    /// What a candidate's maker is given.
    fn given(&self, stock: &Stock<'_>, number: usize, ending: &str) -> Result<Files, RoundsError> {
        let overview = self.visible.overview(stock.round)?;
        let overview = overview.ok_or_else(|| RoundsError::Lost(format!("R{}/overview.json", stock.round)))?;
        let transcripts = self.transcripts()?;
        let shown = handwork::Shown {
            round: stock.round,
            overview: &overview,
            digests: &stock.digests,
            transcripts: &transcripts,
            incumbent: &stock.incumbent,
        };
        let place = Place { format: 1, round: stock.round, candidate: id_of(stock.round, number), number };
        Ok(handwork::evolver(&shown, stock.landscape, &place, ending))
    }

    /// A desk for a person; one that is laid out is left alone.
    fn lay_desk(&self, stock: &Stock<'_>, number: usize) -> Result<(), RoundsError> {
        let desk = self.desk(stock.round, number);
        if desk.join("README.md").exists() {
            return Ok(());
        }
        let mut files = self.given(stock, number, BY_HAND)?;
        let readme = files.remove("README.md").unwrap_or_default();
        Ok(handed::lay_out_anew(&desk, &files, ("README.md", &readme))?)
    }

    /// Has the program make one candidate, or mend what it left and was `refused`: what it leaves becomes the desk.
    async fn run_program(
        &self,
        program: &EngineCommand,
        stock: &Stock<'_>,
        number: usize,
        refused: Option<&str>,
    ) -> Result<(), RoundsError> {
        if (self.course.stopped)() {
            return Err(RoundsError::Stopped { round: stock.round });
        }
        let id = id_of(stock.round, number);
        let sandbox = self.course.desk.workbench.sandbox().map_err(RoundsError::Command)?;
        let workspace = Workspace::new()?;
        let mut given = self.given(stock, number, BY_PROGRAM)?;
        if let Some(problem) = refused {
            given.retain(|path, _| !path.starts_with("harness/"));
            given.extend(files_at(&self.desk(stock.round, number))?);
            given.insert(REFUSED.to_owned(), problem.as_bytes().to_vec());
        }
        handed::lay_out(&workspace.work(), &given)?;
        let argv = inside(program, sandbox, &workspace)?;
        let command = ToolCommand { argv, stdin: Vec::new(), network: program.network, environment: program.environment.clone() };
        let finished = sandbox.run(&command, &workspace, &program.limits).await?;
        let (mut files, problem) = match left_behind(&finished, &workspace.work()) {
            Ok(files) => (files, None),
            Err(problem) => (Files::new(), Some(problem)),
        };
        let log = log_of(&program.line, &finished, problem.as_deref());
        tell(&id, &log);
        files.insert(LOG.to_owned(), log.into_bytes());
        files.extend(refused.map(|problem| (REFUSED.to_owned(), problem.as_bytes().to_vec())));
        let mark = if problem.is_none() { DONE } else { SKIP };
        handed::lay_out_anew(&self.desk(stock.round, number), &files, (mark, b""))?;
        match problem {
            Some(problem) => self.dropped(stock.round, &id, &problem),
            None => self.audited("evolve", stock.round, "command", format!("{id} by {}", program.line)),
        }
    }

    /// Has the program mend what was refused for the first time; whether there was any.
    async fn sent_back(&self, stock: &Stock<'_>, refused: &[(usize, String)]) -> Result<bool, RoundsError> {
        let Some(program) = &self.course.settings.command else { return Ok(false) };
        let mut any = false;
        for (number, problem) in refused {
            let desk = self.desk(stock.round, *number);
            if desk.join(REFUSED).exists() || is_begun_by_hand(&desk) {
                continue;
            }
            let line = format!("{}: {problem}", id_of(stock.round, *number));
            self.say(stock.round, format!("back to its program, {line}"));
            self.audited("evolve", stock.round, "sent back", line)?;
            self.run_program(program, stock, *number, Some(problem)).await?;
            any = true;
        }
        Ok(any)
    }

    /// What was left at some desks, as candidates; and which do not hold, with why.
    fn taken_up(&self, round: u32, numbers: &[usize], workshop: &Workshop<'_>) -> (Made, Vec<(usize, String)>) {
        let (mut made, mut refused) = (Made::default(), Vec::new());
        for number in numbers {
            let desk = self.desk(round, *number);
            let justified = self.justified_at(&desk);
            made.justified.extend(justified.iter().flatten().map(|(task, why)| (task.clone(), why.clone())));
            if desk.join(SKIP).exists() {
                continue;
            }
            match justified.and_then(|_| taken_from(&desk, &self.standing_title(), *number, &made.proposed, workshop)) {
                Ok(proposed) => made.proposed.push(proposed),
                Err(problem) => refused.push((*number, problem)),
            }
        }
        (made, refused)
    }

    /// The title of a candidate whose maker says nothing.
    fn standing_title(&self) -> String {
        let program = self.course.settings.command.as_ref();
        program.map_or_else(|| "an edit by hand".to_owned(), |program| format!("an edit by {}", program.line))
    }

    /// Tasks that need no candidate, as a desk has it.
    fn justified_at(&self, desk: &Path) -> Result<BTreeMap<TaskId, String>, String> {
        let text = handed::text(&desk.join(JUSTIFIED)).map_err(|error| error.to_string())?;
        let (mut words, tasks) = (Words::default(), self.train_ids());
        let justified = words.justified("", text.as_deref(), &Ground { tasks: &tasks, verify: &|_, _| false });
        words.problems.into_iter().next().map_or(Ok(justified), Err)
    }

    fn refuse(&self, round: u32, number: usize, problem: &str) -> Result<(), RoundsError> {
        let (desk, id) = (self.desk(round, number), id_of(round, number));
        let before = handed::text(&desk.join(LOG)).ok().flatten().unwrap_or_default();
        let line = format!("not taken: {problem}\n");
        if !before.ends_with(&line) {
            tell(&id, &line);
            handed::lay_out(&desk, &Files::from([(LOG.to_owned(), (before + &line).into_bytes())]))?;
        }
        if self.course.settings.command.is_none() || is_begun_by_hand(&desk) {
            self.course.run.remove(&format!("R{round}/desk/{number}/{DONE}"))?;
        }
        self.dropped(round, &id, problem)
    }

    fn dropped(&self, round: u32, id: &CandidateId, problem: &str) -> Result<(), RoundsError> {
        let log = id.number().map_or_else(|| LOG.to_owned(), |number| self.desk(round, number).join(LOG).display().to_string());
        self.say(round, format!("{id} is not taken: {problem}; {log} says more"));
        self.audited("evolve", round, "refused", format!("{id}: {problem}"))
    }
}

/// What a candidate's author may want to know, for `-v`.
fn tell(id: &CandidateId, log: &str) {
    for line in plain_lines(log) {
        tracing::info!("{id}: {line}");
    }
}

/// A candidate's id by its number.
pub(super) fn id_of(round: u32, number: usize) -> CandidateId {
    CandidateId(format!("C-R{round}-{number:02}"))
}

/// Whether a desk was laid out for a person, whose work nobody else may throw away.
fn is_begun_by_hand(desk: &Path) -> bool {
    desk.join("README.md").exists()
}

fn is_left(desk: &Path) -> bool {
    [DONE, SKIP].iter().any(|mark| desk.join(mark).exists())
}

/// A candidate from a folder, or why it is none.
pub(super) fn taken_from(
    desk: &Path,
    title: &str,
    number: usize,
    before: &[Proposed],
    workshop: &Workshop<'_>,
) -> Result<Proposed, String> {
    let Left { harness, statement } =
        left_at(desk, title, workshop).map_err(|problem| problem.replace(&format!("{}/", desk.display()), ""))?;
    accept(&Submission { engine: Engine::Command, harness, statement }, number, before, workshop)
}

fn left_at(desk: &Path, title: &str, workshop: &Workshop<'_>) -> Result<Left, String> {
    let files = handed::harness_files(&desk.join("harness")).map_err(|error| error.to_string())?;
    let (harness, lines) = from_files(files, Path::new("harness")).map_err(|error| error.to_string())?;
    let problems = (workshop.check)(&harness, &lines);
    if !problems.is_empty() {
        return Err(problems.iter().map(|problem| format!("harness/{problem}")).collect::<Vec<_>>().join("\n"));
    }
    let text = handed::text(&desk.join(STATEMENT)).map_err(|error| error.to_string())?;
    Ok(Left { harness, statement: handwork::statement(text.as_deref(), title)? })
}

/// The command line as it is inside: files of the user's are put where they can be read.
fn inside(program: &EngineCommand, sandbox: &Sandbox, workspace: &Workspace) -> Result<Vec<String>, SandboxError> {
    let mut argv = Vec::new();
    for (at, word) in program.words.iter().enumerate() {
        match word {
            Word::Plain(text) => argv.push(text.clone()),
            Word::File { name, bytes } => {
                let path = format!("{at}/{name}");
                workspace.add_tool(&path, bytes)?;
                argv.push(workspace.tools_inside(sandbox.protection().root()).join(path).display().to_string());
            }
        }
    }
    Ok(argv)
}

/// The files of a workspace that count, or why its candidate is dropped.
fn left_behind(finished: &Finished, work: &Path) -> Result<Files, String> {
    match finished.end {
        End::Exit(0) => {}
        End::Exit(code) => return Err(format!("the program ended with exit code {code}")),
        End::Stopped(limit) => return Err(format!("the program was stopped at its limit of {limit}")),
    }
    files_at(work).map_err(|error| error.to_string().replace(&format!("{}/", work.display()), ""))
}

/// What a maker may change.
fn files_at(dir: &Path) -> Result<Files, FileError> {
    let mut files: Files =
        handed::harness_files(&dir.join("harness"))?.into_iter().map(|(path, bytes)| (format!("harness/{path}"), bytes)).collect();
    for name in [STATEMENT, JUSTIFIED] {
        files.extend(handed::text(&dir.join(name))?.map(|text| (name.to_owned(), text.into_bytes())));
    }
    Ok(files)
}

/// What a program did, for people.
fn log_of(line: &str, finished: &Finished, problem: Option<&str>) -> String {
    let mut log = format!("command: {line}\n");
    for (name, text) in [("stdout", &finished.stdout), ("stderr", &finished.stderr)] {
        if !text.trim().is_empty() {
            _ = writeln!(log, "--- {name}\n{}", text.trim_end());
        }
    }
    if finished.is_cut {
        log.push_str("[stdout was longer]\n");
    }
    if let Some(problem) = problem {
        _ = writeln!(log, "not taken: {problem}");
    }
    log
}
