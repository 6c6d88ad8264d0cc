//! Puts text before and after the last user content of a request; both are minijinja templates with task, tags and tools.

use crate::domain::event::{Action, Event, Hook, RequestChange, Scene};
use crate::domain::harness::Harness;
use crate::runtime::native::pattern::{observed, request};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use crate::runtime::template::Template;
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "user_wrapper",
    behaviour: 1,
    group: None,
    hooks: &[Hook::BeforeModel],
    dimension: Dimension::ContextAssembly,
    summary: "Puts text before and after the last user content of the first or of every request.",
    build,
    complete: complete_params::<Params>,
};

/// Which requests are wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum When {
    /// Every one.
    #[default]
    Every,
    /// Those of the first step.
    First,
    /// Those after the first step.
    Later,
}

/// Parameters.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Template put before, on a line of its own; empty: nothing.
    before: String,
    /// Template put after, on a line of its own; empty: nothing.
    after: String,
    /// Requests that are wrapped: `every`, `first` or `later`.
    when: When,
}

struct UserWrapper {
    params: Params,
    before: Template,
    after: Template,
    /// Both, once rendered: neither changes within an episode.
    rendered: Option<(String, String)>,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    let (before, after) = (Template::of_source(&params.before, "before")?, Template::of_source(&params.after, "after")?);
    Ok(Box::new(UserWrapper { params, before, after, rendered: None }))
}

impl Processor for UserWrapper {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        let Event::BeforeModel { turns, .. } = event else { return Ok(Action::Pass) };
        let wraps = match self.params.when {
            When::Every => true,
            When::First => scene.step <= 1,
            When::Later => scene.step > 1,
        };
        let (before, after) = match self.rendered.take() {
            Some(rendered) => rendered,
            None => (self.before.render(scene).map_err(Fault)?, self.after.render(scene).map_err(Fault)?),
        };
        let parts = [before.as_str(), observed(turns), after.as_str()];
        let text = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
        self.rendered = Some((before, after));
        if !wraps || text == observed(turns) {
            return Ok(Action::Pass);
        }
        Ok(request(RequestChange { last_user: Some(text), ..RequestChange::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, refused};

    #[test]
    fn the_last_user_content_is_wrapped() {
        let mut drive = Drive::new(&NATIVE, "before = \"Task: {{ task }}\"\nafter = \"Think.\"\nwhen = \"first\"");
        assert_eq!(drive.before_model("hall", &[]).last_user.as_deref(), Some("Task: do it\nhall\nThink."));
        drive.step = 2;
        assert_eq!(drive.before_model("hall", &[]).last_user, None);
        assert!(refused(&NATIVE, "after = \"{{ colour }}\"").contains("after:1"));
    }
}
