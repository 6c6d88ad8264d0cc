//! Taking more than its share: processes, memory, time, output, disk.

use crate::bed::{Bed, Expected, bed, beds};
use harnessx::sandbox::{Stopped, Wanted};

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

#[test]
fn processor_time_of_children_that_nobody_waits_for_is_counted() {
    let unwaited = "import os, signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True:\n  for i in range(8):\n    if os.fork() == 0:\n      end = time.process_time() + 0.3\n      while time.process_time() < end: pass\n      os._exit(0)\n  try: os.wait()\n  except ChildProcessError: pass";
    for mut bed in beds() {
        // Much less than a busy machine gives in the time.
        (bed.limits.cpu_seconds, bed.limits.seconds) = (1, 12);
        bed.table(&[("spinning in children that nobody waits for", format!("python3 -c '{unwaited}'"), Expected::Limit(Stopped::Cpu))]);
    }
}

/// Each in a workspace of its own, and each more than it may hold.
fn disk_cases() -> Vec<(&'static str, String, Expected)> {
    let python = |text: &str| format!("python3 -c '{text}'; sleep 9");
    let full = Expected::Limit(Stopped::Disk);
    let held = "import os, time\nheld = []\nfor i in range(20):\n  held.append(open(\"f\", \"wb\", 0))\n  os.unlink(\"f\")\n  held[-1].write(bytes(4 << 20))\ntime.sleep(9)";
    let deep = "import os\nfor i in range(60):\n  os.mkdir(\"d\" * 200)\n  os.chdir(\"d\" * 200)\nfor i in range(20): open(str(i), \"wb\").write(bytes(4 << 20))";
    let write = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do head -c 4194304 /dev/zero >";
    vec![
        ("files that are removed and held open", python(held), full),
        ("files below a path too long to be named", python(deep), full),
        ("files in a folder that nobody may list", format!("mkdir h; chmod 300 h; {write} h/$i; done; sleep 9"), full),
        ("files written faster than they are counted", format!("{write} $i; done"), full),
        ("an empty folder that nobody may list, and a closed workspace", "mkdir h; chmod 0 h .; true".to_owned(), Expected::Any),
    ]
}

#[test]
fn disks_are_not_filled_and_nothing_stays() {
    for case in disk_cases() {
        for bed in beds() {
            bed.table(std::slice::from_ref(&case));
            let place = bed.workspace.work().parent().unwrap().to_owned();
            drop(bed);
            assert!(!place.exists(), "{}: its workspace stays", case.0);
        }
    }
}

#[test]
fn a_temporary_folder_that_stays_is_counted() {
    let Some(bed) = bed(Wanted::Landlock) else { return };
    let write = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do head -c 4194304 /dev/zero > $TMPDIR/$i; done";
    bed.table(&[("files in TMPDIR", write.to_owned(), Expected::Limit(Stopped::Disk))]);
}

/// Processes whose working folder is the workspace.
fn left(bed: &Bed) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries
        .filter_map(|entry| std::fs::read_link(entry.path().join("cwd")).ok())
        .filter(|cwd| cwd.starts_with(bed.workspace.work()))
        .count()
}
