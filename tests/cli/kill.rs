//! SIGKILL at any moment: the same command continues to the same episodes and traces, plays no finished episode again, and pays for no
//! reply twice that is on file.

use crate::loopback::{Loopback, Weather};
use crate::test_run::{TestRun, results, traces};
use harnessx::clock::seeded_by;
use harnessx::domain::trace::EpisodeKey;
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

/// A command to be killed: the arguments of `run` without the run directory.
struct Victim<'a> {
    run: &'a TestRun,
    arguments: Vec<&'a str>,
    kills: usize,
    seed: u64,
}

impl Victim<'_> {
    fn with_dir<'b>(&'b self, name: &'b str) -> Vec<&'b str> {
        self.arguments.iter().copied().chain(["--run", name]).collect()
    }

    /// Plays undisturbed, then killed again and again: a run that gets to its end is compared, and the next one begun.
    /// `between` sees the run directory after each kill.
    fn check(&self, between: &mut dyn FnMut(&Path)) {
        let start = Instant::now();
        let ran = self.run.run(&self.with_dir("whole"));
        assert_eq!(ran.exit, 0, "{}", ran.err);
        let length = start.elapsed();
        let whole = (results(&self.run.path().join("whole")), traces(&self.run.path().join("whole")));
        let mut random = seeded_by(self.seed);
        let mut kills = 0;
        for round in 0.. {
            let name = format!("killed-{round}");
            let dir = self.run.path().join(&name);
            let mut finished = Finished::default();
            while kills < self.kills && self.is_killed(&name, length.mul_f64(random.random())) {
                kills += 1;
                finished.check(&dir);
                between(&dir);
            }
            let ran = self.run.run(&self.with_dir(&name));
            assert_eq!(ran.exit, 0, "{}", ran.err);
            finished.check(&dir);
            assert_eq!((results(&dir), traces(&dir)), whole);
            if kills == self.kills {
                return;
            }
        }
    }

    /// Starts the command and kills it after a while; false where it was done before.
    fn is_killed(&self, name: &str, after: Duration) -> bool {
        let mut child = self.run.command(&self.with_dir(name)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(after);
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        ended.is_none()
    }
}

/// Episodes seen on file, with the time their trace was last written.
#[derive(Default)]
struct Finished(BTreeMap<EpisodeKey, SystemTime>);

impl Finished {
    /// What was finished is still there and has not been played again.
    fn check(&mut self, dir: &Path) {
        if !dir.join("R0/episodes.jsonl").exists() {
            return;
        }
        let now: BTreeMap<EpisodeKey, SystemTime> = results(dir)
            .into_iter()
            .map(|line| {
                let plain = dir.join("R0").join(&line.trace);
                let path = if plain.exists() { plain } else { plain.with_extension("jsonl.zst") };
                (line.key, path.metadata().unwrap().modified().unwrap())
            })
            .collect();
        assert!(self.0.iter().all(|(key, written)| now.get(key) == Some(written)), "a finished episode was lost or played again");
        self.0 = now;
    }
}

#[test]
fn household_episodes_survive_kills() {
    let run = TestRun::new();
    run.write("s.jsonl", "{\"pick\": \"random\"}\n");
    let arguments = vec!["run", "--bench", "household", "--model", "scripted:s.jsonl", "--limit", "12", "--rollouts", "2"];
    Victim { run: &run, arguments, kills: 20, seed: 1 }.check(&mut |_| {});
}

#[test]
fn echo_episodes_survive_kills() {
    let run = TestRun::new();
    let call = r#"{"match": {"turn": TURN}, "reply": {"tool_calls": [{"name": "echo", "arguments": {"text": "TURN"}}]}}"#;
    let lines: Vec<String> = (0..10).map(|turn| call.replace("TURN", &turn.to_string())).collect();
    run.write("s.jsonl", &format!("{}\n{{\"reply\": {{\"text\": \"done\"}}}}\n", lines.join("\n")));
    let arguments = vec!["run", "--bench", "echo", "--model", "scripted:s.jsonl", "--limit", "200"];
    Victim { run: &run, arguments, kills: 20, seed: 2 }.check(&mut |_| {});
}

#[test]
fn a_reply_on_file_is_never_paid_for_again() {
    let run = TestRun::new();
    let server = Loopback::start(Weather::Fair, Duration::from_millis(5));
    run.write("settings.toml", &server.settings());
    let arguments = vec!["run", "--bench", "echo", "--model", "mine", "--config", "settings.toml", "--limit", "20", "--jobs", "4"];
    let mut asked = 0;
    let mut paid: BTreeMap<u64, std::path::PathBuf> = BTreeMap::new();
    let mut on_file = 0;
    Victim { run: &run, arguments, kills: 20, seed: 3 }.check(&mut |dir| {
        // What was asked since the last kill, in the same run, must not have been on file then.
        let all = server.asked();
        let again: BTreeSet<u64> = all[asked..].iter().copied().filter(|mark| paid.get(mark).is_some_and(|file| file == dir)).collect();
        assert!(again.is_empty(), "{} replies were paid for twice", again.len());
        asked = all.len();
        paid = marks_on_file(dir).into_iter().map(|mark| (mark, dir.to_owned())).collect();
        on_file += paid.len();
    });
    assert!(on_file > 0, "no kill left a reply on file");
}

/// Marks of the replies in the ledger.
fn marks_on_file(dir: &Path) -> BTreeSet<u64> {
    let text = std::fs::read_to_string(dir.join("sealed/ledger.jsonl")).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| line.split("mark ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()).collect()
}

/// With the real local policy, where `HARNESSX_SMOLLM2` names its weights: short episodes, few kills.
#[test]
fn episodes_of_the_local_policy_survive_kills() {
    let Some(path) = std::env::var_os("HARNESSX_SMOLLM2").filter(|path| Path::new(path).exists()) else {
        println!("skipped: HARNESSX_SMOLLM2 does not name a weights file");
        return;
    };
    let run = TestRun::new();
    let bench = "format = 1\nname = \"short\"\nkind = \"household\"\ndefault_harness = \"household-base\"\n";
    run.write("short/benchmark.toml", &format!("{bench}[source]\ngenerated = 4\n[limits]\nsteps = 6\n"));
    let model = format!("local:{}", path.to_string_lossy());
    let arguments = vec!["run", "--bench", "short", "--model", &model, "--limit", "4", "--jobs", "2"];
    Victim { run: &run, arguments, kills: 3, seed: 4 }.check(&mut |_| {});
}
