//! One command from start to end: input given, output kept up to its limit, stopped at the first limit that it passes.

use super::disk::is_flooded;
use super::limits::CommandLimits;
use super::protection::{Protection, Sandbox, SandboxError};
use super::spawn::{Started, spawn};
use super::watch::{Group, TICK};
use super::workspace::Workspace;
use crate::clock::deadline;
use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::time::{Instant, timeout};

/// Bytes of output after which a command is stopped for flooding; up to here what passes the limit is read and dropped.
const FLOOD: usize = 16 << 20;

/// How long the pipes of a command that has ended are still read.
pub(super) const REST: Duration = Duration::from_millis(200);

/// Most bytes of a command line, and most words: far below what the kernel and bubblewrap take, so that none of them refuses it.
const LINE: usize = 128 << 10;
const WORDS: usize = 4096;

/// What bubblewrap says where the program itself does not start.
const NOT_STARTED: &str = "bwrap: execvp ";

/// What to run. The first word is the program; none of them passes through a shell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCommand {
    /// Command line.
    pub argv: Vec<String>,
    /// Given on stdin; nothing is an empty stdin.
    pub stdin: Vec<u8>,
    /// Whether it may use the machine's network.
    pub network: bool,
    /// Variables of its environment beside the sandbox's own, which stay as they are.
    pub environment: Vec<(String, String)>,
}

impl ToolCommand {
    /// Whether its command line can be one: its length is that of the arguments that a call gave.
    pub(super) fn check(&self) -> Result<(), SandboxError> {
        let bytes: usize = self.argv.iter().map(|word| word.len() + 1).sum();
        let problem = if self.argv.iter().any(|word| word.contains('\0')) {
            "a zero byte in its command line".to_owned()
        } else if bytes > LINE {
            format!("its command line has {bytes} bytes, more than {LINE}: give a long text on stdin")
        } else if self.argv.len() > WORDS {
            format!("its command line has {} words, more than {WORDS}", self.argv.len())
        } else {
            return Ok(());
        };
        Err(SandboxError::NoProgram { program: self.argv.first().cloned().unwrap_or_default(), problem })
    }
}

/// Why a command was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Wall time.
    Time,
    /// Processor time.
    Cpu,
    /// Memory.
    Memory,
    /// Too many processes.
    Processes,
    /// Far too much output.
    Output,
    /// Too much in the workspace.
    Disk,
}

impl fmt::Display for Stopped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Time => "time",
            Self::Cpu => "processor time",
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::Output => "output",
            Self::Disk => "disk",
        })
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this status; 128 and more for a signal.
    Exit(i32),
    /// At a limit.
    Stopped(Stopped),
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub end: End,
    /// The beginning of stdout, as text without control characters.
    pub stdout: String,
    /// The beginning of stderr, likewise.
    pub stderr: String,
    /// Whether stdout was longer.
    pub is_cut: bool,
}

/// One stream: what is kept of it, and how much there was.
#[derive(Default)]
pub(super) struct Stream {
    kept: Vec<u8>,
    total: usize,
}

/// More output than anyone will read.
pub(super) struct Flood;

impl Finished {
    /// From the two streams of a command.
    pub(super) fn new(end: End, out: &Stream, err: &Stream) -> Self {
        Self { end, is_cut: out.total > out.kept.len(), stdout: plain(&out.kept), stderr: plain(&err.kept) }
    }
}

impl Sandbox {
    /// Runs one command to its end. Dropping the future ends the command.
    ///
    /// # Errors
    /// A program that is not there, or a system that refuses; whatever the command itself does is in [`Finished`].
    pub async fn run(&self, command: &ToolCommand, workspace: &Workspace, limits: &CommandLimits) -> Result<Finished, SandboxError> {
        let stdin = if command.stdin.is_empty() { Stdio::null() } else { Stdio::piped() };
        let Started { mut group, stdin, stdout, stderr } = spawn(self, command, workspace, limits, stdin)?;
        let late = deadline(Duration::from_secs(limits.seconds));
        let (mut out, mut err) = (Stream::default(), Stream::default());
        let end = {
            let reading = async {
                let input = async {
                    feed(stdin.map(OwnedFd::from), &command.stdin).await;
                    Ok(())
                };
                let output = out.read(stdout.map(OwnedFd::from), limits.output_bytes);
                let errors = err.read(stderr.map(OwnedFd::from), limits.output_bytes);
                tokio::try_join!(input, output, errors)
            };
            tokio::pin!(reading);
            tokio::select! {
                biased;
                end = watched(&mut group, limits, workspace, late) => {
                    // What is still in the pipes; a process that holds them open is gone by then.
                    group.end().await;
                    let _ = timeout(REST, reading).await;
                    end
                }
                read = &mut reading => match read {
                    Err(Flood) => End::Stopped(Stopped::Output),
                    Ok(_) => watched(&mut group, limits, workspace, late).await,
                },
            }
        };
        group.end().await;
        let finished = Finished::new(end, &out, &err);
        match finished.stderr.strip_prefix(NOT_STARTED) {
            Some(problem) if self.protection() == Protection::Bubblewrap && end == End::Exit(1) => {
                let program = command.argv.first().cloned().unwrap_or_default();
                Err(SandboxError::NoProgram { program, problem: problem.trim().to_owned() })
            }
            Some(_) | None => Ok(finished),
        }
    }
}

/// Looks at a command until it ends or passes a limit.
async fn watched(group: &mut Group, limits: &CommandLimits, workspace: &Workspace, late: Instant) -> End {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = group.ended() {
            let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
            if group.ran_out_of_memory() {
                return End::Stopped(Stopped::Memory);
            }
            // Not every command lasts until the next count.
            let is_flooded = is_flooded(workspace, Vec::new(), limits.disk_mb << 20).await;
            return if is_flooded { End::Stopped(Stopped::Disk) } else { End::Exit(code) };
        }
        if let Some(limit) = group.passed(limits, workspace).await {
            return End::Stopped(limit);
        }
        if Instant::now() >= late {
            return End::Stopped(Stopped::Time);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(TICK);
    }
}

/// Writes the input and closes the pipe; a command that does not read it is its own affair.
async fn feed(stdin: Option<OwnedFd>, bytes: &[u8]) {
    let Some(Ok(mut sender)) = stdin.map(pipe::Sender::from_owned_fd) else { return };
    let _ = sender.write_all(bytes).await;
}

impl Stream {
    /// Reads to the end, or to the flood.
    async fn read(&mut self, pipe: Option<OwnedFd>, most: usize) -> Result<(), Flood> {
        let Some(Ok(mut receiver)) = pipe.map(pipe::Receiver::from_owned_fd) else { return Ok(()) };
        let mut piece = vec![0; 16 << 10];
        while let Ok(length @ 1..) = receiver.read(&mut piece).await {
            self.take(&piece[..length], most)?;
        }
        Ok(())
    }

    /// Keeps what there is room for.
    pub(super) fn take(&mut self, piece: &[u8], most: usize) -> Result<(), Flood> {
        let room = most.saturating_sub(self.kept.len()).min(piece.len());
        self.kept.extend_from_slice(&piece[..room]);
        self.total += piece.len();
        if self.total > FLOOD.max(most) { Err(Flood) } else { Ok(()) }
    }
}

/// Text without control characters, but for line ends and tabs.
pub fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|letter| matches!(letter, '\n' | '\t') || !letter.is_control()).collect()
}
