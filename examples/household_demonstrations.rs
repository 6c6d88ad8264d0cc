//! Writes `harnesses/household-base/prompts/demonstrations.toml`: two played examples a task kind, from scenes whose seeds no
//! benchmark uses, and of errands that no gate or held-out task of the household benchmark asks for. Each looks in one or two wrong places first, then follows the planner.
//!
//! Run: `cargo run --example household_demonstrations > harnesses/household-base/prompts/demonstrations.toml`

#![expect(clippy::print_stdout, reason = "the file goes to stdout")]

use harnessx::bench::Benchmark;
use harnessx::bench::household::{Play, TaskKind, generate, plan};
use harnessx::domain::task::Split;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// First seed; benchmarks count from 0.
const FIRST_SEED: u64 = 9_000_000;

/// Demonstrations of each kind.
const EACH: usize = 2;

/// Longest opening, in bytes: small rooms make short demonstrations.
const OPENING: usize = 420;

fn main() -> anyhow::Result<()> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("benchmarks/household");
    let benchmark = Benchmark::parse(&std::fs::read_to_string(dir.join("benchmark.toml"))?, &dir)?;
    let sealed = benchmark.split(Split::Gate).chain(benchmark.split(Split::Heldout));
    let sealed: BTreeSet<&str> = sealed.filter_map(|task| task.task.group.rsplit_once(" | ")).map(|(errand, _)| errand).collect();
    println!("# Played examples, written by examples/household_demonstrations.rs.");
    for kind in TaskKind::ALL {
        let mut seeds = FIRST_SEED..;
        let mut written = 0;
        while written < EACH {
            let Some(seed) = seeds.next() else { return Ok(()) };
            let scene = generate(seed, kind);
            if sealed.contains(scene.errand().as_str()) {
                continue;
            }
            let play = Play::new(Arc::new(scene.game));
            let Some(solution) = plan(&play, 30).filter(|_| play.opening().len() <= OPENING) else { continue };
            println!("\n[[demonstration]]\ntags = {{ kind = \"{}\" }}\nturns = [", kind.as_str());
            for (seen, done) in demonstrate(play, &solution, 1 + written) {
                println!("    {{ user = {} }},\n    {{ assistant = {} }},", toml_text(&seen), toml_text(&done));
            }
            println!("]");
            written += 1;
        }
    }
    Ok(())
}

/// What was seen and what was done, step by step.
fn demonstrate(mut play: Play, solution: &[String], detours: usize) -> Vec<(String, String)> {
    let mut seen = play.opening();
    let mut steps = Vec::new();
    let wrong: Vec<String> = play
        .admissible()
        .into_iter()
        .filter(|command| command.starts_with("go to ") && !solution.contains(command))
        .step_by(3)
        .take(detours)
        .collect();
    for command in wrong.iter().chain(solution) {
        let mut next = Some(command.clone());
        while let Some(command) = next.take() {
            let step = play.step(&command);
            // A closed place is opened before the search goes on.
            let place = command.strip_prefix("go to ").filter(|_| wrong.contains(&command));
            next = place.filter(|_| step.observation.ends_with("is closed.")).map(|place| format!("open {place}"));
            steps.push((std::mem::replace(&mut seen, step.observation), command));
        }
    }
    steps
}

fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
