//! The exploration guard in a whole loop: a program that goes on with the bucket that shipped before reaches the only one that helps when the
//! landscape names it as neglected, and never without.

use crate::command_engine::AGENT;
use crate::test_run::TestRun;
use crate::tools::has_sandbox;

/// In the first place of each round, by habit: another wording of the demonstrations, which a chooser by chance does not even read. Where it
/// heeds the guard and processors are named as neglected: a processor that helps.
const FOLLOWER: &str = r#"
set -e
round=$(sed -n 's/.*C-R\([0-9]*\)-01.*/\1/p' candidate.json | head -n 1)
test -n "$round" || exit 1
if HEEDS && grep -q '^\*\*Look elsewhere\.\*\* prompt .* nobody has tried .*processor' landscape.md; then
  AGENT
  exit 0
fi
sed -i "s/You open[^.]* the /You open, in round ${round}, the /" harness/prompts/demonstrations.toml
printf 'title = "wording %s"\ncomponent = "wording-%s"\n' "$round" "$round" > statement.toml
"#;

/// One more than the guard needs: from the fourth on three ships are scored.
const ROUNDS: u32 = 5;

/// What a loop came to whose engine is the program.
struct Explored {
    /// Rounds in which the guard spoke.
    named: Vec<u32>,
    /// Rounds in which the processor shipped.
    shipped: Vec<u32>,
    /// Points gained on held-out tasks.
    gain: f64,
}

fn explored(run: &TestRun, dir: &str, heeds: bool) -> Explored {
    run.write("agent.sh", &FOLLOWER.replace("HEEDS", &heeds.to_string()).replace("AGENT", AGENT));
    let rounds = ROUNDS.to_string();
    // The paper's gate ships what loses no more than 5 %: luck passes, which is what misleads.
    let loop_of = ["loop", "--bench", "household", "--model", "random", "--profile", "quick", "--mode", "paper", "--seed", "3"];
    let engine = ["--run", dir, "--rounds", &rounds, "--patience", &rounds, "--engine", "command", "--engine-command", "sh agent.sh"];
    let ran = run.run(&[&loop_of[..], &engine].concat());
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let holds = |round: u32, file: &str, text: &str| {
        let file = run.path().join(dir).join(format!("R{round}")).join(file);
        std::fs::read_to_string(file).unwrap_or_default().contains(text)
    };
    let proposed = |round: u32| holds(round, &format!("candidates/C-R{round}-01/manifest.toml"), "component = \"errand\"");
    let shipped = |round: u32| proposed(round) && ran.out.contains(&format!("shipped C-R{round}-01"));
    Explored {
        named: (1..=ROUNDS).filter(|round| holds(*round, "landscape.md", "**Look elsewhere.** prompt")).collect(),
        shipped: (1..=ROUNDS).filter(|round| shipped(*round)).collect(),
        gain: ran.out.split_once("gain on held-out tasks: ").unwrap().1.split(' ').next().unwrap().parse().unwrap(),
    }
}

#[test]
fn a_neglected_bucket_is_reached_by_the_guard_and_not_without() {
    let run = TestRun::new();
    if !has_sandbox(&run) {
        return;
    }
    let guarded = explored(&run, "guarded", true);
    let habit = explored(&run, "habit", false);
    for (who, Explored { named, shipped, gain }) in [("with the guard", &guarded), ("by habit", &habit)] {
        println!("{who}: named in rounds {named:?}, shipped in {shipped:?}, {gain:+} points on held-out tasks");
    }
    let reached = guarded.named.first().zip(guarded.shipped.first()).map(|(named, shipped)| shipped - named);
    assert!(reached.is_some_and(|rounds| rounds < 3), "used within three rounds");
    assert!(!habit.named.is_empty() && habit.shipped.is_empty(), "nobody who does not heed it finds the lever");
    assert!(guarded.gain > habit.gain + 30.0);
}
