//! Space on the disk of a folder.

use super::atomic::FileError;
use std::path::Path;

/// Bytes that this user may still write on the disk of `dir`.
///
/// # Errors
/// What the operating system refused.
pub fn free_bytes(dir: &Path) -> Result<u64, FileError> {
    let found = nix::sys::statvfs::statvfs(dir).map_err(|error| FileError::io("read", dir)(error.into()))?;
    Ok(found.blocks_available().saturating_mul(found.fragment_size()))
}
