//! A budget that the agent is told of: reminders as it is used up, and an end when it is gone. Limits that hold silently are the
//! harness's `slots.limits`.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::{Harness, Limits};
use crate::runtime::native::pattern::{check_names, fill, with_message};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "budget",
    behaviour: 1,
    group: Some("budget"),
    hooks: &[Hook::StepStart, Hook::BeforeModel],
    dimension: Dimension::ControlAndSafety,
    summary: "Reminds the agent of its budget of steps, tokens, cost and seconds, and ends the episode when it is used up.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// `steps`, `tokens` (prompt and reply together), `cost` (US dollars), `seconds` (by the clock); each above 0, absent: none.
    limits: Limits,
    /// Shares of a limit at whose crossing the agent is reminded, rising, each in (0, 1).
    remind_at: Vec<f64>,
    /// The reminder: `{what}` (steps, tokens, dollars, seconds), `{used}`, `{left}`, `{limit}`.
    reminder: String,
    /// End the episode when a limit is used up.
    interrupt: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            remind_at: vec![0.5, 0.8],
            reminder: "{left} of {limit} {what} are left.".into(),
            interrupt: true,
        }
    }
}

/// One limited quantity.
struct Meter {
    what: &'static str,
    limit: f64,
    read: fn(&Scene<'_>) -> f64,
    /// Digits after the point when shown.
    digits: usize,
    /// Reminders given.
    reminded: usize,
}

struct Budget {
    params: Params,
    meters: Vec<Meter>,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    if !params.remind_at.iter().all(|share| *share > 0.0 && *share < 1.0) || !params.remind_at.is_sorted() {
        return Err("remind_at: shares must rise and lie between 0 and 1".into());
    }
    check_names("reminder", &params.reminder, &["what", "used", "left", "limit"])?;
    let limits = params.limits;
    let meter = |what, limit: Option<f64>, digits, read| limit.map(|limit| Meter { what, limit, read, digits, reminded: 0 });
    let steps: fn(&Scene<'_>) -> f64 = |scene| f64::from(scene.step.saturating_sub(1));
    let meters: Vec<Meter> = [
        meter("steps", limits.steps.map(f64::from), 0, steps),
        meter("tokens", limits.tokens.map(|tokens| tokens as f64), 0, |scene| scene.usage.tokens() as f64),
        meter("dollars", limits.cost, 2, |scene| scene.usage.cost),
        meter("seconds", limits.seconds.map(|seconds| seconds as f64), 0, |scene| (scene.elapsed_ms / 1000) as f64),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let Some(meter) = meters.iter().find(|meter| meter.limit.is_nan() || meter.limit <= 0.0) {
        return Err(format!("limits: {} must be above 0", meter.what));
    }
    Ok(Box::new(Budget { params, meters }))
}

impl Budget {
    /// Reminders that are due, each share at most once.
    fn reminders(&mut self, scene: &Scene<'_>) -> Vec<String> {
        let params = &self.params;
        let mut due = Vec::new();
        for meter in &mut self.meters {
            let used = (meter.read)(scene);
            let crossed = params.remind_at.iter().take_while(|share| used >= **share * meter.limit).count();
            if crossed <= meter.reminded {
                continue;
            }
            meter.reminded = crossed;
            let shown = |value: f64| Some(format!("{value:.digits$}", digits = meter.digits));
            due.push(fill(&params.reminder, |name| match name {
                "what" => Some(meter.what.to_owned()),
                "used" => shown(used),
                "left" => shown((meter.limit - used).max(0.0)),
                "limit" => shown(meter.limit),
                _ => None,
            }));
        }
        due
    }
}

impl Processor for Budget {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::StepStart { .. } if self.params.interrupt => {
                let gone = self.meters.iter().find(|meter| (meter.read)(scene) >= meter.limit);
                let reason = |meter: &Meter| format!("the budget of {:.*} {} is used up", meter.digits, meter.limit, meter.what);
                Ok(gone.map_or(Action::Pass, |meter| Action::Interrupt { reason: reason(meter) }))
            }
            Event::BeforeModel { .. } => Ok(with_message(self.reminders(scene).join("\n"))),
            Event::TaskStart { .. }
            | Event::StepStart { .. }
            | Event::AfterModel { .. }
            | Event::BeforeTool { .. }
            | Event::AfterTool { .. }
            | Event::StepEnd { .. }
            | Event::TaskEnd { .. } => Ok(Action::Pass),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, refused};

    #[test]
    fn each_share_reminds_once_and_the_end_interrupts() {
        let mut drive = Drive::new(&NATIVE, "limits = { steps = 10, cost = 1.0 }");
        let mut reminded = Vec::new();
        for step in 1..=10 {
            drive.step = step;
            assert_eq!(drive.step_start(&[]), Action::Pass);
            reminded.extend(drive.before_model("", &[]).append_user);
        }
        assert_eq!(reminded, ["5 of 10 steps are left.", "2 of 10 steps are left."]);
        drive.usage.cost = 0.85;
        assert_eq!(drive.before_model("", &[]).append_user.unwrap(), "0.15 of 1.00 dollars are left.");
        drive.step = 11;
        assert_eq!(drive.step_start(&[]), Action::Interrupt { reason: "the budget of 10 steps is used up".into() });
    }

    #[test]
    fn odd_limits_are_refused() {
        assert!(refused(&NATIVE, "limits = { steps = 0 }").starts_with("limits"));
        assert!(refused(&NATIVE, "remind_at = [0.5, 2.0]").starts_with("remind_at"));
    }
}
