//! One script of one episode, as the host holds it: where it lives, what it has been sent, and its last state, from which it is made again
//! when its worker is lost through another's fault.

use super::action::{action, result};
use super::pool::{CALLED, Pool, ScriptError, Told, called, killed};
use super::protocol::{FaultKind, Kind, Opening, Order, Report, ScriptFault};
use super::view::Sent;
use crate::domain::event::{Action, Event, Scene, ToolResult};
use crate::domain::message::Arguments;
use crate::domain::request::Reply;
use futures::channel::oneshot::Receiver;
use serde_json::value::RawValue;
use std::sync::mpsc;

/// Workers lost through others before an instance gives up.
const TRIES: u32 = 5;

/// A script at work in one episode. Made where and when it is first needed.
pub struct Instance {
    pool: Pool,
    opening: Opening,
    lane: usize,
    id: u64,
    /// The worker it lives in.
    generation: Option<u64>,
    sent: Sent,
    state: Option<String>,
    /// What broke it; it is not asked again.
    broken: Option<ScriptFault>,
}

/// Where a composed tool stands.
pub enum ToolStep {
    /// It calls one of the environment's tools and waits.
    Calls {
        /// Name of the tool.
        tool: String,
        /// With what.
        arguments: Arguments,
        /// Goes on from here.
        waiting: Waiting,
    },
    /// It is done.
    Done(ToolResult),
}

/// A composed tool that waits for a call of its own. Dropped, it is abandoned.
pub struct Waiting {
    answer: mpsc::Sender<Order>,
    next: Receiver<Told>,
}

impl Instance {
    /// An instance with its parameters, a JSON object.
    ///
    /// # Errors
    /// Parameters that are no JSON.
    pub fn new(pool: &Pool, path: &str, source: &str, kind: Kind, params: &str) -> Result<Self, ScriptError> {
        let opening = pool.opening(path, source, kind, params)?;
        let (lane, id) = pool.place();
        Ok(Self { pool: pool.clone(), opening, lane, id, generation: None, sent: Sent::default(), state: None, broken: None })
    }

    /// Puts an event; `reply` answers the question that the script put about it last.
    ///
    /// # Errors
    /// The script's fault, or the host's.
    pub async fn event(&mut self, event: &Event<'_>, scene: &Scene<'_>, reply: Option<&Reply>) -> Result<Action, ScriptError> {
        for _ in 0..TRIES {
            self.open().await?;
            let sent = self.sent.write(event, scene, reply).and_then(RawValue::from_string);
            let sent = sent.map_err(|error| ScriptError::Host(error.to_string()))?;
            let order = Order::Event { id: self.id, hook: event.hook(), sent };
            let told = self.pool.give(self.lane, &order, self.generation)?.await.unwrap_or(Told::Host("its thread ended".to_owned()));
            if let Some(report) = self.read(told)? {
                let answer = self.answered(report)?;
                let place = |message| ScriptFault { message, ..killed(&self.opening.path, "") };
                return action(&answer, event).map_err(|message| {
                    self.broken = Some(ScriptFault { kind: FaultKind::Answer, ..place(message.clone()) });
                    ScriptFault { kind: FaultKind::Answer, ..place(message) }.into()
                });
            }
        }
        Err(ScriptError::Host("workers were lost again and again".to_owned()))
    }

    /// Runs a composed tool up to its first call, or its end.
    ///
    /// # Errors
    /// As `event`.
    pub async fn run(&mut self, arguments: &Arguments) -> Result<ToolStep, ScriptError> {
        for _ in 0..TRIES {
            self.open().await?;
            let arguments = serde_json::value::to_raw_value(&arguments.0).map_err(|error| ScriptError::Host(error.to_string()))?;
            let order = Order::Run { id: self.id, arguments };
            let told = self.pool.give(self.lane, &order, self.generation)?.await;
            if let Some(step) = self.step(told.unwrap_or(Told::Host("its thread ended".to_owned())))? {
                return Ok(step);
            }
        }
        Err(ScriptError::Host("workers were lost again and again".to_owned()))
    }

    /// Goes on with what came of the call.
    ///
    /// # Errors
    /// As `event`.
    pub async fn resume(&mut self, waiting: Waiting, outcome: ToolResult) -> Result<ToolStep, ScriptError> {
        let lost = || ScriptError::Host("its worker was lost while a tool waited".to_owned());
        // Nobody takes the outcome any more once the tool was given up: that is the tool's own use of time.
        waiting.answer.send(called(outcome)).map_err(|_| self.fail(late(&self.opening.path)))?;
        let told = waiting.next.await.map_err(|_| lost())?;
        self.step(told)?.ok_or_else(lost)
    }

    fn step(&mut self, told: Told) -> Result<Option<ToolStep>, ScriptError> {
        match told {
            Told::Calls { tool, arguments, answer, next } => {
                Ok(Some(ToolStep::Calls { tool, arguments, waiting: Waiting { answer, next } }))
            }
            told @ (Told::Report(..) | Told::Stale | Told::Killed(_) | Told::Host(_) | Told::Unconfined) => {
                let Some(report) = self.read(told)? else { return Ok(None) };
                let answer = self.answered(report)?;
                let result =
                    result(&answer).map_err(|message| ScriptFault { kind: FaultKind::Answer, message, ..killed(&self.opening.path, "") });
                Ok(Some(ToolStep::Done(result?)))
            }
        }
    }

    /// Makes the instance where there is none.
    async fn open(&mut self) -> Result<(), ScriptError> {
        if let Some(fault) = &self.broken {
            return Err(fault.clone().into());
        }
        if self.generation.is_some() {
            return Ok(());
        }
        self.sent = Sent::default();
        let order = Order::Open { id: self.id, opening: self.opening.clone(), state: self.state.clone() };
        let told = self.pool.give(self.lane, &order, None)?.await.unwrap_or(Told::Host("its thread ended".to_owned()));
        if let Told::Report(_, generation) = &told {
            self.generation = Some(*generation);
        }
        match self.read(told)? {
            Some(Report::Opened) => Ok(()),
            Some(Report::Failed(fault)) => Err(self.fail(fault)),
            Some(Report::Ready(_) | Report::Checked(_) | Report::Answered { .. } | Report::Call { .. }) | None => {
                Err(ScriptError::Host("it does not speak".to_owned()))
            }
        }
    }

    /// A report; `None` where the worker had gone before, so that nothing was run.
    fn read(&mut self, told: Told) -> Result<Option<Report>, ScriptError> {
        match told {
            Told::Report(report, _) => Ok(Some(report)),
            Told::Stale => {
                self.generation = None;
                Ok(None)
            }
            Told::Killed(how) => {
                self.generation = None;
                Err(self.fail(killed(&self.opening.path, how)))
            }
            Told::Host(error) => Err(ScriptError::Host(error)),
            Told::Unconfined => Err(ScriptError::Unconfined),
            Told::Calls { .. } => Err(ScriptError::Host("it called a tool outside a run".to_owned())),
        }
    }

    fn answered(&mut self, report: Report) -> Result<Box<RawValue>, ScriptError> {
        match report {
            Report::Answered { answer, state } => {
                if state.is_some() {
                    self.state = state;
                }
                Ok(answer)
            }
            Report::Failed(fault) => Err(self.fail(fault)),
            Report::Ready(_) | Report::Checked(_) | Report::Opened | Report::Call { .. } => {
                Err(ScriptError::Host("it does not speak".to_owned()))
            }
        }
    }

    fn fail(&mut self, fault: ScriptFault) -> ScriptError {
        self.broken = Some(ScriptFault { path: self.opening.path.clone(), ..fault.clone() });
        fault.into()
    }

    /// The state after the last answer, as JSON.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

/// A composed tool that waited too long for a call of its own.
fn late(path: &str) -> ScriptFault {
    ScriptFault { message: format!("waited longer than {} s for a call", CALLED.as_secs()), ..killed(path, "") }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.pool.leave(self.lane, self.id, self.generation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    #[test]
    fn a_call_that_comes_back_too_late_is_the_tools_own_use_of_time() {
        let mut tool = Instance::new(&Pool::shared(), "tools/x.js", "", Kind::Tool, "{}").unwrap();
        let ((answer, taken), (told, next)) = (mpsc::channel(), futures::channel::oneshot::channel());
        drop((taken, told));
        let outcome = ToolResult { text: String::new(), is_error: false };
        let resumed = block_on(tool.resume(Waiting { answer, next }, outcome)).map(|_| ());
        assert!(matches!(resumed, Err(ScriptError::Fault(fault)) if fault.to_string().contains("waited longer than 600 s for a call")));
    }
}
