//! What edits do to a small harness, and what they say where they do not fit.

use super::*;
use crate::domain::harness::parse_manifest;

const MANIFEST: &str = "format = 1\nname = \"h\"\n\
    [[processors]]\nuse = \"few_shot\"\n[[processors]]\nuse = \"wrap\"\nparams = { text = \"a\" }\n\
    [[processors]]\nuse = \"wrap\"\n[[processors]]\nuse = \"choice\"\ngroup = \"decision\"\n[slots.limits]\nsteps = 30\n";

fn harness() -> Harness {
    let (manifest, _) = parse_manifest(MANIFEST).unwrap();
    Harness { manifest, files: BTreeMap::from([("prompts/system.md".to_owned(), b"hello".to_vec())]) }
}

fn edit(text: &str) -> Edit {
    toml::from_str(text).unwrap()
}

fn groups() -> Groups {
    Groups(BTreeMap::from([("few_shot".to_owned(), "few_shot".to_owned()), ("pick".to_owned(), "decision".to_owned())]))
}

fn applied(edits: &[&str]) -> Result<Harness, EditError> {
    Bundle { name: "b".into(), edits: edits.iter().map(|text| edit(text)).collect() }.apply(&harness(), &groups())
}

fn names(harness: &Harness) -> Vec<String> {
    harness.manifest.names().into_iter().map(|name| name.0).collect()
}

fn refused(text: &str) -> String {
    applied(&[text]).unwrap_err().to_string()
}

#[test]
fn processors_come_go_and_change_places() {
    let before = "edit = \"insert\"\nprocessor = { use = \"filter\" }\nbefore = { group = \"decision\" }";
    assert_eq!(names(&applied(&[before]).unwrap()), ["few_shot", "wrap#1", "wrap#2", "filter", "choice"]);
    let last = "edit = \"insert\"\nprocessor = { use = \"filter\" }";
    assert_eq!(
        names(&applied(&[last, "edit = \"remove\"\nwhich = { processor = \"wrap#1\" }"]).unwrap()),
        ["few_shot", "wrap", "choice", "filter"]
    );
    let replace = "edit = \"replace\"\nwhich = { group = \"decision\" }\nwith = { use = \"pick\" }";
    assert_eq!(names(&applied(&[replace]).unwrap()), ["few_shot", "wrap#1", "wrap#2", "pick"]);
}

#[test]
fn parameters_settings_and_files_change() {
    let set = "edit = \"set_param\"\nwhich = { processor = \"wrap#2\" }\nkey = \"a.b\"\nvalue = 3";
    let limit = "edit = \"set\"\nkey = \"slots.limits.steps\"\nvalue = 40";
    let write = "edit = \"write_file\"\npath = \"skills/new.md\"\ntext = \"x\"";
    let harness = applied(&[set, limit, write, "edit = \"remove_file\"\npath = \"prompts/system.md\""]).unwrap();
    assert_eq!(harness.manifest.processors[2].params["a"]["b"].as_integer(), Some(3));
    assert_eq!(harness.manifest.slots.limits.steps, Some(40));
    assert_eq!(harness.files.keys().collect::<Vec<_>>(), ["skills/new.md"]);
    let harness = applied(&["edit = \"set\"\nkey = \"slots.limits\""]).unwrap();
    assert_eq!(harness.manifest.slots.limits.steps, None);
}

#[test]
fn what_an_edit_inserts_can_be_set_in_the_same_bundle() {
    let insert = "edit = \"insert\"\nprocessor = { use = \"filter\" }";
    let set = "edit = \"set_param\"\nwhich = { processor = \"filter\" }\nkey = \"x\"\nvalue = true";
    assert_eq!(applied(&[set, insert]).unwrap().manifest.processors[4].params.get("x"), Some(&toml::Value::Boolean(true)));
    assert!(refused(set).contains("find processor filter"), "{}", refused(set));
}

#[test]
fn edits_that_do_not_fit_say_why() {
    let text = refused("edit = \"remove\"\nwhich = { processor = \"fly\" }");
    assert_eq!(text, "find processor fly: the harness has none by that name; there are few_shot, wrap#1, wrap#2, choice");
    let text = refused("edit = \"remove\"\nwhich = { processor = \"wrap\" }");
    assert_eq!(text, "find processor wrap: there are wrap#1, wrap#2; name one of them");
    let text = refused("edit = \"insert\"\nprocessor = { use = \"pick\" }");
    assert_eq!(text, "put pick into group decision: it holds choice already; replace or remove that");
    assert!(refused("edit = \"set\"\nkey = \"slots.limits.stepz\"\nvalue = 1").contains("unknown field `stepz`"));
    assert!(refused("edit = \"set\"\nkey = \"format\"\nvalue = 2").contains("not a setting"));
    assert!(refused("edit = \"set\"\nkey = \"slots..x\"\nvalue = 2").contains("a key is"));
    assert!(
        refused("edit = \"set_param\"\nwhich = { processor = \"wrap#1\" }\nkey = \"text.x\"\nvalue = 2").contains("text is not a table")
    );
}

#[test]
fn paths_stay_within_the_harness() {
    for path in ["", "/etc/x", "../x", "a/../x", "a//b", "./a", ".git/config", "a/.b", "a\\b", "a\nb", "harness.toml", "harness.toml/x"] {
        let edit = Edit::WriteFile { path: path.to_owned(), text: String::new() };
        assert!(matches!(edit.apply(&harness(), &groups()), Err(EditError::File { .. })), "{path:?}");
    }
    assert!(refused("edit = \"write_file\"\npath = \"prompts/system.md/x\"\ntext = \"\"").contains("not both"));
    assert!(refused("edit = \"write_file\"\npath = \"prompts\"\ntext = \"\"").contains("not both"));
    assert!(refused("edit = \"remove_file\"\npath = \"../x\"").contains("no such file"));
}

#[test]
fn conflicts_name_what_both_touch() {
    let set = |value: &str| format!("edit = \"set_param\"\nwhich = {{ processor = \"choice\" }}\nkey = \"score\"\nvalue = \"{value}\"");
    let bundle = |name: &str, text: &str| Bundle { name: name.into(), edits: vec![edit(text)] };
    let join = |one: &str, two: &str| bundle("a", one).join(&bundle("b", two), &harness(), &groups());
    let text = join(&set("mean"), &set("sum")).unwrap_err().to_string();
    let expected = "both touch processor choice: \"set choice.score to \"mean\"\" and \"set choice.score to \"sum\"\"";
    assert_eq!(text, format!("join edits: {expected}"));
    let same = join(&set("mean"), &set("mean").replace("processor = \"choice\"", "group = \"decision\"")).unwrap();
    assert_eq!((same.name.as_str(), same.edits.len()), ("a | b", 1));
    for (one, two) in [
        (set("mean"), "edit = \"remove\"\nwhich = { group = \"decision\" }".to_owned()),
        ("edit = \"set\"\nkey = \"slots.limits\"".to_owned(), "edit = \"set\"\nkey = \"slots.limits.steps\"\nvalue = 9".to_owned()),
        ("edit = \"write_file\"\npath = \"p\"\ntext = \"1\"".to_owned(), "edit = \"write_file\"\npath = \"p\"\ntext = \"2\"".to_owned()),
        (
            "edit = \"insert\"\nprocessor = { use = \"x\", group = \"g\" }".to_owned(),
            "edit = \"insert\"\nprocessor = { use = \"y\", group = \"g\" }".to_owned(),
        ),
    ] {
        assert!(matches!(join(&one, &two), Err(EditError::Conflicts(found)) if found.len() == 1), "{one} / {two}");
    }
}

#[test]
fn edits_say_in_one_line_what_they_do() {
    let shown = [
        ("edit = \"insert\"\nprocessor = { use = \"goal_term_filter\" }", "insert goal_term_filter", Bucket::Processor),
        ("edit = \"remove\"\nwhich = { group = \"history\" }", "remove group history", Bucket::Processor),
        ("edit = \"set\"\nkey = \"slots.tools\"\nvalue = [\"a\"]", "set slots.tools to [\"a\"]", Bucket::Tools),
        ("edit = \"set_param\"\nwhich = { processor = \"x\" }\nkey = \"k\"", "set x.k back to its default", Bucket::Config),
        ("edit = \"write_file\"\npath = \"prompts/a\\nb\"\ntext = \"xyz\"", "write prompts/a\\nb (3 bytes)", Bucket::Prompt),
        ("edit = \"remove_file\"\npath = \"tools/t.js\"", "remove file tools/t.js", Bucket::Tools),
    ];
    for (text, line, bucket) in shown {
        let edit = edit(text);
        assert_eq!((edit.to_string().as_str(), edit.bucket()), (line, bucket));
    }
    assert!(toml::from_str::<Edit>("edit = \"remove\"\nwhich = { group = \"g\" }\ncolour = 1").is_err());
}
