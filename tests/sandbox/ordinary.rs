//! What an ordinary command must still be able to do.

use crate::bed::beds;
use harnessx::sandbox::{CommandLimits, End, SandboxError, ToolCommand, Workspace};
use std::process::Command;

#[test]
fn commands_work_in_their_workspace() {
    for bed in beds() {
        let (finished, took) = bed.shell("echo hello > a; mkdir d; mv a d/b; cat d/b; pwd; exit 3");
        assert_eq!(finished.end, End::Exit(3), "{finished:?}");
        assert!(finished.stdout.starts_with("hello\n"), "{finished:?}");
        assert_eq!(std::fs::read_to_string(bed.workspace.work().join("d/b")).unwrap(), "hello\n");
        println!("{:10} {:6} ms  a small shell script", bed.sandbox.protection().to_string(), took.as_millis());
        let (finished, _) = bed.shell("head -c 9000 /dev/zero | tr '\\0' x; printf '\\033[31mred' >&2");
        assert!(finished.is_cut && finished.stdout.len() == 4096 && finished.stderr == "[31mred", "{finished:?}");
        let (finished, _) = bed.shell("kill -TERM $$");
        assert_eq!(finished.end, End::Exit(143));
    }
}

#[tokio::test]
async fn input_is_given_and_a_missing_program_is_said() {
    for bed in beds() {
        let mut command = ToolCommand { argv: vec!["cat".into()], stdin: vec![b'x'; 3000], ..ToolCommand::default() };
        let finished = bed.sandbox.run(&command, &bed.workspace, &bed.limits).await.unwrap();
        assert_eq!(finished.stdout.len(), 3000);
        command.argv = vec!["no-such-program".into()];
        let refused = bed.sandbox.run(&command, &bed.workspace, &bed.limits).await;
        assert!(matches!(refused, Err(SandboxError::NoProgram { .. })), "{refused:?}");
        let long = vec!["echo".to_owned(), "x".repeat(200_000)];
        for line in [long, vec!["echo".to_owned(); 5000], vec!["echo".to_owned(), "x\0".to_owned()]] {
            command.argv = line;
            let refused = bed.sandbox.run(&command, &bed.workspace, &bed.limits).await;
            assert!(
                matches!(refused, Err(SandboxError::NoProgram { .. })),
                "a command line that is none is its maker's fault: {refused:?}"
            );
        }
        command.argv = vec![bed.answers().display().to_string()];
        assert!(bed.sandbox.run(&command, &bed.workspace, &bed.limits).await.is_err());
    }
}

#[test]
fn the_smallest_limits_are_the_command_s_own_trouble() {
    for mut bed in beds() {
        bed.limits = CommandLimits { seconds: 1, cpu_seconds: 1, memory_mb: 1, processes: 1, output_bytes: 1, disk_mb: 1 };
        // Its end is its own: none is the machine's.
        println!("{:10} {:?}", bed.sandbox.protection().to_string(), bed.run(&["true"]).0.end);
        println!("{:10} {:?}", bed.sandbox.protection().to_string(), bed.run(&["python3", "-c", "1"]).0.end);
    }
}

#[test]
fn a_workspace_that_a_command_closed_is_open_for_the_next() {
    for bed in beds() {
        for _ in 0..2 {
            assert_eq!(bed.shell("echo x > a && chmod 0 . ; true").0.end, End::Exit(0));
        }
    }
}

#[test]
fn a_virtual_environment_under_tmp_works() {
    let dir = tempfile::tempdir().unwrap();
    let made = Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(dir.path().join("venv")).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: python3 -m venv is not there");
        return;
    }
    let python = dir.path().join("venv/bin/python").display().to_string();
    for bed in beds() {
        let (finished, _) = bed.run(&[&python, "-c", "import sys, json; print(sys.prefix)"]);
        assert!(finished.stdout.trim().ends_with("venv"), "{finished:?}");
    }
}

#[tokio::test]
async fn files_of_a_harness_are_read_only_inside() {
    for bed in beds() {
        let workspace = Workspace::new().unwrap();
        workspace.add_tool("say.sh", b"echo said").unwrap();
        let script = workspace.tools_inside(bed.sandbox.protection().root()).join("say.sh").display().to_string();
        let command = ToolCommand { argv: vec!["sh".into(), script], ..ToolCommand::default() };
        assert_eq!(bed.sandbox.run(&command, &workspace, &bed.limits).await.unwrap().stdout, "said\n");
    }
}

#[tokio::test]
async fn a_program_of_a_harness_is_started_and_one_that_does_not_start_is_said() {
    for bed in beds() {
        let workspace = Workspace::new().unwrap();
        workspace.add_tool("say", b"#!/bin/sh\necho said\n").unwrap();
        workspace.add_tool("broken", b"#!/no/such/shell\n").unwrap();
        workspace.add_tool("loaderless", &with_bad_loader()).unwrap();
        let tool = |name: &str| {
            let path = workspace.tools_inside(bed.sandbox.protection().root()).join(name).display().to_string();
            ToolCommand { argv: vec![path], ..ToolCommand::default() }
        };
        assert_eq!(bed.sandbox.run(&tool("say"), &workspace, &bed.limits).await.unwrap().stdout, "said\n");
        for absent in ["broken", "absent", "loaderless", &"long".repeat(100)] {
            let refused = bed.sandbox.run(&tool(absent), &workspace, &bed.limits).await;
            assert!(matches!(refused, Err(SandboxError::NoProgram { .. })), "{} {absent}: {refused:?}", bed.sandbox.protection());
        }
    }
}

/// A program of this machine that names a text as its loader.
fn with_bad_loader() -> Vec<u8> {
    let mut program = std::fs::read("/bin/true").unwrap();
    let name = b"/lib64/ld-";
    let at = program.windows(name.len()).position(|part| part == name);
    if let Some(at) = at {
        program[at..at + 12].copy_from_slice(b"/etc/passwd\0");
    }
    program
}
