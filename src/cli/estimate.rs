//! `estimate`: what a loop or a run would take, before it starts. Reads settings, benchmark and what the run directory holds; writes nothing.

use super::assignment::{Assignment, stream_of};
use super::course::foresee;
use super::failure::{Exit, Failure};
use super::loop_settings::LoopFlags;
use super::printer::Printer;
use super::settings::{Settings, model_spec};
use super::{Done, Shared};
use crate::domain::estimate::{AtMost, Estimate, Part, PerEpisode, TokenPrices, estimate as add_up, tokens_at_most};
use crate::domain::figures::{grouped, money, time};
use crate::domain::request::{ModelRole, Usage};
use crate::domain::task::Split;
use crate::domain::trace::EpisodeKey;
use crate::provider::ModelSpec;
use crate::store::ledger::spent;
use crate::store::record::{Recorded, frozen};
use crate::store::run_dir::LEDGER;
use clap::{Args, ValueEnum};
use serde::Serialize;

/// Episodes, tokens, money and time that a loop, or a run, would take with the same settings, before it starts.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx estimate --profile quick")]
// What leaves an estimate as it is, is not offered.
#[command(mut_arg("approve", |flag| flag.hide(true)), mut_arg("patience", |flag| flag.hide(true)))]
#[command(mut_arg("engine_command", |flag| flag.hide(true)), mut_arg("mode", |flag| flag.hide(true)))]
#[command(mut_arg("sandbox", |flag| flag.hide(true)))]
pub(crate) struct EstimateArgs {
    /// Which command is ahead
    #[arg(value_enum, default_value = "loop")]
    of: Of,
    #[command(flatten)]
    shared: Shared,
    #[command(flatten)]
    flags: LoopFlags,
}

/// A command that plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Of {
    Loop,
    Run,
}

/// Seconds of one call of a served model where nothing was measured.
const SERVED_CALL_SECONDS: f64 = 2.0;

#[derive(Serialize)]
struct EstimateEvent<'a> {
    event: &'static str,
    #[serde(flatten)]
    estimate: &'a Estimate,
    rests_on: &'a str,
    notes: &'a [String],
    #[serde(skip_serializing_if = "<[AtMost]>::is_empty")]
    sessions: &'a [AtMost],
}

/// What is ahead.
pub(super) struct Ahead {
    /// Episodes.
    pub parts: Vec<Part>,
    /// Sessions of the meta-agent.
    pub sessions: Vec<AtMost>,
    /// Most tokens that all of these may take together.
    pub meta_tokens: Option<u64>,
}

/// What one episode takes, and how that is known.
struct Basis {
    each: Option<PerEpisode>,
    rests_on: String,
}

/// Runs the command.
pub(crate) fn estimate(args: &EstimateArgs, printer: &Printer) -> Done {
    match args.of {
        Of::Loop => foresee(&Assignment::of_loop(&args.shared, &args.flags)?, printer)?,
        Of::Run => {
            if let Some(flag) = args.flags.table().keys().next() {
                return Err(Failure::new(Exit::Usage, format!("read --{}: a run does not take it", flag.replace('_', "-"))));
            }
            let assignment = Assignment::new(&args.shared)?;
            let recorded = Recorded::read(&assignment.dir)?;
            let ahead = Ahead { parts: parts(&assignment, &recorded)?, sessions: Vec::new(), meta_tokens: None };
            announce(&assignment, ahead, &recorded, printer)?;
        }
    }
    Ok(Exit::Done)
}

/// Says what so many episodes take, by those on file.
pub(super) fn announce(assignment: &Assignment, ahead: Ahead, recorded: &Recorded, printer: &Printer) -> Result<(), Failure> {
    let Ahead { parts, sessions, meta_tokens } = ahead;
    let settings = &assignment.layered.settings;
    let main = settings.model.get(&ModelRole::Main).map_or("", String::as_str);
    let model = model_spec(ModelRole::Main, main, settings)?;
    let episodes: u64 = parts.iter().map(|part| part.episodes - part.on_file).sum();
    let live = episodes.clamp(1, settings.jobs as u64) as f64;
    let basis = match measured(assignment, recorded, &model, live)? {
        Some(basis) => basis,
        None => declared(assignment, &model, live),
    };
    let estimate = add_up(parts, basis.each.as_ref(), prices(&model, settings).as_ref());
    let spent = spent(&assignment.dir.join(LEDGER)).map_err(|error| Failure::from(error.0))?;
    let notes = notes(&estimate, &spent, settings)?;
    printer.event(&EstimateEvent { event: "estimate", estimate: &estimate, rests_on: &basis.rests_on, notes: &notes, sessions: &sessions });
    let of_meta = in_sessions(&sessions, meta_tokens);
    lines(&estimate, &basis.rests_on).iter().chain(&of_meta).chain(&notes).for_each(|line| printer.line(line));
    Ok(())
}

/// What is wanted of each split, and what of that is on file.
fn parts(assignment: &Assignment, recorded: &Recorded) -> Result<Vec<Part>, Failure> {
    let rollouts = assignment.layered.settings.rollouts;
    let harness = assignment.harness.id.as_str();
    let chosen = assignment.parts()?;
    Ok(chosen
        .into_iter()
        .map(|(split, tasks)| {
            let folder = match split {
                Split::Train => assignment.dir.join("R0"),
                Split::Gate | Split::Heldout => assignment.dir.join("sealed").join(split.as_str()).join(harness),
            };
            let stream = stream_of(split);
            let keys = tasks.iter().flat_map(|task| (0..rollouts).map(move |replicate| (&task.task.id, replicate)));
            let is_there = |(task, replicate): (&crate::domain::id::TaskId, u32)| {
                let key = EpisodeKey { task: task.clone(), stream: stream.clone(), replicate };
                recorded.holds(&folder, &key)
            };
            let on_file = keys.filter(|key| is_there(*key)).count() as u64;
            Part { name: split.as_str().to_owned(), episodes: tasks.len() as u64 * u64::from(rollouts), on_file }
        })
        .collect())
}

/// Means over the episodes on file, if the same model played them; `live` episodes will be played at once.
fn measured(assignment: &Assignment, recorded: &Recorded, model: &ModelSpec, live: f64) -> Result<Option<Basis>, Failure> {
    let count = recorded.episodes().count();
    let Some(run) = frozen(&assignment.dir)?.filter(|_| count > 0) else { return Ok(None) };
    let played_by = run.get("settings").and_then(|settings| settings.get("model")?.get("main")?.as_str());
    if played_by != Some(model.to_string().as_str()) {
        return Ok(None);
    }
    let mean = |figure: &dyn Fn(&crate::domain::outcome::EpisodeResult) -> f64| {
        recorded.episodes().map(|line| figure(&line.result)).sum::<f64>() / count as f64
    };
    let jobs_then = run.get("free").and_then(|free| free.get("jobs")).and_then(toml::Value::as_integer).unwrap_or(1).max(1) as f64;
    // A local policy serves all live episodes in turn, so its waits grow with their number; a served one takes them side by side.
    let shared_by = match model {
        ModelSpec::Local { .. } => jobs_then.min(count as f64),
        ModelSpec::OpenAi { .. }
        | ModelSpec::Anthropic { .. }
        | ModelSpec::Entry { .. }
        | ModelSpec::Scripted { .. }
        | ModelSpec::Random => live,
    };
    let waits = recorded.model_seconds().map_err(|error| Failure::from(error.0))?;
    let each = PerEpisode {
        calls: mean(&|result| f64::from(result.calls)),
        input_tokens: mean(&|result| result.usage.input_tokens as f64),
        cached_tokens: mean(&|result| result.usage.cached_tokens as f64),
        output_tokens: mean(&|result| result.usage.output_tokens as f64),
        seconds: waits.unwrap_or(0.0) / shared_by,
    };
    let harness = run.get("facts").and_then(|facts| facts.get("harness_tree")).and_then(toml::Value::as_str);
    let other = if harness == Some(assignment.harness.id.as_str()) { "" } else { ", played under another harness" };
    let rests_on = format!("the mean of {count} finished episode(s) in {}{other}", assignment.dir.display());
    Ok(Some(Basis { each: Some(each), rests_on }))
}

/// The benchmark's own word on one episode; `live` will be played at once.
fn declared(assignment: &Assignment, model: &ModelSpec, live: f64) -> Basis {
    let bench = &assignment.benchmark.name;
    let Some(each) = assignment.benchmark.estimate else {
        let rests_on = format!("nothing yet: {bench} declares no figures; play one episode (--limit 1) and ask again with the same --run");
        return Basis { each: None, rests_on };
    };
    let word = format!("figures that {bench} declares for an episode under its default harness, not measured here");
    let (each, rests_on) = match model {
        ModelSpec::Local { .. } => (each, word),
        ModelSpec::Random | ModelSpec::Scripted { .. } => {
            let free = PerEpisode { calls: each.calls, ..PerEpisode::default() };
            (free, "no model is called: no tokens, no money, next to no time".to_owned())
        }
        ModelSpec::OpenAi { .. } | ModelSpec::Anthropic { .. } | ModelSpec::Entry { .. } => {
            let seconds = each.calls * SERVED_CALL_SECONDS / live;
            (PerEpisode { seconds, ..each }, format!("{word}; {SERVED_CALL_SECONDS} s a call"))
        }
    };
    Basis { each: Some(each), rests_on }
}

/// Prices of the main model: nothing for one that runs here, unknown for a served one without prices.
fn prices(model: &ModelSpec, settings: &Settings) -> Option<TokenPrices> {
    match model {
        ModelSpec::Local { .. } | ModelSpec::Random | ModelSpec::Scripted { .. } => {
            Some(TokenPrices { input: 0.0, cached: 0.0, output: 0.0 })
        }
        ModelSpec::Entry { name } => settings.models.get(name)?.prices.map(|prices| TokenPrices {
            input: prices.input,
            cached: prices.cached_input.unwrap_or(prices.input),
            output: prices.output,
        }),
        ModelSpec::OpenAi { .. } | ModelSpec::Anthropic { .. } => None,
    }
}

/// Caps of the settings that would stop the run before its end, and what is not counted. Caps on tokens and money hold for the whole
/// run, so what is `spent` counts; one on time holds for each start of it.
fn notes(estimate: &Estimate, spent: &Usage, settings: &Settings) -> Result<Vec<String>, Failure> {
    let most = settings.most_milliseconds()?.map(|most| most as f64 / 1000.0);
    let caps = [
        ("max_tokens", estimate.tokens.map(|need| need + spent.tokens() as f64), settings.max_tokens.map(|most| most as f64)),
        ("max_cost", estimate.cost.map(|need| need + spent.cost), settings.max_cost),
        ("max_time", estimate.seconds, most),
    ];
    let binding = caps.into_iter().filter(|(_, need, cap)| need.zip(*cap).is_some_and(|(need, cap)| need > cap));
    let mut notes: Vec<String> = binding.map(|(name, ..)| format!("note: {name} would stop this run before its end")).collect();
    if settings.model.len() > 1 {
        notes.push("note: what models of other roles than main would take is counted only where it was measured".to_owned());
    }
    Ok(notes)
}

/// What the meta-agent may take beside all this.
fn in_sessions(sessions: &[AtMost], meta_tokens: Option<u64>) -> Option<String> {
    let of = |part: &AtMost| {
        let each = part.tokens_each.map_or_else(|| "without a limit".to_owned(), grouped);
        format!("{} {} × {each}", part.role, part.sessions)
    };
    let parts: Vec<String> = sessions.iter().map(of).collect();
    let most = match (tokens_at_most(sessions), meta_tokens) {
        (Some(most), Some(cap)) => format!("at most {} tokens (meta_tokens)", grouped(most.min(cap))),
        (None, Some(cap)) => format!("at most {} tokens (meta_tokens)", grouped(cap)),
        (Some(most), None) => format!("at most {} tokens", grouped(most)),
        (None, None) => "tokens without a bound".to_owned(),
    };
    (!sessions.is_empty()).then(|| format!("sessions  of the meta-agent, {most} beside these: {}", parts.join(", ")))
}

fn lines(estimate: &Estimate, rests_on: &str) -> Vec<String> {
    let part = |part: &Part| match part.on_file {
        0 => format!("{} {}", part.episodes, part.name),
        on_file => format!("{} {} ({on_file} on file)", part.episodes, part.name),
    };
    let parts: Vec<String> = estimate.parts.iter().map(part).collect();
    let known = |figure: Option<f64>, show: &dyn Fn(f64) -> String| figure.map_or_else(|| "unknown".to_owned(), show);
    let cost = known(estimate.cost, &money);
    let cure = if estimate.cost.is_none() { " (set prices in a [models.NAME] entry)" } else { "" };
    vec![
        format!("episodes  {} to play: {}", estimate.episodes, parts.join(", ")),
        format!("tokens    {}", known(estimate.tokens, &|tokens| grouped(tokens.round() as u64))),
        format!("money     {cost}{cure}"),
        format!("time      {}", known(estimate.seconds, &|seconds| time((1000.0 * seconds).round() as u64))),
        format!("rests on  {rests_on}"),
    ]
}
