//! One sitting of a role: an episode of the runtime under the role's harness, in its workroom, played by the model of the role `meta`. It is
//! on file like any episode; replies come from the ledger where they were received before, so that a stage which was cut off goes on.

use super::ended::{Ended, ended};
use super::room::Room;
use super::{Office, Role};
use crate::bench::World;
use crate::domain::harness::Limits;
use crate::domain::id::TaskId;
use crate::domain::outcome::{EpisodeResult, Outcome};
use crate::domain::request::{ModelRole, Usage};
use crate::domain::task::{Split, Tags, Task};
use crate::domain::trace::{EpisodeKey, Record, ReplySource, Stream};
use crate::runtime::episode::{Abort, Agent, play};
use crate::runtime::trace_log::TraceLog;
use crate::store::run_dir::RunDirError;
use crate::store::trace_file::{TraceError, TraceFile, TraceReader, settle};
use std::path::Path;

/// A session could not be held to its end: the stage stops, and the same command goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// Nobody is there to play the role.
    #[error("seat the {0}: its harness was not loaded")]
    NoMember(Role),
    /// The model's server, or another fault outside.
    #[error("hold the session of {session}: {message}")]
    Outage {
        /// Which.
        session: String,
        /// What happened.
        message: String,
    },
    /// A model call that no retry can mend: settings, a cap that was reached, the ledger.
    #[error("hold the session of {session}: {source}")]
    Abort {
        /// Which.
        session: String,
        /// Why.
        source: Abort,
    },
    /// The run directory.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// A trace file.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

/// Holds one session; `name` tells those of a role in a round apart, `ask` is its task in a line. What was said is in the room afterwards. A
/// session that ended on a limit, or on a fault of its harness, leaves what was said until then.
pub(super) async fn sit(office: &Office<'_>, name: &str, ask: &str, room: Room<'_>) -> Result<(), MetaError> {
    let (role, said, room) = (room.role(), room.said(), room.named(name));
    let member = office.staff.get(&role).ok_or(MetaError::NoMember(role))?;
    let agent = Agent {
        assembly: &member.assembly,
        harness: member.harness.clone(),
        desk: office.desk,
        limits: Limits { tokens: office.allowance, ..Limits::default() },
        role: ModelRole::Meta,
    };
    let id = TaskId(format!("{name}/R{}", office.round));
    let tags = Tags::from([("role".to_owned(), role.as_str().to_owned())]);
    let task = Task { id: id.clone(), text: ask.to_owned(), tags, group: String::new(), split: Split::Train };
    let key = EpisodeKey { task: id, stream: Stream(format!("meta/{}", office.round)), replicate: 0 };
    let path = office.sessions.trace_path(&key);
    let trace = TraceLog::to(TraceFile::create(&path)?);
    let played = play(&agent, &task, World::Hosted(Box::new(room)), &key, trace).await;
    let result = played.map_err(|source| MetaError::Abort { session: name.to_owned(), source })?;
    if let Outcome::Error { message, .. } = &result.outcome {
        return Err(MetaError::Outage { session: name.to_owned(), message: message.clone() });
    }
    settle(&path)?;
    let on_file = office.sessions.finished()?.into_iter().rfind(|line| line.key == key);
    match on_file {
        None => office.sessions.finish(&key, &result)?,
        Some(before) => {
            // It sat before, and what was paid then stays paid; all of it is free again unless another model, or more tokens, took it further.
            let paid = paid(&path)?;
            if paid != Usage::default() {
                let mut usage = before.result.usage;
                usage.add(&paid);
                office.sessions.finish(&key, &EpisodeResult { usage, ..result.clone() })?;
            }
        }
    }
    let (Ended { words, .. }, dropped) = (ended(role, &path)?, said.borrow().refused);
    let detail = format!("{words}, {} calls, {} tokens, {dropped} statements dropped", result.calls, result.usage.tokens());
    office.audit.record(name, Some(office.round), "session", detail).map_err(RunDirError::from)?;
    Ok(())
}

/// What the replies of a session took that the model gave now.
fn paid(trace: &Path) -> Result<Usage, TraceError> {
    let mut paid = Usage::default();
    for record in TraceReader::open(trace)? {
        if let Record::Reply { reply, source: ReplySource::Model, .. } = record? {
            paid.add(&reply.usage);
        }
    }
    Ok(paid)
}
