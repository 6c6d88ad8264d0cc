//! Candidates that the Critic sends back: what the Evolvers who change them may take, and whose they are afterwards.

use crate::looped::short;
use crate::meta::{GREEDY, json, meta_loop};
use crate::meta_model::{Asked, Health, MetaModel, Part, Say};
use crate::meta_script::{found, play};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

fn is_revision(asked: &Asked) -> bool {
    asked.part == Part::Evolver && asked.opening.contains(" back, once: ")
}

/// Sends everything back, once.
fn strict(asked: &Asked) -> Say {
    let word = if asked.opening.contains("You may ask for one revision") { "revise" } else { "pass" };
    let ids = found(r"(?m)^## (C-R\d+-\d+)$", &asked.opening);
    let review = |id: &String| json!({"candidate": id, "word": word, "reason": "say more", "interaction": "none"});
    if asked.turn > 0 { Say::end("Judged.") } else { ids.iter().fold(Say::end(""), |say, id| say.and("review", &review(id))) }
}

/// Tokens of each session of the first round.
fn sessions(dir: &Path) -> Vec<(String, u64, Value)> {
    let text = std::fs::read_to_string(dir.join("R1/meta/episodes.jsonl")).unwrap();
    let of = |line: &Value| {
        let tokens = ["input_tokens", "output_tokens"].map(|key| line["usage"][key].as_u64().unwrap()).iter().sum();
        (line["task"].as_str().unwrap().to_owned(), tokens, line["end"].clone())
    };
    text.lines().map(|line| of(&serde_json::from_str(line).unwrap())).collect()
}

#[test]
fn revisions_share_the_tokens_that_are_left() {
    const MOST: u64 = 300_000;
    let run = short();
    let model = MetaModel::start(|asked| match asked.part {
        Part::Critic => strict(asked),
        _ if is_revision(asked) => Say::call("list_harness", &json!({})),
        Part::Digester | Part::Planner | Part::Evolver | Part::Single => play(asked, &[&["filter", "plain"]]),
    });
    run.write("settings.toml", &model.settings("openai"));
    let most = format!("meta_tokens={MOST}");
    let ran = meta_loop(&run, &[&GREEDY[..], &["--set", &most]].concat(), "aegis", "1", "run");
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let (revisions, others): (Vec<_>, Vec<_>) =
        sessions(&run.path().join("run")).into_iter().partition(|(task, ..)| task.starts_with("revision"));
    let sum = |sessions: &[(String, u64, Value)]| sessions.iter().map(|(_, tokens, _)| tokens).sum::<u64>();
    let left = MOST - sum(&others);
    assert_eq!(revisions.len(), 2, "{revisions:?}");
    for (task, tokens, end) in &revisions {
        // The last call begins within the limit.
        assert!(end["limit"] == "tokens" && *tokens >= left / 2 && *tokens < left * 3 / 4, "{task}: {tokens} of {left}, {end}");
    }
}

#[test]
fn what_nobody_changed_is_not_taken_for_a_revision() {
    let run = short();
    let model = MetaModel::start(|asked| match asked.part {
        Part::Critic if asked.opening.contains("You may ask for one revision") => strict(asked),
        Part::Critic => Say::end("Nothing more."),
        _ if is_revision(asked) && asked.turn == 0 => Say::call("propose", &json!({"title": "as it was"})),
        _ if is_revision(asked) => Say::end("Done."),
        Part::Digester | Part::Planner | Part::Evolver | Part::Single => play(asked, &[&["filter"]]),
    });
    run.write("settings.toml", &model.settings("openai"));
    let ran = meta_loop(&run, &GREEDY, "aegis,catalog", "1", "run");
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let dir = run.path().join("run");
    assert_eq!(json(&dir.join("R1/revised.json"))["candidates"], json!(["C-R1-01", "C-R1-02"]), "their words are new");
    let manifest = std::fs::read_to_string(dir.join("R1/candidates/C-R1-02/manifest.toml")).unwrap();
    assert!(manifest.contains("engine = \"catalog\"") && manifest.contains("title = \"as it was\""), "{manifest}");
    let critique = json(&dir.join("R1/critique.json"));
    let reasons: Vec<&str> = critique["rejected"].as_array().unwrap().iter().map(|pair| pair[1].as_str().unwrap()).collect();
    assert_eq!(reasons, ["the Critic wanted a change that nobody made: say more"; 2], "{critique}");
}

#[test]
fn tokens_of_a_session_that_sat_under_two_models_are_both_counted() {
    let run = short();
    let model = MetaModel::start(|asked| play(asked, &[&["filter"]]));
    let settings = model.settings("openai");
    let tokens_in = |dir: &Path| sessions(dir).into_iter().map(|(task, tokens, _)| (task, tokens)).collect::<BTreeMap<String, u64>>();
    // The server dies when one of the two Evolvers is done, and the other is not.
    for answers in 9..40 {
        let name = format!("run-{answers}");
        let dir = run.path().join(&name);
        run.write("settings.toml", &settings);
        model.set(Health::Dying(answers));
        assert_eq!(meta_loop(&run, &GREEDY, "aegis", "1", &name).exit, 4);
        let before = tokens_in(&dir);
        model.set(Health::Well);
        let Some((evolver, once)) = before.into_iter().find(|(task, _)| task.starts_with("evolver")) else { continue };
        // Under another name everything is asked anew, in requests that differ by a few letters; once more, nothing is.
        run.write("settings.toml", &settings.replace("model = \"m\"", "model = \"n\""));
        let twice = [(), ()].map(|()| {
            assert_eq!(meta_loop(&run, &GREEDY, "aegis", "1", &name).exit, 0);
            tokens_in(&dir)
        });
        assert!(twice[0][&evolver].abs_diff(2 * once) < 50, "{evolver}: {once}, then {}", twice[0][&evolver]);
        assert_eq!(twice[0], twice[1]);
        let all: u64 = twice[0].values().sum();
        let usage = json(&dir.join("R1/round.json"))["usage"].clone();
        assert_eq!(usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap(), all, "{usage}");
        return;
    }
    panic!("no Evolver ended before the other");
}

#[test]
fn what_an_evolver_rewrites_is_no_more_the_catalogs() {
    let run = short();
    let model = MetaModel::start(|asked| match asked.part {
        Part::Critic => strict(asked),
        _ if is_revision(asked) => {
            let opening = format!("{}\ndirection for you: `plain`", asked.opening.replace(" back, once: ", " "));
            play(&Asked { opening, ..asked.clone() }, &[])
        }
        Part::Digester | Part::Planner | Part::Evolver | Part::Single => play(asked, &[&["filter"]]),
    });
    run.write("settings.toml", &model.settings("openai"));
    let ran = meta_loop(&run, &GREEDY, "aegis,catalog", "1", "run");
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let dir = run.path().join("run");
    let revised = json(&dir.join("R1/revised.json"));
    assert!(revised["candidates"].as_array().unwrap().contains(&"C-R1-02".into()), "{revised}");
    let manifest = std::fs::read_to_string(dir.join("R1/candidates/C-R1-02/manifest.toml")).unwrap();
    assert!(manifest.contains("engine = \"aegis\"") && manifest.contains("Be careful"), "{manifest}");
    let engines = json(&dir.join("scoreboard.json"))["engines"].clone();
    assert!(engines["catalog"]["proposed"].as_u64().unwrap_or(0) == 0 && engines["aegis"]["proposed"] == 2, "{engines}");
}
