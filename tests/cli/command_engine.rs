//! The engine `command` with a program: what a coding agent of the user's own makes ships through the gate; hostile programs lose their
//! candidate and nothing else; a killed run makes no candidate twice.

use crate::looped::{SETTINGS, nothing_sealed_is_outside, short};
use crate::test_run::{Ran, TestRun};
use crate::tools::has_sandbox;
use std::path::Path;

/// Reads what it is given, and writes a processor and a statement: offers only what serves the errand.
pub const AGENT: &str = r#"
set -e
test -s landscape.md && test -s overview.json && test -s types.d.ts && test -s README.md
ls traces/*.txt > /dev/null
kinds=$(grep -ho '"kind": "\(pick\|look\)_[a-z_]*"' digests/*.json | sort -u | sed 's/"kind": \(.*\)/{ tags = { kind = \1 } }/' | paste -sd, -)
mkdir -p harness/processors
cat > harness/processors/errand.js <<'JS'
export const meta = { name: "errand", group: "errand", order: -20, dimension: "control_and_safety", params: {} };

const kind = (name) => name.toLowerCase().replace(/[^a-z]/g, "").replace(/([^s])s$/, "$1");
const stations = { clean: "sinkbasin", heat: "microwave", hot: "microwave", cool: "fridge", cold: "fridge" };
const verbs = { sinkbasin: "clean", microwave: "heat", fridge: "cool" };
const parts = (action) => action.match(/^(take|move|clean|heat|cool|use) (.+?)(?: (?:from|to|with) (.+))?$/) ?? [];

export const hooks = {
  before_model(event, state) {
    const words = event.task.toLowerCase().match(/[a-z]+/g) ?? [];
    const isNamed = (thing) => words.some((word, at) => [kind(word), kind(word + (words[at + 1] ?? ""))].includes(kind(thing)));
    const station = words.map((word) => stations[word]).find((found) => found);
    const isReady = state.holds && (!station || state.isTreated);
    const serves = (action) => {
      const [, verb, thing, place] = parts(action);
      if (verb === "take") return !state.holds && isNamed(thing) && !(state.placed ?? []).includes(thing);
      if (verb === "move") return isReady && isNamed(thing) && isNamed(place);
      if (verb === "use") return state.holds && isNamed(thing);
      return verb === verbs[station] && state.holds && !state.isTreated;
    };
    const visited = state.visited ?? [];
    const ways = event.actions.filter((action) => action.startsWith("go to "));
    const fresh = ways.filter((way) => !visited.includes(way));
    const wanted = fresh.filter((way) => (state.holds && !isReady ? kind(way.slice(6)) === station : state.holds && isNamed(way.slice(6))));
    const opens = event.actions.filter((action) => action.startsWith("open "));
    const offer = [event.actions.filter(serves), opens, wanted, fresh].find((choice) => choice.length > 0);
    if (offer && offer.length < event.actions.length) return { replace: { actions: offer } };
  },

  after_tool(event, state) {
    const action = Object.values(event.call.arguments).find((value) => typeof value === "string") ?? "";
    if (event.result.text.startsWith("Nothing happens")) return;
    const [, verb, thing] = parts(action);
    if (action.startsWith("go to ")) state.visited = [...(state.visited ?? []), action];
    if (["clean", "heat", "cool"].includes(verb)) state.isTreated = true;
    if (verb === "take") state.holds = thing;
    if (verb === "move") Object.assign(state, { holds: "", isTreated: false, placed: [...(state.placed ?? []), thing] });
    if (["take", "move", "clean", "heat", "cool"].includes(verb)) state.visited = [];
  },
};
JS
printf '[[processors]]\nscript = "processors/errand.js"\n\n' > new.toml
awk '/^\[\[processors\]\]/ && !done { while ((getline line < "new.toml") > 0) print line; done = 1 } { print }' harness/harness.toml > merged.toml
cp merged.toml harness/harness.toml
cat > statement.toml <<TOML
title = "offer only what serves the errand"
component = "errand"
root_cause = "the model wanders among commands that have nothing to do with its errand"
targeted_fix = "a processor that narrows the commands offered to the next part of the errand"
will_unlock = [$kinds]
TOML
echo "made a processor for: $kinds"
"#;

/// A loop over the short tasks whose candidates a shell script makes.
fn looped(run: &TestRun, dir: &str, script: &str, more: &[&str]) -> Ran {
    run.write("agent.sh", script);
    let mut arguments = vec!["loop", "--run", dir, "--rounds", "1", "--engine", "command", "--engine-command", "sh agent.sh"];
    arguments.extend(more);
    arguments.extend(SETTINGS);
    run.run(&arguments)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn what_a_coding_agent_writes_ships_through_the_gate() {
    let run = TestRun::new();
    if !has_sandbox(&run) {
        return;
    }
    run.write("agent.sh", AGENT);
    let arguments =
        ["loop", "--bench", "household", "--model", "random", "--profile", "quick", "--rounds", "1", "--run", "r", "--seed", "3"];
    let engine = ["--engine", "command", "--engine-command", "sh agent.sh", "-v"];
    let ran = run.run(&[&arguments[..], &engine].concat());
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let dir = run.path().join("r");
    assert!(ran.out.contains("shipped C-R1-01"), "{}{}{}", ran.out, ran.err, text(&dir.join("R1/desk/1/log.txt")));
    assert!(ran.err.contains("made a processor for: { tags"), "{}", ran.err);
    let shown = run.run(&["show", "candidate", "C-R1-01", "--run", "r"]).out;
    for part in ["proposed by command", "offer only what serves the errand", "processors/errand.js", "touches processor"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // The same program makes the same harness again: that is no other candidate.
    assert!(text(&dir.join("audit.jsonl")).contains("another candidate makes the same harness"));
    nothing_sealed_is_outside(&dir);
}

/// What a program may try, by its place in the round; `RUN` is the run directory. Each must be contained.
const HOSTILE: [(&str, &str); 11] = [
    ("links out", "ln -s RUN/sealed/gate_state.json harness/skills.md; rm -rf harness; ln -s RUN/sealed harness; exit 0"),
    ("a link as its statement", "echo >> harness/prompts.md; rm statement.toml; ln -s RUN/run.toml statement.toml; exit 0"),
    ("writes above its folder", "echo x > ../escaped; echo x > RUN/escaped; echo x > /tmp/harnessx-escaped; exit 1"),
    (
        "reads what is sealed",
        "mkdir harness/skills; cat RUN/sealed/gate_state.json > harness/skills/a.md 2>/dev/null; env > harness/skills/b.md; exit 0",
    ),
    ("hangs", "sleep 100"),
    ("floods its output", "yes no no no"),
    ("starts too many processes", "i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done; wait"),
    (
        "hooks of git",
        "mkdir -p harness/.git/hooks; echo 'touch RUN/escaped' > harness/.git/hooks/post-commit; chmod +x harness/.git/hooks/post-commit; exit 0",
    ),
    (
        "files that grow when they are written down",
        r#"mkdir harness/skills; for i in 1 2 3; do head -c 4000000 /dev/zero | tr '\0' '\001' > harness/skills/$i.md; done; printf '[[processors]]\nuse = "user_wrapper"\nparams = { after = "Go." }\n' >> harness/harness.toml"#,
    ),
    (
        "a harness.toml that grows in canonical form",
        r#"(printf "description = \"\"\"'''"; head -c 3000000 /dev/zero | tr '\0' '\t'; printf "\"\"\"\n"; sed '/^description/d; s/count = 2/count = 1/' harness/harness.toml) > new; cp new harness/harness.toml"#,
    ),
    ("a huge file", "mkdir harness/skills; head -c 9000000 /dev/zero > harness/skills/huge.md; mkfifo harness/skills/waits; exit 0"),
];

#[test]
fn hostile_programs_lose_their_candidate_and_nothing_else() {
    let run = short();
    if !has_sandbox(&run) {
        return;
    }
    let doctor = run.run(&["doctor"]).out;
    let has_landlock = doctor.contains("yes  landlock") && doctor.contains("yes  seccomp");
    let kinds = if has_landlock { vec!["auto", "landlock"] } else { vec!["auto"] };
    for (kind, (name, script)) in kinds.into_iter().flat_map(|kind| HOSTILE.map(|case| (kind, case))) {
        let dir = run.path().join("hostile");
        run.write("agent.sh", &script.replace("RUN", &dir.display().to_string()));
        let mut command = run.command(&["loop", "--run", "hostile", "--rounds", "1", "--engine", "command"]);
        command
            .args(["--engine-command", "sh agent.sh", "--set", "engine_seconds=2", "--sandbox", kind])
            .args(SETTINGS)
            .env("OPENAI_API_KEY", "sesame-key");
        let ran = Ran::of(command);
        assert_eq!(ran.exit, 0, "{name}: {}{}", ran.out, ran.err);
        let escaped = [dir.join("escaped"), dir.join("R1/escaped"), Path::new("/tmp/harnessx-escaped").to_owned()];
        assert!(escaped.iter().all(|path| !path.exists()), "{name} wrote outside");
        let shipped: serde_json::Value = serde_json::from_str(&text(&dir.join("R1/round.json"))).unwrap();
        assert_eq!(shipped["shipped"].as_array().map_or(0, Vec::len), 0, "{name}: {shipped}");
        let audit = text(&dir.join("audit.jsonl"));
        assert!(audit.contains("\"what\":\"refused\""), "{name}: {audit}");
        assert!(!text(&dir.join("R1/desk/1/log.txt")).is_empty(), "{name} has no log");
        for file in ["harness/skills/a.md", "harness/skills/b.md"] {
            let leaked = text(&dir.join("R1/desk/1").join(file));
            assert!(!leaked.contains("\"split\"") && !leaked.contains("sesame-key"), "{name} read what is sealed: {leaked}");
        }
        nothing_sealed_is_outside(&dir);
        println!("contained by {kind}: {name}: {}", text(&dir.join("R1/desk/1/log.txt")).lines().last().unwrap_or_default());
        std::fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn a_program_that_is_not_there_is_said_before_anything_is_played() {
    let run = short();
    let mut arguments = vec!["loop", "--run", "r", "--engine", "command", "--engine-command", "no-such-program x"];
    arguments.extend(SETTINGS);
    let ran = run.run(&arguments);
    assert!(ran.exit == 3 && ran.err.contains("no such program on this machine"), "{}", ran.err);
    assert!(!run.path().join("r").exists());
    let ran = looped(&run, "r", "exit 0", &["--set", "engine_seconds=0"]);
    assert!(ran.exit == 3 && ran.err.contains("seconds is 0; it must be from 1"), "{}", ran.err);
}

#[test]
fn a_program_whose_candidate_is_refused_is_told_why_and_mends_it() {
    let run = short();
    if !has_sandbox(&run) {
        return;
    }
    let script = "if [ -f refused.txt ]; then cat refused.txt; sed -i '/^nonsense/d' harness/harness.toml; \
        echo '# as asked' >> harness/harness.toml; exit 0; fi; sed -i '1i nonsense = 1' harness/harness.toml";
    let ran = looped(&run, "r", script, &[]);
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let dir = run.path().join("r");
    let audit = text(&dir.join("audit.jsonl"));
    assert!(audit.contains("sent back") && audit.contains("nonsense"), "{audit}");
    let log = text(&dir.join("R1/desk/1/log.txt"));
    assert!(log.contains("unknown field") && log.contains("nothing is changed"), "told why, and dropped the second time: {log}");
}

#[test]
fn a_persons_desk_is_not_thrown_away_for_a_program() {
    let run = short();
    if !has_sandbox(&run) {
        return;
    }
    let mut arguments = vec!["loop", "--run", "r", "--rounds", "1", "--engine", "command"];
    arguments.extend(SETTINGS);
    assert_eq!(run.run(&arguments).exit, 0);
    let desk = run.path().join("r/R1/desk/1");
    std::fs::write(desk.join("harness/harness.toml"), "# begun by hand\n").unwrap();
    let ran = looped(&run, "r", "exit 0", &[]);
    assert!(ran.exit == 0 && ran.out.contains("waits for candidates made by hand"), "{}{}", ran.out, ran.err);
    assert_eq!(text(&desk.join("harness/harness.toml")), "# begun by hand\n");
}

#[test]
fn a_program_is_given_the_variables_that_are_named_and_none_that_holds_a_key() {
    let run = short();
    if !has_sandbox(&run) {
        return;
    }
    run.write("agent.sh", "env | sort; exit 1");
    let asked = |names: &str| {
        let mut arguments = vec!["loop", "--run", "r", "--rounds", "1", "--engine", "command", "--engine-command", "sh agent.sh"];
        let names = format!("engine_env={names}");
        arguments.extend(["--set", &names]);
        arguments.extend(SETTINGS);
        let mut command = run.command(&arguments);
        command.env("OPENAI_BASE_URL", "http://127.0.0.1:4000").env("OPENAI_API_KEY", "sk-1").env("HF_TOKEN", "hf-1").env("OTHER", "no");
        Ran::of(command)
    };
    for (names, what) in
        [(r#"["OPENAI_API_KEY"]"#, "keys never enter"), (r#"["HF_TOKEN"]"#, "keys never enter"), (r#"["ABSENT"]"#, "not set")]
    {
        let ran = asked(names);
        assert!(ran.exit == 3 && ran.err.contains(what) && !run.path().join("r").exists(), "{}", ran.err);
    }
    assert_eq!(asked(r#"["OPENAI_BASE_URL", "HOME"]"#).exit, 0);
    let log = text(&run.path().join("r/R1/desk/1/log.txt"));
    let user = std::env::var("HOME").unwrap();
    assert!(log.contains("OPENAI_BASE_URL=http://127.0.0.1:4000") && !log.contains(&format!("HOME={user}\n")), "{log}");
    assert!(!log.contains("sk-1") && !log.contains("hf-1") && !log.contains("OTHER"), "{log}");
}

#[test]
fn a_killed_run_makes_no_candidate_twice() {
    let run = short();
    if !has_sandbox(&run) {
        return;
    }
    // Each call of the program makes another candidate.
    let agent = format!("{AGENT}\nmkdir -p harness/skills; cat /proc/sys/kernel/random/uuid > harness/skills/note.md\n");
    let notes = |dir: &Path| -> Vec<String> {
        let desk = |number: u32| dir.join(format!("R1/desk/{number}"));
        (1..=4)
            .filter(|number| desk(*number).join("done").exists())
            .map(|number| text(&desk(number).join("harness/skills/note.md")))
            .collect()
    };
    let (mut kills, mut kept) = (0, 0);
    for write in (40..).step_by(37) {
        let name = format!("killed-{write}");
        let dir = run.path().join(&name);
        run.write("agent.sh", &agent);
        let mut command = run.command(&["loop", "--run", &name, "--rounds", "1", "--engine", "command", "--engine-command", "sh agent.sh"]);
        command.args(SETTINGS).env("HARNESSX_FAIL_AFTER", write.to_string());
        if Ran::of(command).exit == 0 {
            break;
        }
        kills += 1;
        let before = notes(&dir);
        let ran = looped(&run, &name, &agent, &[]);
        assert_eq!(ran.exit, 0, "after write {write}: {}", ran.err);
        let after = notes(&dir);
        assert!(!after.is_empty() && after.starts_with(&before), "after write {write} a candidate was made again");
        let patch = text(&dir.join("R1/candidates/C-R1-01/diff.patch"));
        assert!(patch.contains(after[0].trim()), "the candidate is not what its desk holds");
        kept += usize::from(!before.is_empty());
        std::fs::remove_dir_all(dir).unwrap();
    }
    assert!(kills > 3 && kept > 0, "{kills} kills, {kept} with a candidate before");
}
