//! `doctor`: what it finds, its cures and exit codes; no secret is shown.

use crate::test_run::{Ran, TestRun};

#[test]
fn missing_weights_are_a_no_with_a_cure_and_exit_with_4() {
    let run = TestRun::new();
    let mut command = run.command(&["doctor", "--json"]);
    command.env("XDG_CACHE_HOME", run.path()).env_remove("HARNESSX_SMOLLM2");
    let ran = Ran::of(command);
    assert_eq!(ran.exit, 4, "{}", ran.err);
    assert!(ran.err.contains("no   weights of local:smollm2: not fetched yet\n     cure: `harnessx fetch smollm2`"), "{}", ran.err);
    assert!(ran.out.contains(r#"{"event":"doctor","ready":false}"#), "{}", ran.out);
}

#[test]
fn a_file_that_holds_no_weights_is_said() {
    let run = TestRun::new();
    let file = run.write("w.gguf", "no weights");
    for (name, found) in [("w.gguf", "is no GGUF file"), ("elsewhere", "elsewhere: No such file")] {
        let mut command = run.command(&["doctor"]);
        command.env("HARNESSX_SMOLLM2", file.with_file_name(name));
        let ran = Ran::of(command);
        assert!(ran.exit == 4 && ran.out.contains(found) && ran.out.contains("unset it"), "{}{}", ran.out, ran.err);
    }
}

#[test]
fn keys_are_named_and_never_shown() {
    let run = TestRun::new();
    run.write("s.toml", "[models.mine]\nbase_url = \"http://127.0.0.1:9/v1\"\nmodel = \"m\"\napi_key_env = \"MY_KEY\"\n");
    let mut command = run.command(&["doctor", "--config", "s.toml"]);
    command.env("MY_KEY", "sesame").env("HTTPS_PROXY", "http://me:sesame@proxy:3128").env("HARNESSX_SMOLLM2", "none");
    let ran = Ran::of(command);
    assert!(ran.out.contains("key: MY_KEY is set") && ran.out.contains("HTTPS_PROXY = http://proxy:3128"), "{}", ran.out);
    assert!(!ran.out.contains("sesame") && !ran.err.contains("sesame"));
}
