//! A made-up run for the tests: rounds that ship, reject, block, idle; figures drawn by a fixed rule.

use super::compared::Control;
use super::input::{Candidate, Cell, Comparison, Counts, REPORT_FORMAT, Report, Round, RunFacts, Spent, TrainTask, Use};
use super::reading::Reading;
use crate::domain::curves::{Curves, ModelShare, Point, RoundPoints};
use crate::domain::digest::{Anchor, Cluster, DIGEST_FORMAT, Overview, Pathology};
use crate::domain::edit::Bucket;
use crate::domain::engine::Engine;
use crate::domain::id::{CandidateId, HarnessId, TaskId};
use crate::domain::interval::wilson;
use crate::domain::ledger::{Reputation, ShipOutcome};
use crate::domain::manifest::{
    AttributionSignature, CandidateManifest, CapabilityEvidence, Claim, FailureEvidence, MANIFEST_FORMAT, PredictedImpact, SignatureKind,
};
use crate::domain::meta::{ByRole, Role, Sessions};
use crate::domain::request::Usage;
use crate::domain::round::{Decision, ROUND_FORMAT, Rollouts, RoundOutcome, RoundRecord, Ruled, RulingWord};
use crate::domain::task::{Split, Tags};

/// Success on all tasks after each round, over and over.
const SUCCESS: [f64; 6] = [0.10, 0.24, 0.24, 0.43, 0.41, 0.56];

/// A run of `rounds` rounds over `tasks` train tasks, two thirds as many gate tasks, and twice as many held-out ones.
pub(super) fn run(rounds: u32, tasks: u32) -> Report {
    let success = |round: u32| SUCCESS[round as usize % SUCCESS.len()];
    let cells =
        |seed: u32| -> Vec<Cell> { (0..rounds).map(|round| (round != 2).then(|| (solved(seed, round, success(round)), 2))).collect() };
    let (gate, heldout) = (tasks * 2 / 3, tasks * 2);
    let at = |round: u32| -> Counts {
        (0..heldout).map(|task| (TaskId(format!("h{task}")), (solved(3 * task, round, success(round) - 0.04), 2))).collect()
    };
    let point = |round: u32, shift: f64, tasks: u32| {
        let pass_rate = wilson((success(round) + shift).max(0.0) * f64::from(tasks), tasks as usize);
        Some(Point { pass_rate, tasks: tasks as usize, episodes: 2 * tasks as usize, missing: None })
    };
    let of_heldout = |round: u32| Comparison::of_tasks((round, &at(round)), (round, &at(round))).map(|same| same.after);
    let points = (0..rounds)
        .map(|round| RoundPoints {
            round,
            train: point(round, 0.05, tasks),
            gate: point(round, 0.0, gate),
            heldout: [0, 3, rounds - 1].contains(&round).then(|| of_heldout(round)).flatten(),
            model_share: None,
        })
        .collect();
    let mut curves = Curves { rounds: points, ..Curves::default() };
    if let (Some(model), Some(random)) = (of_heldout(rounds - 1), point(0, 0.05, heldout)) {
        curves.set_model_share(rounds - 1, ModelShare { split: Split::Heldout, model, random, flag: None });
    }
    Report {
        format: REPORT_FORMAT,
        run: facts(),
        heldout: Comparison::of_tasks((0, &at(0)), (rounds - 1, &at(rounds - 1))),
        curves,
        rounds: (0..rounds).map(round).collect(),
        put_back: Vec::new(),
        ship_outcomes: (0..rounds).filter(|round| ships(*round)).map(outcome).collect(),
        train: (0..tasks)
            .map(|task| TrainTask { task: TaskId(format!("parcels/{}-{task:03}", kind(task))), cells: cells(3 * task + 1) })
            .collect(),
        gate: (0..gate).map(|task| cells(3 * task + 2)).collect(),
        endings: [("out of steps".to_owned(), 21), ("the environment said it was over".to_owned(), 27)].into(),
        overview: Some(overview()),
        spent: [(Use::Visible, spent(288, 3)), (Use::Gate, spent(742, 9)), (Use::Heldout, spent(288, 0))].into(),
        engines: [(Engine::Aegis, reputation(3, 1)), (Engine::Catalog, reputation(8, 2))].into(),
        controls: vec![control()],
    }
}

/// What `run` alone leaves: one round of train episodes.
pub(super) fn baseline() -> Report {
    let full = run(1, 24);
    let points = RoundPoints { round: 0, train: full.curves.rounds[0].train, ..RoundPoints::default() };
    let curves = Curves { rounds: vec![points], ..Curves::default() };
    let rounds = vec![Round::default()];
    let spent = [(Use::Visible, spent(48, 0))].into();
    Report { curves, rounds, spent, train: full.train, run: facts(), endings: full.endings, format: REPORT_FORMAT, ..Report::default() }
}

fn reputation(proposed: u32, shipped: u32) -> Reputation {
    Reputation { proposed, shipped, predicted: 9 * shipped, hits: 6 * shipped, rounds: Vec::new() }
}

fn kind(task: u32) -> &'static str {
    ["fetch", "sort", "stack"][task as usize % 3]
}

/// Rollouts of two solved: a task is easier the lower its place in a fixed shuffle, and harnesses solve the easier ones first.
fn solved(task: u32, round: u32, success: f64) -> u32 {
    let place = f64::from(task.wrapping_mul(2_654_435_761) >> 16 & 0xffff) / 65_536.0;
    let wobble = f64::from((task * 31 + round * 17).wrapping_mul(2_246_822_519) >> 20 & 0xff) / 255.0 * 0.3 - 0.15;
    [place + wobble < success, place - wobble < success].map(u32::from).iter().sum()
}

fn ships(round: u32) -> bool {
    [1, 3, 5].contains(&(round % 6))
}

fn facts() -> RunFacts {
    let settings = [("seed", "1"), ("rollouts", "2"), ("bench", "parcels"), ("model.main", "local:smollm2"), ("limit", "24")];
    RunFacts {
        name: "parcels-smollm2".into(),
        benchmark: "parcels".into(),
        policy: "smollm2-135m-instruct-q4".into(),
        by_chance: false,
        harness: "3f9c1a77be0d5f0e6bd9f0b1c5a6ad2e8f441c90".into(),
        settings: settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        free: std::collections::BTreeSet::new(),
    }
}

fn round(round: u32) -> Round {
    let outcome = match round {
        0 => RoundOutcome::Baseline,
        2 => RoundOutcome::Idle,
        round if ships(round) => RoundOutcome::Shipped,
        _ => RoundOutcome::Kept,
    };
    let words = match round {
        0 | 2 => vec![],
        round if ships(round) => vec![RulingWord::Shipped, RulingWord::Rejected, RulingWord::Parked],
        _ => vec![RulingWord::Blocked, RulingWord::Rejected],
    };
    let ruled: Vec<Ruled> = (1..).zip(&words).map(|(number, word)| ruling(round, number, *word)).collect();
    let candidates = ruled.iter().map(|ruled| candidate(&ruled.candidate, &ruled.title)).collect();
    let decision = Decision {
        format: ROUND_FORMAT,
        round,
        outcome,
        reason: (round == 2).then(|| "nothing to act on: 3 % of the tasks have a typed cause, 5 % are wanted".to_owned()),
        candidates: ruled,
        notes: if round == 4 { vec!["checked for slow loss: e=12 ≥ 10 that the incumbent is better".to_owned()] } else { vec![] },
        strategy_concern: (round == 4).then(|| "two of the last three edits narrow the same list of actions".to_owned()),
    };
    let rollouts = Rollouts {
        visible: 48,
        gate: 40 + 37 * u64::from(round),
        heldout: if round.is_multiple_of(3) { 96 } else { 0 },
        untouched: 31 * u64::from(round),
        tokens_saved: 210_000 * u64::from(round),
    };
    let usage = Usage { input_tokens: 1_900_000, cached_tokens: 1_400_000, output_tokens: 41_000, cost: 0.11 };
    let (before, after) = (HarnessId(format!("{round:040}")), HarnessId(format!("{:040}", round + 1)));
    let shipped = if ships(round) { vec![CandidateId(format!("C-R{round}-01"))] } else { vec![] };
    let record = RoundRecord {
        format: ROUND_FORMAT,
        round,
        outcome,
        before,
        after,
        shipped,
        rollouts,
        usage,
        milliseconds: 734_000,
        engines: None,
        meta: ByRole::new(),
    };
    let sessions = |sessions: u64, tokens: u64| Sessions {
        sessions,
        calls: 9 * sessions,
        usage: Usage { input_tokens: tokens, cached_tokens: tokens / 2, output_tokens: tokens / 20, cost: 0.01 },
        milliseconds: 61_000 * sessions,
    };
    let meta: ByRole =
        if round == 1 { [(Role::Planner, sessions(1, 40_000)), (Role::Evolver, sessions(2, 300_000))].into() } else { ByRole::new() };
    let reading = (round == 1).then_some(Reading {
        episodes: 48,
        trace_tokens: 912_000,
        shown_tokens: 3_100,
        in_session: true,
        verified: 61,
        dropped: 2,
    });
    Round { round, record: Some(record), decision: (round > 0).then_some(decision), candidates, meta, reading }
}

fn ruling(round: u32, number: u32, word: RulingWord) -> Ruled {
    let candidate = CandidateId(format!("C-R{round}-{number:02}"));
    let (line, gain) = match word {
        RulingWord::Shipped => (
            format!(
                "shipped {candidate}: +13.1 pts (fresh paired, shrunk); claimed fixes e=171 ≥ 150; P(net gain)=0.94; 0/11 protected regressed; 212 rollouts"
            ),
            Some(13.1),
        ),
        RulingWord::Rejected => (format!("rejected {candidate}: futile after 3 passes (e=0.4, needs 150)"), None),
        RulingWord::Blocked => (format!("blocked {candidate}: +3.1 pts but 2/11 protected regressed: offered as fork"), Some(3.1)),
        RulingWord::Parked => (format!("parked {candidate}: the next pass costs 64 rollouts, 12 are on hand"), None),
    };
    let title =
        ["Offer only actions that name a word of the goal", "Say which places were seen already", "Three solved examples instead of one"]
            [(number - 1) as usize % 3];
    Ruled { candidate, title: title.into(), word, line, rollouts: 64 * number, gain, at: None }
}

fn candidate(id: &CandidateId, title: &str) -> Candidate {
    let anchor = Anchor { trace: "trajectories/parcels%2Ffetch-000_r0.jsonl".into(), step: 4 };
    let kind = Pathology::RepeatWithoutProgress;
    let tags = Tags::from([("kind".to_owned(), "fetch".to_owned())]);
    let manifest = CandidateManifest {
        format: MANIFEST_FORMAT,
        candidate_id: id.clone(),
        title: title.to_owned(),
        engine: Engine::Catalog,
        variant: "main".into(),
        parent: HarnessId("1".repeat(40)),
        harness: HarnessId("2".repeat(40)),
        iterates_from: None,
        buckets: vec![Bucket::Processor],
        component: "goal_term_filter".into(),
        file_changes: vec!["harness.toml".into()],
        resources: None,
        root_cause: "the same three actions are chosen in turn until the steps are used up".into(),
        targeted_fix: "actions that share no word with the goal are not offered".into(),
        why_risk_holds: "where no action shares a word, all are offered as before".into(),
        capability_evidence: CapabilityEvidence {
            claim: "in 5 of 48 episodes the goal's own words were chosen and it was reached".into(),
            observed: vec![anchor.clone()],
        },
        predicted_impact: PredictedImpact {
            will_unlock: vec![Claim::Tags(tags), Claim::Task("parcels/sort-001".into())],
            will_stabilize: vec![],
            at_risk: vec![Claim::Task("parcels/stack-002".into())],
        },
        attribution_signature: AttributionSignature {
            kind: SignatureKind::Processor,
            name: "goal_term_filter".into(),
            expected_min_calls: 2,
        },
        failure_evidence: vec![FailureEvidence { kind, anchor, snippet: "go to shelf 3".into() }],
        edits: vec![],
    };
    let diff = "--- a/harness.toml\n+++ b/harness.toml\n@@ -11,3 +11,7 @@\n [[processors]]\n use = \"admissible_choice\"\n-params = { score = \"sum\" }\n+params = { score = \"mean\" }\n+\n+[[processors]]\n+use = \"goal_term_filter\"\n";
    Candidate { manifest, diff: Some(diff.to_owned()) }
}

fn outcome(round: u32) -> ShipOutcome {
    ShipOutcome {
        round,
        candidate: CandidateId(format!("C-R{round}-01")),
        engine: Engine::Catalog,
        buckets: vec![Bucket::Processor],
        component: "goal_term_filter".into(),
        gain: 13.1,
        predicted: 9,
        hits: 6,
        regressions: vec!["parcels/stack-002".into()],
        orphan_flips: 2,
    }
}

fn overview() -> Overview {
    let cluster = |tag: &str, kind, number: u32, solved| Cluster {
        tag: tag.to_owned(),
        kind,
        tasks: (0..number).map(|task| TaskId(format!("t{task}"))).collect(),
        solved,
        scored: 2 * number,
    };
    let clusters = vec![
        cluster("all", Pathology::BudgetStarvation, 11, 4),
        cluster("kind=stack", Pathology::RepeatWithoutProgress, 7, 2),
        cluster("kind=sort", Pathology::Other("wrong shelf".into()), 4, 2),
    ];
    Overview {
        format: DIGEST_FORMAT,
        tasks: 24,
        always: 11,
        sometimes: 4,
        never: 9,
        actionability: 0.46,
        dropped: 0,
        carried: 0,
        history: std::collections::BTreeMap::new(),
        clusters,
    }
}

fn spent(episodes: u64, missing: u64) -> Spent {
    let usage = Usage {
        input_tokens: 8_100 * episodes,
        cached_tokens: 6_000 * episodes,
        output_tokens: 170 * episodes,
        cost: 0.0005 * episodes as f64,
    };
    Spent { episodes, missing, calls: 17 * episodes, usage, milliseconds: 2_600 * episodes }
}

fn control() -> Control {
    let point = |solved: f64| Point { pass_rate: wilson(solved, 48), tasks: 48, episodes: 96, missing: None };
    Control {
        name: "parcels-random".into(),
        engine: Engine::Random.to_string(),
        rounds: 5,
        episodes: 1301,
        tokens: 11_200_000,
        cost: 0.61,
        shipped: 1,
        before: Some(point(3.0)),
        after: Some(point(6.0)),
        heldout: Comparison::of_points((0, point(3.0)), (5, point(6.0))),
        differs: vec!["other tasks: seed is 2 there and 1 here".into()],
        ..Control::default()
    }
}
