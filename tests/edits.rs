//! The algebra of edits, on arbitrary harnesses and edits: bundles join in any order, a diff leads where it says, the identity of a
//! harness depends on what it does and not on how it is written, and nothing panics.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop there")]

use harnessx::domain::edit::{Bucket, Bundle, Edit, EditError, Groups, Which, diff};
use harnessx::domain::harness::{Harness, Limits, Manifest, ProcessorSpec, Slots, parse_manifest};
use harnessx::domain::request::Sampling;
use harnessx::domain::structure::AgentSpec;
use harnessx::runtime::assembly::Assembly;
use harnessx::runtime::native;
use harnessx::store::harness_dir::tree_id;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;

const NATIVES: [&str; 7] = ["few_shot", "user_wrapper", "admissible_choice", "sliding_window", "compaction", "tool_filter", "no_such"];
const KEYS: [&str; 8] = ["score", "style", "last", "a.b", "a", "a.c", "", "guard"];
const SETTINGS: [&str; 14] = [
    "name",
    "description",
    "slots",
    "slots.tools",
    "slots.limits",
    "slots.limits.steps",
    "slots.limits.cost",
    "slots.sampling.temperature",
    "agents",
    "agents.a",
    "agents.a.description",
    "agents.a.limits.steps",
    "agents.b.tools",
    "format",
];
const INNER: &str = "agents/a/harness.toml";
const PATHS: [&str; 10] = [
    "agents/a/prompts/a.md",
    INNER,
    "prompts/system.md",
    "prompts/a.md",
    "prompts",
    "tools/t.toml",
    "skills/s.md",
    "../x",
    "harness.toml",
    "a/b/c",
];

fn value() -> impl Strategy<Value = toml::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(toml::Value::Boolean),
        any::<i64>().prop_map(toml::Value::Integer),
        (-1e9..1e9).prop_map(toml::Value::Float),
        "[ -~é\\n]{0,6}".prop_map(toml::Value::String),
        Just(toml::Value::Datetime("1979-05-27T07:32:00Z".parse().unwrap())),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(toml::Value::Array),
            btree_map("[a-c]", inner, 0..3).prop_map(|entries| toml::Value::Table(entries.into_iter().collect())),
        ]
    })
}

fn spec() -> impl Strategy<Value = ProcessorSpec> {
    let params = btree_map(select(&["score", "style", "last", "a", "x.y"][..]), value(), 0..3);
    let group = option::weighted(0.2, select(&["g", "history"][..]));
    (select(&NATIVES[..]), params, -1..2_i32, group, option::weighted(0.1, Just("decision"))).prop_map(
        |(native, params, order, group, after)| ProcessorSpec {
            native: Some(native.to_owned()),
            params: params.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            order,
            group: group.map(str::to_owned),
            after: after.map(str::to_owned),
            ..ProcessorSpec::default()
        },
    )
}

fn slots() -> impl Strategy<Value = Slots> {
    let limits = (option::of(0..99_u32), option::of(0.0..9.0)).prop_map(|(steps, cost)| Limits { steps, cost, ..Limits::default() });
    let sampling =
        option::of(option::of(0.0..2.0)).prop_map(|sampling| sampling.map(|temperature| Sampling { temperature, ..Sampling::default() }));
    (option::of(vec("[a-c]", 0..3)), limits, sampling).prop_map(|(tools, limits, sampling)| Slots { tools, limits, sampling })
}

fn agent() -> impl Strategy<Value = AgentSpec> {
    let limits = option::of(0..9_u32).prop_map(|steps| Limits { steps, ..Limits::default() });
    let folder = select(&["agents/a", "agents/a", "agents/b"][..]);
    ("[a-z]{0,3}", folder, limits, option::of(vec("[a-c]", 0..2))).prop_map(|(description, folder, limits, tools)| AgentSpec {
        description,
        harness: folder.to_owned(),
        limits,
        tools,
    })
}

fn agents() -> impl Strategy<Value = BTreeMap<String, AgentSpec>> {
    btree_map(select(&["a", "b", "a", "b", "odd.name"][..]).prop_map(str::to_owned), agent(), 0..3)
}

/// The harness of a sub-agent, as people write it or with a fault.
fn inner() -> impl Strategy<Value = Option<String>> {
    let texts =
        ["name = \"a\" # why\nformat = 1\n[slots]\n", "format = 1\nname = \"a\"\n[[processors]]\nuse = \"judge\"\n", "format = 1\n"];
    option::of(select(texts.to_vec()).prop_map(str::to_owned))
}

fn harness() -> impl Strategy<Value = Harness> {
    let files = btree_map(select(&["prompts/system.md", "prompts/a.md", "x", "skills/s.md"][..]), "[a-z]{0,4}", 0..3);
    (vec(spec(), 0..5), slots(), "[a-z]{0,3}", files, agents(), inner()).prop_map(
        |(processors, slots, description, files, agents, inner)| {
            let files = files.into_iter().chain(inner.map(|text| (INNER, text)));
            Harness {
                manifest: Manifest { format: 1, name: "h".to_owned(), description, processors, agents, slots },
                files: files.map(|(path, text)| (path.to_owned(), text.into_bytes())).collect(),
            }
        },
    )
}

fn which() -> impl Strategy<Value = Which> {
    let names = [NATIVES.map(str::to_owned).to_vec(), NATIVES.map(|name| format!("{name}#2")).to_vec()].concat();
    prop_oneof![
        3 => select(names).prop_map(|name| Which::Processor(name.as_str().into())),
        1 => select(&["decision", "history", "g"][..]).prop_map(|group| Which::Group(group.to_owned())),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let text = |texts: &'static [&'static str]| select(texts).prop_map(str::to_owned);
    prop_oneof![
        (spec(), option::of(which()), 0..2_u32).prop_map(|(processor, before, rank)| Edit::Insert { processor, before, rank }),
        (which(), spec()).prop_map(|(which, with)| Edit::Replace { which, with }),
        which().prop_map(|which| Edit::Remove { which }),
        (which(), text(&KEYS), option::of(value())).prop_map(|(which, key, value)| Edit::SetParam { which, key, value }),
        (text(&SETTINGS), option::of(value())).prop_map(|(key, value)| Edit::Set { key, value }),
        (text(&PATHS), "[a-z]{0,3}").prop_map(|(path, text)| Edit::WriteFile { path, text }),
        text(&PATHS).prop_map(|path| Edit::RemoveFile { path }),
    ]
}

fn bundle(name: &'static str) -> impl Strategy<Value = Bundle> {
    vec(edit(), 0..3).prop_map(move |edits| Bundle { name: name.to_owned(), edits })
}

/// The identity, where the harness passes its check.
fn identity(harness: &Harness) -> Option<String> {
    let assembly = Assembly::new(harness.clone(), &[]).ok()?;
    Some(tree_id(assembly.canonical_manifest(), &assembly.harness().files).unwrap().0)
}

fn joined(one: &Bundle, two: &Bundle, harness: &Harness) -> Result<Harness, EditError> {
    let groups = native::groups();
    one.join(two, harness, &groups)?.apply(harness, &groups)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn joining_is_commutative_and_associative_and_idempotent(h in harness(), a in bundle("a"), b in bundle("b"), c in bundle("c")) {
        let groups = native::groups();
        let (one, two) = (a.join(&b, &h, &groups), b.join(&a, &h, &groups));
        prop_assert_eq!(one.is_ok(), two.is_ok());
        prop_assert_eq!(joined(&a, &b, &h).ok(), joined(&b, &a, &h).ok());
        prop_assert_eq!(joined(&a, &a, &h).ok(), a.apply(&h, &groups).ok());
        if let (Ok(left), Ok(right)) = (one.and_then(|one| one.join(&c, &h, &groups)), b.join(&c, &h, &groups).and_then(|two| a.join(&two, &h, &groups))) {
            prop_assert_eq!(left, right);
        }
    }

    #[test]
    fn bundles_that_only_set_and_write_join_to_what_one_after_the_other_gives(h in harness(), a in bundle("a"), b in bundle("b")) {
        let only = |bundle: Bundle| {
            let stays = |edit: &Edit| matches!(edit, Edit::SetParam { .. } | Edit::Set { .. } | Edit::WriteFile { .. });
            Bundle { edits: bundle.edits.into_iter().filter(stays).collect(), ..bundle }
        };
        let (a, b) = (only(a), only(b));
        let groups = native::groups();
        if let Ok(both) = joined(&a, &b, &h) {
            let one_way = a.apply(&h, &groups).and_then(|h| b.apply(&h, &groups)).unwrap();
            let other_way = b.apply(&h, &groups).and_then(|h| a.apply(&h, &groups)).unwrap();
            prop_assert_eq!(identity(&one_way), identity(&both));
            prop_assert_eq!(&one_way, &both);
            prop_assert_eq!(one_way, other_way);
        }
    }

    #[test]
    fn a_diff_leads_from_one_harness_to_the_other(from in harness(), to in harness()) {
        let edits = diff(&from, &to).unwrap();
        let groups = Groups::default();
        let reached = Bundle { name: "d".to_owned(), edits }.apply(&from, &groups);
        prop_assert!(reached.is_ok() || has_shared_group(&to), "{:?}", reached);
        if let Ok(reached) = reached {
            prop_assert_eq!(reached, to);
        }
    }

    #[test]
    fn every_edit_can_be_taken_back(h in harness(), e in edit()) {
        let groups = native::groups();
        if let Ok(edited) = e.apply(&h, &groups) {
            let back = Bundle { name: "back".to_owned(), edits: diff(&edited, &h).unwrap() };
            if let Ok(again) = back.apply(&edited, &groups) {
                prop_assert_eq!(identity(&again), identity(&h));
                prop_assert_eq!(again, h);
            } else {
                prop_assert!(identity(&h).is_none());
            }
        }
    }

    #[test]
    fn edits_survive_being_written(b in bundle("b")) {
        let text = toml::to_string(&b).unwrap();
        prop_assert_eq!(&toml::from_str::<Bundle>(&text).unwrap(), &b);
        let text = serde_json::to_string(&b).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Bundle>(&text).unwrap(), &b);
        for edit in &b.edits {
            prop_assert!(!edit.to_string().contains(|letter: char| letter.is_control()));
        }
    }

    #[test]
    fn the_canonical_form_is_read_back_to_the_same_identity(h in harness(), b in bundle("b")) {
        let edited = b.apply(&h, &native::groups()).unwrap_or(h);
        let checked = Assembly::new(edited.clone(), &[]);
        if let Ok(assembly) = checked {
            let canonical = assembly.canonical_manifest();
            let (manifest, _) = parse_manifest(canonical).unwrap();
            prop_assert_eq!(identity(&Harness { manifest, files: edited.files.clone() }), identity(&edited));
        }
    }
}

fn has_shared_group(harness: &Harness) -> bool {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    harness.manifest.processors.iter().filter_map(|spec| spec.group.as_deref()).for_each(|group| *counts.entry(group).or_default() += 1);
    counts.values().any(|count| *count > 1)
}

#[test]
fn identity_is_what_a_harness_does_and_not_how_it_is_written() {
    let same = [
        "format = 1\nname = \"x\"\n[[processors]]\nuse = \"admissible_choice\"\n[[processors]]\nuse = \"judge\"\nparams = { best = 2 }\n",
        "# why\nname = \"x\" # so\nformat = 1\ndescription = \"\"\n[[processors]]\ngroup = \"decision\"\norder = 0\n\
         params = { style = \"choice\", score = \"mean\" }\nbehaviour = 1\nuse = \"admissible_choice\"\n\
         [[processors]]\nuse = \"judge\"\nparams = { best = 2.0 }\n[slots.limits]\n[slots.sampling]\n",
    ];
    let of = |text: &str| {
        let (manifest, _) = parse_manifest(text).unwrap();
        identity(&Harness { manifest, files: BTreeMap::new() }).unwrap()
    };
    assert_eq!(of(same[0]), of(same[1]));
    assert_ne!(of(same[0]), of(&same[0].replace("\"x\"", "\"y\"")));
}

/// A harness with an agent, a strategy and a memory.
fn structured() -> Harness {
    let text = "format = 1\nname = \"s\"\n[strategy]\nkind = \"plan_then_act\"\n[memory]\nkind = \"retrieval\"\n\
                [agents.a]\ndescription = \"d\"\nharness = \"agents/a\"\nlimits = { steps = 3 }\n";
    let inner = b"format = 1\nname = \"a\"\n[[processors]]\nuse = \"judge\"\n".to_vec();
    Harness { manifest: parse_manifest(text).unwrap().0, files: BTreeMap::from([(INNER.to_owned(), inner)]) }
}

fn one(text: &str) -> Bundle {
    Bundle { name: "x".to_owned(), edits: vec![toml::from_str(text).unwrap()] }
}

#[test]
fn strategy_memory_and_agents_are_replaced_as_units_and_a_diff_finds_them() {
    let groups = native::groups();
    let vote = "edit = \"replace\"\nwhich = { group = \"strategy\" }\nwith = { use = \"propose_and_vote\", params = { votes = 5 } }";
    let forget = "edit = \"remove\"\nwhich = { group = \"memory\" }";
    let send = "edit = \"set\"\nkey = \"agents.b\"\nvalue = { description = \"e\", harness = \"agents/a\", tools = [] }";
    let drop = "edit = \"set\"\nkey = \"agents.a\"";
    let raise = "edit = \"set\"\nkey = \"agents.a.limits.steps\"\nvalue = 4";
    for (text, bucket) in
        [(vote, Bucket::Processor), (forget, Bucket::Processor), (send, Bucket::Tools), (drop, Bucket::Tools), (raise, Bucket::Tools)]
    {
        let bundle = one(text);
        let edited = bundle.apply(&structured(), &groups).unwrap();
        assert!(identity(&edited).is_some() && identity(&edited) != identity(&structured()), "{text}");
        assert_eq!(bundle.buckets().into_iter().collect::<Vec<_>>(), [bucket], "{text}");
        let edits = diff(&structured(), &edited).unwrap();
        assert_eq!(edits.len(), if text == vote { 2 } else { 1 }, "{edits:?}");
        assert_eq!(Bundle { name: "d".to_owned(), edits }.apply(&structured(), &groups).unwrap(), edited);
    }
    assert!(one(drop).join(&one(raise), &structured(), &groups).unwrap_err().to_string().contains("setting agents.a"));
    let two = one(&vote.replace('5', "7")).join(&one(vote), &structured(), &groups).unwrap_err().to_string();
    assert!(two.contains("processor plan_then_act"), "{two}");
    assert!(one(send).join(&one(vote), &structured(), &groups).is_ok());
    let half = "edit = \"set\"\nkey = \"agents.c.description\"\nvalue = \"d\"";
    assert!(one(half).apply(&structured(), &groups).unwrap_err().to_string().contains("missing field `harness`"));
}

#[test]
fn the_folder_of_an_agent_is_part_of_the_identity_in_canonical_form() {
    let groups = native::groups();
    let write =
        |text: &str| Bundle { name: "w".to_owned(), edits: vec![Edit::WriteFile { path: INNER.to_owned(), text: text.to_owned() }] };
    let of = |text: &str| identity(&write(text).apply(&structured(), &groups).unwrap()).unwrap();
    let plain = "format = 1\nname = \"a\"\n[[processors]]\nuse = \"judge\"\n";
    assert_eq!(of(plain), of(&format!("# why\n{plain}params = {{ best = 10.0 }}\n")));
    assert_ne!(of(plain), of(&plain.replace("judge", "todo_check")));
    assert_eq!(write(plain).buckets().into_iter().collect::<Vec<_>>(), [Bucket::Tools]);
    let assembly = Assembly::new(structured(), &[]).ok().unwrap();
    assert!(assembly.harness().text(INNER).unwrap().contains("behaviour = 1"));
    let react = parse_manifest("format = 1\nname = \"s\"\n[strategy]\nkind = \"react\"\n").unwrap().0;
    assert_eq!(react, parse_manifest("format = 1\nname = \"s\"\n").unwrap().0);
}
