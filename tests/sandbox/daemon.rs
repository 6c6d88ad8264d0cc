//! A Podman daemon of the test's own: socket, images and containers in a temporary folder, one image of a static busybox. Where it cannot
//! run, the reason is printed and the tests of containers pass over.

use harnessx::sandbox::find_program;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Name of the only image.
pub const IMAGE: &str = "localhost/harnessx-test:latest";

/// Programs of busybox that the tests use.
const PROGRAMS: [&str; 26] = [
    "cat", "chmod", "chown", "dd", "echo", "env", "grep", "head", "id", "ln", "ls", "mkdir", "mknod", "mount", "mv", "ping", "rm", "sh",
    "sleep", "tail", "touch", "tr", "true", "unshare", "wget", "yes",
];

pub struct Daemon {
    dir: tempfile::TempDir,
    service: Child,
}

impl Daemon {
    /// Starts one, or says why it cannot.
    pub fn start() -> Option<Self> {
        match Self::try_start() {
            Ok(daemon) => Some(daemon),
            Err(reason) => {
                println!("skipped: no containers here: {reason}");
                None
            }
        }
    }

    fn try_start() -> Result<Self, String> {
        let busybox = find_program("busybox").ok_or("busybox is not installed (busybox-static)")?;
        find_program("podman").ok_or("podman is not installed")?;
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("podman.sock");
        let address = format!("unix://{}", socket.display());
        let service = podman(dir.path(), &["system", "service", "--time=0", &address])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut daemon = Self { dir, service };
        let started = Instant::now();
        while !socket.exists() {
            let has_ended = daemon.service.try_wait().is_ok_and(|status| status.is_some());
            if has_ended || started.elapsed() > Duration::from_secs(20) {
                return Err("podman's service did not start".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon.import(&busybox)?;
        // Whether containers run at all in this machine or container.
        daemon.said(&[
            "run",
            "--rm",
            "--network=none",
            "--ulimit=nofile=1024:1024",
            "--ulimit=nproc=1024:1024",
            "--memory=64m",
            IMAGE,
            "true",
        ])?;
        Ok(daemon)
    }

    fn import(&self, busybox: &Path) -> Result<(), String> {
        let root = self.dir.path().join("root");
        for dir in ["bin", "tmp", "etc", "proc", "dev", "sys", "run"] {
            std::fs::create_dir_all(root.join(dir)).unwrap();
        }
        std::fs::copy(busybox, root.join("bin/busybox")).unwrap();
        for name in PROGRAMS {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).unwrap();
        }
        let tar = self.dir.path().join("root.tar");
        let packed = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg(".").status();
        if !packed.is_ok_and(|status| status.success()) {
            return Err("tar does not work".to_owned());
        }
        self.said(&["import", &tar.display().to_string(), IMAGE]).map(drop)
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("podman.sock")
    }

    /// What a command of the client says on the same store.
    pub fn said(&self, arguments: &[&str]) -> Result<String, String> {
        let Output { status, stdout, stderr } = podman(self.dir.path(), arguments).output().map_err(|error| error.to_string())?;
        if status.success() {
            return Ok(String::from_utf8_lossy(&stdout).trim().to_owned());
        }
        Err(format!("podman {}: {}", arguments[0], String::from_utf8_lossy(&stderr).trim()))
    }
}

/// The client or the service, with everything of its own below `dir`. As root in a mount namespace of its own, where the second hierarchy of
/// cgroups of a machine that has both is out of the way: crun takes one or the other.
fn podman(dir: &Path, arguments: &[&str]) -> Command {
    let place = |name: &str| format!("--{name}={}", dir.join(name).display());
    let own = [place("root"), place("runroot"), place("tmpdir"), "--storage-driver=vfs".to_owned(), "--cgroup-manager=cgroupfs".to_owned()];
    let mut command = if is_root() {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", "umount /sys/fs/cgroup/unified 2>/dev/null; exec podman \"$@\"", "podman"]);
        command
    } else {
        Command::new("podman")
    };
    // Its monitors leave a file where they stand.
    command.args(own).args(arguments).current_dir(dir);
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0)
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.said(&["rm", "--all", "--force"]);
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}
