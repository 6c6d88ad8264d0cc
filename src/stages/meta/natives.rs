//! What an Evolver may read of the program: its native processors, as they are written, without their tests.

use crate::runtime::native::{NATIVES, find};
use include_dir::{Dir, include_dir};
use std::fmt::Write;

static SOURCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/runtime/native");

/// Every native with what it does, a line each.
pub fn listed() -> String {
    NATIVES.iter().fold(String::new(), |mut text, native| {
        _ = writeln!(text, "- {} (group {}): {}", native.name, native.group.unwrap_or("none"), native.summary);
        text
    })
}

/// The source of one.
///
/// # Errors
/// There is none of that name.
pub(super) fn source(name: &str) -> Result<String, String> {
    let native = find(name).ok_or_else(|| format!("there is no native processor {name:?}; call natives without a name for the list"))?;
    let file = SOURCES.get_file(format!("{}.rs", native.name)).and_then(|file| file.contents_utf8());
    let text = file.ok_or_else(|| format!("{name} has no file of its own"))?;
    Ok(text.split("#[cfg(test)]").next().unwrap_or(text).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_native_can_be_read() {
        for native in NATIVES {
            let text = source(native.name).unwrap();
            assert!(text.contains("struct Params") && !text.contains("mod tests"), "{}", native.name);
            assert!(listed().contains(native.name));
        }
        assert!(source("../mod").is_err());
    }
}
