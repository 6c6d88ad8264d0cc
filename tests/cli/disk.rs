//! A disk that fills up, played by a limit on the size of files (`ulimit -f`, which needs no privilege): a clear error, exit code 4,
//! nothing half-written, and the same command continues once there is room.

use crate::test_run::{TestRun, results, traces};
use std::path::Path;

const PLAY: [&str; 9] = ["run", "--bench", "household", "--model", "random", "--limit", "12", "--run", "small"];

/// Every file ends with a whole line, and none is left over.
fn check_whole(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            check_whole(&path);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.last().is_none_or(|last| *last == b'\n'), "{} is half-written", path.display());
        assert!(!path.to_string_lossy().ends_with(".part"), "{} is left over", path.display());
    }
}

#[test]
fn a_full_disk_is_said_and_the_run_continues_when_there_is_room() {
    let run = TestRun::new();
    let whole: Vec<&str> = PLAY[..8].iter().copied().chain(["whole"]).collect();
    assert_eq!(run.run(&whole).exit, 0);
    // Blocks of 512 or 1024 bytes, by the shell: from no room at all to a few episodes.
    for blocks in [0, 1, 8, 32] {
        let ran = run.run_under(&format!("trap '' XFSZ; ulimit -f {blocks}"), &PLAY);
        assert_eq!(ran.exit, 4, "{blocks}: {}", ran.err);
        assert!(ran.err.contains("failed to") && ran.err.contains("small/") && ran.err.contains("free some disk space"), "{}", ran.err);
        check_whole(&run.path().join("small"));
    }
    let ran = run.run(&PLAY);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let (small, whole) = (run.path().join("small"), run.path().join("whole"));
    assert_eq!((results(&small), traces(&small)), (results(&whole), traces(&whole)));
}
