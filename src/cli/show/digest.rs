//! The digest of a task: what went wrong in it, each claim with its place in a trace. Reads `R<n>/digests/<task>.{json,md}`.

use crate::cli::Done;
use crate::cli::failure::{Exit, Failure};
use crate::cli::printer::Printer;
use crate::domain::digest::TaskDigest;
use crate::domain::id::TaskId;
use crate::store::atomic::read_text;
use crate::store::trace_file::slug;
use crate::store::versioned::parse_json;
use crate::store::visible::Visible;
use std::path::Path;

/// Whether a path is that of a digest.
pub(super) fn is_digest(path: &Path) -> bool {
    path.parent().and_then(Path::file_name).is_some_and(|folder| folder == "digests")
}

/// Prints one by its path, of either file.
pub(super) fn show_file(path: &Path, printer: &Printer) -> Done {
    let json = path.with_extension("json");
    let digest: TaskDigest = parse_json(&json, &read_text(&json)?)?;
    printer.event_of("digest", &digest);
    printer.line(read_text(&path.with_extension("md"))?.trim_end());
    Ok(Exit::Done)
}

/// Prints the one that a round made of a task, or the latest.
pub(super) fn show(task: &str, asked: Option<u32>, run: &Visible, printer: &Printer) -> Done {
    let mut rounds = run.rounds()?;
    rounds.retain(|round| asked.is_none_or(|asked| asked == *round));
    for round in rounds.into_iter().rev() {
        let name = format!("R{round}/digests/{}", slug(&TaskId::from(task)));
        if let Some(digest) = run.find_json::<TaskDigest>(&format!("{name}.json"))? {
            printer.event_of("digest", &digest);
            printer.line(run.read_text(&format!("{name}.md"))?.trim_end());
            return Ok(Exit::Done);
        }
    }
    let found = asked.map_or_else(|| "no round of this run has one".to_owned(), |round| format!("R{round} has none"));
    Err(Failure::settings(format!("show digest {task}: {found}"))
        .hint("`harnessx digest` and `harnessx loop` make them, of train tasks; R<n>/overview.md names the tasks"))
}
