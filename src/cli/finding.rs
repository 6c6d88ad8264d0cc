//! What `doctor` looks at: each finding with its cure. Reads the machine and the environment, names of keys only.

use super::desk::weights;
use super::fetch::WEIGHTS_SHA256;
use super::settings::Settings;
use crate::policy::simd::vectors;
use crate::sandbox::protection::CURE;
use crate::sandbox::{Containers, ProcessError, Protection, Sandbox, Wanted, containers, probe};
use crate::script::Pool;
use crate::store::disk::free_bytes;
use crate::store::weights::{is_gguf, sha256};
use serde::Serialize;
use std::path::Path;

/// One thing that works or does not.
#[derive(Serialize)]
pub(crate) struct Finding {
    /// Whether it works.
    pub ok: bool,
    /// Whether a run with the default model needs it.
    pub needed: bool,
    /// What was looked at.
    pub name: &'static str,
    /// What was found.
    pub found: String,
    /// What to do where it does not work.
    pub cure: Option<String>,
}

/// Least free space on the disk of the run directory, in bytes.
const LEAST_DISK: u64 = 200 << 20;

impl Finding {
    fn yes(name: &'static str, found: impl Into<String>) -> Self {
        Self { ok: true, needed: false, name, found: found.into(), cure: None }
    }

    fn no(name: &'static str, found: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { ok: false, needed: false, name, found: found.into(), cure: Some(cure.into()) }
    }

    fn needed(self) -> Self {
        Self { needed: true, ..self }
    }

    fn of(name: &'static str, probed: Result<(), ProcessError>, cure: &str) -> Self {
        match probed {
            Ok(()) => Self::yes(name, "works"),
            Err(error) => Self::no(name, error.to_string(), cure),
        }
    }
}

/// Everything, in reading order.
pub(crate) fn findings(settings: &Settings) -> Vec<Finding> {
    let mut found = vec![local_weights().needed(), disk().needed(), Finding::yes("vectors of the local policy", vectors())];
    found.push(package_client());
    found.push(Finding::of("git", probe::answers("git"), "install git to read the histories of evolved harnesses; a run needs none"));
    found.extend(sandbox(settings.sandbox));
    found.push(containers());
    found.push(scripts());
    found.extend(keys(settings));
    found.extend(network());
    found.extend(from_environment());
    found
}

fn local_weights() -> Finding {
    const NAME: &str = "weights of local:smollm2";
    let path = match weights("smollm2") {
        Ok(path) => path,
        Err(failure) => return Finding::no(NAME, "not fetched yet", failure.hint.unwrap_or_default()),
    };
    let is_own = std::env::var_os("HARNESSX_SMOLLM2").is_some();
    let cure = if is_own { "let HARNESSX_SMOLLM2 name a GGUF file, or unset it" } else { "remove it, then `harnessx fetch smollm2`" };
    match sha256(&path) {
        Ok(sum) if sum == WEIGHTS_SHA256 => Finding::yes(NAME, format!("{}, sha256 as published", path.display())),
        Ok(_) if is_own && !is_gguf(&path) => Finding::no(NAME, format!("{} is no GGUF file", path.display()), cure),
        Ok(sum) if is_own => Finding::yes(NAME, format!("{} (HARNESSX_SMOLLM2), other weights: sha256 {sum}", path.display())),
        Ok(sum) => Finding::no(NAME, format!("{}: damaged, sha256 {sum}", path.display()), cure),
        Err(error) => Finding::no(NAME, error.to_string(), cure),
    }
}

fn disk() -> Finding {
    const NAME: &str = "disk of this folder";
    match free_bytes(Path::new(".")) {
        Ok(free) if free >= LEAST_DISK => Finding::yes(NAME, format!("{:.1} GB free", free as f64 / 1e9)),
        Ok(free) => Finding::no(
            NAME,
            format!("{:.2} GB free", free as f64 / 1e9),
            "free some space, or give `run` and `loop` a --run on another disk",
        ),
        Err(error) => Finding::no(NAME, error.to_string(), "change to a folder that can be read"),
    }
}

fn package_client() -> Finding {
    let here: Vec<&str> = ["pip", "pip3", "uv"].into_iter().filter(|program| probe::answers(program).is_ok()).collect();
    if here.is_empty() {
        return Finding::no("package client", "neither pip nor uv answers", "install one; it is needed only to fetch weights");
    }
    Finding::yes("package client", here.join(", "))
}

/// What keeps commands of tools in their place: first what would be used, then what the machine offers.
pub(crate) fn sandbox(wanted: Wanted) -> Vec<Finding> {
    const NAME: &str = "command sandbox";
    let landlock = match probe::landlock_abi() {
        Some(abi) => Finding::yes("landlock", format!("version {abi}")),
        None => Finding::no("landlock", "the kernel does not offer it", "Linux 6.2 or newer with landlock among its security modules"),
    };
    let namespaces = "ask the machine's owner to allow unprivileged user namespaces (sysctl user.max_user_namespaces)";
    let chosen = match Sandbox::new(wanted, Vec::new()) {
        Ok(sandbox) if sandbox.protection() == Protection::Off => {
            Finding::no(NAME, "off: commands of tools run without protection", "leave out `--sandbox off`")
        }
        Ok(sandbox) => Finding::yes(NAME, format!("commands of tools are kept in by {}", sandbox.protection())),
        Err(error) => Finding::no(NAME, error.to_string(), CURE),
    };
    let bubblewrap = "apt-get install -y bubblewrap, or the package of that name; in a container, user namespaces must be allowed too";
    let seccomp = match probe::seccomp() {
        Ok(()) => Finding::yes("seccomp", "works"),
        Err(problem) => Finding::no("seccomp", problem, "a Linux kernel with CONFIG_SECCOMP_FILTER, on x86-64, arm64 or riscv64"),
    };
    let processes = match probe::process_bound() {
        Ok(what) => Finding::yes("bound on processes", what),
        Err(problem) => Finding::no("bound on processes", problem, "run as an ordinary user, or let this one make control groups"),
    };
    vec![
        chosen,
        Finding::of("bubblewrap", probe::bubblewrap(), bubblewrap),
        Finding::of("user namespaces", probe::user_namespaces(), namespaces),
        landlock,
        seccomp,
        processes,
    ]
}

/// The daemon that commands with an image run by.
pub(crate) fn containers() -> Finding {
    const NAME: &str = "container daemon";
    match Containers::find() {
        Ok(found) => Finding::yes(NAME, found.to_string()),
        Err(error) => Finding::no(NAME, error.to_string(), format!("{}; only tools that name an image need one", containers::CURE)),
    }
}

/// A script worker as it starts here, and what holds it.
fn scripts() -> Finding {
    const NAME: &str = "script workers";
    match Pool::shared().protections() {
        Ok(protections) => Finding::yes(NAME, format!("held by {protections}")),
        Err(error) => Finding::no(NAME, error.to_string(), "a Linux kernel with seccomp or landlock; harnesses without scripts need none"),
    }
}

/// Names of key variables and whether they are set; never what they hold.
fn keys(settings: &Settings) -> Vec<Finding> {
    let is_set = |name: &str| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    let of = |name: &str| {
        if is_set(name) {
            return Finding::yes("key", format!("{name} is set"));
        }
        Finding::no("key", format!("{name} is not set"), format!("export {name}, if you want models that need it"))
    };
    settings.key_names().into_iter().map(of).collect()
}

/// Proxies and own roots of trust, without credentials.
fn network() -> Vec<Finding> {
    let names = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"];
    let both = names.into_iter().flat_map(|name| [name.to_owned(), name.to_lowercase()]);
    both.filter_map(|name| {
        let value = std::env::var(&name).ok().filter(|value| !value.is_empty())?;
        // The others are lists of hosts and paths of files.
        let is_address = ["https_proxy", "http_proxy", "all_proxy"].contains(&name.to_lowercase().as_str());
        let shown = if is_address { without_credentials(&value) } else { value };
        Some(Finding::yes("network setting", format!("{name} = {shown}")))
    })
    .collect()
}

/// The address without user name, password and path.
fn without_credentials(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").map_or((String::new(), address), |(scheme, rest)| (format!("{scheme}://"), rest));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = host.find(['/', '?', '#']).map_or(host, |end| &host[..end]);
    format!("{scheme}{host}")
}

/// Names of the variables that this program reads its settings from.
fn from_environment() -> Option<Finding> {
    let names: Vec<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    let own: Vec<&str> = names.iter().map(String::as_str).filter(|name| name.starts_with("HARNESSX_")).collect();
    (!own.is_empty()).then(|| Finding::yes("settings in the environment", own.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_shown_without_credentials() {
        assert_eq!(without_credentials("http://me:p@ss@proxy:3128"), "http://proxy:3128");
        assert_eq!(without_credentials("me:pass@proxy:3128"), "proxy:3128");
        assert_eq!(without_credentials("http://me:p/a@proxy:3128/pass?key=x"), "http://proxy:3128");
        assert_eq!(without_credentials("proxy/pass"), "proxy");
    }
}
