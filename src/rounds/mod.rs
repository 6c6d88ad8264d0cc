//! Algorithm 1 of the paper with the gate of `gate.md` (`system.md` §6). A round: the incumbent's missing rollouts, Digester, Planner,
//! Evolver, Critic, gate, and what was decided. The next step is told by the files that are there: every stage writes its own last, and
//! what is on file is read and not made again, so that a killed run goes on to the same end.
//!
//! Reading order: this file (the plot), `propose` (from traces to a landscape), `evolve` and `critique` (from a landscape to candidates that
//! may be judged), `command` and `hand` (candidates and words that come from a program or a person), `meta` (the meta-agent's part in all of
//! these), `judge` and `ship` (the gate's demands), `close` (what is told of a round), `publish`, `heldout`; then `ground`, `standing`,
//! `players`, `faults`, `elapsed` (what all of them stand on).

mod close;
mod command;
mod critique;
mod digest;
mod elapsed;
mod error;
mod evolve;
mod expiry;
mod faults;
mod ground;
mod hand;
mod heldout;
mod judge;
mod landscape;
mod meta;
mod players;
mod propose;
mod publish;
mod rules;
mod same;
mod settings;
mod ship;
mod spent;
mod standing;

pub use digest::digest_up_to;
pub use error::RoundsError;
pub use ground::{Course, Rounds};
pub use hand::Exported;
pub use heldout::{Arms, Compared};
pub use landscape::plan_round;
pub use rules::rules_on;
pub use settings::{Approve, EngineCommand, Event, LoopSettings, TaskCounts, Until, Word};

use crate::domain::figures::count;
use crate::domain::gate::{Demand, Purpose};
use crate::domain::round::{RoundOutcome, RoundRecord};
use meta::USED_UP;
use propose::Proposals;

/// What came of a command.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Closing {
    /// Every round that is done, the baseline first.
    pub rounds: Vec<RoundRecord>,
    /// Why it ended, in plain words.
    pub reason: String,
    /// Whether there is more to do, and by whom.
    pub rest: Rest,
}

/// What is left to do when a command ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// Nothing: rounds, patience or a budget are used up.
    #[default]
    Over,
    /// The round goes on with another command.
    Open,
    /// A person is waited for; the same command continues.
    Waiting,
}

/// How far a round was taken.
enum Taken {
    Closed(RoundRecord),
    AsAsked,
    Waiting(String),
}

impl Rounds<'_> {
    /// Takes the run as far as asked.
    ///
    /// # Errors
    /// See [`RoundsError`]; what was finished is on file.
    pub async fn run(&mut self, until: Until) -> Result<Closing, RoundsError> {
        let mut rounds = vec![self.baseline().await?];
        while let Some(record) = self.visible.round(rounds.len() as u32)? {
            rounds.push(record);
        }
        loop {
            if let Some(reason) = self.is_over(&rounds)? {
                if until == Until::End {
                    self.play_last_heldout(&rounds).await?;
                }
                return Ok(Closing { rounds, reason, rest: Rest::Over });
            }
            match self.round(rounds.len() as u32, until).await? {
                Taken::Closed(record) => rounds.push(record),
                Taken::AsAsked => return Ok(Closing { rounds, reason: "as far as was asked".to_owned(), rest: Rest::Open }),
                Taken::Waiting(reason) => return Ok(Closing { rounds, reason, rest: Rest::Waiting }),
            }
            if until == Until::Decided {
                return Ok(Closing { rounds, reason: "the round is decided".to_owned(), rest: Rest::Open });
            }
        }
    }

    /// R0: the first harness on every train and gate task.
    async fn baseline(&mut self) -> Result<RoundRecord, RoundsError> {
        if let Some(record) = self.visible.round(0)? {
            return Ok(record);
        }
        self.start_time(0)?;
        self.say(0, "playing the baseline on train and gate tasks");
        self.play_visible(0).await?;
        self.play_heldout(0).await?;
        self.close(0, RoundOutcome::Baseline, None)
    }

    /// The rollouts that a round's Digester reads. What was digested and planned by hand before they were all there lacks some.
    async fn play_visible(&mut self, round: u32) -> Result<(), RoundsError> {
        if matches!(self.gate.demand(), Demand::Rollouts(pass) if pass.purpose == Purpose::Visible) {
            self.course.run.files(round).forget_plan()?;
        }
        self.play_demanded().await
    }

    /// One round that is not done, as far as asked.
    async fn round(&mut self, round: u32, until: Until) -> Result<Taken, RoundsError> {
        self.begin(round)?;
        self.play_visible(round).await?;
        self.digest(round)?;
        if until == Until::Planned {
            // Without the meta-agent: its roles may be played by a person.
            let _ = self.plan(round)?;
            return Ok(Taken::AsAsked);
        }
        self.diagnose(round).await?;
        let mut proposals = match self.plan(round)? {
            Ok(landscape) => {
                let landscape = self.directed(round, landscape).await?;
                self.evolve(round, &landscape).await?
            }
            Err(reason) => Proposals::none(reason),
        };
        if let Some(waiting) = proposals.waiting.take() {
            return Ok(Taken::Waiting(waiting));
        }
        if until == Until::Evolved {
            return Ok(Taken::AsAsked);
        }
        let proposals = self.critique(round, proposals).await?;
        if until == Until::Critiqued {
            return Ok(Taken::AsAsked);
        }
        if let Some(waiting) = self.judge(round, &proposals).await? {
            return Ok(Taken::Waiting(waiting));
        }
        let outcome = self.outcome(round, &proposals);
        Ok(Taken::Closed(self.close(round, outcome, Some(&proposals))?))
    }

    /// Opens a round at the gate, unless it is open.
    fn begin(&mut self, round: u32) -> Result<(), RoundsError> {
        self.start_time(round)?;
        self.course.run.round(round)?;
        if self.gate.round() < round {
            self.take_rollback()?;
            self.expire_controls()?;
            self.publish(round)?;
            // What was digested while they came lacks some of them.
            self.course.run.files(round).forget_plan()?;
            self.gate.begin_round()?;
            self.course.run.write_gate_state(&self.gate)?;
        }
        Ok(())
    }

    /// Hands the candidates in and answers the gate until the round is ruled on; or whom it waits for.
    async fn judge(&mut self, round: u32, proposals: &Proposals) -> Result<Option<String>, RoundsError> {
        loop {
            self.play_demanded().await?;
            match self.gate.demand() {
                Demand::Round => return Ok(None),
                Demand::Candidates(_) => self.submit(round, proposals)?,
                Demand::Confirmation(..) => {
                    if let Some(waiting) = self.ship(round).await? {
                        return Ok(Some(waiting));
                    }
                }
                Demand::Touched(_) => self.rebase()?,
                Demand::Rollouts(_) => {}
            }
        }
    }

    /// Why there is no further round, if so.
    fn is_over(&self, rounds: &[RoundRecord]) -> Result<Option<String>, RoundsError> {
        let settings = &self.course.settings;
        let done = rounds.len() as u32 - 1;
        // Patience begins anew with another engine.
        let is_idle = |record: &&RoundRecord| {
            record.round > 0 && record.shipped.is_empty() && record.engines.as_ref().is_none_or(|engines| *engines == settings.engines)
        };
        let idle = rounds.iter().rev().take_while(is_idle).count() as u32;
        Ok(if done >= settings.gate.rounds && !settings.gate.open_ended {
            Some(format!("{} done, as many as the run was made for", count(u64::from(done), "round")))
        } else if idle >= settings.patience {
            Some(format!("{idle} rounds in a row shipped nothing"))
        } else if self.engines_at(done + 1)?.is_none() {
            Some(format!("{USED_UP}, and no engine of this run goes on without it"))
        } else {
            None
        })
    }
}
