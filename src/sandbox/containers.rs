//! Commands in containers of an image, by Docker's or Podman's daemon on this machine: no network unless it is granted, a read-only root, one
//! writable workspace, no capabilities, limits on everything. Killed at the first limit, removed in any case. Images are never fetched: what a
//! harness names must be here. Sole user of bollard.

use super::apart::apart;
use super::bubblewrap::SCRATCH;
use super::command::{End, Finished, Flood, REST, Stopped, Stream, ToolCommand, plain};
use super::disk::is_flooded;
use super::limits::CommandLimits;
use super::owner::{is_ownerless, owner};
use super::protection::SandboxError;
use super::spawn::OPEN_FILES;
use super::watch::{LOOKS_A_COUNT, TICK};
use super::workspace::{TOOLS_INSIDE, WORK_INSIDE, Workspace};
use crate::clock::deadline;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, ContainerState, ContainerStateStatusEnum, HostConfig, HostConfigLogConfig, Mount, MountType, ResourcesUlimits,
    SystemInfoCgroupVersionEnum,
};
use bollard::query_parameters::{AttachContainerOptions, ListContainersOptions, RemoveContainerOptions, StatsOptions};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures::StreamExt;
use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep, timeout};

/// How to get containers, in one sentence.
pub const CURE: &str = "start Docker or Podman (apt-get install -y podman; podman system service --time=0 &), or let DOCKER_HOST name its \
     socket (unix:///path)";

/// Longest wait for one answer of the daemon, in seconds.
const PATIENCE: u64 = 60;

/// Longest wait for a daemon to say that it is there.
const HELLO: Duration = Duration::from_secs(10);

/// On every container: the process that made it.
const OWNER: &str = "harnessx.owner";

/// Looks at one container that the daemon may fail to take.
const MISSED: u32 = 50;

/// Processes of one user on the machine; those of a container are bounded on their own.
const USER_PROCESSES: i64 = 4096;

/// A daemon that runs containers. One a run, shared by all episodes.
#[derive(Clone, Debug)]
pub struct Containers {
    docker: Docker,
    /// Who commands are inside, so that they own their workspace.
    user: String,
    name: String,
}

/// A container that is removed when dropped.
struct Held {
    docker: Docker,
    id: String,
    is_removed: bool,
}

impl Containers {
    /// Finds a daemon on this machine, and removes what a killed process left there.
    ///
    /// # Errors
    /// [`SandboxError::NoProtection`] with the cure.
    pub fn find() -> Result<Self, SandboxError> {
        let refuse = |why: String| SandboxError::NoProtection(format!("{why}; {CURE}"));
        let sockets = sockets().map_err(refuse)?;
        let found = apart(async || {
            let mut silent = Vec::new();
            for socket in sockets.iter().filter(|socket| socket.exists()) {
                match Self::at(socket).await {
                    Ok(found) => return Ok(found),
                    Err(problem) => silent.push(problem),
                }
            }
            Err(if silent.is_empty() { "no container daemon has a socket here".to_owned() } else { silent.join("; ") })
        });
        found.map_err(SandboxError::system("ask for a container daemon"))?.map_err(refuse)
    }

    /// The daemon that listens there.
    ///
    /// # Errors
    /// A fragment: none does, or it cannot hold what runs in its containers.
    pub async fn at(socket: &Path) -> Result<Self, String> {
        let answer = timeout(HELLO, Self::greet(socket)).await.unwrap_or(Err("no answer".to_owned()));
        answer.map_err(|problem| format!("{}: {problem}", socket.display()))
    }

    async fn greet(socket: &Path) -> Result<Self, String> {
        let said = |error: Error| plain(error.to_string().as_bytes());
        let docker = Docker::connect_with_unix(&socket.display().to_string(), PATIENCE, API_DEFAULT_VERSION).map_err(said)?;
        let docker = docker.negotiate_version().await.map_err(said)?;
        let (version, info) = (docker.version().await.map_err(said)?, docker.info().await.map_err(said)?);
        let is_rootless = fs::metadata(socket).is_ok_and(|data| data.uid() != 0);
        // With the old cgroups a daemon without root takes limits and holds none of them.
        let is_held = !(is_rootless && info.cgroup_version == Some(SystemInfoCgroupVersionEnum::_1));
        if !is_held || info.memory_limit != Some(true) || info.pids_limit != Some(true) {
            return Err("it cannot limit memory and processes".to_owned());
        }
        let engine = version.components.iter().flatten().next().map_or("Docker", |component| component.name.as_str());
        let name = format!("{engine} {} at {}", version.version.as_deref().unwrap_or_default(), socket.display());
        // A daemon without root takes its own user for the root of its containers.
        let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
        let user = if is_rootless { "0:0".to_owned() } else { format!("{user}:{group}") };
        let found = Self { docker, user, name: plain(name.as_bytes()) };
        found.sweep().await.map_err(said)?;
        Ok(found)
    }

    /// Removes containers whose process is gone.
    async fn sweep(&self) -> Result<(), Error> {
        let ours = HashMap::from([("label".to_owned(), vec![OWNER.to_owned()])]);
        let options = ListContainersOptions { all: true, filters: Some(ours), ..ListContainersOptions::default() };
        for container in self.docker.list_containers(Some(options)).await? {
            let is_left = container.labels.as_ref().and_then(|labels| labels.get(OWNER)).is_some_and(|owner| is_ownerless(owner));
            if let Some(id) = container.id.filter(|_| is_left) {
                Held { docker: self.docker.clone(), id, is_removed: false }.remove().await;
            }
        }
        Ok(())
    }

    /// Whether an image is here.
    ///
    /// # Errors
    /// [`SandboxError::NoProgram`] where it is not.
    pub fn check_image(&self, image: &str) -> Result<(), SandboxError> {
        let looked = apart(async || self.docker.inspect_image(image).await.map(drop));
        looked.map_err(SandboxError::system("ask for an image"))?.map_err(|error| refused(&error, image, "look at an image"))
    }

    /// Runs one command to its end in a new container. Dropping the future ends it too.
    ///
    /// # Errors
    /// An image or program that is not there, or a daemon that refuses; whatever the command itself does is in [`Finished`].
    pub async fn run(
        &self,
        image: &str,
        command: &ToolCommand,
        workspace: &Workspace,
        limits: &CommandLimits,
    ) -> Result<Finished, SandboxError> {
        command.check()?;
        workspace.open_up()?;
        let body = self.body(image, command, workspace, limits);
        let created = self.docker.create_container(None, body).await.map_err(|error| refused(&error, image, "make a container"))?;
        let held = Held { docker: self.docker.clone(), id: created.id, is_removed: false };
        let finished = self.play(&held.id, command, workspace, limits).await;
        held.remove().await;
        finished
    }

    async fn play(&self, id: &str, command: &ToolCommand, workspace: &Workspace, limits: &CommandLimits) -> Result<Finished, SandboxError> {
        let program = command.argv.first().map_or("", String::as_str);
        let options = AttachContainerOptions { stdin: true, stdout: true, stderr: true, stream: true, ..AttachContainerOptions::default() };
        let attached = self.docker.attach_container(id, Some(options)).await;
        let AttachContainerResults { mut output, mut input } =
            attached.map_err(|error| refused(&error, program, "speak to a container"))?;
        self.docker.start_container(id, None).await.map_err(|error| refused(&error, program, "start a container"))?;
        let late = deadline(Duration::from_secs(limits.seconds));
        let (mut out, mut err) = (Stream::default(), Stream::default());
        let end = {
            let write = async {
                // A command that does not read its input is its own affair.
                let _ = input.write_all(&command.stdin).await;
                let _ = input.shutdown().await;
                Ok(())
            };
            let read = async {
                while let Some(Ok(piece)) = output.next().await {
                    match piece {
                        LogOutput::StdErr { message } => err.take(&message, limits.output_bytes)?,
                        LogOutput::StdOut { message } | LogOutput::Console { message } => out.take(&message, limits.output_bytes)?,
                        LogOutput::StdIn { .. } => {}
                    }
                }
                Ok::<(), Flood>(())
            };
            let mut reading = pin!(async { tokio::try_join!(write, read) });
            tokio::select! {
                biased;
                end = self.watched(id, workspace, limits, late) => {
                    let _ = timeout(REST, reading).await;
                    end
                }
                read = &mut reading => match read {
                    Err(Flood) => Ok(End::Stopped(Stopped::Output)),
                    Ok(((), ())) => self.watched(id, workspace, limits, late).await,
                },
            }
        };
        end.map(|end| Finished::new(end, &out, &err)).map_err(|error| refused(&error, program, "watch a container"))
    }

    /// Looks at a container until its command ends or passes a limit. Memory and processes are the kernel's to keep.
    async fn watched(&self, id: &str, workspace: &Workspace, limits: &CommandLimits, late: Instant) -> Result<End, Error> {
        let (mut looks, mut missed) = (0_u32, 0_u32);
        loop {
            let state = match self.docker.inspect_container(id, None).await {
                Ok(seen) => seen.state.unwrap_or_default(),
                // Podman names a state for a moment that Docker does not have.
                Err(Error::JsonDataError { .. }) => ContainerState::default(),
                // It looks at a process that has just ended.
                Err(Error::DockerResponseServerError { status_code: 500, .. }) if missed < MISSED => {
                    missed += 1;
                    ContainerState::default()
                }
                Err(error) => return Err(error),
            };
            if matches!(state.status, Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD)) {
                let code = state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(-1);
                let is_spent = code == 128 + nix::libc::SIGXCPU;
                return Ok(match state.oom_killed {
                    Some(true) => End::Stopped(Stopped::Memory),
                    Some(false) | None if is_spent => End::Stopped(Stopped::Cpu),
                    Some(false) | None if is_flooded(workspace, Vec::new(), limits.disk_mb << 20).await => End::Stopped(Stopped::Disk),
                    Some(false) | None => End::Exit(code),
                });
            }
            looks += 1;
            if Instant::now() >= late {
                return Ok(End::Stopped(Stopped::Time));
            }
            if looks.is_multiple_of(LOOKS_A_COUNT) {
                if is_flooded(workspace, Vec::new(), limits.disk_mb << 20).await {
                    return Ok(End::Stopped(Stopped::Disk));
                }
                if self.processor_time(id).await.is_some_and(|used| used > Duration::from_secs(limits.cpu_seconds)) {
                    return Ok(End::Stopped(Stopped::Cpu));
                }
            }
            sleep(TICK).await;
        }
    }

    /// What all its processes have used; unknown to some daemons, where each process has its own limit only.
    async fn processor_time(&self, id: &str) -> Option<Duration> {
        let options = StatsOptions { stream: false, one_shot: true };
        let stats = pin!(self.docker.stats(id, Some(options))).next().await?.ok()?;
        stats.cpu_stats?.cpu_usage?.total_usage.map(Duration::from_nanos)
    }

    fn body(&self, image: &str, command: &ToolCommand, workspace: &Workspace, limits: &CommandLimits) -> ContainerCreateBody {
        let given = command.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let environment = [("HOME", WORK_INSIDE), ("TMPDIR", "/tmp"), ("LANG", "C.UTF-8"), ("TZ", "UTC"), ("TERM", "dumb")];
        ContainerCreateBody {
            image: Some(image.to_owned()),
            // In the place of what the image starts by itself, so that the command line is all there is.
            entrypoint: Some(command.argv.clone()),
            cmd: Some(Vec::new()),
            env: Some(given.chain(environment).map(|(name, value)| format!("{name}={value}")).collect()),
            labels: Some(HashMap::from([(OWNER.to_owned(), owner())])),
            user: Some(self.user.clone()),
            working_dir: Some(WORK_INSIDE.to_owned()),
            open_stdin: Some(true),
            stdin_once: Some(true),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            host_config: Some(host_config(command, workspace, limits)),
            ..ContainerCreateBody::default()
        }
    }
}

fn host_config(command: &ToolCommand, workspace: &Workspace, limits: &CommandLimits) -> HostConfig {
    let bytes = |megabytes: u64| i64::try_from(megabytes << 20).unwrap_or(i64::MAX);
    let mount = |source: PathBuf, target: &str| Mount {
        typ: Some(MountType::BIND),
        source: Some(source.display().to_string()),
        target: Some(target.to_owned()),
        ..Mount::default()
    };
    let work = Mount { read_only: Some(false), ..mount(workspace.work(), WORK_INSIDE) };
    let tools = Mount { read_only: Some(true), ..mount(workspace.tools(), TOOLS_INSIDE) };
    let ulimit = |name: &str, most: i64| ResourcesUlimits { name: Some(name.to_owned()), soft: Some(most), hard: Some(most) };
    let cpu = i64::try_from(limits.cpu_seconds).unwrap_or(i64::MAX - 2);
    let scratch = SCRATCH.min(limits.memory_mb << 20);
    HostConfig {
        network_mode: Some(if command.network { "bridge" } else { "none" }.to_owned()),
        readonly_rootfs: Some(true),
        mounts: Some(vec![work, tools]),
        tmpfs: Some(HashMap::from([("/tmp".to_owned(), format!("rw,nosuid,nodev,size={scratch},mode=1777"))])),
        shm_size: i64::try_from(scratch).ok(),
        memory: Some(bytes(limits.memory_mb)),
        memory_swap: Some(bytes(limits.memory_mb)),
        pids_limit: Some(i64::from(limits.processes)),
        ulimits: Some(vec![
            ulimit("nofile", OPEN_FILES.cast_signed()),
            ulimit("nproc", USER_PROCESSES),
            ulimit("core", 0),
            ulimit("fsize", bytes(limits.disk_mb)),
            // First a signal that says why, a second later the end.
            ResourcesUlimits { name: Some("cpu".to_owned()), soft: Some(cpu + 1), hard: Some(cpu + 2) },
        ]),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        ipc_mode: Some("private".to_owned()),
        // Output goes to whoever is attached; a flood of it must not fill the daemon's disk.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        ..HostConfig::default()
    }
}

/// Where a daemon listens: where the user says, else in the usual places.
fn sockets() -> Result<Vec<PathBuf>, String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(host) = set("DOCKER_HOST") {
        let socket = host.strip_prefix("unix://").filter(|path| path.starts_with('/'));
        // Elsewhere nobody could show it the workspace.
        return socket.map(|path| vec![path.into()]).ok_or_else(|| "DOCKER_HOST names no socket of this machine".to_owned());
    }
    let own = set("XDG_RUNTIME_DIR").map(PathBuf::from);
    let below = |name: &str| own.as_ref().map(|dir| dir.join(name));
    let places =
        [Some("/var/run/docker.sock".into()), below("docker.sock"), below("podman/podman.sock"), Some("/run/podman/podman.sock".into())];
    Ok(places.into_iter().flatten().collect())
}

/// What the daemon says, by whose fault it is. `name` is the image or the program.
fn refused(error: &Error, name: &str, what: &str) -> SandboxError {
    let message = plain(error.to_string().as_bytes());
    let lower = message.to_lowercase();
    let is_absent =
        ["no such image", "image not known", "not found", "no such file", "permission denied"].iter().any(|sign| lower.contains(sign));
    if is_absent && matches!(error, Error::DockerResponseServerError { .. }) {
        return SandboxError::NoProgram { program: name.to_owned(), problem: message };
    }
    SandboxError::System { what: what.to_owned(), source: io::Error::other(message) }
}

impl fmt::Display for Containers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)
    }
}

impl Held {
    /// Ends and removes it. What a daemon keeps that does not answer is removed by the next one that looks.
    async fn remove(mut self) {
        self.is_removed = true;
        end(&self.docker, &self.id).await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let (false, Ok(runtime)) = (self.is_removed, tokio::runtime::Handle::try_current()) {
            let (docker, id) = (self.docker.clone(), self.id.clone());
            runtime.spawn(async move { end(&docker, &id).await });
        }
    }
}

async fn end(docker: &Docker, id: &str) {
    let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
    let _ = docker.remove_container(id, Some(options)).await;
}
