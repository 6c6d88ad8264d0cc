//! Scripts that mean harm, and the promises that hold whatever they do: the host lives, others' instances go on with their state, and the
//! same script gives the same bytes in any pool (`scripts.md`). `cargo test --test scripts -- --nocapture` prints the table.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop there")]

use futures::executor::block_on;
use harnessx::domain::event::{Action, Event, Scene};
use harnessx::domain::message::{Arguments, Message, Turn};
use harnessx::domain::request::Usage;
use harnessx::domain::task::Tags;
use harnessx::sandbox::worker::WorkerProgram;
use harnessx::script::{FaultKind, Instance, Kind, Pool, PoolSettings, ScriptError, ScriptLimits, ToolStep};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Instant;

const DEADLINE_MS: u64 = 1000;

/// One test kills the workers of this whole process: no other runs beside it.
static ALONE: RwLock<()> = RwLock::new(());

fn beside_others() -> RwLockReadGuard<'static, ()> {
    ALONE.read().unwrap_or_else(PoisonError::into_inner)
}

fn pool(workers: usize) -> Pool {
    pool_until(DEADLINE_MS, workers)
}

fn pool_until(deadline_ms: u64, workers: usize) -> Pool {
    let program = WorkerProgram { path: env!("CARGO_BIN_EXE_harnessx").into(), arguments: vec!["script-worker".into()] };
    Pool::new(&PoolSettings { program, workers, limits: ScriptLimits { deadline_ms, ..ScriptLimits::default() } })
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_has_one_socket_and_nothing_that_its_parent_left_open() {
    use nix::fcntl::{FcntlArg, fcntl};
    let open = tempfile::tempfile().unwrap();
    // A duplicate is closed by no exec.
    let inherited = fcntl(&open, FcntlArg::F_DUPFD(200)).unwrap();
    let program = WorkerProgram { path: env!("CARGO_BIN_EXE_harnessx").into(), arguments: vec!["script-worker".into()] };
    let mut worker = harnessx::sandbox::worker::Worker::start(&program).unwrap();
    // It reports once it has given up its rights.
    worker.receive(&mut [0], Instant::now() + std::time::Duration::from_secs(10)).unwrap();
    let files = std::fs::read_dir(format!("/proc/{}/fd", worker.id())).unwrap();
    let named: Vec<String> = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert!(!named.contains(&inherited.to_string()) && named.len() <= 4, "{named:?}");
}

fn script(body: &str) -> String {
    format!("export const hooks = {{\n  step_start(event, state, api) {{\n    {body}\n  }}\n}};\n")
}

fn instance(pool: &Pool, source: &str) -> Instance {
    Instance::new(pool, "processors/x.js", source, Kind::Processor, "{}").unwrap()
}

async fn on(instance: &mut Instance, turns: &[Arc<Turn>]) -> Result<Action, ScriptError> {
    let (tags, usage) = (Tags::new(), Usage::default());
    let scene = Scene { task: "go", tags: &tags, tools: &[], step: 1, usage, elapsed_ms: 0 };
    instance.event(&Event::StepStart { turns }, &scene, None).await
}

/// What a hostile script may come to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// Stopped by a limit.
    Limit,
    /// Its own error.
    Thrown,
    /// Its answer is none.
    Answer,
    /// It may also simply answer: what it tried had no effect.
    Harmless,
}

fn cases() -> Vec<(&'static str, String, End)> {
    let of = |name, body: &str, end| (name, script(body), end);
    vec![
        of("infinite loop", "for (;;) {}", End::Limit),
        of("infinite loop that catches", "for (;;) { try { for (;;) {} } catch {} }", End::Limit),
        of("infinite loop in finally", "try { for (;;) {} } finally { for (;;) {} }", End::Limit),
        of("memory bomb of arrays", "const all = []; for (;;) all.push(new Array(1000).fill(1));", End::Limit),
        of("memory bomb of strings", "let s = 'x'; for (;;) s += s;", End::Thrown),
        of(
            "memory bomb that catches",
            "const all = []; for (;;) { try { all.push('x'.repeat(1 << 20) + all.length); } catch {} }",
            End::Limit,
        ),
        of(
            "indexOf on 4 MB",
            "const s = 'a'.repeat(4 << 20); for (let i = 0; i < 50; i++) s.indexOf('a'.repeat(2 << 20) + 'b');",
            End::Limit,
        ),
        of("replaceAll bomb", "let s = 'aaaaaaaaaa'; for (let i = 0; i < 9; i++) s = s.replaceAll('a', s); return s.length;", End::Limit),
        of("power of BigInt", "let n = 3n; for (let i = 0; i < 40; i++) n = n ** 9n;", End::Thrown),
        of("regular expression that backtracks", "/^(a+)+$/.test('a'.repeat(40) + 'b');", End::Limit),
        of("sort with a comparator that never ends", "[3, 2, 1].sort(() => { for (;;) {} });", End::Limit),
        of("deep recursion", "const f = (n) => f(n + 1) + 1; return f(0);", End::Limit),
        of("deep JSON", "let v = []; for (let i = 0; i < 1e6; i++) v = [v]; return { interrupt: v };", End::Limit),
        of("getter that loops while serialised", "return { get interrupt() { for (;;) {} } };", End::Limit),
        of("toJSON that loops", "return { toJSON() { for (;;) {} } };", End::Limit),
        of("toJSON that loops in the state", "state.x = { toJSON() { for (;;) {} } };", End::Limit),
        of("Proxy that loops", "return new Proxy({}, { ownKeys() { for (;;) {} } });", End::Limit),
        of("thrown error whose message loops", "throw Object.assign(new Error(), { get message() { for (;;) {} } });", End::Limit),
        of(
            "thrown object with a looping getter",
            "const e = new Error('x'); Object.defineProperty(e, 'stack', { get() { for (;;) {} } }); throw e;",
            End::Harmless,
        ),
        of("circular answer", "const a = {}; a.interrupt = a; return a;", End::Thrown),
        of("answer of 8 MB", "return { interrupt: 'x'.repeat(8 << 20) };", End::Limit),
        of("state of 2 MB", "state.x = 'x'.repeat(2 << 20);", End::Limit),
        of("async function", "return (async () => 1)();", End::Answer),
        of("returned Promise", "return Promise.resolve({ interrupt: 'late' });", End::Answer),
        of("promise jobs without end", "const f = () => Promise.resolve().then(f); f();", End::Harmless),
        of("groups that each hold 1 MB", &groups(), End::Limit),
        of("pattern of 4 MB", "api.regex.all('a'.repeat(4 << 20), 'a');", End::Thrown),
        of("Date", "return Date.now();", End::Thrown),
        of("Math.random", "return Math.random();", End::Thrown),
        of("typed arrays", "return new Uint8Array(1 << 30).length;", End::Thrown),
        of("network", "return fetch('http://example.org');", End::Thrown),
        of("files", "return require('fs').readFileSync('/etc/passwd');", End::Thrown),
        of("files through std", "return std.loadFile('/etc/passwd');", End::Thrown),
        of("import", "return import('fs');", End::Answer),
        of("programs", "return process.exit(0);", End::Thrown),
        of("Function constructor", "return (() => {}).constructor('return this')().std.exit(1);", End::Thrown),
        of("flood of output", "for (let i = 0; i < 1e9; i++) print('x'.repeat(1000));", End::Thrown),
        of("prototype of Object", "Object.prototype.toJSON = () => { throw new Error('bent'); }; return {};", End::Thrown),
        of(
            "prototypes of everything",
            "Array.prototype.slice = JSON.parse = JSON.stringify = Object.freeze = Object.keys = () => { throw 1; };",
            End::Harmless,
        ),
        of("writes into the history", "event.turns[0].text = 'forged'; return { interrupt: event.turns[0].text };", End::Thrown),
        of("answer of another kind", "return 42;", End::Answer),
        of("answer with an unknown key", "return { reward: 1 };", End::Answer),
        ("top level that loops", "for (;;) {}\nexport const hooks = {};".to_owned(), End::Limit),
        ("top level that waits", format!("await new Promise(() => {{}});\n{}", script("")), End::Thrown),
    ]
}

/// A regular expression whose every group matches a text of 1 MB.
fn groups() -> String {
    "api.regex.all('('.repeat(100) + '(?s:.*)' + ')'.repeat(100), 'a'.repeat(1 << 20));".to_owned()
}

const NEIGHBOUR: &str =
    "state.count = (state.count ?? 0) + 1; return { interrupt: `${state.count} ${event.turns.map((t) => t.text).join()}` };";

#[test]
fn hostile_scripts_are_contained() {
    let _beside = beside_others();
    let pool = pool(1);
    let turns = [Turn::new(Message::user("one")), Turn::new(Message::assistant("two"))];
    let mut neighbour = instance(&pool, &script(NEIGHBOUR));
    let mut wrong = Vec::new();
    println!("{:<42} {:<10} {:>8}", "case", "", "ms");
    for (count, (name, source, end)) in cases().into_iter().enumerate() {
        let mut hostile = instance(&pool, &source);
        let began = Instant::now();
        let outcome = block_on(on(&mut hostile, &turns));
        let took = began.elapsed().as_millis();
        let is_as_said = match &outcome {
            Err(ScriptError::Fault(fault)) => match end {
                End::Limit => fault.kind == FaultKind::Limit,
                // On a busy machine the deadline may come first.
                End::Thrown => matches!(fault.kind, FaultKind::Thrown | FaultKind::Limit),
                End::Answer => fault.kind == FaultKind::Answer,
                End::Harmless => true,
            },
            Err(ScriptError::Host(_) | ScriptError::Unconfined) => false,
            Ok(_) => end == End::Harmless,
        };
        // The neighbour on the same worker goes on where it was.
        let expected = Action::Interrupt { reason: format!("{} one,two", count + 1) };
        let is_well = block_on(on(&mut neighbour, &turns)).is_ok_and(|action| action == expected);
        let is_quick = took < u128::from(DEADLINE_MS) + 4000;
        let contained = is_as_said && is_well && is_quick;
        println!("{name:<42} {:<10} {took:>8}", if contained { "contained" } else { "ESCAPED" });
        if !contained {
            wrong.push(format!("{name}: {outcome:?}, neighbour well: {is_well}, {took} ms"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_fault_comes_again_and_nobody_else_hears_of_it() {
    let _beside = beside_others();
    let pool = pool(2);
    let mut hostile = instance(&pool, &script("for (;;) {}"));
    let first = block_on(on(&mut hostile, &[])).unwrap_err().to_string();
    assert_eq!(block_on(on(&mut hostile, &[])).unwrap_err().to_string(), first, "it is not run a second time");
    assert!(first.starts_with("processors/x.js:"), "{first}");
}

#[test]
fn a_killed_worker_costs_its_neighbours_nothing() {
    let _alone = ALONE.write().unwrap_or_else(PoisonError::into_inner);
    let pool = pool(1);
    let turns = [Turn::new(Message::user("one"))];
    let mut neighbour = instance(&pool, &script(NEIGHBOUR));
    for count in 1..=3 {
        let reason = format!("{count} one");
        assert_eq!(block_on(on(&mut neighbour, &turns)).unwrap(), Action::Interrupt { reason });
        for worker in children() {
            let _ = std::process::Command::new("kill").args(["-9", &worker]).status();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        // The worker's death is met by an order of another; it may be blamed, the neighbour may not.
        let _ = block_on(on(&mut instance(&pool, &script("")), &turns));
    }
    assert_eq!(neighbour.state(), Some("{\"count\":3}"));
}

/// An instance is made again from its state when another's fault takes its worker away: nothing else may tell events apart.
#[test]
fn a_module_keeps_nothing_from_one_event_to_the_next() {
    let _beside = beside_others();
    let pool = pool(1);
    for (held, write) in [
        ("const held = { n: 0 };", "held.n += 1;"),
        ("const held = { deep: [{ n: 0 }] };", "held.deep[0].n += 1;"),
        ("const held = [];", "held.push(event.step);"),
        ("const held = new Map([['a', { n: 0 }]]);", "held.get('a').n += 1;"),
        ("const held = new Map();", "held.set('a', 1);"),
        ("const held = new Set();", "held.add('a');"),
        ("function held() {}", "held.n = (held.n ?? 0) + 1;"),
        ("class Held { static n = 0; }", "Held.n += 1;"),
        ("class Held {} const held = new Held();", "held.n = 1;"),
        ("export const meta = { n: 0 };", "meta.n += 1;"),
        ("", "hooks.n = 1;"),
        ("const { held } = { held: { n: 0 } };", "held.n += 1;"),
    ] {
        let source = format!("{held}\n{}", script(write));
        let fault = block_on(on(&mut instance(&pool, &source), &[])).unwrap_err().to_string();
        assert!(fault.starts_with("processors/x.js:4:") && fault.contains("keep what an episode gathers in `state`"), "{write}: {fault}");
    }
    let source = format!(
        "const places = /a/g; const {{ max }} = Math; const table = {{}}; for (const k of ['a']) table[k] = [max(1, 2)];\n{}",
        script("const was = places.lastIndex; places.test('aa'); table.a.map((n) => n); return { interrupt: String(was) };")
    );
    let mut moving = instance(&pool, &source);
    for _ in 0..2 {
        assert_eq!(block_on(on(&mut moving, &[])).unwrap(), Action::Interrupt { reason: "0".into() });
    }
}

/// What helpers build lies outside the script's heap: whatever a script has them do, its worker stays small.
#[test]
fn helpers_build_no_more_than_a_heap_may_hold() {
    let _alone = ALONE.write().unwrap_or_else(PoisonError::into_inner);
    for (name, body) in [
        ("groups", groups()),
        ("words", "api.text.normalise('a '.repeat(7 << 20));".to_owned()),
        ("objects", "api.json.find('[' + '{\"a\":1},'.repeat(1 << 18));".to_owned()),
        ("letters", "api.regex.all('\\\\w'.repeat(4 << 10), 'a');".to_owned()),
        ("matches", "api.regex.all('(a)(b)?', 'ab'.repeat(5 << 20));".to_owned()),
    ] {
        let pool = pool_until(20 * DEADLINE_MS, 1);
        let outcome = block_on(on(&mut instance(&pool, &script(&format!("try {{ {body} }} catch {{}}"))), &[]));
        assert!(!matches!(outcome, Err(ScriptError::Host(_) | ScriptError::Unconfined)), "{name}: {outcome:?}");
        let peaks: Vec<u64> = children().iter().filter_map(|worker| status_of(worker, "VmHWM:")).collect();
        println!("{name:<20} {peaks:?} KiB at most");
        assert!(peaks.iter().all(|peak| *peak < 150 << 10), "{name}: {peaks:?}");
    }
}

/// A line of a process's status that begins with a name and a number.
fn status_of(pid: &str, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// Script workers that this process has started.
fn children() -> Vec<String> {
    let own = u64::from(std::process::id());
    let of = |pid: &str| (status_of(pid, "PPid:") == Some(own) && status_of(pid, "Seccomp:") == Some(2)).then(|| pid.to_owned());
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| of(entry.file_name().to_str()?)).collect()
}

#[test]
fn workers_are_held_by_the_kernel() {
    let _beside = beside_others();
    let protections = pool(1).protections().unwrap();
    assert!(protections.is_confined() && protections.limits, "{protections}");
}

#[test]
fn the_same_script_and_events_give_the_same_bytes() {
    let _beside = beside_others();
    let source = script(
        "state.n = (state.n ?? 1) * 7 % 1009 + event.turns.length;\n    const pick = api.choose(['a', 'b', 'c', 'd'], state.n);\n    \
         state.words = Object.fromEntries(event.turns.map((turn, i) => [turn.text + i, api.text.similarity(turn.text, pick)]));\n    \
         return { interrupt: JSON.stringify([state.n, pick, api.regex.all('[a-z]+', event.turns[0].text), Math.sin(state.n)]) };",
    );
    let turns: Vec<_> = (0..6).map(|index| Turn::new(Message::user(format!("text {index}")))).collect();
    let played = |pool: &Pool| {
        let mut instance = instance(pool, &source);
        let answers: Vec<Action> = (1..=turns.len()).map(|end| block_on(on(&mut instance, &turns[..end])).unwrap()).collect();
        (answers, instance.state().unwrap().to_owned())
    };
    let (one, three) = (pool(1), pool(3));
    let expected = played(&one);
    for _ in 0..100 {
        assert_eq!(played(&one), expected);
        assert_eq!(played(&three), expected);
    }
}

#[test]
fn parsers_are_brought_down_in_the_worker_only() {
    let _beside = beside_others();
    let pool = pool(1);
    let source = format!("export const hooks = {{ step_end() {{ return {}0; }} }};", "(".repeat(200_000));
    assert!(pool.check("processors/x.js", &source, Kind::Processor).unwrap().is_err());
    assert!(pool.check("processors/x.js", &script("return;"), Kind::Processor).unwrap().is_ok());
}

#[test]
fn an_abandoned_tool_leaves_its_worker_free() {
    let _beside = beside_others();
    let pool = pool(1);
    let tool = "export function run(args, state, api) { for (;;) api.call('x', {}); }";
    let mut running = Instance::new(&pool, "tools/x.js", tool, Kind::Tool, "{}").unwrap();
    let step = block_on(running.run(&Arguments(serde_json::json!({})))).unwrap();
    assert!(matches!(step, ToolStep::Calls { .. }));
    drop(step);
    let mut other = instance(&pool, &script("return { interrupt: 'well' };"));
    assert_eq!(block_on(on(&mut other, &[])).unwrap(), Action::Interrupt { reason: "well".into() });
}

#[test]
fn arguments_that_would_fill_the_host_stay_in_the_worker() {
    let _beside = beside_others();
    let pool = pool(1);
    let tool = "export function run(args, state, api) { return api.call('x', { a: '{},'.repeat(1 << 20) }).text; }";
    let mut flooding = Instance::new(&pool, "tools/x.js", tool, Kind::Tool, "{}").unwrap();
    let fault = block_on(flooding.run(&Arguments(serde_json::json!({})))).map(|_| ()).unwrap_err().to_string();
    assert!(fault.contains("the arguments of a call are longer than 1048576 bytes"), "{fault}");
    let meta = format!("export const meta = {{ params: 'x'.repeat(2 << 20) }};\n{}", script(""));
    let remarks = pool.check("processors/x.js", &meta, Kind::Processor).unwrap().unwrap_err();
    assert!(remarks[0].line == 1 && remarks[0].message.contains("`meta` is longer than 1048576 bytes"), "{remarks:?}");
}

#[test]
fn many_episodes_share_a_pool_under_tokio() {
    let _beside = beside_others();
    let pool = pool(2);
    let turns: Vec<_> = (0..10).map(|index| Turn::new(Message::user(format!("turn {index}")))).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let episode = |index: usize| {
        let (pool, turns) = (pool.clone(), turns.clone());
        async move {
            let mut instance = instance(&pool, &script(if index.is_multiple_of(20) { "for (;;) {}" } else { NEIGHBOUR }));
            for end in 1..=turns.len() {
                let answer = on(&mut instance, &turns[..end]).await;
                if index.is_multiple_of(20) {
                    assert!(matches!(answer, Err(ScriptError::Fault(_))));
                } else {
                    let words: Vec<&str> = turns[..end].iter().map(|turn| turn.message.text()).collect();
                    assert_eq!(answer.unwrap(), Action::Interrupt { reason: format!("{end} {}", words.join(",")) });
                }
            }
        }
    };
    runtime.block_on(futures::future::join_all((0..100).map(episode)));
}
