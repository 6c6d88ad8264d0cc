//! Sessions of a meta-agent in which something goes wrong: what is said wrongly is mended once, and a session of which nothing comes is told
//! with its cause.

use crate::looped::short;
use crate::meta::{GREEDY, audit, json, meta_loop, stand_in};
use crate::meta_model::{MetaModel, Part, Say};
use crate::meta_script::{diagnosis, evidence, quote, traces};
use serde_json::json;

#[test]
fn statements_of_one_reply_are_each_mended() {
    let run = short();
    let model = MetaModel::start(|asked| {
        let trace = &traces(&asked.opening).into_iter().next().unwrap_or_default();
        let direct = |title: &str| json!({"title": title, "bucket": "prompt", "why": "it is short"});
        match (asked.part, asked.turn) {
            (Part::Digester, 0) => Say::call("read_trace", &json!({"trace": trace, "from": 1, "steps": 40})),
            (Part::Digester, 1) => ["one", "two"].iter().fold(Say::end("Two things."), |say, words| {
                say.and("diagnose", &diagnosis("all budget_starvation", &[evidence(trace, "1", &format!("nobody said {words}"))]))
            }),
            (Part::Digester, 2) => {
                let (step, line) = quote(&asked.all[0][0]);
                let mended = diagnosis("all budget_starvation", &[evidence(trace, &step, &line)]);
                Say::call("diagnose", &mended).and("diagnose", &mended)
            }
            (Part::Planner, 0) => Say::end("").raw("direct", r#"{"title": "one"#).raw("direct", r#"{"title": "two"#),
            (Part::Planner, 1) => Say::call("direct", &direct("one")).and("direct", &direct("two")),
            _ => Say::end("Done."),
        }
    });
    run.write("settings.toml", &model.settings("openai"));
    let ran = meta_loop(&run, &GREEDY, "aegis", "1", "run");
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let dir = run.path().join("run");
    let (diagnoses, landscape) = (json(&dir.join("R1/diagnoses.json")), json(&dir.join("R1/landscape.json")));
    assert_eq!((diagnoses["diagnoses"].as_array().unwrap().len(), &diagnoses["refused"]), (2, &0.into()), "{diagnoses}");
    assert_eq!(landscape["directions"].as_array().unwrap().len(), 2, "{landscape}");
}

#[test]
fn a_round_of_which_nothing_comes_says_how_its_sessions_ended() {
    let run = short();
    let model = MetaModel::start(|asked| match asked.part {
        Part::Digester => Say::end("<tool_call>{\"name\": \"diagnose\"}</tool_call>"),

        Part::Evolver => Say::call("bash", &json!({"command": "ls"})).and("browse", &json!({})),
        Part::Planner | Part::Critic | Part::Single => Say::refusal("I can't help with that."),
    });
    run.write("settings.toml", &model.settings("openai"));
    let ran = meta_loop(&run, &GREEDY, "aegis", "1", "run");
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let dir = run.path().join("run");
    let decision = json(&dir.join("R1/decision.json"));
    let astray = "was ended: reply after reply it called only tools that it does not have; nothing that it said was taken";
    assert_eq!(decision["reason"], format!("the engine proposed nothing: Evolver 1 {astray}; Evolver 2 {astray}"));
    let digester = "Digester said nothing that could be taken; its last words: <tool_call>";
    let planner = "Planner refused; its last words: I can't help with that.";
    let notes: Vec<String> = decision["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap().to_owned()).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].starts_with(digester) && notes[1] == planner, "{notes:?}");
    assert!(ran.out.contains("R1: idle: the engine proposed nothing: Evolver 1 was ended"), "{}", ran.out);
    assert!(ran.out.contains(digester) && ran.out.contains(planner), "{}", ran.out);
    let journal = std::fs::read_to_string(dir.join("journal.md")).unwrap();
    assert!(journal.contains(astray) && journal.contains("&lt;tool\\_call&gt;"), "{journal}");
    stand_in(
        &audit(&dir),
        &["digester session said nothing that could be taken", "planner session refused", "evolver-1 session was ended"],
    );
    let calls = model.heard().iter().filter(|asked| asked.part == Part::Evolver).count();
    assert_eq!(calls, 12, "six replies each");
}

#[test]
fn a_meta_harness_that_breaks_is_named_and_a_random_chooser_is_no_meta_agent() {
    let run = short();
    let model = MetaModel::start(|_| Say::end("I should not have been asked."));
    run.write("settings.toml", &model.settings("openai"));
    let script = "export const meta = { name: \"brittle\" };\nexport const hooks = { step_start(event, state, api) { throw new Error(\"it broke\"); } };\n";
    run.write("own/single/processors/brittle.js", script);
    run.write("own/single/harness.toml", "format = 1\nname = \"own\"\n[[processors]]\nscript = \"processors/brittle.js\"\n");
    let ran = meta_loop(&run, &[&GREEDY[..], &["--set", "meta_harness=own"]].concat(), "single", "1", "run");
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let reason = json(&run.path().join("run/R1/decision.json"))["reason"].as_str().unwrap().to_owned();
    assert!(
        reason.starts_with("the engine proposed nothing: Single ended by a fault of processors/brittle.js: ")
            && reason.contains("it broke"),
        "{reason}"
    );
    let mut arguments = vec!["loop", "--run", "other", "--engine", "single", "--model", "random", "--model", "meta=random"];
    arguments.extend(GREEDY);
    let ran = run.run(&arguments);
    assert!(ran.exit == 3 && ran.err.contains("a random chooser") && ran.err.contains("cannot hold a session"), "{}", ran.err);
    assert!(!run.path().join("other/R0").exists());
}

#[test]
fn what_can_be_listed_is_listed() {
    let run = short();
    let model = MetaModel::start(|asked| match asked.turn {
        0 => ["", ".", "R0", "R1/"].iter().fold(Say::end("I look."), |say, folder| say.and("list_files", &json!({"folder": folder}))),
        _ => Say::end("Done."),
    });
    run.write("settings.toml", &model.settings("openai"));
    let ran = meta_loop(&run, &GREEDY, "single", "1", "run");
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let heard = model.heard();
    let [run_folder, same, first, own] = heard[1].results.as_slice() else { panic!("{:?}", heard[1].results) };
    let names = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<String>>();
    assert_eq!(
        (names(run_folder), names(same)),
        (["R0", "R1", "data", "journal.md", "scoreboard.json"].map(str::to_owned).to_vec(), names(run_folder))
    );
    assert!(names(first).contains(&"trajectories".to_owned()) && !first.contains("meta"), "{first}");
    assert!(names(own).contains(&"landscape.md".to_owned()) && !own.contains("candidates"), "{own}");
    let lines = audit(&run.path().join("run"));
    stand_in(&lines, &["single list_files R0", "single list_files R1/"]);
    assert!(lines.iter().all(|line| !line.starts_with("single refused")), "{lines:?}");
}
