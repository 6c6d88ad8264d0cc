//! The host's side: a few workers, shared by all episodes, each with a thread that talks to it. A worker that is late or gone is killed and
//! another one started; whose order it had been running is to blame, everyone else's instances are made again from their last state.

use super::protocol::{Card, FaultKind, Kind, Opening, Order, Remark, Report, ScriptFault, ScriptLimits, frame, length, message};
use crate::domain::event::ToolResult;
use crate::domain::id::Digest;
use crate::domain::message::Arguments;
use crate::sandbox::worker::{Protections, Worker, WorkerProgram};
use futures::channel::oneshot;
use futures::executor::block_on;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Time that a worker has beyond a script's own deadline.
const GRACE: Duration = Duration::from_millis(500);

/// Time that a new worker has to greet.
const START: Duration = Duration::from_secs(20);

/// Longest wait for the host's own answer to a running tool.
pub(super) const CALLED: Duration = Duration::from_mins(10);

/// The pool could not run a script, through no fault of the script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The script's own failure.
    #[error(transparent)]
    Fault(#[from] ScriptFault),
    /// No worker could be started, or it does not speak.
    #[error("start a script worker: {0}")]
    Host(String),
    /// Nothing of the kernel's would hold a script.
    #[error("run a script: this machine has neither landlock nor seccomp to hold it (`--sandbox off` runs it all the same)")]
    Unconfined,
}

/// How a pool is made.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// What a worker is.
    pub program: WorkerProgram,
    /// How many; at least one.
    pub workers: usize,
    /// What each instance may use.
    pub limits: ScriptLimits,
}

/// A shared pool; workers start when they are first needed.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    lanes: Vec<Lane>,
    limits: ScriptLimits,
    next: AtomicU64,
    cards: Mutex<HashMap<Digest, Result<Card, Vec<Remark>>>>,
}

/// One worker's thread as others see it.
struct Lane {
    jobs: Mutex<mpsc::Sender<Job>>,
    live: AtomicUsize,
}

struct Job {
    order: Vec<u8>,
    time: Duration,
    /// The worker that it must be: the one its instance lives in.
    generation: Option<u64>,
    told: Option<oneshot::Sender<Told>>,
}

/// What comes back to whoever gave an order.
pub(super) enum Told {
    /// A report, and the generation of the worker.
    Report(Report, u64),
    /// The running tool calls; the worker waits for what is sent.
    Calls { tool: String, arguments: Arguments, answer: mpsc::Sender<Order>, next: oneshot::Receiver<Told> },
    /// The worker of that generation is gone; nothing was run.
    Stale,
    /// The worker was killed, or died, over this order.
    Killed(&'static str),
    /// There is no worker.
    Host(String),
    /// There is one, but nothing holds it.
    Unconfined,
}

static UNCONFINED: AtomicBool = AtomicBool::new(false);

/// Lets scripts run where nothing of the kernel's holds them: `--sandbox off`, typed by the user.
pub fn allow_unconfined() {
    UNCONFINED.store(true, Ordering::Relaxed);
}

impl Pool {
    /// A pool of its own.
    pub fn new(settings: &PoolSettings) -> Self {
        let lane = |_| {
            let (sender, receiver) = mpsc::channel();
            let program = settings.program.clone();
            let serve = move || Keeper { program, worker: None, generation: 0, protections: Protections::default() }.serve(&receiver);
            // Without its thread a lane answers that there is no worker.
            let _ = thread::Builder::new().name("script worker".to_owned()).spawn(serve);
            Lane { jobs: Mutex::new(sender), live: AtomicUsize::new(0) }
        };
        let lanes = (0..settings.workers.max(1)).map(lane).collect();
        Self(Arc::new(Inner { lanes, limits: settings.limits, next: AtomicU64::new(1), cards: Mutex::default() }))
    }

    /// The pool of this process: as many workers as cores, each this very program.
    pub fn shared() -> Self {
        static SHARED: OnceLock<Pool> = OnceLock::new();
        let make = || {
            let workers = thread::available_parallelism().map_or(1, usize::from);
            Self::new(&PoolSettings { program: own_program(), workers, limits: ScriptLimits::default() })
        };
        SHARED.get_or_init(make).clone()
    }

    /// What each instance may use.
    pub fn limits(&self) -> ScriptLimits {
        self.0.limits
    }

    /// What the workers are held by.
    ///
    /// # Errors
    /// No worker.
    pub fn protections(&self) -> Result<Protections, ScriptError> {
        let opening = self.opening("probe.js", "export function run() { return \"\"; }", Kind::Tool, "{}")?;
        match block_on(self.give(0, &Order::Check(opening), None)?).unwrap_or(Told::Stale) {
            Told::Report(..) => {}
            Told::Unconfined => return Err(ScriptError::Unconfined),
            Told::Host(error) => return Err(ScriptError::Host(error)),
            Told::Calls { .. } | Told::Stale | Told::Killed(_) => return Err(ScriptError::Host("it does not answer".to_owned())),
        }
        Ok(*LAST_SEEN.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks a script over before it may run; once a script.
    ///
    /// # Errors
    /// No worker; what is wrong with the script is the value.
    pub fn check(&self, path: &str, source: &str, kind: Kind) -> Result<Result<Card, Vec<Remark>>, ScriptError> {
        let key = Digest::of_parts(&[&[u8::from(kind == Kind::Tool)], path.as_bytes(), source.as_bytes()]);
        let cards = || self.0.cards.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = cards().get(&key) {
            return Ok(known.clone());
        }
        let opening = self.opening(path, source, kind, "{}")?;
        let told = block_on(self.give(self.least(), &Order::Check(opening), None)?).unwrap_or(Told::Stale);
        let checked = match told {
            Told::Report(Report::Checked(checked), _) => checked,
            Told::Killed(how) => Err(vec![Remark { line: 0, column: 0, message: format!("while it was looked over, its worker {how}") }]),
            Told::Host(error) => return Err(ScriptError::Host(error)),
            Told::Unconfined => return Err(ScriptError::Unconfined),
            Told::Report(..) | Told::Calls { .. } | Told::Stale => return Err(ScriptError::Host("it does not speak".to_owned())),
        };
        cards().insert(key, checked.clone());
        Ok(checked)
    }

    pub(super) fn opening(&self, path: &str, source: &str, kind: Kind, params: &str) -> Result<Opening, ScriptError> {
        let params = RawValue::from_string(params.to_owned()).map_err(|error| ScriptError::Host(error.to_string()))?;
        Ok(Opening { path: path.to_owned(), source: source.to_owned(), kind, params, limits: self.0.limits })
    }

    /// A place for a new instance: the lane with the fewest, and an id.
    pub(super) fn place(&self) -> (usize, u64) {
        let lane = self.least();
        self.0.lanes[lane].live.fetch_add(1, Ordering::Relaxed);
        (lane, self.0.next.fetch_add(1, Ordering::Relaxed))
    }

    fn least(&self) -> usize {
        let loads = self.0.lanes.iter().map(|lane| lane.live.load(Ordering::Relaxed));
        loads.enumerate().min_by_key(|(_, live)| *live).map_or(0, |(index, _)| index)
    }

    /// An instance is no longer wanted.
    pub(super) fn leave(&self, lane: usize, id: u64, generation: Option<u64>) {
        self.0.lanes[lane].live.fetch_sub(1, Ordering::Relaxed);
        if let (Some(_), Ok(order)) = (generation, frame(&Order::Close { id })) {
            let _ = self.send(lane, Job { order, time: Duration::from_secs(1), generation, told: None });
        }
    }

    /// Gives an order; what came of it is told later.
    pub(super) fn give(&self, lane: usize, order: &Order, generation: Option<u64>) -> Result<oneshot::Receiver<Told>, ScriptError> {
        let order = frame(order).map_err(|error| ScriptError::Host(error.to_string()))?;
        let time = Duration::from_millis(self.0.limits.deadline_ms) + GRACE;
        let (told, later) = oneshot::channel();
        self.send(lane, Job { order, time, generation, told: Some(told) })?;
        Ok(later)
    }

    fn send(&self, lane: usize, job: Job) -> Result<(), ScriptError> {
        let jobs = self.0.lanes[lane].jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.send(job).map_err(|_| ScriptError::Host("its thread could not be started".to_owned()))
    }
}

/// Protections of the worker that greeted last.
static LAST_SEEN: Mutex<Protections> = Mutex::new(Protections { limits: false, landlock: false, system_calls: false });

/// This program as a worker. The test harness is led to the one test that serves.
fn own_program() -> WorkerProgram {
    let path = std::env::current_exe().unwrap_or_else(|_| "harnessx".into());
    let arguments: &[&str] = if cfg!(test) { &["--exact", "script::tests::worker", "--nocapture"] } else { &[super::WORKER] };
    WorkerProgram { path, arguments: arguments.iter().map(|text| (*text).to_owned()).collect() }
}

/// The thread of one worker.
struct Keeper {
    program: WorkerProgram,
    worker: Option<Worker>,
    /// Rises with every worker started.
    generation: u64,
    protections: Protections,
}

impl Keeper {
    fn serve(&mut self, jobs: &mpsc::Receiver<Job>) {
        while let Ok(Job { order, time, generation, told }) = jobs.recv() {
            let is_stale = generation.is_some_and(|generation| self.worker.is_none() || generation != self.generation);
            let outcome = if is_stale { Told::Stale } else { self.exchange(&order, time, told.is_some()) };
            let Some(told) = told else { continue };
            match outcome {
                Told::Report(Report::Call { tool, arguments }, _) => self.relay(told, tool, arguments, time),
                other @ (Told::Report(..) | Told::Calls { .. } | Told::Stale | Told::Killed(_) | Told::Host(_) | Told::Unconfined) => {
                    // Nobody may be waiting any more.
                    drop(told.send(other));
                }
            }
        }
    }

    fn exchange(&mut self, order: &[u8], time: Duration, is_answered: bool) -> Told {
        if self.worker.is_none()
            && let Err(error) = self.start()
        {
            return Told::Host(error.to_string());
        }
        if !self.protections.is_confined() && !UNCONFINED.load(Ordering::Relaxed) {
            return Told::Unconfined;
        }
        let Some(worker) = &mut self.worker else { return Told::Stale };
        let deadline = Instant::now() + time;
        let exchanged =
            worker.send(order, deadline).and_then(|()| if is_answered { receive(worker, deadline).map(Some) } else { Ok(None) });
        match exchanged {
            Ok(Some(report)) => Told::Report(report, self.generation),
            Ok(None) => Told::Stale,
            Err(error) => {
                self.worker = None;
                let is_late = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                Told::Killed(if is_late { "was late and was killed" } else { "died" })
            }
        }
    }

    /// Passes calls of a running tool to the episode and answers back, until the tool ends.
    fn relay(&mut self, mut told: oneshot::Sender<Told>, mut tool: String, mut arguments: Arguments, time: Duration) {
        loop {
            let (answer, answers) = mpsc::channel();
            let (next_told, next) = oneshot::channel();
            let order = match told.send(Told::Calls { tool, arguments, answer, next }) {
                Ok(()) => answers.recv_timeout(CALLED).unwrap_or(Order::Abandon),
                Err(_) => Order::Abandon,
            };
            told = next_told;
            let outcome = match frame(&order) {
                Ok(order) => self.exchange(&order, time, true),
                Err(error) => Told::Host(error.to_string()),
            };
            match outcome {
                Told::Report(Report::Call { tool: again, arguments: with }, _) => (tool, arguments) = (again, with),
                other @ (Told::Report(..) | Told::Calls { .. } | Told::Stale | Told::Killed(_) | Told::Host(_) | Told::Unconfined) => {
                    let _ = told.send(other);
                    return;
                }
            }
        }
    }

    fn start(&mut self) -> io::Result<()> {
        let mut worker = Worker::start(&self.program)?;
        self.generation += 1;
        let Report::Ready(protections) = receive(&mut worker, Instant::now() + START)? else {
            return Err(io::Error::other("it did not greet"));
        };
        self.protections = protections;
        *LAST_SEEN.lock().unwrap_or_else(PoisonError::into_inner) = protections;
        self.worker = Some(worker);
        Ok(())
    }
}

fn receive(worker: &mut Worker, deadline: Instant) -> io::Result<Report> {
    let mut head = [0; 4];
    worker.receive(&mut head, deadline)?;
    let length = length(head).ok_or_else(|| io::Error::other("a frame too long"))?;
    let mut body = vec![0; length];
    worker.receive(&mut body, deadline)?;
    message(&body).map_err(io::Error::other)
}

/// A worker's death over an order of this script.
pub(super) fn killed(path: &str, how: &str) -> ScriptFault {
    let message = format!("ran into a limit that only ending its worker could hold: it {how}");
    ScriptFault { kind: FaultKind::Limit, path: path.to_owned(), line: 0, column: 0, message }
}

/// The answer to a running tool.
pub(super) fn called(result: ToolResult) -> Order {
    Order::Called(result)
}
