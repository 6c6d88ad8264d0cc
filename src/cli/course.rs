//! From the settings of a loop to its rounds: shared by `loop` and by the stages on their own. A run that was begun keeps its settings in
//! `run.toml`; the stages read them there.

use super::assets::{self, LoadedHarness};
use super::assignment::Assignment;
use super::display::Display;
use super::engine_command::engine_command;
use super::estimate::Ahead;
use super::failure::Failure;
use super::freezing::{OF_LOOP, freeze};
use super::printer::Printer;
use super::proposing::engines_on_file;
use super::session::Session;
use super::{desk, estimate};
use crate::clock::Clock;
use crate::domain::engine::Engine;
use crate::domain::estimate::{AtMost, Part};
use crate::domain::gate::{GENERALISE_FROM, GateSettings, Profile, SameFinding};
use crate::domain::id::CandidateId;
use crate::domain::request::ModelRole;
use crate::domain::task::Split;
use crate::provider::{Provider, Uniform};
use crate::rounds::{Closing, Course, Event, LoopSettings, Rest, Rounds, RoundsError, TaskCounts, Until};
use crate::runtime::desk::{Desk, Seat};
use crate::stages::meta::{Member, Role, Staff};
use crate::stages::plan::ACTIONABILITY;
use crate::store::episode_folders::{Place, SealedStream};
use crate::store::record::Recorded;
use crate::store::run_dir::RunDir;
use clap::Args;
use serde::Serialize;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What a command does with the rounds once they are open.
pub(crate) enum Task<'a> {
    /// Takes the run so far.
    Run(Until),
    /// Plays the incumbent against itself so often; told of each line.
    Same(u32, &'a RefCell<Vec<Option<SameFinding>>>),
}

/// What is allowed without asking; nothing by default.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Allowed {
    /// Continue a run with other settings, where what is on file stays true
    #[arg(long)]
    pub force: bool,
    /// Fetch missing weights without asking
    #[arg(short, long)]
    pub yes: bool,
}

/// Where the rounds of a run stand when a command leaves them.
#[derive(Serialize)]
pub(crate) struct RestEvent<'a> {
    event: &'static str,
    reason: &'a str,
    /// Rounds that are done, without the baseline.
    rounds: usize,
    /// What shipped in the round that the command decided, where it did.
    pub shipped: &'a [CandidateId],
}

impl<'a> RestEvent<'a> {
    /// As they are, with nothing decided.
    pub fn of(closing: &'a Closing) -> Self {
        let event = match closing.rest {
            Rest::Over => "over",
            Rest::Open => "open",
            Rest::Waiting => "waiting",
        };
        Self { event, reason: &closing.reason, rounds: closing.rounds.len().saturating_sub(1), shipped: &[] }
    }
}

/// The end of the rounds as it is, for [`with_rounds`].
pub(crate) async fn whole(_: &Rounds<'_>, closing: Closing) -> Result<Closing, RoundsError> {
    Ok(closing)
}

/// Opens the rounds of a run and does one thing with them; `finish` sees them last.
pub(crate) fn with_rounds<T>(
    assignment: &Assignment,
    allowed: Allowed,
    task: &Task<'_>,
    printer: &Printer,
    finish: impl AsyncFnOnce(&Rounds<'_>, Closing) -> Result<T, RoundsError>,
) -> Result<T, Failure> {
    let settings = &assignment.layered.settings;
    let loop_settings = loop_settings(assignment)?;
    desk::fetch_missing(settings, allowed.yes, printer)?;
    let run_dir = RunDir::open(&assignment.dir)?;
    let staff = staff(assignment)?;
    let desk = desk::open(assignment, &run_dir.ledger_path(), printer)?;
    let chooser = chooser(&desk);
    let before = engines_on_file(&assignment.dir)?.filter(|before| *before != loop_settings.engines);
    freeze(&run_dir, assignment, &desk, allowed.force, &OF_LOOP)?;
    if let Some(before) = before {
        printer.line(&format!("candidates come from {} from now on; until here they came from {before}", loop_settings.engines));
    }
    let session = Session::new(settings, &desk.clock)?;
    let stopped = || session.is_over();
    let display: Mutex<Option<Display<'_>>> = Mutex::new(None);
    let watch = |event: Event<'_>| show(&event, &display, (&desk.clock, printer));
    let course = Course {
        run: &run_dir,
        benchmark: &assignment.benchmark,
        desk: &desk,
        staff: &staff,
        chooser: &chooser,
        baseline: assignment.harness.assembly.harness(),
        settings: &loop_settings,
        watch: &watch,
        stopped: &stopped,
    };
    let work = async {
        let mut rounds = Rounds::open(course)?;
        let closing = match task {
            Task::Run(until) => rounds.run(*until).await?,
            Task::Same(times, findings) => {
                for number in 0..*times {
                    let (finding, line) = rounds.check_same(number).await?;
                    printer.line(&line);
                    findings.borrow_mut().push(finding);
                }
                Closing::default()
            }
        };
        finish(&rounds, closing).await
    };
    let done = session.run(work, printer);
    run_dir.write_index()?;
    match done? {
        Some(Err(RoundsError::Stopped { round })) => Err(session.stopped(&format!(", in round {round}"))),
        Some(done) => done.map_err(|error| session.told(error.into())),
        None => Err(session.stopped("")),
    }
}

/// The harnesses of the roles that the engines need, checked; none without a meta-agent.
fn staff(assignment: &Assignment) -> Result<Staff, Failure> {
    let settings = &assignment.layered.settings;
    let engines = settings.evolution.engine.clone().unwrap_or_default();
    let mut staff = Staff::new();
    if !engines.needs_meta() {
        return Ok(staff);
    }
    if !settings.model.contains_key(&ModelRole::Meta) {
        return Err(Failure::settings(format!("seat the meta-agent of {engines}: no model is set for the role `meta`"))
            .hint("--model meta=SPEC names one, such as --model meta=anthropic:NAME; --engine catalog needs none"));
    }
    if settings.model.get(&ModelRole::Meta).is_some_and(|spec| spec == "random") {
        return Err(Failure::settings("seat the meta-agent: a random chooser picks among listed actions and cannot hold a session")
            .hint("--model meta=SPEC names a model that writes text, such as --model meta=anthropic:NAME; --engine random needs none"));
    }
    let folder = settings.evolution.meta_harness.clone().unwrap_or_else(|| "meta".to_owned());
    for role in Role::ALL {
        if engines.contains(if role == Role::Single { Engine::Single } else { Engine::Aegis }) {
            let LoadedHarness { assembly, id } = assets::harness(&format!("{folder}/{role}"))?;
            staff.insert(role, Member { assembly, harness: id });
        }
    }
    Ok(staff)
}

/// A desk with a random chooser in the main model's place; it keeps nothing, since it costs nothing.
fn chooser(desk: &Desk) -> Desk {
    let provider = Provider::Uniform(Uniform);
    let policy = provider.version();
    let seats = BTreeMap::from([(ModelRole::Main, Seat { provider, policy })]);
    Desk {
        seats,
        ledger: None,
        seed: desk.seed,
        sampling: desk.sampling.clone(),
        clock: desk.clock.clone(),
        workbench: desk.workbench.clone(),
    }
}

/// The loop's settings: a profile, and what replaces parts of it.
pub(crate) fn loop_settings(assignment: &Assignment) -> Result<LoopSettings, Failure> {
    let settings = &assignment.layered.settings;
    let keys = &settings.evolution;
    let Profile { idle_rounds, tasks, gate: mut judge, .. } = keys.profile.unwrap_or_default().profile();
    if let Some(mode) = keys.mode {
        judge = judge.in_mode(mode.mode());
    }
    judge.rounds = keys.rounds.unwrap_or(judge.rounds);
    judge.budget = keys.budget.unwrap_or(judge.budget);
    judge.alpha = keys.alpha.unwrap_or(judge.alpha);
    let most = tasks.map(|(train, gate, heldout)| (train as usize, gate as usize, heldout as usize));
    let tasks = TaskCounts {
        train: keys.train.or(settings.limit).or(most.map(|most| most.0)),
        gate: keys.gate.or(most.map(|most| most.1)),
        heldout: keys.heldout.or(most.map(|most| most.2)),
    };
    let gate_tasks = assignment.benchmark.split(Split::Gate).count().min(tasks.gate.unwrap_or(usize::MAX));
    judge.generalise = keys.generalise.unwrap_or(gate_tasks >= GENERALISE_FROM);
    if let Some(problem) = judge.problem() {
        return Err(Failure::settings(format!("read settings of the gate: {problem}")));
    }
    Ok(LoopSettings {
        engines: keys.engine.clone().unwrap_or_default(),
        meta_tokens: keys.meta_tokens,
        command: engine_command(settings)?,
        gate: judge,
        patience: keys.patience.unwrap_or(idle_rounds),
        tasks,
        heldout_rollouts: keys.heldout_rollouts.unwrap_or(1),
        heldout_veto: keys.heldout_veto.unwrap_or(false),
        jobs: settings.jobs,
        actionability: ACTIONABILITY,
        approve: keys.approve.unwrap_or_default().approve(),
    })
}

/// Says what a loop will cost at most, before anything is played.
pub(crate) fn foresee(assignment: &Assignment, printer: &Printer) -> Result<(), Failure> {
    let LoopSettings { gate, tasks, heldout_rollouts, meta_tokens, .. } = loop_settings(assignment)?;
    let count = |split, most: Option<usize>| assignment.benchmark.split(split).count().min(most.unwrap_or(usize::MAX)) as u64;
    if let Some(split) = [Split::Train, Split::Gate].into_iter().find(|split| count(*split, None) == 0) {
        return Err(RoundsError::NoTasks(split.as_str()).into());
    }
    let judged = count(Split::Train, tasks.train) + count(Split::Gate, tasks.gate);
    let granted = (gate.opening + gate.budget * f64::from(gate.rounds)) * judged as f64;
    let recorded = Recorded::read(&assignment.dir)?;
    let part = |name: &str, episodes: u64, is_of: &dyn Fn(&Place) -> bool| Part {
        name: name.to_owned(),
        episodes,
        on_file: recorded.count(is_of).min(episodes),
    };
    let of_baseline = |place: &Place| match place {
        Place::Round(round) => *round == 0,
        Place::Meta(_) => false,
        Place::Sealed { stream, harness } => *stream == SealedStream::Gate && *harness == assignment.harness.id,
    };
    let of_stream = |wanted| move |place: &Place| matches!(place, Place::Sealed { stream, .. } if *stream == wanted);
    let heldout = 2 * count(Split::Heldout, tasks.heldout) * u64::from(heldout_rollouts);
    let parts = vec![
        part("of the baseline", judged * u64::from(gate.visible), &of_baseline),
        part("for the gate at most", granted.max(0.0) as u64, &of_stream(SealedStream::Judged)),
        part("held-out, before and after", heldout, &of_stream(SealedStream::Heldout)),
    ];
    let sessions = at_most(&staff(assignment)?, &gate);
    estimate::announce(assignment, Ahead { parts, sessions, meta_tokens }, &recorded, printer)
}

/// The meta-agent's sessions that rounds may hold, by the limits of their harnesses: an Evolver sits once a candidate and once more where it
/// is sent back, the Critic before and after that.
fn at_most(staff: &Staff, gate: &GateSettings) -> Vec<AtMost> {
    let of_round = |role: Role| match role {
        Role::Digester | Role::Planner | Role::Single => 1,
        Role::Critic => 2,
        Role::Evolver => 2 * u64::from(gate.candidates),
    };
    let of = |(role, member): (&Role, &Member)| AtMost {
        role: *role,
        sessions: of_round(*role) * u64::from(gate.rounds),
        tokens_each: member.assembly.harness().manifest.slots.limits.tokens,
    };
    staff.iter().map(of).collect()
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum LoopEvent<'a> {
    Stage { round: u32, text: &'a str },
    Decided { round: u32, line: &'a str },
    Closed { round: &'a crate::domain::round::RoundRecord },
}

/// Progress and decisions as they come.
fn show<'p>(event: &Event<'_>, display: &Mutex<Option<Display<'p>>>, (clock, printer): (&'p Clock, &'p Printer)) {
    let Ok(mut display) = display.lock() else { return };
    match event {
        Event::Stage { round, text } => {
            printer.event(&LoopEvent::Stage { round: *round, text });
            printer.note(&format!("R{round}: {text}"));
        }
        Event::Playing(wanted) => *display = Some(Display::new(*wanted, clock, printer)),
        Event::Progress(progress) => {
            if let Some(display) = display.as_ref() {
                display.show(progress);
            }
        }
        Event::Played => {
            if let Some(display) = display.take() {
                display.finish();
            }
        }
        Event::Decided { round, line } => {
            printer.event(&LoopEvent::Decided { round: *round, line });
            printer.line(&format!("R{round}: {line}"));
        }
        Event::Closed(round) => printer.event(&LoopEvent::Closed { round }),
    }
}
