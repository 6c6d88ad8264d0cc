//! Edits with a name that take effect together, and how two such bundles go together: `a | b` is their union, unless they contradict
//! each other.

use super::apply::{self, Resolved, canonical};
use super::find::Target;
use super::{Bucket, Edit, EditError, Groups};
use crate::domain::harness::Harness;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// A set of edits of one harness. All take effect at once; their order means nothing, and an edit given twice counts once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// What it is called, such as a candidate's id.
    pub name: String,
    /// The edits.
    #[serde(default)]
    pub edits: Vec<Edit>,
}

/// Something in a harness that an edit touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    /// A whole processor.
    Processor(Target),
    /// One parameter.
    Param(Target, String),
    /// The one place of a group.
    Group(String),
    /// A setting.
    Setting(String),
    /// A file.
    File(String),
}

impl Thing {
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Processor(one), Self::Processor(two) | Self::Param(two, _)) | (Self::Param(one, _), Self::Processor(two)) => one == two,
            (Self::Param(one, key), Self::Param(two, other)) => one == two && keys_overlap(key, other),
            (Self::Setting(key), Self::Setting(other)) => keys_overlap(key, other),
            (Self::Group(one), Self::Group(two)) | (Self::File(one), Self::File(two)) => one == two,
            (Self::Processor(_) | Self::Param(..) | Self::Group(_) | Self::Setting(_) | Self::File(_), _) => false,
        }
    }
}

/// The same key, or one leads into the other.
fn keys_overlap(one: &str, two: &str) -> bool {
    let leads = |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    leads(one, two) || leads(two, one)
}

/// Two edits that cannot both take effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// What both touch, in plain words.
    pub thing: String,
    /// One edit.
    pub one: Edit,
    /// The other.
    pub two: Edit,
}

impl fmt::Display for Conflict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "both touch {}: \"{}\" and \"{}\"", super::plain(&self.thing), self.one, self.two)
    }
}

impl Bundle {
    /// The harness with all edits applied.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn apply(&self, harness: &Harness, groups: &Groups) -> Result<Harness, EditError> {
        apply::apply(&self.edits, harness, groups)
    }

    /// `self | other`: the bundle with the edits of both, which are bundles for the same harness. Commutative, associative, and
    /// `a | a` does what `a` does.
    ///
    /// # Errors
    /// [`EditError::Conflicts`] with every pair of edits that touches one thing and differs; any other where an edit does not fit the
    /// harness.
    pub fn join(&self, other: &Self, harness: &Harness, groups: &Groups) -> Result<Self, EditError> {
        let edits: Vec<Edit> = self.edits.iter().chain(&other.edits).cloned().collect();
        let joined = Resolved::new(&edits, harness, groups)?;
        let conflicts = joined.conflicts();
        if !conflicts.is_empty() {
            return Err(EditError::Conflicts(conflicts));
        }
        let mut edits = joined.edits;
        edits.sort_by_cached_key(canonical);
        let names: BTreeSet<&str> = self.name.split(" | ").chain(other.name.split(" | ")).collect();
        let joined = Self { name: names.into_iter().collect::<Vec<_>>().join(" | "), edits };
        joined.apply(harness, groups)?;
        Ok(joined)
    }

    /// Everything the edits touch.
    pub fn buckets(&self) -> BTreeSet<Bucket> {
        self.edits.iter().map(Edit::bucket).collect()
    }

    /// The files that the edits change.
    pub fn files(&self) -> BTreeSet<&str> {
        self.edits.iter().map(Edit::file).collect()
    }
}
