//! What a command may see of the machine: system folders, the folders that its program is installed in, nothing else. Folders that are hidden
//! are cut out wherever they lie: what the caller names, this program itself (benchmarks and their held-out tasks are in it), run
//! directories, and workspaces: what a command wrote there is no program of this machine.

use super::protection::{Protection, SandboxError};
use super::workspace::{is_workspace, parent};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

/// Programs, libraries, and the files that programs look up.
const SYSTEM: [&str; 26] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/fonts",
    "/etc/group",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/tls",
    "/etc/pki/ca-trust",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
];

/// Seen in addition where the network is granted.
const NETWORK: [&str; 5] = ["/etc/resolv.conf", "/etc/hosts", "/etc/services", "/etc/protocols", "/etc/gai.conf"];

/// Device files that harm nobody.
pub(super) const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Where programs are looked for when the environment has no PATH.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Longest chain of symbolic links from a name to its program.
const LINKS: usize = 16;

/// Most entries of one folder that is shown around a hidden one.
const ENTRIES: usize = 4096;

/// How deep below a program's folder run directories are looked for, and in how many folders at most.
const RUN_DEPTH: usize = 3;
const RUN_FOLDERS: usize = 1024;

/// What of a folder in someone's home is shown for a program in its `bin`: not what else lies there, such as keys.
const OF_HOME: [&str; 6] = ["lib", "lib32", "lib64", "libexec", "include", "pyvenv.cfg"];

/// What one command sees.
#[derive(Debug)]
pub(super) struct View {
    /// The program, by its path as the command line will have it.
    pub program: PathBuf,
    /// Read-only files and folders; a symbolic link stays one.
    pub shown: Vec<PathBuf>,
    /// PATH inside.
    pub path: String,
}

/// Finds a program as a shell would: a path, or a name in PATH.
pub fn find_program(name: &str) -> Option<PathBuf> {
    if name.is_empty() || name.contains('\0') {
        return None;
    }
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| is_program(path));
    }
    // Standing folders are always looked in, so that an empty PATH hides nothing.
    in_path(name).or_else(|| std::env::split_paths(PATH).map(|dir| dir.join(name)).find(|path| is_program(path)))
}

/// Finds a program by its name in PATH: an absolute path.
pub(super) fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| PATH.into());
    std::env::split_paths(&path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// What a command that starts `name` sees. A name below `tools` or the workspace brings nothing with it: those are shown anyway.
pub(super) fn view(name: &str, network: bool, hidden: &[PathBuf], own: &[&Path], protection: Protection) -> Result<View, SandboxError> {
    let missing = |problem: &str| SandboxError::NoProgram { program: name.to_owned(), problem: problem.to_owned() };
    let mut roots: BTreeSet<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    if network {
        roots.extend(NETWORK.iter().map(PathBuf::from));
        // Often a link into a folder that is not shown.
        roots.extend(fs::canonicalize("/etc/resolv.conf"));
    }
    let mut path = PATH.to_owned();
    let mut hidden = hidden.to_vec();
    hidden.extend(this_program().iter().cloned());
    let program = if own.iter().any(|dir| Path::new(name).starts_with(dir)) {
        PathBuf::from(name)
    } else {
        let program = find_program(name).ok_or_else(|| missing("no such program on this machine"))?;
        if !program.is_absolute() || program.components().any(|part| part == Component::ParentDir) {
            return Err(missing("name a program in PATH, or give its absolute path"));
        }
        let places = installed_in(&program);
        let is_inside = |dir: &Path| is_run(dir) || is_workspace(dir);
        let is_hidden = |path: &Path| hidden.iter().any(|hide| path.starts_with(hide)) || path.ancestors().any(is_inside);
        let real = program.canonicalize().unwrap_or_else(|_| program.clone());
        if protection != Protection::Off && (is_hidden(&real) || places.iter().any(|place| is_hidden(place))) {
            return Err(missing("it lies in a folder that commands may not see"));
        }
        let foreign = places.iter().filter(|place| !is_of_the_system(place));
        hidden.extend(foreign.flat_map(|place| runs_below(place)).collect::<Vec<_>>());
        roots.extend(places);
        if let Some(dir) = program.parent().and_then(Path::to_str)
            && !path.split(':').any(|known| known == dir)
            && !dir.contains(':')
        {
            path = format!("{dir}:{path}");
        }
        program
    };
    let mut shown = Vec::new();
    for root in roots {
        show(&root, &hidden, &mut shown);
    }
    Ok(View { program, shown, path })
}

/// Whether a path lies in a folder that every command sees anyway.
pub fn is_of_the_system(path: &Path) -> bool {
    SYSTEM.iter().any(|known| path.starts_with(known)) && !path.components().any(|part| part == Component::ParentDir)
}

/// This program, and the one that a shell would start by its name.
fn this_program() -> &'static [PathBuf] {
    static FOUND: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
        let own = std::env::current_exe().ok().into_iter().chain(find_program(env!("CARGO_PKG_NAME")));
        own.flat_map(|path| [path.canonicalize().ok(), Some(path)]).flatten().collect()
    });
    &FOUND
}

/// Whether a folder is a run directory.
fn is_run(dir: &Path) -> bool {
    dir.join("run.toml").is_file() && dir.join("sealed").is_dir()
}

/// Run directories below a folder, the nearest first.
fn runs_below(place: &Path) -> Vec<PathBuf> {
    let (mut found, mut seen) = (Vec::new(), 0);
    let mut level = vec![place.to_owned()];
    for _ in 0..RUN_DEPTH {
        let entries = level.iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().filter_map(Result::ok);
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path());
        let folders: Vec<PathBuf> = folders.take(RUN_FOLDERS - seen).collect();
        seen += folders.len();
        let (runs, others) = folders.into_iter().partition(|dir| is_run(dir));
        found.extend::<Vec<PathBuf>>(runs);
        level = others;
    }
    found
}

/// The folders that hold a program and everything that the links to it pass through: for `x/bin/program` all of `x`, since a virtual
/// environment or a tool chain is of one piece.
fn installed_in(program: &Path) -> Vec<PathBuf> {
    let mut places = Vec::new();
    let mut next = program.to_owned();
    for _ in 0..LINKS {
        places.extend(brought(&next));
        if let Some(real) = next.parent().and_then(|dir| dir.canonicalize().ok()).zip(next.file_name()).map(|(dir, name)| dir.join(name)) {
            places.extend(brought(&real));
        }
        let Ok(target) = fs::read_link(&next) else { break };
        next = next.parent().map_or_else(|| target.clone(), |dir| dir.join(&target));
    }
    places.extend(program.canonicalize().ok().as_deref().map(brought).unwrap_or_default());
    places.sort();
    places.dedup();
    places
}

/// What a program brings with it. Of a folder that lies openly in someone's home, such as `~/.local`, only programs and libraries.
fn brought(program: &Path) -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    match (prefix(program), program.parent()) {
        (Some(place), Some(bin)) if place != bin && place.parent().is_some() && place.parent() == home.as_deref() => {
            std::iter::once(bin.to_owned()).chain(OF_HOME.map(|name| place.join(name))).collect()
        }
        (place, _) => place.into_iter().collect(),
    }
}

/// The folder above `bin`, unless that is someone's home, this folder, or the whole machine: then `bin` alone, or the program alone.
fn prefix(program: &Path) -> Option<PathBuf> {
    let dir = program.parent()?;
    let is_bin = dir.file_name().and_then(OsStr::to_str).is_some_and(|name| ["bin", "sbin", "shims", "libexec"].contains(&name));
    let above = dir.parent().filter(|_| is_bin);
    let place = above.filter(|above| !is_broad(above)).unwrap_or(dir);
    Some(if is_broad(place) { program } else { place }.to_owned())
}

/// Whether showing the folder would show someone's home, where this process runs, or every temporary file, workspaces among them.
fn is_broad(dir: &Path) -> bool {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let here = std::env::current_dir().ok();
    let standing = ["/", "/home", "/root", "/tmp", "/var", "/proc", "/sys", "/dev", "/run", "/mnt", "/srv"];
    standing.iter().any(|known| dir == Path::new(known))
        || dir.parent() == Some(Path::new("/home"))
        || home.into_iter().chain(here).chain(std::iter::once(parent())).any(|inner| inner.starts_with(dir))
}

/// Adds a root; where something hidden lies below it, its entries around that.
fn show(root: &Path, hidden: &[PathBuf], shown: &mut Vec<PathBuf>) {
    let Ok(data) = fs::symlink_metadata(root) else { return };
    if hidden.iter().any(|hide| root.starts_with(hide)) {
        return;
    }
    if !data.is_dir() || !hidden.iter().any(|hide| hide.starts_with(root)) {
        shown.push(root.to_owned());
        return;
    }
    let Ok(entries) = fs::read_dir(root) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).take(ENTRIES).collect();
    paths.sort();
    for path in paths {
        show(&path, hidden, shown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_folders_are_cut_out() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a/keep", "a/hide", "b"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        let mut shown = Vec::new();
        show(dir.path(), &[dir.path().join("a/hide")], &mut shown);
        assert_eq!(shown, [dir.path().join("a/keep"), dir.path().join("b")]);
    }

    #[test]
    fn a_virtual_environment_is_shown_whole_and_a_home_never() {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("venv/bin");
        fs::create_dir_all(&bin).unwrap();
        std::os::unix::fs::symlink("/usr/bin/env", bin.join("python")).unwrap();
        let places = installed_in(&bin.join("python"));
        assert!(places.contains(&dir.path().join("venv")) && places.contains(&PathBuf::from("/usr")), "{places:?}");
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into()));
        assert_eq!(prefix(&home.join("bin/x")), Some(home.join("bin")));
        assert_eq!(prefix(Path::new("/tmp/x")), Some(PathBuf::from("/tmp/x")));
    }

    #[test]
    fn neither_this_program_nor_a_run_is_ever_shown() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for path in ["apps/runs/a/sealed", "apps/other"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        fs::write(root.join("apps/runs/a/run.toml"), "").unwrap();
        fs::copy("/bin/true", root.join("apps/agent")).unwrap();
        fs::copy("/bin/true", root.join("apps/runs/a/agent")).unwrap();
        let seen = |name: &str| view(name, false, &[], &[], Protection::Landlock);
        let shown = seen(&root.join("apps/agent").display().to_string()).unwrap().shown;
        assert!(shown.contains(&root.join("apps/other")) && shown.contains(&root.join("apps/agent")), "{shown:?}");
        assert!(!shown.iter().any(|path| root.join("apps/runs/a").starts_with(path)), "{shown:?}");
        let inside = seen(&root.join("apps/runs/a/agent").display().to_string()).unwrap_err();
        assert!(inside.to_string().contains("may not see"), "{inside}");
        let own = std::env::current_exe().unwrap().display().to_string();
        assert!(seen(&own).unwrap_err().to_string().contains("may not see"));
        assert!(!seen("sh").unwrap().shown.iter().any(|path| Path::new(&own).starts_with(path)));
    }

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        assert!(find_program("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find_program("no-such-program-here"), None);
        assert_eq!(find_program("/etc/passwd"), None);
    }
}
