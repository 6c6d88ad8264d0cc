//! Taking more than its share: processes, memory, time, output, disk.

use crate::bed::{Bed, Expected, beds};
use harnessx::sandbox::Stopped;

/// Starts itself twice, each time in a session of its own.
const LEAVING: &str = r#"b='setsid sh -c "$b" & setsid sh -c "$b" &'; export b; sh -c "$b""#;

fn cases() -> Vec<(&'static str, String, Expected)> {
    let memory = "python3 -c 'x = []\nwhile True: x.append(bytearray(10 << 20))'; true";
    let many = "for i in 1 2 3 4 5 6; do python3 -c 'import time; x = bytearray(80 << 20); time.sleep(9)' & done; wait";
    vec![
        ("fork bomb", "f() { f | f & }; f; sleep 9".to_owned(), Expected::Limit(Stopped::Processes)),
        (
            "fork bomb whose parents end, so that all are reaped as orphans",
            "f() { f & f & }; f; while :; do (:) & done".to_owned(),
            Expected::Limit(Stopped::Processes),
        ),
        ("fork bomb that leaves its group", format!("{LEAVING}; sleep 9"), Expected::Any),
        ("memory of one process", memory.to_owned(), Expected::Any),
        ("memory of many processes", many.to_owned(), Expected::Limit(Stopped::Memory)),
        (
            "memory that no process is seen to hold",
            "python3 -c 'import os\nf = os.memfd_create(\"x\")\nfor i in range(90): os.write(f, bytes(10 << 20))\nprint(\"ESCAPED\")'; true".to_owned(),
            Expected::Nothing,
        ),
        (
            "memory through files in memory",
            "dd if=/dev/zero of=/dev/shm/x bs=1M count=2000; dd if=/dev/zero of=/tmp/x bs=1M count=2000; true".to_owned(),
            Expected::Any,
        ),
        ("sleeping", "sleep 60".to_owned(), Expected::Limit(Stopped::Time)),
        ("ignoring signals", "trap '' TERM INT HUP; while :; do sleep 1; done".to_owned(), Expected::Limit(Stopped::Time)),
        ("closing its output before it sleeps", "sleep 3.5; exec >/dev/null 2>&1; sleep 60".to_owned(), Expected::Limit(Stopped::Time)),
        ("spinning on many processors", "for i in 1 2 3; do (while :; do :; done) & done; wait".to_owned(), Expected::Any),
        ("output flood", "yes".to_owned(), Expected::Limit(Stopped::Output)),
        ("output flood on stderr", "yes >&2".to_owned(), Expected::Limit(Stopped::Output)),
        ("one large file", "dd if=/dev/zero of=x bs=1M count=4000; true".to_owned(), Expected::Any),
        (
            "many files",
            "i=0; while :; do i=$((i+1)); dd if=/dev/zero of=f$i bs=1M count=4 2>/dev/null; done".to_owned(),
            Expected::Limit(Stopped::Disk),
        ),
    ]
}

#[test]
fn floods_are_stopped() {
    for bed in beds() {
        bed.table(&cases());
        assert_eq!(left(&bed), 0, "processes are left");
    }
}

/// Processes whose working folder is the workspace.
fn left(bed: &Bed) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries
        .filter_map(|entry| std::fs::read_link(entry.path().join("cwd")).ok())
        .filter(|cwd| cwd.starts_with(bed.workspace.work()))
        .count()
}
