//! Landscapes of small rounds, and a small world whose only lever nobody tries.

use super::{ACTIONABILITY, PlanInput, Planned, components, landscape_markdown, plan};
use crate::domain::digest::{Cluster, Overview, Pathology};
use crate::domain::edit::Bucket;
use crate::domain::harness::{HARNESS_FORMAT, Harness, Manifest, ProcessorSpec, Slots};
use crate::domain::history::sample::{decision, digest, manifest, round};
use crate::domain::history::{History, PastRound};
use crate::domain::id::TaskId;
use crate::domain::landscape::{Landscape, Untried};
use crate::domain::manifest::CandidateManifest;
use crate::domain::round::{RoundOutcome, RulingWord};
use std::collections::BTreeMap;

fn incumbent() -> Harness {
    let processors = vec![ProcessorSpec { native: Some("few_shot".to_owned()), ..ProcessorSpec::default() }];
    let manifest =
        Manifest { format: HARNESS_FORMAT, name: "h".to_owned(), description: String::new(), processors, slots: Slots::default() };
    Harness { manifest, files: BTreeMap::new() }
}

fn overview() -> Overview {
    let cluster = |tag: &str, tasks: &[&str]| Cluster {
        tag: tag.to_owned(),
        kind: Pathology::InvalidAction,
        tasks: tasks.iter().map(|task| TaskId::from(*task)).collect(),
        solved: 0,
        scored: 2,
    };
    Overview { actionability: 0.5, clusters: vec![cluster("all", &["a", "b"]), cluster("kind=a", &["a"])], ..Overview::default() }
}

fn planned(rounds: &[PastRound], overview: &Overview) -> Planned {
    let history = History::new(rounds);
    let (incumbent, components) = (incumbent(), components());
    plan(&PlanInput { history: &history, overview, incumbent: &incumbent, components: &components, threshold: ACTIONABILITY })
}

fn landscape(rounds: &[PastRound]) -> Landscape {
    match planned(rounds, &overview()) {
        Planned::Work(landscape) => *landscape,
        Planned::NoOp { reason } => panic!("{reason}"),
    }
}

#[test]
fn little_to_act_on_is_a_no_op_with_its_reason() {
    let rounds = [round(0, "h0", vec![digest("a", 0, 2)])];
    let Planned::NoOp { reason } = planned(&rounds, &Overview { actionability: 0.04, ..overview() }) else { panic!("planned") };
    assert!(reason.contains("4.0 %") && reason.contains("5.0 %"), "{reason}");
    assert!(matches!(planned(&rounds, &Overview { clusters: Vec::new(), ..overview() }), Planned::NoOp { .. }));
    assert!(matches!(planned(&rounds, &Overview { actionability: 0.05, ..overview() }), Planned::Work(_)));
}

#[test]
fn the_landscape_tells_what_was_tried_what_got_worse_and_what_worries() {
    let mut first = round(0, "h0", vec![digest("a", 2, 2), digest("b", 0, 2)]);
    first.proposed = vec![manifest("C-R0-01", Bucket::Config, "limits", &["b"]), manifest("C-R0-02", Bucket::Processor, "budget", &["a"])];
    let mut ruled = decision(0, RoundOutcome::Shipped, &[("C-R0-01", RulingWord::Shipped), ("C-R0-02", RulingWord::Rejected)]);
    ruled.strategy_concern = Some("levers | are\n# spent".to_owned());
    first.decision = Some(ruled);
    let mut idle = round(1, "h1", vec![digest("a", 1, 2), digest("b", 1, 2)]);
    idle.decision = Some(decision(1, RoundOutcome::Idle, &[]));
    let rounds = [first, idle.clone()];
    let found = landscape(&[rounds[0].clone(), idle.undecided()]);
    assert_eq!((found.round, found.concern.as_deref()), (1, Some("levers | are\n# spent")));
    assert_eq!((found.regressions.len(), found.regressions[0].task.as_str(), found.regressions[0].now), (1, "a", (1, 2)));
    assert_eq!((found.buckets[&Bucket::Config].hits, found.components["budget"].proposed, found.rejected.len()), (1, 1, 1));
    let untried: Vec<&str> = found.untried.iter().map(|untried| untried.component.as_str()).collect();
    assert!(untried.contains(&"sampling") && untried.contains(&"tools") && untried.contains(&"tool_filter"), "{untried:?}");
    assert!(!untried.iter().any(|name| ["few_shot", "limits", "budget"].contains(name)), "{untried:?}");
    let page = landscape_markdown(&found);
    let order =
        ["    levers | are\n    # spent\n", "| `all` | `invalid_action` | 2 | 0 of 2 |", "- `a`: 2 of 2, now 1 of 2; suspected: `C-R0-01`"];
    let tail = [
        "| bucket config | 1 | 1 | 1 of 1 (100 %) | R0 |",
        "- `tools` (tools): ",
        "- `C-R0-02`, `budget`, at gate: `C-R0-02 in plain words`",
    ];
    let places: Vec<usize> = order.iter().chain(&tail).map(|part| page.find(part).unwrap_or_else(|| panic!("{part}\n{page}"))).collect();
    assert!(places.is_sorted(), "{page}");
    // An idle round had no Critic; one that sat and said nothing ends the worry. What got worse earlier is no longer news.
    let mut silent = round(2, "h1", Vec::new());
    silent.decision = Some(decision(2, RoundOutcome::Kept, &[]));
    assert_eq!(landscape(&[rounds.to_vec(), vec![silent.clone().undecided()]].concat()).concern.as_deref(), Some("levers | are\n# spent"));
    let later = landscape(&[rounds.to_vec(), vec![silent, round(3, "h1", Vec::new())]].concat());
    assert!(later.concern.is_none() && later.regressions.is_empty(), "{later:?}");
}

#[test]
fn every_component_has_one_bucket_and_one_line() {
    let all = components();
    assert!(all.windows(2).all(|pair| pair[0].component < pair[1].component));
    assert!(all.iter().all(|known| !known.does.is_empty() && !known.does.contains('\n')));
    let bucket = |name: &str| all.iter().find(|known| known.component == name).map(|known| known.bucket);
    assert_eq!(
        (bucket("few_shot"), bucket("loop_detection"), bucket("tools")),
        (Some(Bucket::Prompt), Some(Bucket::Processor), Some(Bucket::Tools))
    );
    assert_eq!(bucket("episode_metrics"), None, "what only observes is no lever");
    for wanted in Bucket::ALL {
        assert!(all.iter().any(|known| known.bucket == wanted), "nothing to try in {wanted}");
    }
}

/// A stand-in for an engine: the untried component it sees first in the bucket of the best hit rate; where it heeds the guard, in the
/// first neglected one.
fn choose(landscape: &Landscape, heeds_guard: bool) -> Option<&Untried> {
    let rate = |bucket: &Bucket| landscape.buckets.get(bucket).map_or(0.0, |found| found.hit_rate().unwrap_or(0.0));
    let first_best = |best: Bucket, next: Bucket| if rate(&next) > rate(&best) { next } else { best };
    let best = Bucket::ALL.into_iter().reduce(first_best)?;
    let guarded = landscape.guard.as_ref().filter(|_| heeds_guard).and_then(|guard| guard.neglected.first().copied());
    let wanted = guarded.unwrap_or(best);
    landscape.untried.iter().find(|untried| untried.bucket == wanted)
}

/// Plays rounds in which prompts ship by luck and help no further, and only one bucket really helps. Says in which round the landscape
/// first told of it, and in which it was used.
fn explore(lever: Bucket, heeds_guard: bool) -> (Option<u32>, Option<u32>) {
    let shelf: Vec<Untried> = (0..10)
        .flat_map(|number| Bucket::ALL.map(|bucket| Untried { component: format!("{bucket}-{number}"), bucket, does: "x".to_owned() }))
        .collect();
    let mut rounds = vec![round(0, "h0", vec![digest("a", 0, 2), digest("b", 0, 2), digest("c", 0, 2)])];
    let (incumbent, seen) = (incumbent(), overview());
    let (mut named, mut used) = (None, None);
    for number in 0..10 {
        let history = History::new(&rounds);
        let input = PlanInput { history: &history, overview: &seen, incumbent: &incumbent, components: &shelf, threshold: ACTIONABILITY };
        let Planned::Work(landscape) = plan(&input) else { panic!("idle") };
        if landscape.guard.as_ref().is_some_and(|guard| guard.neglected.contains(&lever)) {
            named.get_or_insert(number);
        }
        let Some(chosen) = choose(&landscape, heeds_guard) else { break };
        let candidate: CandidateManifest = manifest(&format!("C-R{number}-01"), chosen.bucket, &chosen.component, &["a", "b", "c"]);
        let is_lever = chosen.bucket == lever;
        // The gate lets luck pass for prompts only.
        let word = if is_lever || chosen.bucket == Bucket::Prompt { RulingWord::Shipped } else { RulingWord::Rejected };
        let last = rounds.last_mut().unwrap();
        last.decision = Some(decision(number, RoundOutcome::Shipped, &[(candidate.candidate_id.as_str(), word)]));
        last.proposed = vec![candidate];
        // The first prompt is lucky on one task; none after it does anything.
        let won = 2 * u32::from(is_lever);
        let played = vec![digest("a", won.max(1), 2), digest("b", won, 2), digest("c", won, 2)];
        rounds.push(round(number + 1, &format!("h{}", number + 1), played));
        if is_lever {
            used = Some(number);
            break;
        }
    }
    (named, used)
}

#[test]
fn the_guard_names_a_neglected_lever_that_reputation_never_finds() {
    for lever in [Bucket::Tools, Bucket::Processor, Bucket::Config] {
        let (named, used) = explore(lever, true);
        assert!(named.is_some_and(|round| round <= 3), "{lever} named in {named:?}");
        assert!(used.is_some_and(|round| round <= 5), "{lever} used in {used:?}");
        assert_eq!(explore(lever, false).1, None, "reputation alone found {lever}");
    }
}
