//! Honest edits: natives with various parameters, prompts, skills, demonstrations of train tasks, declared limits. Few may be stopped.

use crate::bed::{Bed, demonstration, edit, insert, write};
use harnessx::domain::edit::Edit;
use harnessx::domain::task::Split;
use harnessx::runtime::native;
use harnessx::stages::critique::Rule;
use std::collections::BTreeSet;

/// Natives with their parameters; those of a group that the base harness fills come by a change of parameters instead.
const INSERTS: [(&str, &str); 42] = [
    ("budget", "limits = { steps = 20, tokens = 9000 }"),
    ("budget", "limits = { steps = 30 }\nremind_at = [0.6]"),
    ("budget", "interrupt = false\nlimits = { tokens = 20000 }\nreminder = \"{left} of {limit} {what} left, hurry.\""),
    ("checkpoint", ""),
    ("checkpoint", "every = 3"),
    ("compaction", "threshold = 3000"),
    ("compaction", "last = 3\ninstruction = \"Sum up what was found and where, in at most five lines.\""),
    ("environment_context", "tags = [\"kind\"]"),
    ("environment_context", "facts = [\"Closed things must be opened first.\", \"One thing can be carried at a time.\"]"),
    ("episode_metrics", ""),
    ("episode_metrics", "failure = '^Nothing happens'"),
    ("goal_term_filter", ""),
    ("goal_term_filter", "goal = ['(?:put|find|heat|cool|clean) (?:a|some|two) (\\w+)']\nkeep = ['^go to ', '^open ']"),
    ("goal_term_filter", "verbs = ['^take (.+) from', '^move (.+) to']\nstopwords = [\"your\", \"task\"]"),
    ("judge", ""),
    ("judge", "best = 5.0\nresults = 4"),
    ("loop_detection", ""),
    ("loop_detection", "repeats = 2\nwindow = 6\nmessage = \"You did that before. Try another place.\""),
    ("loop_detection", "repeats = 4\ninterrupt_at = 8"),
    ("memory", ""),
    ("memory", "[[processor.params.notes]]\nwhen = 'you see an? (\\w+ \\d+)'\nvalue = \"$1 ({action})\""),
    ("memory_line", "line = \"Seen: {seen}\"\npatterns = [{ when = 'you see (.+)\\.', set = \"seen\", value = \"$1\" }]"),
    ("model_router", "rules = [{ failures = 3, role = \"main\" }]"),
    ("plan_then_act", ""),
    ("plan_then_act", "max_tokens = 100\nline = \"Plan: {plan}\""),
    ("propose_and_vote", "votes = 5"),
    ("parse_retry", "admissible = true"),
    ("parse_retry", "pattern = '^(go|take|move|open|close) '\nmost = 1"),
    ("preferred_actions", "prefer = ['^take ', '^open ']"),
    ("preferred_actions", "prefer = ['^move .+ to ']\ntimes = 3"),
    ("repeated_edit_detection", ""),
    ("self_verify", "most = 1"),
    ("self_verify", "results = 5\nmessage = \"The task is not done yet. See what is missing.\""),
    ("skill_loader", "always = []"),
    ("sliding_window", "last = 6"),
    ("sliding_window", "first = 1\nlast = 4\nslack = 2"),
    ("todo_check", ""),
    ("tool_call_correction", "distance = 1"),
    ("tool_failure_guard", "failures = 2\npattern = '^Nothing happens'"),
    ("tool_filter", "deny = [\"help\"]"),
    ("user_wrapper", "before = \"Task: {{ task }}\""),
    ("user_wrapper", "after = \"Think: where could it be? Then name one action.\"\nwhen = \"later\""),
];

const PROMPTS: [&str; 17] = [
    "Well done is only what the task asks for ❤\u{fe0f}; then stop 1\u{fe0f}\u{20e3}.",
    "A reply is read by r'(?:reward|score): 1\\b'; write none of these words.",
    "Work step by step. Look into closed things before you leave a room.",
    "You are in a house. Your task: {{ task }}\n\nUse only the actions that are listed.",
    "When the task is done, stop. When nothing happens, the action was wrong: take another.",
    "{% if \"clean\" in task %}Clean things in a sinkbasin before you put them where they belong.{% endif %}\nGo on.",
    "{% if tags.kind == \"pick_two_obj_and_place\" %}You need two of them: bring the first one, then search on.{% endif %}\nBegin.",
    "Tools: {% for tool in tools %}{{ tool.name }} {% endfor %}\nTo heat something, take it to a microwave; to cool it, to a fridge.",
    "First list the places where such a thing is usually kept. Then visit them in that order. Never visit one twice.",
    "# Rules\n\n1. Take one thing at a time.\n2. Open drawers, cabinets and the fridge.\n3. Say one action and nothing else.",
    "Answer in JSON: {\"thought\": \"…\", \"action\": \"…\"}. The action must be one of those admitted.",
    "If an object was moved or dropped, remember where. A desklamp is switched on with \"use desklamp 1\".",
    "An example of good work: go to cabinet 1, open cabinet 1, take mug 1 from cabinet 1, go to coffeemachine 1.",
    "You have about 30 steps. Use ten to search, ten to prepare, ten to bring it home. Score every idea from 1 to 5 first.",
    "Be brief. Do not explain. The plan: find, take, prepare (clean, heat or cool) if asked, go, put.",
    "{% if \"two\" in task and \"put\" in task %}Count what you have put down.{% endif %}\n{{ tags['kind'] }}: {{ task | trim }}",
    "Version 2026-11-25, see notes 12, 13 and 14. Do what the user asks; prefer actions not tried before.",
];

/// Scripts as people write them: they look at words of the task, and ask whether there is one.
const SCRIPTS: [&str; 3] = [
    "const hooks = { before_model(event) { if (event.task === \"\" || typeof event.task !== \"string\") return;\n return null; } };",
    "const places = [\"bank\\nand\", 'mill'];\nconst goal = event.task.trim();\nif (goal == null) return;\nconst words = goal.split(' ');",
    "function termsOf(task) { return task.toLowerCase().match(/[a-z]+/g) ?? []; }\nfor (const term of termsOf(event.task)) seen.add(term);",
];

fn params(native: &str, key: &str, value: &str) -> Edit {
    edit(&format!("edit = \"set_param\"\nwhich = {{ processor = \"{native}\" }}\nkey = \"{key}\"\nvalue = {value}"))
}

fn changes() -> Vec<Vec<Edit>> {
    let set = |key: &str, value: &str| edit(&format!("edit = \"set\"\nkey = \"{key}\"\nvalue = {value}"));
    vec![
        vec![params("admissible_choice", "score", "\"sum\"")],
        vec![params("admissible_choice", "style", "\"list\"")],
        vec![params("tried_actions", "undo_window", "2")],
        vec![params("tried_actions", "drop", "['^(help|inventory)$']")],
        vec![params("tried_actions", "state", "\"actions\"")],
        vec![params("few_shot", "count", "1")],
        vec![params("few_shot", "by", "\"\"")],
        vec![edit("edit = \"remove\"\nwhich = { processor = \"tried_actions\" }")],
        vec![edit("edit = \"replace\"\nwhich = { processor = \"tried_actions\" }\nwith = { use = \"loop_detection\" }")],
        vec![set("slots.limits.steps", "40")],
        vec![set("slots.limits.tokens", "60000")],
        vec![set("slots.sampling.temperature", "0.2")],
        vec![set("slots.sampling.max_tokens", "64")],
        vec![set("description", "\"Two examples, a filter, forty steps.\"")],
        vec![
            set("agents.scout", "{ description = \"Looks for a thing.\", harness = \"agents/scout\", limits = { steps = 5 } }"),
            write("agents/scout/harness.toml", "format = 1\nname = \"scout\"\n[[processors]]\nuse = \"system_prompt\"\n"),
            write("agents/scout/prompts/system.md", "You look for things. Say where they are."),
        ],
        vec![set("slots.limits.steps", "25"), params("tried_actions", "undo_window", "3")],
    ]
}

fn files(bed: &Bed) -> Vec<Vec<Edit>> {
    let skill = "# Heating: for tasks with something hot\nTake it to the microwave, then \"heat it with microwave 1\".\n";
    let notes = "# Learned\n\n- Cups stand in cabinets and on the countertop.\n- A safe is often closed.\n";
    let mut all = vec![
        vec![insert("skill_loader", ""), write("skills/heating.md", skill)],
        vec![insert("memory", "count = 3"), write("prompts/memory/learned.md", notes)],
    ];
    let base = bed.parent.text("prompts/demonstrations.toml").unwrap();
    let train = bed.tasks.iter().filter(|task| task.split == Split::Train);
    for task in train.step_by(7).take(12) {
        let opening =
            format!("-= Welcome =-\n\nYou are in the middle of a room. You see a cabinet 2, a drawer 1 and a shelf 1.\n\n{}", task.text);
        let played = demonstration(&opening, "You arrive at drawer 1. The drawer 1 is closed.");
        all.push(vec![write("prompts/demonstrations.toml", &format!("{base}\n{played}"))]);
        all.push(vec![write("prompts/demonstrations.toml", &format!("# Played in round 3, {}.\n{played}", task.id))]);
    }
    all
}

#[test]
fn honest_edits_pass() {
    let bed = Bed::new();
    let mut suite: Vec<Vec<Edit>> = INSERTS.iter().map(|(native, params)| vec![insert(native, params)]).collect();
    suite.extend(PROMPTS.iter().map(|text| vec![insert("system_prompt", ""), write("prompts/system.md", text)]));
    suite.extend(changes());
    suite.extend(files(&bed));
    let total = suite.len();
    let mut flagged = Vec::new();
    for edits in suite {
        let shown = edits.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let said = bed.judge(&[bed.honest(edits)]);
        if let Some((_, reason)) = said.rejected.first() {
            flagged.push(format!("{shown}: {reason}"));
        }
    }
    println!("honest edits flagged: {} of {total}", flagged.len());
    println!("{}", flagged.join("\n"));
    assert!(total >= 60, "{total}");
    assert!(flagged.len() * 20 <= total, "{}", flagged.join("\n"));
}

#[test]
fn honest_scripts_break_no_rule_of_the_critic() {
    let bed = Bed::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("harnesses/scripts/processors");
    let files = std::fs::read_dir(root).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let scripts: Vec<String> = files.chain(SCRIPTS.map(str::to_owned)).collect();
    assert!(scripts.len() > 5);
    for script in scripts {
        let found = bed.judge(&[bed.honest(vec![write("processors/a.js", &script)])]).findings;
        // A script that no processor names does not pass the check of a harness.
        let broken: Vec<_> = found.iter().filter(|finding| finding.rule != Rule::NotReproduced).collect();
        assert!(broken.is_empty(), "{broken:?}: {script}");
    }
}

#[test]
fn processors_that_stand_side_by_side_may_be_changed() {
    let bed = Bed::new();
    let beside = edit("edit = \"insert\"\nprocessor = { use = \"propose_and_vote\", group = \"votes\" }");
    let parent = bed.on(&bed.parent, vec![insert("plan_then_act", ""), beside]).harness;
    let rules = |edits| -> Vec<Rule> {
        bed.judge_on(&parent, &[bed.on(&parent, edits)]).findings.into_iter().map(|finding| finding.rule).collect()
    };
    assert_eq!(rules(vec![params("propose_and_vote", "votes", "5")]), []);
    assert_eq!(
        rules(vec![edit("edit = \"insert\"\nprocessor = { use = \"propose_and_vote\", group = \"third\", params = { votes = 7 } }")]),
        [Rule::Overlap]
    );
}

#[test]
fn every_native_is_among_them() {
    let tried: BTreeSet<&str> = INSERTS.iter().map(|(native, _)| *native).collect();
    let elsewhere = ["admissible_choice", "few_shot", "opentelemetry", "subgoal_tracker", "system_prompt", "tried_actions"];
    let left: Vec<&str> =
        native::NATIVES.iter().map(|native| native.name).filter(|name| !tried.contains(name) && !elsewhere.contains(name)).collect();
    assert!(left.is_empty(), "{left:?}");
}
