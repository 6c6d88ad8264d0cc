//! One instance of a script: a runtime and a context of its own, with limits. Lives in a worker, never in the host (`scripts.md`).

use super::api::natives;
use super::gauge::Gauge;
use super::module::Settled;
use super::protocol::{FaultKind, Kind, Opening, ScriptFault, ScriptLimits};
use crate::domain::event::Hook;
use rquickjs::context::intrinsic::{Eval, Json, MapSet, Promise, Proxy, RegExp, RegExpCompiler};
use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Exception, Function, Module, Object, Persistent, Runtime, Value};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

const PRELUDE: &str = include_str!("prelude.js");

/// Letters of a thrown message that are kept.
const MESSAGE_LETTERS: usize = 500;

/// Said of a write to what does not change.
const FROZEN: &str = "what a hook is given and what the module holds do not change: keep what an episode gathers in `state`";

/// How a composed tool reaches the host: name and arguments as JSON in, a result as JSON out.
pub(super) type CallTool = Box<dyn Fn(&str, &str) -> Result<String, String> + Send>;

/// What came of an event or a run.
pub(super) struct Answered {
    pub(super) answer: Box<RawValue>,
    /// Only where it has changed.
    pub(super) state: Option<String>,
}

/// A live script. Values of the engine come before what they live in: fields are dropped in order.
pub(super) struct Engine {
    accept: Persistent<Function<'static>>,
    api: Persistent<Object<'static>>,
    exports: Persistent<Object<'static>>,
    context: Context,
    _runtime: Runtime,
    gauge: Arc<Gauge>,
    path: String,
    limits: ScriptLimits,
    state: String,
}

impl Engine {
    /// Makes an instance and runs the script's own top level.
    pub(super) fn open(opening: &Opening, gauge: Arc<Gauge>, call: Option<CallTool>, state: Option<String>) -> Result<Self, ScriptFault> {
        let (path, limits) = (&opening.path, opening.limits);
        let broken = |error: rquickjs::Error| fault(path, FaultKind::Limit, format!("could not be set up: {error}"));
        let runtime = Runtime::new().map_err(broken)?;
        runtime.set_memory_limit(limits.memory);
        runtime.set_max_stack_size(limits.stack);
        let tick = Arc::clone(&gauge);
        runtime.set_interrupt_handler(Some(Box::new(move || tick.tick())));
        let context = Context::custom::<(Eval, RegExpCompiler, RegExp, Json, MapSet, Proxy, Promise)>(&runtime).map_err(broken)?;
        gauge.fill(limits.fuel, Duration::from_millis(limits.deadline_ms));
        let made = context.with(|ctx| {
            let made = set_up(&ctx, opening, call).catch(&ctx);
            made.map_err(|caught| explained(path, &gauge, &caught))
        });
        let (accept, api, exports) = made?;
        let state = state.unwrap_or_else(|| "{}".to_owned());
        Ok(Self { accept, api, exports, context, _runtime: runtime, gauge, path: path.clone(), limits, state })
    }

    /// Puts an event.
    pub(super) fn event(&mut self, hook: Hook, sent: &RawValue) -> Result<Answered, ScriptFault> {
        self.answer(sent, |exports| exports.get::<_, Object<'_>>("hooks")?.get(hook.as_str()))
    }

    /// Runs a composed tool.
    pub(super) fn run(&mut self, arguments: &RawValue) -> Result<Answered, ScriptFault> {
        self.answer(arguments, |exports| exports.get("run"))
    }

    /// The names of hooks that the script has functions for, and whether it has `run`; and its `meta` as JSON.
    pub(super) fn offer(&self) -> Result<(Vec<String>, bool, Option<String>), ScriptFault> {
        self.context.with(|ctx| {
            let read = || -> rquickjs::Result<_> {
                let exports = self.exports.clone().restore(&ctx)?;
                let mut names = Vec::new();
                if let Some(hooks) = exports.get::<_, Value<'_>>("hooks")?.into_object() {
                    for entry in hooks.props::<String, Value<'_>>() {
                        let (name, value) = entry?;
                        if value.is_function() {
                            names.push(name);
                        }
                    }
                }
                let meta = exports.get::<_, Value<'_>>("meta")?;
                let meta = if meta.is_undefined() { None } else { ctx.json_stringify(meta)?.map(|text| text.to_string()).transpose()? };
                Ok((names, exports.get::<_, Value<'_>>("run")?.is_function(), meta))
            };
            read().catch(&ctx).map_err(|caught| explained(&self.path, &self.gauge, &caught))
        })
    }

    /// Calls a function of the script's exports and reads what it returned while all limits hold: getters and `toJSON` run here.
    fn answer<F>(&mut self, sent: &RawValue, function: F) -> Result<Answered, ScriptFault>
    where
        F: for<'js> FnOnce(&Object<'js>) -> rquickjs::Result<Function<'js>>,
    {
        self.gauge.fill(self.limits.fuel, Duration::from_millis(self.limits.deadline_ms));
        let (answer, state) = self.context.with(|ctx| {
            let work = || -> rquickjs::Result<Result<(String, String), &'static str>> {
                let state = ctx.json_parse(self.state.as_str())?;
                let sent: Value<'_> = self.accept.clone().restore(&ctx)?.call((ctx.json_parse(sent.get())?,))?;
                let api = self.api.clone().restore(&ctx)?;
                let returned: Value<'_> = function(&self.exports.clone().restore(&ctx)?)?.call((sent, state.clone(), api))?;
                if returned.is_promise() {
                    return Ok(Err("returned a Promise: hooks and tools are plain functions, without async and await"));
                }
                if returned.is_function() || returned.is_symbol() {
                    return Ok(Err("returned something that is no JSON"));
                }
                Ok(Ok((json_of(&ctx, returned)?, json_of(&ctx, state)?)))
            };
            match work().catch(&ctx) {
                Ok(Ok(texts)) => Ok(texts),
                Ok(Err(message)) => Err(fault(&self.path, FaultKind::Answer, message)),
                Err(caught) => Err(explained(&self.path, &self.gauge, &caught)),
            }
        })?;
        if answer.len() > self.limits.answer || state.len() > self.limits.state {
            let (what, most) =
                if answer.len() > self.limits.answer { ("answer", self.limits.answer) } else { ("state", self.limits.state) };
            return Err(fault(&self.path, FaultKind::Limit, format!("its {what} is longer than {most} bytes of JSON")));
        }
        let answer = RawValue::from_string(answer).map_err(|error| fault(&self.path, FaultKind::Answer, error.to_string()))?;
        let has_changed = state != self.state;
        if has_changed {
            self.state.clone_from(&state);
        }
        Ok(Answered { answer, state: has_changed.then_some(state) })
    }
}

/// A value as JSON; nothing at all is `null`.
fn json_of<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> rquickjs::Result<String> {
    ctx.json_stringify(value)?.map_or_else(|| Ok("null".to_owned()), |text| text.to_string())
}

type Parts = (Persistent<Function<'static>>, Persistent<Object<'static>>, Persistent<Object<'static>>);

fn set_up<'js>(ctx: &Ctx<'js>, opening: &Opening, call: Option<CallTool>) -> rquickjs::Result<Parts> {
    let prelude: Function<'_> = ctx.eval(PRELUDE)?;
    let params = ctx.json_parse(opening.params.get())?;
    let call = match call {
        Some(call) if opening.kind == Kind::Tool => {
            let call = move |ctx: Ctx<'js>, tool: String, arguments: String| {
                call(&tool, &arguments).map_err(|message| Exception::throw_message(&ctx, &message))
            };
            Function::new(ctx.clone(), call)?.into_value()
        }
        Some(_) | None => Value::new_undefined(ctx.clone()),
    };
    let made: Object<'_> = prelude.call((natives(ctx, &opening.path, opening.limits.memory)?, params, call))?;
    let Settled { source, function } = Settled::of(&opening.source);
    ctx.globals().set(function.as_str(), made.get::<_, Function<'_>>("settle")?)?;
    let (module, promise) = Module::declare(ctx.clone(), opening.path.as_str(), source)?.eval()?;
    // No jobs are run, so a top level that waits for something never ends.
    if let Some(result) = promise.result::<Value<'_>>() {
        result?;
    } else {
        return Err(Exception::throw_message(ctx, "the top level of a script does not wait for anything"));
    }
    ctx.globals().remove(function)?;
    let exports = module.namespace()?;
    let (accept, api): (Function<'_>, Object<'_>) = (made.get("accept")?, made.get("api")?);
    Ok((Persistent::save(ctx, accept), Persistent::save(ctx, api), Persistent::save(ctx, exports)))
}

fn fault(path: &str, kind: FaultKind, message: impl Into<String>) -> ScriptFault {
    ScriptFault { kind, path: path.to_owned(), line: 0, column: 0, message: message.into() }
}

/// What was thrown, with its place in the script.
fn explained(path: &str, gauge: &Gauge, caught: &CaughtError<'_>) -> ScriptFault {
    // Reading a thrown object may run code of the script: all limits still hold, and what was tripped stays so.
    let was_stopped = gauge.has_tripped();
    let (text, stack) = match caught {
        CaughtError::Exception(exception) => {
            let name = exception.as_object().get::<_, Option<String>>("name").ok().flatten().unwrap_or_else(|| "Error".to_owned());
            (format!("{name}: {}", exception.message().unwrap_or_default()), exception.stack().unwrap_or_default())
        }
        // Where there is no memory left for an error, the engine throws null.
        CaughtError::Value(value) if value.is_null() => ("out of memory (or `throw null`)".to_owned(), String::new()),
        CaughtError::Value(value) => match value.as_string().and_then(|text| text.to_string().ok()) {
            Some(text) => (format!("threw {text:?}; throw an Error to see its place"), String::new()),
            None => ("threw something that is no Error".to_owned(), String::new()),
        },
        CaughtError::Error(error) => (error.to_string(), String::new()),
    };
    let is_frozen = ["is read-only", "is not extensible"].iter().any(|sign| text.contains(sign));
    let text = if is_frozen { format!("{text} ({FROZEN})") } else { text };
    let (line, column) = place(path, &stack);
    let has_run_dry = ["out of memory", "stack overflow", "Maximum call stack"].iter().any(|sign| text.contains(sign));
    let (kind, message) = if was_stopped {
        (FaultKind::Limit, "ran longer than an event may take".to_owned())
    } else if has_run_dry || matches!(caught, CaughtError::Error(rquickjs::Error::Allocation)) {
        (FaultKind::Limit, format!("used more memory than it may: {text}"))
    } else {
        (FaultKind::Thrown, text)
    };
    ScriptFault { line, column, ..fault(path, kind, message.chars().take(MESSAGE_LETTERS).collect::<String>()) }
}

/// The innermost place of a stack that lies in the script.
fn place(path: &str, stack: &str) -> (u32, u32) {
    let numbers = |line: &str| {
        let (_, after) = line.split_once(path)?;
        let mut numbers = after.strip_prefix(':')?.split(|letter: char| !letter.is_ascii_digit());
        Some((numbers.next()?.parse().ok()?, numbers.next().and_then(|text| text.parse().ok()).unwrap_or(0)))
    };
    stack.lines().find_map(numbers).unwrap_or((0, 0))
}
