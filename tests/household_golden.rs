//! Replays the recorded plays of the original household engine, where the shared data is present.
//!
//! Looks for `HARNESSX_SHARED_DATA` (a folder with `alfworld` in it), else `../shared/data` beside the repository.

use std::path::{Path, PathBuf};

use harnessx::bench::household::replay;

#[test]
fn recorded_plays_come_out_byte_for_byte() {
    let root = std::env::var_os("HARNESSX_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let dir = root.join("alfworld");
    if !dir.is_dir() {
        println!("skipped: no {}", dir.display());
        return;
    }
    let agreement = replay(&dir).unwrap();
    println!("household: {} of {} steps agree in {} games", agreement.agreed, agreement.total, agreement.games);
    assert!(agreement.games > 0, "no transcripts under {}", dir.display());
    assert_eq!(agreement.agreed, agreement.total, "{:#?}", agreement.first_difference);
}
