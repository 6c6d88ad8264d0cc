//! Engines side by side: the same tasks, the same rollouts granted, one table. The meta-agent is a script on loopback, the program a shell
//! script: what is compared here is how engines are measured, not how good they are.

use crate::command_engine::AGENT;
use crate::meta_model::MetaModel;
use crate::meta_script::play;
use crate::test_run::TestRun;
use crate::tools::has_sandbox;

#[test]
fn four_engines_stand_in_one_table_at_equal_budget() {
    let run = TestRun::new();
    if !has_sandbox(&run) {
        return;
    }
    let model = MetaModel::start(|asked| play(asked, &[&["filter", "limits"], &["filter", "limits"]]));
    run.write("settings.toml", &model.settings("openai"));
    run.write("agent.sh", AGENT);
    for engine in ["catalog", "aegis", "single", "command"] {
        let mut arguments = vec!["loop", "--run", engine, "--engine", engine, "--model", "random", "--bench", "household", "--quiet"];
        arguments.extend(["--profile", "quick", "--rounds", "2", "--seed", "3", "--config", "settings.toml"]);
        match engine {
            "aegis" | "single" => arguments.extend(["--model", "meta=meta"]),
            "command" => arguments.extend(["--engine-command", "sh agent.sh"]),
            _ => {}
        }
        let ran = run.run(&arguments);
        assert_eq!(ran.exit, 0, "{engine}: {}{}", ran.out, ran.err);
    }
    let controls = ["--control", "aegis", "--control", "single", "--control", "command"];
    let ran = run.run(&[&["report", "--run", "catalog", "--format", "md", "--output", "-"], &controls[..]].concat());
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let table: Vec<&str> = ran.out.lines().skip_while(|line| !line.contains("Engines compared")).take(14).collect();
    println!("{}", table.join("\n"));
    for engine in ["catalog", "aegis", "single", "command"] {
        let row = table.iter().find(|line| line.starts_with('|') && line.contains(&format!("| {engine} |")));
        let row = row.unwrap_or(&"");
        assert!(row.contains('%') && !row.contains("other tasks"), "{engine}: {}", table.join("\n"));
    }
}
