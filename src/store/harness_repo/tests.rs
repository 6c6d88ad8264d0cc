//! The repository against real git, where it is installed, and against kills and strange names.

use super::*;
use std::process::Command;

const BASE: &str = "format = 1\nname = \"base\"\n";

fn files(prompt: &str) -> BTreeMap<String, Vec<u8>> {
    [("prompts/system.md", prompt), ("prompts.md", "between"), ("skills/deep/er.md", "no newline")]
        .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
        .into()
}

fn message(title: &str) -> CommitMessage {
    let trailers = [("Round", "1"), ("Candidate", "C-R1-01"), ("Gate", "shipped\nForged: yes")];
    let trailers = trailers.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    CommitMessage { title: title.into(), body: "Why.\u{0}\u{1b}[31m\n\nMore.".into(), trailers }
}

fn commit(repo: &HarnessRepo, on: &Branch, prompt: &str, parents: &[HarnessCommit]) -> HarnessCommit {
    let new = NewCommit { manifest: BASE, files: &files(prompt), parents, message: &message(prompt), seconds: 946_684_800 };
    repo.commit(on, &new).unwrap()
}

/// A baseline, a candidate on it, and the ship that merges it.
fn history(dir: &Path) -> (HarnessRepo, [HarnessCommit; 3]) {
    let repo = HarnessRepo::open(dir).unwrap();
    let baseline = commit(&repo, &Branch::Main, "one\n", &[]);
    repo.tag(0, &baseline).unwrap();
    let candidate = Branch::Candidate(CandidateId::from("C-R1-01"));
    let proposed = commit(&repo, &candidate, "two\n", std::slice::from_ref(&baseline));
    let shipped = commit(&repo, &Branch::Main, "two\n", &[baseline.clone(), proposed.clone()]);
    repo.tag(1, &shipped).unwrap();
    repo.point(&Branch::Variant(VariantId::from("2")), &baseline).unwrap();
    (repo, [baseline, proposed, shipped])
}

fn git(dir: &Path, arguments: &[&str]) -> String {
    let ran = Command::new("git").arg("--git-dir").arg(dir).args(arguments).output().unwrap();
    let (out, err) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8_lossy(&ran.stderr).into_owned());
    assert!(ran.status.success() && err.is_empty(), "git {arguments:?}: {out}{err}");
    out
}

fn has_git() -> bool {
    Command::new("git").arg("--version").output().is_ok()
}

#[test]
fn a_commit_holds_the_harness_under_its_own_id() {
    let dir = tempfile::tempdir().unwrap();
    let (repo, [baseline, _, shipped]) = history(dir.path());
    let id = harness_dir::tree_id(BASE, &files("two\n")).unwrap();
    for rev in ["main", "R1", "candidate/C-R1-01", "C-R1-01", shipped.as_str(), id.as_str(), &id.as_str()[..8]] {
        assert_eq!(repo.harness(rev).unwrap(), id, "{rev}");
        assert_eq!(repo.read(rev).unwrap().files, files("two\n"), "{rev}");
    }
    let log = repo.log("main").unwrap();
    assert_eq!(log.iter().map(|entry| &entry.commit).collect::<Vec<_>>(), [&shipped, &baseline]);
    assert_eq!((log[0].title(), log[0].trailer("Candidate"), log[0].trailer("Forged")), ("two", Some("C-R1-01"), None));
    assert_eq!(log[0].seconds, 946_684_800);
    assert_eq!(repo.tags().unwrap(), [(0, baseline), (1, shipped)].into());
}

#[test]
fn doing_it_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (_, first) = history(dir.path());
    let (repo, again) = history(dir.path());
    assert_eq!(first, again);
    let later =
        NewCommit { manifest: BASE, files: &files("two\n"), parents: &first[..2], message: &message("two\n"), seconds: 946_684_999 };
    assert_eq!(repo.commit(&Branch::Main, &later).unwrap(), first[2], "a later clock makes no new commit");
}

#[test]
fn an_export_is_the_harness_without_git() {
    let dir = tempfile::tempdir().unwrap();
    let (repo, _) = history(&dir.path().join("repo"));
    let out = dir.path().join("out");
    repo.export("R0", &out).unwrap();
    let (harness, _) = harness_dir::read(&out).unwrap();
    assert_eq!(harness, repo.read("R0").unwrap());
    assert!(!out.join(".git").exists());
}

#[test]
fn real_git_finds_nothing_wrong() {
    if !has_git() {
        println!("skipped: no git program");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (repo, [baseline, proposed, shipped]) = history(dir.path());
    assert_eq!(git(dir.path(), &["fsck", "--full", "--strict", "--no-dangling"]), "");
    let graph = git(dir.path(), &["log", "--graph", "--all", "--format=%H %an %ae %at %s"]);
    for commit in [baseline, proposed, shipped] {
        assert!(graph.contains(&format!("{commit} harnessx harnessx@localhost 946684800 ")), "{graph}");
    }
    assert_eq!(git(dir.path(), &["log", "-1", "--format=%(trailers:key=Candidate,valueonly)", "main"]).trim(), "C-R1-01");
    let theirs = git(dir.path(), &["diff", "--no-renames", "R0", "R1"]);
    let without_ids = |text: &str| text.lines().filter(|line| !line.starts_with("index ")).collect::<Vec<_>>().join("\n");
    assert_eq!(without_ids(&theirs), without_ids(&repo.diff("R0", "R1").unwrap()));
}

#[test]
fn what_git_has_packed_is_read_too() {
    if !has_git() {
        println!("skipped: no git program");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (repo, [_, _, shipped]) = history(dir.path());
    git(dir.path(), &["gc", "--quiet", "--prune=now"]);
    assert!(!dir.path().join("refs/heads/main").exists(), "git has packed the refs");
    assert_eq!(repo.tip(&Branch::Main).unwrap(), Some(shipped.clone()));
    assert_eq!(repo.tags().unwrap().len(), 2);
    let (again, commits) = history(dir.path());
    assert_eq!(commits[2], shipped);
    assert_eq!(again.read("C-R1-01").unwrap().files, files("two\n"));
    assert_eq!(git(dir.path(), &["fsck", "--full", "--strict"]), "");
}

#[test]
fn a_patch_adds_changes_and_removes_as_git_does() {
    let side = |parts: &[(&str, &[u8])]| -> BTreeMap<String, Vec<u8>> {
        parts.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect()
    };
    let from = side(&[("a.md", b"1\n2\n3\n"), ("gone.md", b"x"), ("same", b"s")]);
    let to = side(&[("a.md", b"1\ntwo\n3\n"), ("new.md", b"y\n"), ("same", b"s"), ("empty", b"")]);
    let text = patch(&from, &to).unwrap();
    insta::assert_snapshot!(text, @r"
    diff --git a/a.md b/a.md
    --- a/a.md
    +++ b/a.md
    @@ -1,3 +1,3 @@
     1
    -2
    +two
     3
    diff --git a/empty b/empty
    new file mode 100644
    diff --git a/gone.md b/gone.md
    deleted file mode 100644
    --- a/gone.md
    +++ /dev/null
    @@ -1 +0,0 @@
    -x
    \ No newline at end of file
    diff --git a/new.md b/new.md
    new file mode 100644
    --- /dev/null
    +++ b/new.md
    @@ -0,0 +1 @@
    +y
    ");
    assert_eq!(patch(&to, &to).unwrap(), "");
    let binary = patch(&side(&[("bin", b"\0\x01")]), &side(&[("bin", b"\0\x02")])).unwrap();
    assert_eq!(binary, "diff --git a/bin b/bin\nBinary files a/bin and b/bin differ\n");
    if has_git() {
        let dir = tempfile::tempdir().unwrap();
        for (path, bytes) in &from {
            std::fs::write(dir.path().join(path), bytes).unwrap();
        }
        std::fs::write(dir.path().join("the.patch"), &text).unwrap();
        let applied = Command::new("git").args(["apply", "the.patch"]).current_dir(dir.path()).status().unwrap();
        std::fs::remove_file(dir.path().join("the.patch")).unwrap();
        let entries = std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap);
        let found: BTreeMap<String, Vec<u8>> =
            entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect();
        assert!(applied.success());
        assert_eq!(found, to);
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (repo, [baseline, ..]) = history(&dir.path().join("repo"));
    for id in ["../../main", "a b", "", ".hidden", "x.lock", "a\nb"] {
        let branch = Branch::Candidate(CandidateId::from(id));
        assert!(matches!(repo.point(&branch, &baseline), Err(RepoError::Name { .. })), "{id:?}");
        assert!(matches!(repo.read(id), Err(RepoError::Unknown { .. })), "{id:?}");
    }
    for path in ["../x", ".git/hooks/x", "/etc/x", "a//b", HARNESS_FILE] {
        let new = NewCommit {
            manifest: BASE,
            files: &[(path.to_owned(), Vec::new())].into(),
            parents: &[],
            message: &CommitMessage::default(),
            seconds: 0,
        };
        assert!(matches!(repo.commit(&Branch::Main, &new), Err(RepoError::Path { .. })), "{path:?}");
    }
}

#[test]
fn a_tree_that_others_wrote_is_not_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let repo = HarnessRepo::open(dir.path()).unwrap();
    let blob = repo.objects.write(ObjectType::Blob, b"x").unwrap();
    for (mode, name) in [("100644", ".."), ("100644", "a/b"), ("120000", "link"), ("100755", "run"), ("40000", "loop")] {
        let mut tree = format!("{mode} {name}\0").into_bytes();
        tree.extend_from_slice(blob.as_bytes());
        let id = repo.objects.write(ObjectType::Tree, &tree).unwrap();
        let error = repo.export(&id.to_string(), &dir.path().join("out")).unwrap_err();
        assert!(matches!(error, RepoError::Damaged { .. }), "{mode} {name}: {error}");
    }
    let id = repo.objects.write(ObjectType::Tree, b"100644 short\0abc").unwrap();
    assert!(matches!(repo.files(&id.to_string()), Err(RepoError::Damaged { .. })));
}

#[test]
fn a_leftover_of_a_kill_is_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let (_, first) = history(dir.path());
    std::fs::write(part_path(dir.path()), b"half").unwrap();
    let (_, again) = history(dir.path());
    assert_eq!(first, again);
    if has_git() {
        assert_eq!(git(dir.path(), &["fsck", "--full", "--strict"]), "");
    }
}
