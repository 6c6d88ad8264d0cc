//! Arguments of the tools that look, and of those that state something short. What has a form of its own elsewhere is read as that.

use crate::domain::id::{CandidateId, TaskId};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Folder {
    pub(super) folder: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Excerpt {
    pub(super) path: String,
    pub(super) from: Option<usize>,
    pub(super) lines: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Passage {
    pub(super) trace: String,
    pub(super) from: Option<u32>,
    pub(super) steps: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sought {
    pub(super) words: String,
    pub(super) within: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) path: String,
    pub(super) text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnePath {
    pub(super) path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Justified {
    pub(super) task: TaskId,
    pub(super) why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    pub(super) order: Vec<CandidateId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spoken {
    pub(super) text: String,
}
