//! How much one command may use. Pure data; `watch` enforces it.

use serde::{Deserialize, Serialize};

/// Limits of one command, all its processes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommandLimits {
    /// Wall time in seconds.
    pub seconds: u64,
    /// Processor time in seconds.
    pub cpu_seconds: u64,
    /// Memory in megabytes.
    pub memory_mb: u64,
    /// Processes at once.
    pub processes: u32,
    /// Bytes of each of stdout and stderr that are kept.
    pub output_bytes: usize,
    /// Megabytes in the workspace, with files that were removed and are still open; see `disk`.
    pub disk_mb: u64,
}

impl Default for CommandLimits {
    fn default() -> Self {
        Self { seconds: 30, cpu_seconds: 30, memory_mb: 1024, processes: 64, output_bytes: 16 << 10, disk_mb: 256 }
    }
}

/// The most that a limit may be set to.
const MOST: CommandLimits =
    CommandLimits { seconds: 3600, cpu_seconds: 14_400, memory_mb: 65_536, processes: 4096, output_bytes: 1 << 20, disk_mb: 65_536 };

impl CommandLimits {
    /// Whether every limit can be kept.
    ///
    /// # Errors
    /// A fragment that names the limit and its range.
    pub fn check(&self) -> Result<(), String> {
        let ranges = [
            ("seconds", self.seconds, MOST.seconds),
            ("cpu_seconds", self.cpu_seconds, MOST.cpu_seconds),
            ("memory_mb", self.memory_mb, MOST.memory_mb),
            ("processes", u64::from(self.processes), u64::from(MOST.processes)),
            ("output_bytes", self.output_bytes as u64, MOST.output_bytes as u64),
            ("disk_mb", self.disk_mb, MOST.disk_mb),
        ];
        match ranges.into_iter().find(|(_, value, most)| !(1..=*most).contains(value)) {
            None => Ok(()),
            Some((name, value, most)) => Err(format!("{name} is {value}; it must be from 1 to {most}")),
        }
    }
}
