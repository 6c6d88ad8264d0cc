//! Commands in containers of a real daemon: what they may do, what holds them, and that none is left.

use crate::bed::SECRET;
use crate::daemon::{Daemon, IMAGE};
use harnessx::sandbox::{CommandLimits, Containers, End, Finished, SandboxError, Stopped, ToolCommand, Workspace};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// A daemon, a workspace with one file of a harness, and something hidden beside it.
struct Yard {
    daemon: Daemon,
    runtime: Runtime,
    containers: Containers,
    workspace: Workspace,
    run_dir: tempfile::TempDir,
    limits: CommandLimits,
}

impl Yard {
    fn new() -> Option<Self> {
        let daemon = Daemon::start()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let containers = match runtime.block_on(Containers::at(&daemon.socket())) {
            Ok(containers) => containers,
            Err(problem) => {
                assert!(problem.contains("it cannot limit"), "{problem}");
                println!("skipped: no containers here: {problem}");
                return None;
            }
        };
        println!("{containers}");
        let workspace = Workspace::new().unwrap();
        workspace.add_tool("say.sh", b"#!/bin/sh\necho said\n").unwrap();
        let run_dir = tempfile::tempdir().unwrap();
        std::fs::write(run_dir.path().join("answers.json"), SECRET).unwrap();
        let limits = CommandLimits { seconds: 4, cpu_seconds: 1, memory_mb: 64, processes: 24, output_bytes: 4096, disk_mb: 32 };
        Some(Self { daemon, runtime, containers, workspace, run_dir, limits })
    }

    fn try_run(&self, image: &str, command: &ToolCommand) -> Result<Finished, SandboxError> {
        self.runtime.block_on(self.containers.run(image, command, &self.workspace, &self.limits))
    }

    fn shell(&self, script: &str) -> Finished {
        self.try_run(IMAGE, &argv(&["sh", "-c", script])).unwrap()
    }

    fn left(&self) -> String {
        self.daemon.said(&["ps", "--all", "--quiet"]).unwrap()
    }
}

fn argv(words: &[&str]) -> ToolCommand {
    ToolCommand { argv: words.iter().map(ToString::to_string).collect(), ..ToolCommand::default() }
}

#[test]
fn containers_hold_what_runs_in_them() {
    let Some(yard) = Yard::new() else { return };
    ordinary(&yard);
    absent(&yard);
    escapes(&yard);
    floods(&yard);
    a_dropped_command_ends(&yard);
    what_a_killed_process_left_is_removed(&yard);
    an_episode(&yard);
    assert_eq!(yard.left(), "", "no container is left");
}

fn ordinary(yard: &Yard) {
    let started = Instant::now();
    let finished = yard.shell("echo hello > a; mkdir d; mv a d/b; cat d/b; pwd; /tools/say.sh; echo sorry >&2; exit 3");
    println!("container  {:6} ms  a small shell script", started.elapsed().as_millis());
    assert_eq!(finished.end, End::Exit(3), "{finished:?}");
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("hello\n/workspace\nsaid\n", "sorry\n"));
    assert_eq!(std::fs::read_to_string(yard.workspace.work().join("d/b")).unwrap(), "hello\n");
    let given = ToolCommand { stdin: vec![b'x'; 100_000], ..argv(&["cat"]) };
    let finished = yard.try_run(IMAGE, &given).unwrap();
    assert!(finished.is_cut && finished.stdout.len() == 4096 && finished.end == End::Exit(0), "{finished:?}");
    assert_eq!(
        yard.shell("kill -TERM $$; sleep 1").end,
        End::Exit(0),
        "the first process of a container takes no signal that it does not want"
    );
}

fn absent(yard: &Yard) {
    let image = yard.try_run("localhost/no-such-image:1", &argv(&["true"]));
    assert!(matches!(&image, Err(SandboxError::NoProgram { program, .. }) if program == "localhost/no-such-image:1"), "{image:?}");
    assert!(matches!(yard.containers.check_image("localhost/no-such-image:1"), Err(SandboxError::NoProgram { .. })));
    assert!(yard.containers.check_image(IMAGE).is_ok());
    let program = yard.try_run(IMAGE, &argv(&["no-such-program"]));
    assert!(matches!(&program, Err(SandboxError::NoProgram { program, .. }) if program == "no-such-program"), "{program:?}");
}

fn escapes(yard: &Yard) {
    let (dir, own) = (yard.run_dir.path().display(), std::process::id());
    let cases = [
        ("read the run directory", format!("cat {dir}/answers.json; ls {dir} && echo ESCAPED; true")),
        ("read it through /proc", format!("cat /proc/1/root{dir}/answers.json /proc/{own}/root{dir}/answers.json; true")),
        ("keys in the environment", "env | grep -i hostile && echo ESCAPED; true".to_owned()),
        ("write to its root", "for place in / /bin /etc /usr /var; do touch $place/x && echo ESCAPED; done; true".to_owned()),
        ("write to its tools", "touch /tools/x && echo ESCAPED; chmod 777 /tools/say.sh && echo ESCAPED; true".to_owned()),
        ("other processes", format!("test -e /proc/{own}/fd && echo ESCAPED; true")),
        ("network", "ls /sys/class/net | grep -qv '^lo$' && echo ESCAPED; ping -c1 -W1 1.1.1.1 && echo ESCAPED; true".to_owned()),
        ("mount", "mount -t tmpfs none /tmp && echo ESCAPED; mount -o remount,rw / && echo ESCAPED; true".to_owned()),
        ("devices", "mknod disk b 254 0 && echo ESCAPED; head -c1 /dev/vda && echo ESCAPED; true".to_owned()),
        (
            "settings of the kernel",
            "echo x > /proc/sys/kernel/hostname && echo ESCAPED; echo 1 > /proc/sysrq-trigger && echo ESCAPED; true".to_owned(),
        ),
        ("capabilities", "grep -E 'Cap(Prm|Eff|Bnd).*[1-9a-f]' /proc/self/status && echo ESCAPED; true".to_owned()),
        ("the daemon's socket", format!("test -e {} && echo ESCAPED; true", yard.daemon.socket().display())),
    ];
    for (name, script) in cases {
        let started = Instant::now();
        let finished = yard.shell(&script);
        let leaks = format!("{}{}", finished.stdout, finished.stderr);
        assert!(!leaks.contains("ESCAPED") && !leaks.contains(SECRET), "{name}: {finished:?}");
        println!("container  contained {:6} ms  {name}", started.elapsed().as_millis());
    }
}

fn floods(yard: &Yard) {
    let cases = [
        ("sleeping", "sleep 60", Some(Stopped::Time)),
        ("ignoring signals", "trap '' TERM INT HUP; while :; do sleep 1; done", Some(Stopped::Time)),
        // Which daemons know whether it was memory, differs.
        ("closing its output before it sleeps", "sleep 3.5; exec >/dev/null 2>&1; sleep 60", Some(Stopped::Time)),
        ("memory", "tail /dev/zero", None),
        ("output flood", "yes", Some(Stopped::Output)),
        ("output flood on stderr", "yes >&2", Some(Stopped::Output)),
        ("many files", "i=0; while :; do i=$((i+1)); dd if=/dev/zero of=f$i bs=1M count=4 2>/dev/null; done", Some(Stopped::Disk)),
        ("spinning on two processors", "(while :; do :; done) & while :; do :; done", Some(Stopped::Cpu)),
        ("fork bomb", "f() { f | f & }; f; sleep 9", None),
        (
            "memory through files in memory",
            "dd if=/dev/zero of=/tmp/x bs=1M count=2000; dd if=/dev/zero of=/dev/shm/x bs=1M count=2000",
            None,
        ),
    ];
    for (name, script, limit) in cases {
        let started = Instant::now();
        let finished = yard.shell(script);
        let took = started.elapsed();
        println!("container  contained {:6} ms  {name}: {:?}", took.as_millis(), finished.end);
        assert!(limit.is_none_or(|limit| finished.end == End::Stopped(limit)), "{name}: {finished:?}");
        assert!(took < Duration::from_secs(yard.limits.seconds + 3), "{name}: {took:?}");
        yard.shell("rm -rf /workspace/*");
    }
}

fn a_dropped_command_ends(yard: &Yard) {
    let long = argv(&["sleep", "60"]);
    let running = yard.containers.run(IMAGE, &long, &yard.workspace, &yard.limits);
    let gone = async {
        assert!(tokio::time::timeout(Duration::from_secs(2), running).await.is_err());
        let started = Instant::now();
        while !yard.left().is_empty() {
            assert!(started.elapsed() < Duration::from_secs(10), "its container is still there");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    yard.runtime.block_on(gone);
}

fn what_a_killed_process_left_is_removed(yard: &Yard) {
    let limits = ["--network=none", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
    let namespace: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    let no_process = 4_194_305;
    let owners = [(no_process, namespace.as_str(), true), (std::process::id(), &namespace, false), (no_process, "1", false)];
    for (process, namespace, is_removed) in owners {
        let label = format!("--label=harnessx.owner={process}.{namespace}");
        yard.daemon.said(&[&["create", &label], &limits[..], &[IMAGE, "sleep", "60"]].concat()).unwrap();
        yard.runtime.block_on(Containers::at(&yard.daemon.socket())).unwrap();
        assert_eq!(yard.left().is_empty(), is_removed, "{process}.{namespace}");
        yard.daemon.said(&["rm", "--all", "--force"]).unwrap();
    }
}

fn an_episode(yard: &Yard) {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("h/harness.toml", "format = 1\nname = \"h\"\n");
    let tool = format!(
        "name = \"shout\"\ndescription = \"Shouts.\"\nimage = \"{IMAGE}\"\nargv = [\"sh\", \"{{tools}}/shout.sh\"]\nstdin = \"{{text}}\"\n[schema.properties.text]\ntype = \"string\"\n"
    );
    write("h/tools/shout.toml", &tool);
    write("h/tools/shout.sh", "tr a-z A-Z; pwd\n");
    let call = "{\"name\": \"shout\", \"arguments\": {\"text\": \"hear\"}}, {\"name\": \"echo\", \"arguments\": {\"text\": \"x\"}}";
    let model = format!("{{\"match\": {{\"turn\": 0}}, \"reply\": {{\"tool_calls\": [{call}]}}}}\n{{\"reply\": {{\"text\": \"done\"}}}}\n");
    write("s.jsonl", &model);
    let harnessx = |arguments: &[&str]| {
        let socket = format!("unix://{}", yard.daemon.socket().display());
        let ran = Command::new(env!("CARGO_BIN_EXE_harnessx")).args(arguments).current_dir(dir.path()).env("DOCKER_HOST", socket).output();
        let ran = ran.unwrap();
        (ran.status.code(), format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr)))
    };
    let (exit, said) = harnessx(&["check", "h"]);
    assert!(exit == Some(0) && said.contains("container daemon: Podman Engine"), "{said}");
    assert!(harnessx(&["doctor"]).1.contains("yes  container daemon: Podman Engine"));
    let started = Instant::now();
    let (exit, said) = harnessx(&["run", "--bench", "echo", "--harness", "h", "--model", "scripted:s.jsonl", "--limit", "1", "--run", "r"]);
    assert_eq!(exit, Some(0), "{said}");
    println!("container  {:6} ms  a run of one episode with one call", started.elapsed().as_millis());
    let trace = std::fs::read_dir(dir.path().join("r/R0/trajectories")).unwrap().next().unwrap().unwrap().path();
    let trace = harnessx(&["show", &trace.display().to_string(), "--full"]).1;
    assert!(trace.contains("HEAR") && trace.contains("/workspace") && trace.contains("tools/shout.toml brings shout"), "{trace}");
    write("h/tools/shout.toml", &tool.replace(IMAGE, "localhost/no-such-image:1"));
    let (exit, said) = harnessx(&["check", "h"]);
    assert!(exit == Some(3) && said.contains("h/tools/shout.toml: start \"localhost/no-such-image:1\""), "{said}");
}
