//! Command tools and MCP servers of a harness, end to end: a scripted model calls them in an episode. Servers are real ones: the Python
//! package `mcp`, where `HARNESSX_MCP_PYTHON` names an interpreter that has it (CI installs it), over stdin and stdout and over HTTP.

use crate::test_run::{Ran, TestRun};
use harnessx::bench::Benchmark;
use harnessx::domain::request::{ModelRole, Sampling};
use harnessx::domain::trace::Record;
use harnessx::net::Client;
use harnessx::runtime::assembly::Assembly;
use harnessx::runtime::tool_files::Workbench;
use harnessx::sandbox::Wanted;
use harnessx::stages::replay::{Replay, Touch};
use harnessx::store::harness_dir;
use harnessx::store::trace_file::TraceReader;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const HEAD: &str = "format = 1\nname = \"h\"\n";

/// A harness with one tool file, and a model that calls one tool and ends.
pub fn set_up(run: &TestRun, tool: &str, call: &str) {
    run.write("h/harness.toml", HEAD);
    run.write("h/tools/t.toml", tool);
    let first = format!(
        "{{\"match\": {{\"turn\": 0}}, \"reply\": {{\"tool_calls\": [{call}, {{\"name\": \"echo\", \"arguments\": {{\"text\": \"x\"}}}}]}}}}"
    );
    run.write("s.jsonl", &format!("{first}\n{{\"reply\": {{\"text\": \"done\"}}}}\n"));
}

fn play(run: &TestRun, more: &[&str]) -> Ran {
    play_with_all(run, more, &[])
}

/// The same with a variable of the environment.
fn play_with(run: &TestRun, more: &[&str], variable: (&str, &str)) -> Ran {
    play_with_all(run, more, &[variable])
}

/// The same with several.
pub fn play_with_all(run: &TestRun, more: &[&str], variables: &[(&str, &str)]) -> Ran {
    let fixed = ["run", "--bench", "echo", "--harness", "h", "--model", "scripted:s.jsonl", "--limit", "1", "--run", "r"];
    let mut command = run.command(&[&fixed, more].concat());
    command.envs(variables.iter().copied());
    Ran::of(command)
}

/// The first trace of the run, as text.
pub fn trace(run: &TestRun) -> String {
    let dir = run.path().join("r/R0/trajectories");
    let file = std::fs::read_dir(dir).unwrap().next().unwrap().unwrap().path();
    run.run(&["show", &file.display().to_string(), "--full"]).out
}

/// Whether this machine can keep a command in; says so where it cannot.
pub fn has_sandbox(run: &TestRun) -> bool {
    let ran = run.run(&["doctor"]);
    let has = ran.out.contains("yes  command sandbox");
    if !has {
        eprintln!("skipped: no sandbox on this machine");
    }
    has
}

const UPPER: &str = "name = \"upper\"\ndescription = \"Upper case.\"\nargv = [\"tr\", \"a-z\", \"{to}\"]\nstdin = \"{text}\"\n[schema]\nrequired = [\"text\", \"to\"]\n[schema.properties.text]\ntype = \"string\"\n[schema.properties.to]\ntype = \"string\"\n";

#[test]
fn a_command_tool_answers_in_an_episode() {
    let run = TestRun::new();
    if !has_sandbox(&run) {
        return;
    }
    set_up(&run, UPPER, "{\"name\": \"upper\", \"arguments\": {\"text\": \"hello $HOME; ls\", \"to\": \"A-Z\"}}");
    assert_eq!(run.run(&["check", "h"]).exit, 0);
    let ran = play(&run, &["--min-pass-rate", "1"]);
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    assert!(trace(&run).contains("HELLO $HOME; LS"), "{}", trace(&run));
}

#[test]
fn what_a_command_does_wrong_is_a_result() {
    let run = TestRun::new();
    if !has_sandbox(&run) {
        return;
    }
    let tool = "name = \"fails\"\ndescription = \"Fails.\"\nargv = [\"sh\", \"{tools}/fails.sh\"]\n";
    let long = format!("{{\"name\": \"say\", \"arguments\": {{\"text\": \"{}\"}}}}", "x".repeat(200_000));
    set_up(
        &run,
        tool,
        &format!("{{\"name\": \"fails\", \"arguments\": {{}}}}, {{\"name\": \"fails\", \"arguments\": {{\"x\": 1}}}}, {long}"),
    );
    let say = "name = \"say\"\ndescription = \"Says.\"\nargv = [\"echo\", \"{text}\"]\n[schema.properties.text]\ntype = \"string\"\n";
    run.write("h/tools/say.toml", say);
    run.write("h/tools/fails.sh", "echo so far; echo sorry >&2; exit 7\n");
    let ran = play(&run, &["--min-pass-rate", "1"]);
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let trace = trace(&run);
    assert!(trace.contains("sorry") && trace.contains("exit code 7") && trace.contains("There is no argument \"x\""), "{trace}");
    assert!(trace.contains("its command line has 200006 bytes, more than 131072"), "a text too long for a command line");
}

#[test]
fn a_missing_program_a_bad_key_and_a_wish_for_the_network_are_said() {
    let run = TestRun::new();
    set_up(&run, "name = \"t\"\ndescription = \"d\"\nargv = [\"no-such-program\"]\n", "{\"name\": \"t\", \"arguments\": {}}");
    let ran = run.run(&["check", "h"]);
    assert!(ran.exit == 3 && ran.err.contains("h/tools/t.toml: the program \"no-such-program\" is not on this machine"), "{}", ran.err);
    run.write("h/tools/t.toml", "name = \"t\"\ndescription = \"d\"\nargw = [\"cat\"]\n");
    let ran = run.run(&["check", "h"]);
    assert!(ran.exit == 3 && ran.err.contains("h/tools/t.toml:3: unknown field \"argw\"; did you mean \"argv\"?"), "{}", ran.err);
    run.write("h/tools/t.toml", "name = \"t\"\ndescription = \"d\"\nnetwork = true\nargv = [\"cat\"]\n");
    let ran = play(&run, &[]);
    assert!(ran.exit == 3 && ran.err.contains("tool_network=true"), "{}", ran.err);
}

#[test]
fn without_protection_nothing_runs_unless_it_was_typed() {
    let run = TestRun::new();
    set_up(&run, UPPER, "{\"name\": \"upper\", \"arguments\": {\"text\": \"hello\", \"to\": \"A-Z\"}}");
    let ran = play_with(&run, &["--sandbox", "bubblewrap"], ("PATH", "/nowhere"));
    assert!(ran.exit == 3 && ran.err.contains("install the package `bubblewrap`"), "{}", ran.err);
    assert_eq!(play(&run, &["--sandbox", "off", "--min-pass-rate", "1"]).exit, 0);
    assert!(run.run(&["run", "--bench", "echo", "--sandbox", "of"]).err.contains("sandbox"));
}

#[test]
fn a_loop_refuses_up_front_what_a_run_refuses() {
    let run = TestRun::new();
    set_up(&run, UPPER, "{\"name\": \"upper\", \"arguments\": {\"text\": \"hello\", \"to\": \"A-Z\"}}");
    for stage in ["run", "loop"] {
        let mut command = run.command(&[
            stage,
            "--bench",
            "echo",
            "--harness",
            "h",
            "--model",
            "scripted:s.jsonl",
            "--run",
            "l",
            "--sandbox",
            "bubblewrap",
        ]);
        command.env("PATH", "/nowhere");
        let ran = Ran::of(command);
        assert!(ran.exit == 3 && ran.err.contains("install the package `bubblewrap`"), "{stage}: {}", ran.err);
        assert!(!run.path().join("l/R0").exists(), "{stage}: nothing was played");
    }
}

/// What a harness folder makes of the first recorded episode.
fn touch(run: &TestRun) -> Touch {
    let text = include_str!("../../benchmarks/echo/benchmark.toml");
    let benchmark = Benchmark::parse(text, Path::new("benchmarks/echo")).unwrap();
    let trace = std::fs::read_dir(run.path().join("r/R0/trajectories")).unwrap().next().unwrap().unwrap().path();
    let key_of = |record| if let Record::Episode { key, .. } = record { Some(key) } else { None };
    let key = TraceReader::open(&trace).unwrap().map(Result::unwrap).find_map(key_of).unwrap();
    let task = benchmark.tasks.iter().find(|task| task.task.id == key.task).unwrap();
    let replay = Replay { roles: [ModelRole::Main].into(), seed: 1, sampling: Sampling::default(), limits: benchmark.limits };
    let (harness, lines) = harness_dir::read(&run.path().join("h")).unwrap();
    replay.touches(&Assembly::new(harness, &lines).ok().unwrap(), task, &trace).unwrap()
}

#[test]
fn a_dry_replay_takes_the_results_of_unchanged_tools_from_the_record() {
    let run = TestRun::new();
    if !has_sandbox(&run) {
        return;
    }
    let clock = "name = \"clock\"\ndescription = \"The time.\"\nargv = [\"sh\", \"{tools}/clock.sh\"]\n";
    set_up(&run, clock, "{\"name\": \"clock\", \"arguments\": {}}, {\"name\": \"nobody\", \"arguments\": {}}");
    run.write("h/tools/clock.sh", "date +%s.%N\n");
    run.write("h/tools/upper.toml", UPPER);
    assert_eq!(play(&run, &[]).exit, 0);
    assert_eq!(touch(&run), Touch::None, "its result would be another one now");
    run.write("h/tools/upper.toml", &UPPER.replace("a-z", "b-z"));
    assert_eq!(touch(&run), Touch::None, "a tool that is not called may change");
    run.write("h/tools/upper.toml", &UPPER.replace("Upper case", "Capitals"));
    assert_eq!(touch(&run), Touch::Differs, "but not what the model reads of it");
    run.write("h/tools/upper.toml", UPPER);
    run.write("h/tools/clock.sh", "date +%s\n");
    assert_eq!(touch(&run), Touch::Differs, "a file that a called tool reads was changed");
    run.write("h/tools/clock.sh", "date +%s.%N\n");
    run.write("h/tools/t.toml", &format!("{clock}[limits]\nseconds = 3\n"));
    assert_eq!(touch(&run), Touch::Differs, "a called tool was changed");
    run.write("h/tools/t.toml", clock);
    run.write("h/tools/m.toml", "kind = \"mcp\"\nname = \"m\"\nargv = [\"true\"]\n");
    assert_eq!(touch(&run), Touch::Differs, "nobody knows what a new server offers");
}

#[test]
fn tools_are_started_once_before_a_candidate_is_proposed() {
    let run = TestRun::new();
    if !has_sandbox(&run) {
        return;
    }
    let bench = Workbench::new(Wanted::Auto, vec![run.path().to_owned()], false, Client::new(), |_| None);
    let problems = |tool: &str| {
        run.write("h/harness.toml", HEAD);
        run.write("h/tools/t.toml", tool);
        let (harness, lines) = harness_dir::read(&run.path().join("h")).unwrap();
        let assembly = Assembly::new(harness.clone(), &lines).ok().unwrap();
        bench.try_out(&harness, assembly.tool_files()).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(problems(UPPER), Vec::<String>::new());
    let own = "name = \"own\"\ndescription = \"d\"\nargv = [\"{tools}/own.sh\"]\n";
    run.write("h/tools/own.sh", "#!/bin/sh\necho own\n");
    assert_eq!(problems(own), Vec::<String>::new(), "a program that the harness brings starts");
    run.write("h/tools/own.sh", "#!/no/such/shell\n");
    assert!(problems(own)[0].contains("tools/t.toml: start \""), "{:?}", problems(own));
    run.write("h/program", "#!/bin/sh\n");
    std::fs::set_permissions(run.path().join("h/program"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let hidden = format!("name = \"t\"\ndescription = \"d\"\nargv = [\"{}\"]\n", run.path().join("h/program").display());
    assert!(problems(&hidden)[0].contains("it lies in a folder that commands may not see"), "{:?}", problems(&hidden));
    let absent = problems("name = \"t\"\ndescription = \"d\"\nargv = [\"no-such-program\"]\n");
    assert!(absent[0].contains("is not on this machine"), "{absent:?}");
    let server = problems("kind = \"mcp\"\nname = \"m\"\nargv = [\"true\"]\n");
    assert!(server[0].contains("tools/t.toml: start \"true\""), "{server:?}");
    let network = problems("name = \"t\"\ndescription = \"d\"\nnetwork = true\nargv = [\"cat\"]\n");
    assert!(network[0].contains("tool_network=true"), "{network:?}");
}

#[test]
fn a_tool_that_names_an_image_is_refused_where_no_daemon_is() {
    let run = TestRun::new();
    set_up(&run, &UPPER.replace("argv", "image = \"alpine:3\"\nargv"), "{\"name\": \"upper\", \"arguments\": {}}");
    let nobody = ("DOCKER_HOST", "unix:///nowhere/docker.sock");
    if cfg!(not(feature = "containers")) {
        let ran = run.run(&["check", "h"]);
        assert!(ran.exit == 3 && ran.err.contains("h/tools/t.toml:3: image: this build lacks containers"), "{}", ran.err);
        return;
    }
    let ran = play_with(&run, &[], nobody);
    assert!(ran.exit == 3 && ran.err.contains("no container daemon has a socket here; start Docker or Podman"), "{}", ran.err);
    for command in [["check", "h"].as_slice(), &["doctor"]] {
        let mut command = run.command(command);
        command.env(nobody.0, nobody.1);
        let ran = Ran::of(command);
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains("container daemon: ") && said.contains("cure: start Docker or Podman"), "{said}");
    }
    let ran = play_with(&run, &[], ("DOCKER_HOST", "tcp://far:2375"));
    assert!(ran.exit == 3 && ran.err.contains("DOCKER_HOST names no socket of this machine"), "{}", ran.err);
    run.write("h/tools/t.toml", "kind = \"mcp\"\nname = \"m\"\nimage = \"alpine\"\nargv = [\"x\"]\n");
    assert!(run.run(&["check", "h"]).err.contains("h/tools/t.toml:3: image: only a command has it"));
    run.write("h/tools/t.toml", "name = \"t\"\ndescription = \"d\"\nimage = \"--privileged\"\nargv = [\"x\"]\n");
    assert!(run.run(&["check", "h"]).err.contains("h/tools/t.toml:3: image \"--privileged\": a name such as"));
}

/// A small server of our own on the package `mcp`: adds, floods, dies.
const SERVER: &str = r#"
import os, sys
try:
    from mcp.server import MCPServer as Server
except ImportError:
    from mcp.server.fastmcp import FastMCP as Server

server = Server("small")

@server.tool()
def add(a: int, b: int) -> str:
    """Adds two numbers."""
    return f"sum is {a + b}; key {os.environ.get('HARNESSX_TOOL_KEY_X', 'none')}"

@server.tool()
def flood() -> str:
    """Says too much."""
    return "x" * 100000

@server.tool()
def die() -> str:
    """Dies."""
    os._exit(3)

if len(sys.argv) > 1:
    try:
        server.run("streamable-http", port=int(sys.argv[1]))
    except TypeError:
        server.settings.port = int(sys.argv[1])
        server.run("streamable-http")
else:
    server.run()
"#;

/// The interpreter that has the package.
fn python() -> Option<String> {
    let python = std::env::var("HARNESSX_MCP_PYTHON").ok().filter(|python| !python.is_empty());
    if python.is_none() {
        eprintln!("skipped: HARNESSX_MCP_PYTHON names no interpreter with the package `mcp`");
    }
    python
}

#[test]
fn a_real_server_in_the_sandbox_answers_floods_and_dies() {
    let run = TestRun::new();
    let Some(python) = python().filter(|_| has_sandbox(&run)) else { return };
    let tool = format!("kind = \"mcp\"\nname = \"small\"\nargv = [\"{python}\", \"{{tools}}/server.py\"]\n");
    let calls = "{\"name\": \"small__add\", \"arguments\": {\"a\": 20, \"b\": 22}}, {\"name\": \"small__flood\", \"arguments\": {}}, {\"name\": \"small__die\", \"arguments\": {}}, {\"name\": \"small__add\", \"arguments\": {\"a\": 1, \"b\": 1}}, {\"name\": \"upper\", \"arguments\": {\"text\": \"hello\", \"to\": \"A-Z\"}}";
    for kind in ["bubblewrap", "landlock"] {
        set_up(&run, &tool, calls);
        run.write("h/tools/server.py", SERVER);
        run.write("h/tools/upper.toml", UPPER);
        let _ = std::fs::remove_dir_all(run.path().join("r"));
        if run.run(&["run", "--bench", "echo", "--harness", "h", "--model", "random", "--limit", "1", "--run", "p", "--sandbox", kind]).exit
            == 3
        {
            eprintln!("skipped: no {kind}");
            continue;
        }
        let started = Instant::now();
        let ran = play(&run, &["--min-pass-rate", "1", "--sandbox", kind]);
        assert_eq!(ran.exit, 0, "{kind}: {}{}", ran.out, ran.err);
        let trace = trace(&run);
        for part in ["sum is 42; key none", "[cut: only the first 16384 bytes are shown]", "The tool's server failed", "HELLO"] {
            assert!(trace.contains(part), "{kind}: {part}: {trace}");
        }
        eprintln!("{kind}: an episode with a server took {} ms", started.elapsed().as_millis());
        assert_eq!(touch(&run), Touch::None, "{kind}: what it offered and answered is on record");
        run.write("h/tools/server.py", &SERVER.replace("Says too much", "Says more"));
        assert_eq!(touch(&run), Touch::Differs, "{kind}: a changed server may offer anything");
    }
}

/// A server without the package: it never stops writing files, answers twice, and then says only what nobody asked.
const RUDE: &str = r#"
import json, sys, threading

def write():
    for i in range(10**9):
        open(f"f{i % 1000}", "w").write("x")

threading.Thread(target=write, daemon=True).start()
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    result = {"tools": [{"name": "x", "inputSchema": {"type": "object"}}]}
    if asked["method"] == "initialize":
        result = {"protocolVersion": "2025-03-26", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
    while asked["method"] == "tools/call":
        print(json.dumps({"jsonrpc": "2.0", "id": "p" * 1000000, "method": "ping"}))
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"#;

#[test]
fn a_server_that_floods_unasked_is_heard_no_further_and_leaves_no_workspace() {
    let run = TestRun::new();
    if !has_sandbox(&run) {
        return;
    }
    let tool = "kind = \"mcp\"\nname = \"m\"\nargv = [\"python3\", \"{tools}/server.py\"]\n[limits]\nseconds = 20\n";
    set_up(&run, tool, "{\"name\": \"m__x\", \"arguments\": {}}");
    run.write("h/tools/server.py", RUDE);
    let temporary = run.write("tmp/other", "").parent().unwrap().to_owned();
    for kind in ["bubblewrap", "landlock"] {
        let _ = std::fs::remove_dir_all(run.path().join("r"));
        let ran = play_with(&run, &["--sandbox", kind], ("TMPDIR", &temporary.display().to_string()));
        if ran.exit == 3 {
            eprintln!("skipped: no {kind}: {}", ran.err);
            continue;
        }
        assert!(trace(&run).contains("The tool's server failed"), "{kind}: {}", trace(&run));
        let left: Vec<_> = std::fs::read_dir(&temporary).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["other"], "{kind}");
    }
}

#[test]
fn a_server_that_does_not_start_is_the_harness_s_failure() {
    let run = TestRun::new();
    if !has_sandbox(&run) {
        return;
    }
    set_up(&run, "kind = \"mcp\"\nname = \"m\"\nargv = [\"true\"]\n", "{\"name\": \"m__x\", \"arguments\": {}}");
    let ran = play(&run, &["--min-pass-rate", "0.5"]);
    assert_eq!(ran.exit, 1, "{}{}", ran.out, ran.err);
    assert!(trace(&run).contains("connection closed"), "{}", trace(&run));
}

/// A server that ends with the test.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_server_answers_over_http() {
    let run = TestRun::new();
    let Some(python) = python() else { return };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = run.write("server.py", SERVER);
    let _served =
        Served(Command::new(python).arg(script).arg(port.to_string()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let started = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < Duration::from_secs(30), "the server did not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    let tool = format!(
        "kind = \"mcp\"\nname = \"far\"\nurl = \"http://127.0.0.1:{port}/mcp\"\nkey_env = \"HARNESSX_TOOL_KEY_X\"\ntools = [\"add\"]\n"
    );
    set_up(&run, &tool, "{\"name\": \"far__add\", \"arguments\": {\"a\": 20, \"b\": 22}}, {\"name\": \"far__flood\", \"arguments\": {}}");
    let origin = format!("http://127.0.0.1:{port}");
    let key = [("HARNESSX_TOOL_KEY_X", "sesame"), ("HARNESSX_TOOL_KEY_X_ORIGIN", &origin)];
    let ran = play_with_all(&run, &["--set", "tool_network=true", "--min-pass-rate", "1"], &key);
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let trace = trace(&run);
    assert!(trace.contains("sum is 42") && trace.contains("There is no tool \"far__flood\"") && !trace.contains("sesame"), "{trace}");
}
