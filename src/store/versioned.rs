//! Files that carry the version of their format: read with the version checked first, so that a newer file is called that and not a
//! file with unknown keys.

use super::atomic::FileError;
use crate::domain::curves::{CURVES_FORMAT, Curves};
use crate::domain::diagnosis::{DIAGNOSIS_FORMAT, Diagnoses, Reviews};
use crate::domain::digest::{DIGEST_FORMAT, Overview, TaskDigest};
use crate::domain::harness::line_of;
use crate::domain::landscape::{LANDSCAPE_FORMAT, Landscape};
use crate::domain::ledger::{SCOREBOARD_FORMAT, Scoreboard};
use crate::domain::manifest::{CandidateManifest, MANIFEST_FORMAT};
use crate::domain::round::{Decision, ROUND_FORMAT, RoundRecord};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// The content of a file whose field `format` says its version.
pub trait Versioned: DeserializeOwned {
    /// The version this program writes and reads.
    const FORMAT: u32;
}

macro_rules! versions {
    ($($type:ty = $format:expr),* $(,)?) => {
        $(impl Versioned for $type {
            const FORMAT: u32 = $format;
        })*
    };
}

versions! {
    CandidateManifest = MANIFEST_FORMAT,
    Curves = CURVES_FORMAT,
    Decision = ROUND_FORMAT,
    Diagnoses = DIAGNOSIS_FORMAT,
    Landscape = LANDSCAPE_FORMAT,
    Overview = DIGEST_FORMAT,
    Reviews = DIAGNOSIS_FORMAT,
    RoundRecord = ROUND_FORMAT,
    Scoreboard = SCOREBOARD_FORMAT,
    TaskDigest = DIGEST_FORMAT,
}

/// What must be known before the rest can be read.
#[derive(Deserialize)]
struct Head {
    #[serde(default = "unmarked")]
    format: u32,
}

/// The version of files that were written before they said it; types that always did have no such default.
pub fn unmarked() -> u32 {
    1
}

/// Reads JSON; `path` is named in errors.
///
/// # Errors
/// With the line: another version, bad syntax, unknown or missing keys.
pub fn parse_json<T: Versioned>(path: &Path, text: &str) -> Result<T, FileError> {
    let content = |error: &serde_json::Error| content(path, error.line(), error.to_string());
    let head: Head = serde_json::from_str(text).map_err(|error| content(&error))?;
    check::<T>(path, &head)?;
    serde_json::from_str(text).map_err(|error| content(&error))
}

/// Reads TOML; `path` is named in errors.
///
/// # Errors
/// With the line: another version, bad syntax, unknown or missing keys.
pub fn parse_toml<T: Versioned>(path: &Path, text: &str) -> Result<T, FileError> {
    let content = |error: &toml::de::Error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        content(path, line, error.message().trim().to_owned())
    };
    let head: Head = toml::from_str(text).map_err(|error| content(&error))?;
    check::<T>(path, &head)?;
    toml::from_str(text).map_err(|error| content(&error))
}

fn check<T: Versioned>(path: &Path, head: &Head) -> Result<(), FileError> {
    if head.format == T::FORMAT {
        return Ok(());
    }
    let message = format!("format {} is not known here; this program reads format {}", head.format, T::FORMAT);
    Err(content(path, 1, message))
}

fn content(path: &Path, line: usize, message: String) -> FileError {
    FileError::Content { path: path.to_owned(), line, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scoreboard(text: &str) -> Result<Scoreboard, String> {
        parse_json(Path::new("scoreboard.json"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn another_version_is_called_that_whatever_its_keys() {
        let error = scoreboard("{\"format\": 2, \"colours\": 3}").unwrap_err();
        assert!(error.contains("scoreboard.json:1: format 2 is not known here"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = scoreboard("{\n\"format\": 1,\n\"colours\": 3}").unwrap_err();
        assert!(error.contains("scoreboard.json:3: ") && error.contains("colours"), "{error}");
        let error = parse_toml::<CandidateManifest>(Path::new("manifest.toml"), "format = 1\ncolour = 3\n").unwrap_err().to_string();
        assert!(error.contains("manifest.toml:2: ") && error.contains("colour"), "{error}");
    }
}
