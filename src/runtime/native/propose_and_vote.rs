//! The strategy "propose and vote": each action is drawn several times, and the one that most proposals agree with is taken.

use crate::domain::event::{Action, Event, Hook, RequestChange, Scene};
use crate::domain::harness::Harness;
use crate::domain::request::Sampling;
use crate::runtime::ballot::VOTES_LIMIT;
use crate::runtime::native::pattern::{request, within};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "propose_and_vote",
    behaviour: 1,
    group: Some("strategy"),
    hooks: &[Hook::BeforeModel],
    dimension: Dimension::ControlAndSafety,
    summary: "Draws each action several times and takes the one that most proposals agree with.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Proposals for each action, 3 to 9; fewer are drawn once they cannot change it.
    votes: u32,
    /// Temperature at which they are drawn, above 0 to 2: at 0 they would be equal.
    temperature: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { votes: 3, temperature: 0.7 }
    }
}

struct ProposeAndVote(Params);

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("votes", params.votes, 3, VOTES_LIMIT)?;
    within("temperature", params.temperature, 0.01, 2.0)?;
    Ok(Box::new(ProposeAndVote(params)))
}

impl Processor for ProposeAndVote {
    fn on(&mut self, event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        let Event::BeforeModel { .. } = event else { return Ok(Action::Pass) };
        let sampling = Sampling { temperature: Some(self.0.temperature), ..Sampling::default() };
        Ok(request(RequestChange { votes: Some(self.0.votes), sampling: Some(sampling), ..RequestChange::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, refused};

    #[test]
    fn every_action_is_put_to_the_vote() {
        let change = Drive::new(&NATIVE, "votes = 5").before_model("hall", &[]);
        assert_eq!((change.votes, change.sampling.unwrap().temperature), (Some(5), Some(0.7)));
        assert!(refused(&NATIVE, "votes = 2").starts_with("votes") && refused(&NATIVE, "temperature = 0.0").starts_with("temperature"));
    }
}
