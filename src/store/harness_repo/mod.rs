//! `harness/` of a run: a bare git repository of the harnesses it evolves (`system.md` §5). `main` is the incumbent, `variant/<k>` the
//! others, `candidate/<id>` each proposal; a tag `R<n>` each round. A harness's tree id is its identity.
//!
//! Nothing outside this folder is read or written: no discovery, no configuration of the machine, no hooks, no person's name. Objects
//! come before the ref that names them, and every file is renamed into place whole, so a kill at any moment leaves a sound repository.

mod commit;
mod objects;
mod patch;
mod refs;
#[cfg(test)]
mod tests;

pub use commit::{CommitMessage, HarnessCommit, LogEntry, NewCommit};
pub use patch::patch;

use super::atomic::{FileError, write_via};
use super::harness_dir::{self, HarnessError, tree_of, with_manifest};
use crate::domain::harness::{HARNESS_FILE, Harness, check_path};
use crate::domain::id::{CandidateId, HarnessId, VariantId};
use git2::{ObjectType, Oid};
use objects::{Objects, part_path};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The repository could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// A file of it.
    #[error("use the harness repository: {0}")]
    File(#[from] FileError),
    /// What was read is no harness.
    #[error("use the harness repository: {0}")]
    Harness(#[from] HarnessError),
    /// git refused.
    #[error("{action} {what} in the harness repository: {source}")]
    Git {
        /// What was tried.
        action: &'static str,
        /// On what.
        what: String,
        /// Why not.
        source: git2::Error,
    },
    /// A name that cannot be one.
    #[error("use {name:?} in the harness repository: {problem}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A path that a harness cannot have.
    #[error("commit {path:?}: {problem}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing of that name.
    #[error("find {rev:?} in {}: no such branch, tag, commit or tree", dir.display())]
    Unknown {
        /// What was looked for.
        rev: String,
        /// The repository.
        dir: PathBuf,
    },
    /// An object is not what it must be.
    #[error("read {object} of the harness repository: {problem}")]
    Damaged {
        /// Its id.
        object: String,
        /// What is wrong.
        problem: String,
    },
}

impl RepoError {
    fn git(action: &'static str, what: impl fmt::Display) -> impl FnOnce(git2::Error) -> Self {
        move |source| Self::Git { action, what: what.to_string(), source }
    }
}

/// A branch of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Branch {
    /// The incumbent.
    Main,
    /// One of several incumbents.
    Variant(VariantId),
    /// A proposal.
    Candidate(CandidateId),
}

impl Branch {
    /// The branch of a variant; the variant `main` is the incumbent's.
    pub fn of(variant: &VariantId) -> Self {
        if variant.as_str() == "main" { Self::Main } else { Self::Variant(variant.clone()) }
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Main => out.write_str("main"),
            Self::Variant(variant) => write!(out, "variant/{variant}"),
            Self::Candidate(candidate) => write!(out, "candidate/{candidate}"),
        }
    }
}

/// `harness/` of a run.
pub struct HarnessRepo {
    dir: PathBuf,
    objects: Objects,
}

impl HarnessRepo {
    /// Opens or makes the bare repository at `dir`.
    ///
    /// # Errors
    /// What the operating system or git refused.
    pub fn open(dir: &Path) -> Result<Self, RepoError> {
        let objects = Objects::open(dir)?;
        for folder in ["refs/heads", "refs/tags"] {
            let path = dir.join(folder);
            std::fs::create_dir_all(&path).map_err(FileError::io("create", &path))?;
        }
        let config = "[core]\n\trepositoryformatversion = 0\n\tfilemode = false\n\tbare = true\n\tlogallrefupdates = false\n";
        for (name, text) in [("config", config), ("HEAD", "ref: refs/heads/main\n")] {
            if !dir.join(name).exists() {
                write_via(&part_path(dir), &dir.join(name), text.as_bytes())?;
            }
        }
        Ok(Self { dir: dir.to_owned(), objects })
    }

    /// Opens the repository at `dir`, if there is one.
    ///
    /// # Errors
    /// What the operating system or git refused.
    pub fn find(dir: &Path) -> Result<Option<Self>, RepoError> {
        dir.join("HEAD").is_file().then(|| Self::open(dir)).transpose()
    }

    /// Commits a harness and points a branch to it. Where the branch already ends in a commit of the same harness, parents and message,
    /// that one is the answer whatever its time: a repeated commit is no new one.
    ///
    /// # Errors
    /// A path that no harness can have; what the operating system or git refused.
    pub fn commit(&self, on: &Branch, new: &NewCommit<'_>) -> Result<HarnessCommit, RepoError> {
        for path in new.files.keys() {
            check_path(path).map_err(|problem| RepoError::Path { path: path.clone(), problem })?;
        }
        let tree = tree_of(&with_manifest(new.manifest, new.files), &mut |kind, bytes| self.objects.write(kind, bytes))?;
        let same = |tip: &LogEntry| {
            tip.harness.as_str() == tree.to_string() && tip.parents == new.parents && tip.message == new.message.to_string()
        };
        if let Some(tip) = self.tip(on)?
            && same(&self.entry(&tip)?)
        {
            return Ok(tip);
        }
        let text = commit::text(&tree.to_string(), new);
        let commit = HarnessCommit(self.objects.write(ObjectType::Commit, text.as_bytes())?.to_string());
        self.point(on, &commit)?;
        Ok(commit)
    }

    /// Points a branch to a commit. It is no error if it points there already.
    ///
    /// # Errors
    /// A name that is none; what the operating system refused.
    pub fn point(&self, branch: &Branch, at: &HarnessCommit) -> Result<(), RepoError> {
        refs::write(&self.dir, &refs::full("heads", &branch.to_string())?, at)
    }

    /// Tags a commit as the incumbent a round ended with.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn tag(&self, round: u32, at: &HarnessCommit) -> Result<(), RepoError> {
        refs::write(&self.dir, &refs::full("tags", &format!("R{round}"))?, at)
    }

    /// The last commit of a branch.
    ///
    /// # Errors
    /// A name that is none; what the operating system refused.
    pub fn tip(&self, branch: &Branch) -> Result<Option<HarnessCommit>, RepoError> {
        refs::read(&self.dir, &refs::full("heads", &branch.to_string())?)
    }

    /// The tagged rounds.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn tags(&self) -> Result<BTreeMap<u32, HarnessCommit>, RepoError> {
        let tags = refs::list(&self.dir, "refs/tags")?;
        Ok(tags.into_iter().filter_map(|(name, at)| Some((name.strip_prefix('R')?.parse().ok()?, at))).collect())
    }

    /// The harness at `rev`: a branch, a candidate's id, a tag, or a commit's or tree's id or its first four digits at least.
    ///
    /// # Errors
    /// [`RepoError::Unknown`], or what is there is no harness.
    pub fn read(&self, rev: &str) -> Result<Harness, RepoError> {
        let files = self.files(rev)?;
        Ok(harness_dir::from_files(files, &self.dir.join(rev))?.0)
    }

    /// Every file of the harness at `rev`, `harness.toml` among them.
    ///
    /// # Errors
    /// [`RepoError::Unknown`], or what is there is no tree of plain files.
    pub fn files(&self, rev: &str) -> Result<BTreeMap<String, Vec<u8>>, RepoError> {
        let tree = self.harness(rev)?;
        self.objects.files(Oid::from_str(tree.as_str()).map_err(RepoError::git("read", &tree))?)
    }

    /// Identity of the harness at `rev`.
    ///
    /// # Errors
    /// [`RepoError::Unknown`].
    pub fn harness(&self, rev: &str) -> Result<HarnessId, RepoError> {
        let id = self.resolve(rev)?;
        if self.objects.read(id)?.0 == ObjectType::Tree {
            return Ok(HarnessId(id.to_string()));
        }
        Ok(self.entry(&HarnessCommit(id.to_string()))?.harness)
    }

    /// What is known of the commit at `rev`.
    ///
    /// # Errors
    /// [`RepoError::Unknown`], or a tree, which has no history.
    pub fn at(&self, rev: &str) -> Result<LogEntry, RepoError> {
        self.entry(&HarnessCommit(self.resolve(rev)?.to_string()))
    }

    /// The unified patch between two revs.
    ///
    /// # Errors
    /// [`RepoError::Unknown`].
    pub fn diff(&self, from: &str, to: &str) -> Result<String, RepoError> {
        patch(&self.files(from)?, &self.files(to)?)
    }

    /// The commit at `rev` and those it follows, latest first, along first parents: the incumbents before it.
    ///
    /// # Errors
    /// [`RepoError::Unknown`], or a damaged commit.
    pub fn log(&self, rev: &str) -> Result<Vec<LogEntry>, RepoError> {
        let mut entries = vec![self.at(rev)?];
        while let Some(parent) = entries.last().and_then(|last| last.parents.first()) {
            entries.push(self.entry(parent)?);
        }
        Ok(entries)
    }

    /// The incumbent with which the latest round of a run began, or is to begin: the last one on `main` that the round has not committed
    /// itself. A person may have put it there after the round before.
    ///
    /// # Errors
    /// A damaged commit; what the operating system refused.
    pub fn incumbent_before(&self, round: u32) -> Result<Option<HarnessId>, RepoError> {
        let Some(tip) = self.tip(&Branch::Main)? else { return Ok(None) };
        let is_of_round = |entry: &LogEntry| entry.trailer("Round").and_then(|text| text.parse().ok()).is_some_and(|of: u32| of >= round);
        Ok(self.log(tip.as_str())?.into_iter().find(|entry| !is_of_round(entry)).map(|entry| entry.harness))
    }

    /// Writes the files of the harness at `rev` into an empty or new folder, without `.git`; `harness.toml` comes last.
    ///
    /// # Errors
    /// [`RepoError::Unknown`], or what the operating system refused.
    pub fn export(&self, rev: &str, dir: &Path) -> Result<(), RepoError> {
        let mut files = self.files(rev)?;
        let manifest = files.remove(HARNESS_FILE).unwrap_or_default();
        Ok(harness_dir::write(dir, &String::from_utf8_lossy(&manifest), &files)?)
    }

    fn entry(&self, commit: &HarnessCommit) -> Result<LogEntry, RepoError> {
        let damaged = |problem: &str| RepoError::Damaged { object: commit.to_string(), problem: problem.to_owned() };
        let id = Oid::from_str(commit.as_str()).map_err(RepoError::git("read", commit))?;
        let (kind, bytes) = self.objects.read(id)?;
        if kind != ObjectType::Commit {
            return Err(damaged(&format!("a {kind} where a commit is wanted")));
        }
        LogEntry::parse(commit.clone(), &String::from_utf8_lossy(&bytes)).ok_or_else(|| damaged("not a commit"))
    }

    fn resolve(&self, rev: &str) -> Result<Oid, RepoError> {
        for (kind, short) in [("heads", rev.to_owned()), ("tags", rev.to_owned()), ("heads", format!("candidate/{rev}"))] {
            if let Ok(name) = refs::full(kind, &short)
                && let Some(at) = refs::read(&self.dir, &name)?
            {
                return Oid::from_str(at.as_str()).map_err(RepoError::git("read", name));
            }
        }
        self.objects.find(rev).ok_or_else(|| RepoError::Unknown { rev: rev.to_owned(), dir: self.dir.clone() })
    }
}
