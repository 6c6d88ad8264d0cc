//! What every command that plays episodes needs of the process: an async runtime, open files, and an end before its own — Ctrl-C, or the
//! time that it may take.

use super::failure::{Exit, Failure};
use super::printer::Printer;
use super::settings::Settings;
use crate::clock::{Clock, deadline};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};

/// Set by Ctrl-C: no further episode is started.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What is under way still has so long once a command is to stop: a reply that is about to come need not be paid for again. After that it
/// is dropped, which loses nothing that is on file.
const GRACE: Duration = Duration::from_secs(3);

/// The time a command may take, as it was asked for.
#[derive(Clone, Debug)]
struct Limit {
    text: String,
    milliseconds: u64,
}

/// A command's work, from its start to its end.
pub(crate) struct Session {
    runtime: Runtime,
    clock: Clock,
    limit: Option<Limit>,
}

impl Session {
    /// The number of open files is raised to what the system allows: each live episode holds a connection and a trace. Time counts from the
    /// clock's zero.
    pub fn new(settings: &Settings, clock: &Clock) -> Result<Self, Failure> {
        // Best effort: too few are an error where a file cannot be opened.
        let _ = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
        let limit = settings.most_milliseconds()?.zip(settings.max_time.clone()).map(|(milliseconds, text)| Limit { text, milliseconds });
        Ok(Self { runtime: runtime()?, clock: clock.clone(), limit })
    }

    /// Whether nothing more may be started.
    pub fn is_over(&self) -> bool {
        INTERRUPTED.load(Ordering::Relaxed) || self.time_left().is_some_and(|left| left.is_zero())
    }

    fn time_left(&self) -> Option<Duration> {
        self.limit.as_ref().map(|limit| Duration::from_millis(limit.milliseconds.saturating_sub(self.clock.milliseconds())))
    }

    /// Does work to its end; `None` where it had to be dropped. Ctrl-C is heard on a thread of its own, so that it is answered at once
    /// while a stage computes.
    pub fn run<T>(&self, work: impl Future<Output = T>, printer: &Printer) -> Result<Option<T>, Failure> {
        let listener = runtime()?;
        let (pressed, heard) = watch::channel(0_u32);
        let (alive, over) = oneshot::channel::<()>();
        Ok(std::thread::scope(|scope| {
            scope.spawn(move || {
                listener.block_on(async {
                    tokio::select! {
                        () = listen(&pressed, printer) => {}
                        // Never sent to, only dropped.
                        _ = over => {}
                    }
                });
            });
            let done = self.runtime.block_on(async {
                tokio::select! {
                    done = work => Some(done),
                    () = self.out_of_time() => None,
                    () = dropped(heard) => None,
                }
            });
            drop(alive);
            done
        }))
    }

    /// Resolves when time is up, and what was under way then has had its grace.
    async fn out_of_time(&self) {
        match self.time_left() {
            Some(left) => tokio::time::sleep_until(deadline(left + GRACE)).await,
            None => std::future::pending().await,
        }
    }

    /// What ended the work: where that was its time, which refuses model calls too, in the words for it.
    pub fn told(&self, failure: Failure) -> Failure {
        if failure.exit == Exit::Interrupted && self.is_over() { self.stopped("") } else { failure }
    }

    /// The command had to stop before its end; `left` says what is done.
    pub fn stopped(&self, left: &str) -> Failure {
        match &self.limit {
            Some(Limit { text, .. }) if !INTERRUPTED.load(Ordering::Relaxed) => {
                Failure::new(Exit::Interrupted, format!("finish the run: stopped: --max-time {text} is over{left}"))
                    .hint("the same command goes on for as long again; what is finished is kept")
            }
            Some(_) | None => Failure::new(Exit::Interrupted, format!("finish the run: interrupted{left}"))
                .hint("the same command continues; what is finished is kept"),
        }
    }
}

fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Outside, format!("start the async runtime: {error}")))
}

/// Counts Ctrl-C, and answers the first one.
async fn listen(pressed: &watch::Sender<u32>, printer: &Printer) {
    while tokio::signal::ctrl_c().await.is_ok() {
        if !INTERRUPTED.swap(true, Ordering::Relaxed) {
            let grace = GRACE.as_secs();
            printer
                .note(&format!("stopping: nothing more is started, and what is under way has {grace} s; Ctrl-C once more stops at once"));
        }
        pressed.send_modify(|times| *times += 1);
    }
    std::future::pending::<()>().await;
}

/// Resolves when Ctrl-C was pressed twice, or once and its grace is over.
async fn dropped(mut heard: watch::Receiver<u32>) {
    if heard.wait_for(|times| *times >= 1).await.is_err() {
        std::future::pending::<()>().await;
    }
    let _ = tokio::time::timeout(GRACE, heard.wait_for(|times| *times >= 2)).await;
}
