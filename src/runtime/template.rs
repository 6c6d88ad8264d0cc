//! Templates of a harness: minijinja with bounded work, strict about unknown variables.

use crate::domain::event::Scene;
use crate::domain::harness::Harness;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior, context};
use std::collections::BTreeSet;

/// Variables that every template may use.
pub const VARIABLES: [&str; 3] = ["task", "tags", "tools"];

/// Most instructions one rendering may take.
const FUEL: u64 = 200_000;

/// A checked template.
#[derive(Clone, Debug)]
pub struct Template {
    environment: Environment<'static>,
}

impl Template {
    /// Compiles a template file of a harness.
    ///
    /// # Errors
    /// A fragment with `file:line` for a missing file, a syntax error or an unknown variable.
    pub fn of_file(harness: &Harness, path: &str) -> Result<Self, String> {
        let source = harness.text(path).ok_or_else(|| format!("template {path} is not in the harness"))?;
        Self::of_source(source, path)
    }

    /// Compiles a template from its source; `path` is for messages.
    ///
    /// # Errors
    /// As [`Template::of_file`].
    pub fn of_source(source: &str, path: &str) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        let describe = |error: &minijinja::Error| {
            let detail = error.detail().unwrap_or_default();
            format!("{path}:{}: {} {detail}", error.line().unwrap_or(0), error.kind())
        };
        environment.add_template_owned("main", source.to_owned()).map_err(|error| describe(&error))?;
        let template = environment.get_template("main").map_err(|error| describe(&error))?;
        let unknown: BTreeSet<String> =
            template.undeclared_variables(false).into_iter().filter(|name| !VARIABLES.contains(&name.as_str())).collect();
        if let Some(name) = unknown.first() {
            let line = 1 + source.lines().position(|line| line.contains(name.as_str())).unwrap_or(0);
            return Err(format!("{path}:{line}: unknown variable {name:?}; a template may use {}", VARIABLES.join(", ")));
        }
        Ok(Self { environment })
    }

    /// Renders for one task.
    ///
    /// # Errors
    /// A fragment: a missing tag, too much work.
    pub fn render(&self, scene: &Scene<'_>) -> Result<String, String> {
        let template = self.environment.get_template("main").map_err(|error| error.to_string())?;
        template
            .render(context! { task => scene.task, tags => scene.tags, tools => Value::from(Serde(scene.tools)) })
            .map_err(|error| format!("template line {}: {error}", error.line().unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_variables_are_named_with_their_line() {
        let error = Template::of_source("hello\n{{ colour }}", "prompts/a.md").unwrap_err();
        assert!(error.contains("prompts/a.md:2") && error.contains("colour"), "{error}");
        assert!(Template::of_source("{{ task", "a").is_err());
    }
}
