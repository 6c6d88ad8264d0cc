//! What the gate is told before a run: its mode, the length of the run, and the constants of `gate.md` §3.

use serde::{Deserialize, Serialize};

/// How candidates are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Betting on what is claimed, then a posterior over all that is touched.
    Split,
    /// The same, with a threshold K times as high and a stricter posterior.
    SplitStrict,
    /// The paper's seesaw: pass@2 may fall by 5 % of the tasks.
    Paper,
    /// The best positive difference of means: a control.
    Greedy,
}

impl Mode {
    /// Every mode, the default first.
    pub const ALL: [Self; 4] = [Self::Split, Self::SplitStrict, Self::Paper, Self::Greedy];

    /// The name used in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::SplitStrict => "split-strict",
            Self::Paper => "paper",
            Self::Greedy => "greedy",
        }
    }

    /// Whether the mode plays touched tasks against sealed controls; the others play every task again each round.
    pub fn is_sealed(self) -> bool {
        match self {
            Self::Split | Self::SplitStrict => true,
            Self::Paper | Self::Greedy => false,
        }
    }
}

/// Least and most passes over a set of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passes {
    /// Played before anything is decided.
    pub least: u32,
    /// The candidate is dropped after these.
    pub most: u32,
}

/// Settings of one run's gate. Fixed when the run is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateSettings {
    /// How candidates are judged.
    pub mode: Mode,
    /// Rounds of the run, `R_total`; the e-value threshold is spread over them.
    pub rounds: u32,
    /// Rounds may go on without end: the threshold of round t is spread as 1/(t(t+1)) instead.
    pub open_ended: bool,
    /// Bound on the chance that a run ships an edit whose claims are false, 0..1.
    pub alpha: f64,
    /// Posterior probability of a net gain that a ship needs, 0..1.
    pub posterior: f64,
    /// Candidates a round, K, those carried over included.
    pub candidates: u32,
    /// Rollouts of every task by the first harness, k0.
    pub visible: u32,
    /// Passes over the claimed tasks.
    pub claimed: Passes,
    /// Passes over the other touched tasks.
    pub rest: Passes,
    /// Rollouts per task on hand when the run starts; negative where k0 is paid from it.
    pub opening: f64,
    /// Rollouts per task granted each round.
    pub budget: f64,
    /// Ships between two comparisons with the anchor.
    pub drift_every: u32,
    /// A second rollout of a task is the same draw: greedy sampling in a deterministic world. Found out by the caller when the run begins;
    /// candidates that draw so in a run that does not are none.
    pub deterministic: bool,
    /// An edit that helps train tasks and none of their siblings in the gate split does not ship.
    pub generalise: bool,
}

/// Gate tasks from which `generalise` is on unless switched off.
pub const GENERALISE_FROM: usize = 20;
/// Most rollouts per task that can be granted at once: no sum of them over rounds overflows.
const MOST_GRANTED: f64 = 1e6;
/// Candidates that may wait for the next round.
pub const PARKED: usize = 2;
/// Times a rollout is tried before its task is missing.
pub const ATTEMPTS: u8 = 3;
/// Share of a pass's tasks that may be missing.
pub const MISSING_SHARE: f64 = 0.05;
/// Candidates that one control is compared with before it is retired.
pub const COMPARISONS: u8 = 8;

impl GateSettings {
    /// The defaults of `gate.md` §3 for a mode and a number of rounds.
    pub fn of_mode(mode: Mode, rounds: u32) -> Self {
        let strict = mode == Mode::SplitStrict;
        Self {
            mode,
            rounds,
            open_ended: false,
            alpha: 0.10,
            posterior: if strict { 0.95 } else { 0.80 },
            candidates: 4,
            visible: 2,
            claimed: Passes { least: 2, most: 10 },
            rest: Passes { least: 2, most: 8 },
            opening: -2.0,
            budget: 4.0,
            drift_every: if strict { 5 } else { 3 },
            deterministic: false,
            generalise: false,
        }
    }

    /// The same in another mode, with that mode's drift, and its posterior where it is the stricter one.
    pub fn in_mode(self, mode: Mode) -> Self {
        if mode == self.mode {
            return self;
        }
        let Self { posterior, drift_every, .. } = Self::of_mode(mode, self.rounds);
        Self { mode, posterior: posterior.max(self.posterior), drift_every, ..self }
    }

    /// E-value a candidate's claims must reach in round `round` (from 1) after `ships` ships.
    /// Source: e-LOND, Xu and Ramdas 2024.
    pub fn threshold(&self, round: u32, ships: u32) -> f64 {
        let t = f64::from(round.max(1));
        let spread = if self.open_ended { t * (t + 1.0) } else { f64::from(self.rounds.max(1)) };
        let strict = if self.mode == Mode::SplitStrict { f64::from(self.candidates.max(1)) } else { 1.0 };
        strict * spread / (self.alpha * f64::from(ships + 1))
    }

    /// Visible rollouts of a task; one where a second is the same draw.
    pub fn visible_rollouts(&self) -> u32 {
        if self.deterministic { 1 } else { self.visible }
    }

    /// Passes over the claimed tasks; one where a second rollout is the same draw.
    pub fn claimed_passes(&self) -> Passes {
        if self.deterministic { Passes { least: 1, most: 1 } } else { self.claimed }
    }

    /// Passes over the other touched tasks; one where a second rollout is the same draw.
    pub fn rest_passes(&self) -> Passes {
        if self.deterministic { Passes { least: 1, most: 1 } } else { self.rest }
    }

    /// What is wrong with the settings, if anything.
    pub fn problem(&self) -> Option<&'static str> {
        let share = |value: f64| value > 0.0 && value < 1.0;
        if self.rounds == 0 || self.candidates == 0 {
            Some("rounds and candidates must be at least 1")
        } else if !share(self.alpha) || !share(self.posterior) {
            Some("alpha and posterior must lie between 0 and 1")
        } else if self.claimed.least == 0 || self.rest.least == 0 || self.visible == 0 {
            Some("the least passes and the visible rollouts must be at least 1")
        } else if self.claimed.most < self.claimed.least || self.rest.most < self.rest.least {
            Some("the most passes must not be under the least")
        } else if !(self.budget > 0.0 && self.budget <= MOST_GRANTED && self.opening.abs() <= MOST_GRANTED) {
            Some("the budget must be a number above 0 and at most 1000000")
        } else {
            None
        }
    }
}

/// A named set of settings for a whole run (`cli.md`).
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// `quick`, `standard` or `paper`.
    pub name: &'static str,
    /// Rounds in a row without a ship after which the run stops, P.
    pub idle_rounds: u32,
    /// Train tasks, gate tasks and held-out tasks at most; `None` takes all.
    pub tasks: Option<(u32, u32, u32)>,
    /// The gate's.
    pub gate: GateSettings,
}

impl Profile {
    /// For the first ten minutes. 24 tasks once and 20 held-out tasks once per arm leave 86 of 150 episodes for the gate, nearly all granted
    /// at the start, since one pass already costs two rollouts a task. They pay for two passes of bets on a broad edit, so the threshold has to
    /// be low: an alpha of .60 puts it at 5, which proves little about the claims. What keeps bad edits out is the posterior, stricter here.
    /// Simulated: an edit of +50 points, second in line, ships in .8 of runs; a useless one as broad in .01; a run ships anything that improves
    /// nothing in .01 (`harnessx gate --simulate benign --profile quick`).
    pub fn quick() -> Self {
        let gate = GateSettings {
            alpha: 0.60,
            posterior: 0.90,
            candidates: 2,
            visible: 1,
            claimed: Passes { least: 1, most: 2 },
            rest: Passes { least: 1, most: 2 },
            opening: 3.3,
            budget: 0.1,
            ..GateSettings::of_mode(Mode::Split, 3)
        };
        Self { name: "quick", idle_rounds: 3, tasks: Some((16, 8, 20)), gate }
    }

    /// The defaults of `gate.md`.
    pub fn standard() -> Self {
        Self { name: "standard", idle_rounds: 3, tasks: None, gate: GateSettings::of_mode(Mode::Split, 15) }
    }

    /// The paper's settings, for comparison.
    pub fn paper() -> Self {
        Self { name: "paper", idle_rounds: 3, tasks: None, gate: GateSettings::of_mode(Mode::Paper, 15) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_those_of_the_specification() {
        assert!((GateSettings::of_mode(Mode::Split, 15).threshold(1, 0) - 150.0).abs() < 1e-9);
        assert!((GateSettings::of_mode(Mode::SplitStrict, 15).threshold(9, 1) - 300.0).abs() < 1e-9);
        let open = GateSettings { open_ended: true, ..GateSettings::of_mode(Mode::Split, 15) };
        let spent: f64 = (1..10_000).map(|t| 1.0 / open.threshold(t, 0)).sum();
        assert!(spent <= open.alpha && spent > 0.999 * open.alpha);
    }

    #[test]
    fn a_budget_that_no_run_can_count_is_refused() {
        let of = |budget| GateSettings { budget, ..GateSettings::of_mode(Mode::Split, 15) }.problem();
        assert_eq!(of(MOST_GRANTED), None);
        for budget in [1e18, f64::INFINITY, f64::NAN, 0.0, -1.0] {
            assert!(of(budget).unwrap().contains("at most 1000000"), "{budget}");
        }
    }

    #[test]
    fn a_mode_that_is_named_loosens_nothing() {
        let quick = Profile::quick().gate;
        assert_eq!(quick.clone().in_mode(Mode::Split), quick);
        assert!((quick.clone().in_mode(Mode::SplitStrict).posterior - 0.95).abs() < 1e-9);
        assert!((quick.in_mode(Mode::Greedy).posterior - 0.90).abs() < 1e-9);
    }

    #[test]
    fn the_profiles_are_sound() {
        for profile in [Profile::quick(), Profile::standard(), Profile::paper()] {
            assert_eq!(profile.gate.problem(), None, "{}", profile.name);
        }
    }
}
