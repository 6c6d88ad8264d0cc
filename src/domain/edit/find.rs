//! Which processor an edit means: by name or group in the harness as it stands, or one that the same set of edits inserts.

use super::{Edit, EditError, Groups, Which};
use crate::domain::harness::{Harness, ProcessorSpec};
use crate::domain::id::ProcessorName;

/// A processor that an edit means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// One of the harness, by its place in the list.
    Old(usize),
    /// One that an edit of the set inserts, by the place of that edit.
    New(usize),
}

/// Looks up names in a harness.
pub(super) struct Finder<'a> {
    harness: &'a Harness,
    groups: &'a Groups,
    names: Vec<ProcessorName>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(harness: &'a Harness, groups: &'a Groups) -> Self {
        Self { harness, groups, names: harness.manifest.names() }
    }

    fn find(&self, which: &Which) -> Result<usize, EditError> {
        let found: Vec<usize> = match which {
            Which::Processor(name) => {
                let specs = self.harness.manifest.processors.iter().zip(&self.names).enumerate();
                let exact: Vec<usize> = specs.clone().filter(|(_, (_, own))| *own == name).map(|(index, _)| index).collect();
                if exact.is_empty() {
                    specs.filter(|(_, (spec, _))| spec.label() == name.as_str()).map(|(index, _)| index).collect()
                } else {
                    exact
                }
            }
            Which::Group(group) => {
                let specs = self.harness.manifest.processors.iter().enumerate();
                specs.filter(|(_, spec)| self.groups.of(spec) == Some(group)).map(|(index, _)| index).collect()
            }
        };
        match found.as_slice() {
            [one] => Ok(*one),
            [] => {
                let known = self.listed(0..self.names.len());
                Err(EditError::NoProcessor { which: which.to_string(), known })
            }
            several => {
                let candidates = self.listed(several.iter().copied());
                Err(EditError::Ambiguous { which: which.to_string(), candidates })
            }
        }
    }

    fn listed(&self, places: impl ExactSizeIterator<Item = usize>) -> String {
        if places.len() == 0 {
            return "none".to_owned();
        }
        places.map(|index| self.names[index].as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The edit with its processor named as the harness names it.
    pub(super) fn named(&self, edit: &Edit) -> Result<Edit, EditError> {
        let mut edit = edit.clone();
        match &mut edit {
            Edit::Insert { before: Some(which), .. } | Edit::Replace { which, .. } | Edit::Remove { which } => {
                *which = Which::Processor(self.names[self.find(which)?].clone());
            }
            Edit::SetParam { which, .. } => match self.find(which) {
                Ok(index) => *which = Which::Processor(self.names[index].clone()),
                // It may be one that another edit inserts.
                Err(EditError::NoProcessor { .. }) => {}
                Err(error) => return Err(error),
            },
            Edit::Insert { before: None, .. } | Edit::Set { .. } | Edit::WriteFile { .. } | Edit::RemoveFile { .. } => {}
        }
        Ok(edit)
    }

    pub(super) fn target(&self, edit: &Edit, all: &[Edit]) -> Result<Option<Target>, EditError> {
        match edit {
            Edit::Insert { before: Some(which), .. } | Edit::Replace { which, .. } | Edit::Remove { which } => {
                self.find(which).map(|index| Some(Target::Old(index)))
            }
            Edit::SetParam { which, .. } => match self.find(which) {
                Err(EditError::NoProcessor { .. }) => self.inserted(which, all).map(Some),
                found => found.map(|index| Some(Target::Old(index))),
            },
            Edit::Insert { before: None, .. } | Edit::Set { .. } | Edit::WriteFile { .. } | Edit::RemoveFile { .. } => Ok(None),
        }
    }

    /// The one that the set itself inserts under that name.
    fn inserted(&self, which: &Which, all: &[Edit]) -> Result<Target, EditError> {
        let is_meant = |spec: &ProcessorSpec| match which {
            Which::Processor(name) => spec.label() == name.as_str(),
            Which::Group(group) => self.groups.of(spec) == Some(group),
        };
        let inserts = |edit: &Edit| matches!(edit, Edit::Insert { processor, .. } if is_meant(processor));
        let found: Vec<usize> = (0..all.len()).filter(|index| inserts(&all[*index])).collect();
        match found.as_slice() {
            [one] => Ok(Target::New(*one)),
            [] => self.find(which).map(Target::Old),
            _ => Err(EditError::Ambiguous { which: which.to_string(), candidates: "several that are inserted".to_owned() }),
        }
    }
}
