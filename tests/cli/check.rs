//! `check`: good and bad folders.

use crate::test_run::TestRun;

#[test]
fn the_harnesses_that_ship_are_ok() {
    let run = TestRun::new();
    for name in ["minimal", "household-base"] {
        let ran = run.run(&["check", name]);
        assert_eq!(ran.exit, 0, "{}", ran.err);
        assert!(ran.out.starts_with("ok: harness"), "{}", ran.out);
    }
}

#[test]
fn the_benchmarks_that_ship_are_ok() {
    let run = TestRun::new();
    for name in ["household", "echo"] {
        let ran = run.run(&["check", name]);
        assert_eq!(ran.exit, 0, "{}", ran.err);
    }
}

#[test]
fn problems_name_file_and_line_and_exit_with_3() {
    let run = TestRun::new();
    run.write("h/harness.toml", "format = 1\nname = \"h\"\n\n[[processors]]\nuse = \"few_shoot\"\n");
    let ran = run.run(&["check", "h"]);
    assert_eq!(ran.exit, 3);
    assert!(ran.err.contains("h/harness.toml:4: unknown processor \"few_shoot\"; did you mean \"few_shot\"?"), "{}", ran.err);
    run.write("t/harness.toml", "format = 1\nname = \"t\"\n[[processors]]\nuse = \"system_prompt\"\n");
    run.write("t/prompts/system.md", "hello\n{{ colour }}\n");
    let ran = run.run(&["check", "t"]);
    assert!(ran.exit == 3 && ran.err.contains("prompts/system.md:2: unknown variable \"colour\""), "{}", ran.err);
}

#[test]
fn an_unknown_name_is_said_with_the_known_ones() {
    let ran = TestRun::new().run(&["check", "nothing-here"]);
    assert_eq!(ran.exit, 3);
    assert!(ran.err.contains("household-base"), "{}", ran.err);
    assert!(!ran.err.contains("meta"), "a folder of harnesses is none: {}", ran.err);
}

#[test]
fn a_folder_of_the_meta_agents_harnesses_is_checked_role_by_role() {
    let run = TestRun::new();
    let ran = run.run(&["check", "meta"]);
    assert_eq!((ran.exit, ran.out.matches("ok: harness meta/").count()), (0, 5), "{}{}", ran.out, ran.err);
    run.write("own/single/harness.toml", "format = 1\nname = \"single\"\n");
    let ran = run.run(&["check", "own/"]);
    assert!(ran.exit == 0 && ran.out.contains("ok: harness own/single"), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("no harness for: digester, planner, evolver, critic"), "{}", ran.err);
    for role in ["planner", "critic"] {
        run.write(&format!("own/{role}/harness.toml"), "format = 1\nname = \"x\"\n\n[[processors]]\nuse = \"few_shoot\"\n");
    }
    let ran = run.run(&["check", "own"]);
    assert!(ran.exit == 3 && ran.out.contains("ok: harness own/single"), "{}{}", ran.out, ran.err);
    for role in ["planner", "critic"] {
        assert!(ran.err.contains(&format!("own/{role}/harness.toml:4: unknown processor")), "{}", ran.err);
    }
}
