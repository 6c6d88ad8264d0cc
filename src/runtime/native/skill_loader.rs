//! Loads knowledge that fits the task: `*.md` files of a folder, each with its description in the first line (`# Name: when to use
//! it`). Chosen ones go into the system prompt in full; the others can be listed by their description.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::Harness;
use crate::runtime::native::pattern::{with_section, within};
use crate::runtime::native::words::{ranked, telling_words};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "skill_loader",
    behaviour: 1,
    group: Some("skill_loader"),
    hooks: &[Hook::TaskStart],
    dimension: Dimension::ContextAssembly,
    summary: "Puts the skill files that fit the task into the system prompt.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Folder of the skills within the harness, with `/` at its end.
    folder: String,
    /// Most skills loaded, 0 to 100, those of `always` and `by` first.
    count: usize,
    /// Words that a description must share with the task's text, 1 to 100.
    least: usize,
    /// Tag whose value names a skill (file name without `.md`) that is loaded. Empty: none.
    by: String,
    /// Skills (file names without `.md`) that are always loaded.
    always: Vec<String>,
    /// List the other skills by their description.
    list_others: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self { folder: "skills/".into(), count: 2, least: 1, by: String::new(), always: Vec::new(), list_others: false }
    }
}

struct Skill {
    name: String,
    description: String,
    body: String,
}

struct SkillLoader {
    params: Params,
    skills: Vec<Skill>,
    described: Vec<BTreeSet<String>>,
}

fn build(params: &toml::Table, harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("count", params.count, 0, 100)?;
    within("least", params.least, 1, 100)?;
    let mut skills = Vec::new();
    for path in harness.files.keys() {
        let name = path.strip_prefix(&params.folder).and_then(|rest| rest.strip_suffix(".md"));
        let (Some(name), Some(text)) = (name, harness.text(path)) else { continue };
        let text = text.trim();
        let (first, _) = text.split_once('\n').unwrap_or((text, ""));
        let description = first.trim_start_matches('#').trim().to_owned();
        skills.push(Skill { name: name.to_owned(), description, body: text.to_owned() });
    }
    if let Some(name) = params.always.iter().find(|name| !skills.iter().any(|skill| skill.name == **name)) {
        return Err(format!("always: {}{name}.md is not in the harness", params.folder));
    }
    let described = skills.iter().map(|skill| telling_words(&skill.description)).collect();
    Ok(Box::new(SkillLoader { params, skills, described }))
}

impl SkillLoader {
    /// Skills for the task, best first, and whether each is loaded in full.
    fn chosen(&self, scene: &Scene<'_>) -> Vec<usize> {
        let index_of = |name: &String| self.skills.iter().position(|skill| skill.name == *name);
        let tagged = scene.tags.get(&self.params.by).and_then(index_of);
        let fitting = ranked(scene.task, &self.described, self.params.least);
        let mut chosen: Vec<usize> = Vec::new();
        for index in self.params.always.iter().filter_map(index_of).chain(tagged).chain(fitting) {
            if !chosen.contains(&index) && chosen.len() < self.params.count {
                chosen.push(index);
            }
        }
        chosen
    }
}

impl Processor for SkillLoader {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        let Event::TaskStart { system, .. } = event else { return Ok(Action::Pass) };
        let chosen = self.chosen(scene);
        let mut sections: Vec<String> = chosen.iter().map(|index| self.skills[*index].body.clone()).collect();
        if self.params.list_others {
            let others = self.skills.iter().enumerate().filter(|(index, _)| !chosen.contains(index));
            let lines: Vec<String> = others.map(|(_, skill)| format!("- {}", skill.description)).collect();
            if !lines.is_empty() {
                sections.push(format!("Other skills:\n{}", lines.join("\n")));
            }
        }
        Ok(if sections.is_empty() { Action::Pass } else { with_section(system, &sections.join("\n\n")) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, refused};

    const FILES: [(&str, &str); 3] = [
        ("skills/climb.md", "# Climbing: up walls\nUse a rope."),
        ("skills/swim.md", "# Swimming: across rivers\nKeep calm."),
        ("skills/wait.md", "# Waiting\nSit."),
    ];

    #[test]
    fn skills_are_chosen_by_words_by_tag_or_always() {
        let loaded =
            |params: &str| Drive::with_files(&NATIVE, params, &FILES).task("Cross the river").tag("kind", "climb").task_start("").0;
        assert_eq!(loaded("").unwrap(), "# Swimming: across rivers\nKeep calm.");
        assert!(loaded("by = \"kind\"\ncount = 1").unwrap().starts_with("# Climbing"));
        let text = loaded("always = [\"wait\"]\nlist_others = true").unwrap();
        assert!(text.starts_with("# Waiting") && text.ends_with("Other skills:\n- Climbing: up walls"), "{text}");
        assert_eq!(loaded("count = 0"), None);
        assert!(refused(&NATIVE, "always = [\"fly\"]").contains("skills/fly.md"));
    }
}
