//! Reading what must stay hidden, writing outside, reaching others.

use crate::bed::{Bed, Expected, SECRET, bed, beds};
use harnessx::sandbox::{ToolCommand, Wanted, Workspace};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn cases(bed: &Bed, port: u16) -> Vec<(&'static str, String, Expected)> {
    let answers = bed.answers();
    let (file, dir) = (answers.display(), bed.run_dir.path().display());
    let own = std::process::id();
    let home = std::env::var("HOME").unwrap_or_else(|_| "/root".to_owned());
    vec![
        ("read the run directory", format!("cat {file}; ls {dir} && echo ESCAPED; true"), Expected::Nothing),
        ("read it through a symlink", format!("ln -s {file} l; cat l; ln -s / r; cat r{file}; true"), Expected::Nothing),
        ("read it through a hard link", format!("ln {file} h && echo ESCAPED; cat h; true"), Expected::Nothing),
        ("read it through /proc", format!("cat /proc/self/root{file} /proc/1/root{file} /proc/{own}/root{file} /proc/{own}/cwd{file}; true"), Expected::Nothing),
        ("list the home", format!("ls -A {home} | grep -q . && echo ESCAPED; true"), Expected::Nothing),
        ("keys in the environment", "env | grep -i key && echo ESCAPED; env | grep -q HOSTILE && echo ESCAPED; true".to_owned(), Expected::Nothing),
        ("keys in the parent's environment", format!("cat /proc/{own}/environ | grep -q . && echo ESCAPED; tr '\\0' '\\n' < /proc/$PPID/environ | grep HOSTILE && echo ESCAPED; true"), Expected::Nothing),
        ("write into the run directory", format!("echo x > {file}; echo x > {dir}/new && echo ESCAPED; rm -rf {dir} ; true"), Expected::Nothing),
        ("write outside", "for place in /usr /etc /var /root /home /opt /bin; do echo x > $place/harnessx-hostile && echo ESCAPED; done; true".to_owned(), Expected::Nothing),
        ("change modes and times outside", format!("chmod 777 {file} && echo ESCAPED; chmod 777 /usr/bin/env && echo ESCAPED; chown 1 /usr/bin/env && echo ESCAPED; touch -d 2001-01-01 {file} && test -e {file} && echo ESCAPED; true"), Expected::Nothing),
        ("kill the parent", format!("kill -9 {own} && echo ESCAPED; kill -9 $PPID; sleep 0.2; true"), Expected::Any),
        ("kill everything", "kill -9 -1; true".to_owned(), Expected::Any),
        ("other processes", format!("test -e /proc/{own}/fd && ls /proc/{own}/fd && echo ESCAPED; true"), Expected::Nothing),
        ("network to this machine", format!("python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 1); print(\"ESCAPED\")'; true"), Expected::Nothing),
        ("local sockets of daemons", "python3 -c 'import socket,glob\nfor p in glob.glob(\"/run/**/*.sock\", recursive=True) + [\"/var/run/docker.sock\"]:\n  s = socket.socket(socket.AF_UNIX); s.connect(p); print(\"ESCAPED\")'; true".to_owned(), Expected::Nothing),
        ("namespaces of its own", "unshare -Ur true && echo ESCAPED; unshare -m true && echo ESCAPED; true".to_owned(), Expected::Nothing),
        ("mount", "mount -t tmpfs none /mnt && echo ESCAPED; mount --bind / . && echo ESCAPED; true".to_owned(), Expected::Nothing),
        ("devices", "head -c1 /dev/vda && echo ESCAPED; head -c1 /dev/sda && echo ESCAPED; mknod disk b 254 0 && head -c1 disk && echo ESCAPED; head -c1 /dev/mem && echo ESCAPED; true".to_owned(), Expected::Nothing),
        ("settings of the kernel", "echo x > /proc/sys/kernel/hostname && echo ESCAPED; echo 1 > /proc/sysrq-trigger && echo ESCAPED; true".to_owned(), Expected::Nothing),
        ("its own tools folder", "echo x > /tools/x && echo ESCAPED; echo x > \"$HOME\"/../tools/x && echo ESCAPED; true".to_owned(), Expected::Nothing),
        ("other workspaces", "ls -d /tmp/harnessx-work-*/work 2>/dev/null | grep -v \"^$HOME$\" && echo ESCAPED; true".to_owned(), Expected::Nothing),
        ("a background process holds the output", "sleep 60 & echo done".to_owned(), Expected::Nothing),
    ]
}

#[test]
fn nothing_gets_out() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for bed in beds() {
        bed.table(&cases(&bed, listener.local_addr().unwrap().port()));
    }
}

#[tokio::test]
async fn what_a_command_wrote_is_no_program_of_this_machine() {
    for bed in beds() {
        let other = Workspace::new().unwrap();
        // Inside a root of its own, the machine's path of a workspace means nothing either.
        let folders = if bed.sandbox.protection().to_string() == "bubblewrap" { vec![&other, &bed.workspace] } else { vec![&other] };
        for place in folders {
            for name in ["run", "bwrap"] {
                let path = place.work().join(name);
                std::fs::write(&path, "#!/bin/sh\necho ESCAPED\n").unwrap();
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
            let command = ToolCommand { argv: vec![place.work().join("run").display().to_string()], ..ToolCommand::default() };
            let refused = bed.sandbox.run(&command, &bed.workspace, &bed.limits).await;
            let problem = refused.as_ref().err().map(ToString::to_string).unwrap_or_default();
            assert!(problem.contains("may not see"), "{} {refused:?}", bed.sandbox.protection());
        }
    }
}

#[tokio::test]
async fn a_command_s_environment_is_its_own_and_not_that_of_what_keeps_it_in() {
    for bed in beds() {
        // The loader of a program writes such a file before anything else of it runs.
        let file = bed.run_dir.path().join("loaded").display().to_string();
        let environment = [("LD_DEBUG", "files"), ("LD_DEBUG_OUTPUT", file.as_str()), ("OWN", "mine"), ("HOME", "/")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let argv = ["sh", "-c", "echo $OWN $HOME"].map(String::from).to_vec();
        let finished =
            bed.sandbox.run(&ToolCommand { argv, environment, ..ToolCommand::default() }, &bed.workspace, &bed.limits).await.unwrap();
        assert!(finished.stdout.contains("mine ") && !finished.stdout.contains("mine /\n"), "{finished:?}");
        assert_eq!(std::fs::read_dir(bed.run_dir.path()).unwrap().count(), 1, "{}: written outside", bed.sandbox.protection());
    }
}

/// Whether a process with this word in its command line lives.
fn lives(word: &str) -> bool {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok()).any(|line| String::from_utf8_lossy(&line).contains(word))
}

fn gone(word: &str) -> Duration {
    let started = Instant::now();
    while lives(word) {
        assert!(started.elapsed() < Duration::from_secs(5), "{word} still lives");
        std::thread::sleep(Duration::from_millis(5));
    }
    started.elapsed()
}

#[test]
fn a_daemon_ends_with_its_command() {
    for (number, bed) in beds().into_iter().enumerate() {
        let word = format!("31{number}.4711{}", std::process::id());
        let script = format!(
            "(setsid sleep {word} >/dev/null 2>&1 &) ; (sleep {word} >/dev/null 2>&1 &) ; python3 -c 'import os\nif os.fork() == 0:\n  os.setsid() if False else None\n  os.execvp(\"sleep\", [\"sleep\", \"{word}\"])' >/dev/null 2>&1; echo started"
        );
        let (finished, _) = bed.shell(&script);
        assert!(finished.stdout.contains("started"), "{finished:?}");
        println!("{:10} contained {:6} ms  daemonising child", bed.sandbox.protection().to_string(), gone(&word).as_millis());
    }
}

/// The other half of the next test: runs a sleeper in the sandbox named by the environment until it is killed.
#[test]
fn a_sleeper_for_the_next_test() {
    let Ok(given) = std::env::var("HOSTILE_SLEEPER") else { return };
    let (kind, word) = given.split_once(' ').unwrap();
    let bed = bed(if kind == "bubblewrap" { Wanted::Bubblewrap } else { Wanted::Landlock }).unwrap();
    bed.shell(&format!("sleep {word} & sleep {word}; true"));
}

#[test]
fn when_this_program_is_killed_its_commands_end() {
    for bed in beds() {
        let kind = bed.sandbox.protection().to_string();
        let word = format!("3.9{}{}", std::process::id(), u8::from(kind == "landlock"));
        // Of what it leaves, nothing stays.
        let place = tempfile::tempdir().unwrap();
        let mut program = Command::new(std::env::current_exe().unwrap())
            .args(["a_sleeper_for_the_next_test", "--exact", "escapes::a_sleeper_for_the_next_test"])
            .env("HOSTILE_SLEEPER", format!("{kind} {word}"))
            .env("TMPDIR", place.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while !lives(&format!("sleep\0{word}")) {
            assert!(started.elapsed() < Duration::from_secs(5), "the sleeper did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        program.kill().unwrap();
        program.wait().unwrap();
        println!("{kind:10} contained {:6} ms  this program killed", gone(&format!("sleep\0{word}")).as_millis());
    }
}

#[test]
fn the_secret_is_readable_where_nothing_protects() {
    let bed = bed(Wanted::Off).unwrap();
    assert!(bed.shell(&format!("cat {}", bed.answers().display())).0.stdout.contains(SECRET));
}
