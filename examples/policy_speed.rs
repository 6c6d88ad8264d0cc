//! Speed of the policy engine on the shape of work that episodes make: a shared prefix, a few new tokens a step, a dozen options.
//!
//! `HARNESSX_SMOLLM2=<file.gguf> cargo run --release --example policy_speed [threads] [sequences] [steps]`
#![expect(clippy::print_stdout, reason = "an example prints its figures")]

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use harnessx::policy::{Engine, Job, Output, Policy, Work};

const SHARED: usize = 800;
const NEW: usize = 30;
const CACHE_BYTES: usize = 4 << 30;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let threads = arguments.next().transpose()?.unwrap_or(2);
    let sequences = arguments.next().transpose()?.unwrap_or(12);
    let steps = arguments.next().transpose()?.unwrap_or(30);
    let path = PathBuf::from(std::env::var_os("HARNESSX_SMOLLM2").context("set HARNESSX_SMOLLM2 to the weights file")?);
    let policy = Policy::load(&path, threads)?;
    let options: Vec<Vec<u32>> = OPTIONS.iter().map(|option| policy.encode(option)).collect();
    let story = policy.encode(&STORY.repeat(200));
    let mut contexts: Vec<Vec<u32>> = vec![story[..SHARED].to_vec(); sequences];
    let mut engine = Engine::new(Arc::new(policy), CACHE_BYTES);
    for step in 0..steps {
        for (index, context) in contexts.iter_mut().enumerate() {
            let start = (index * 97 + step * 31) % (story.len() - NEW);
            context.extend_from_slice(&story[start..start + NEW]);
        }
        let jobs: Vec<Job> =
            contexts.iter().map(|context| Job { context: context.clone(), work: Work::Score { options: options.clone() } }).collect();
        let before = engine.meter();
        for (context, output) in contexts.iter_mut().zip(engine.run(&jobs)) {
            let Output::Scores(scores) = output? else {
                continue;
            };
            let best = scores.iter().enumerate().max_by(|a, b| a.1.total().total_cmp(&b.1.total()));
            context.extend(best.map(|(index, _)| &options[index]).into_iter().flatten());
        }
        let after = engine.meter();
        let (tokens, seconds) = (after.computed_tokens - before.computed_tokens, after.busy_seconds - before.busy_seconds);
        println!("step {step}: context {}, {tokens} tokens, {:.0} tok/s", contexts[0].len(), tokens as f64 / seconds);
    }
    let meter = engine.meter();
    let all = meter.computed_tokens + meter.cached_tokens;
    println!(
        "{} computed tokens in {:.2} s: {:.0} tok/s; cached {:.1} %; {} tokens scored",
        meter.computed_tokens,
        meter.busy_seconds,
        meter.computed_tokens as f64 / meter.busy_seconds,
        100.0 * meter.cached_tokens as f64 / all as f64,
        meter.scored_tokens,
    );
    for count in [1, 8.min(sequences)] {
        let before = engine.meter();
        let jobs: Vec<Job> = contexts[..count].iter().map(|context| sample(context)).collect();
        engine.run(&jobs);
        let after = engine.meter();
        let tokens = after.scored_tokens - before.scored_tokens;
        let seconds = after.busy_seconds - before.busy_seconds;
        println!("{count} texts at once: {:.0} tok/s", tokens as f64 / seconds);
    }
    Ok(())
}

fn sample(context: &[u32]) -> Job {
    let work = Work::Generate { max_tokens: 32, temperature: 0.5, seed: 1, stop: Vec::new() };
    Job { context: context.to_vec(), work }
}

const STORY: &str = "You are in the middle of a room. Looking around you, you see a bed 1, a desk 1, two drawers and a shelf. \
    Your task is to put a clean mug on the shelf. You open the drawer 2; inside it there is a pencil and a key. ";

const OPTIONS: [&str; 12] = [
    " go to cabinet 1",
    " go to cabinet 2",
    " go to cabinet 3",
    " go to countertop 1",
    " go to fridge 1",
    " open cabinet 1",
    " open drawer 2",
    " take mug 1 from countertop 1",
    " take knife 1 from countertop 1",
    " inventory",
    " look",
    " examine drawer 2",
];
