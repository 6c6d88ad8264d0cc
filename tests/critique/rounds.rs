//! What the Critic says of a round as a whole: worn levers, regressions without an answer, the order, the concern.

use crate::bed::{Bed, Candidate, TRACE, insert};
use harnessx::domain::digest::Anchor;
use harnessx::domain::edit::Bucket;
use harnessx::domain::id::CandidateId;
use harnessx::domain::landscape::{Guard, Regression};
use harnessx::domain::ledger::Reputation;
use harnessx::domain::manifest::Claim;
use harnessx::domain::task::Split;
use harnessx::stages::critique::{Progress, Rule, markdown};

fn named(bed: &Bed, id: &str, native: &str) -> Candidate {
    let mut candidate = bed.honest(vec![insert(native, "")]);
    (candidate.manifest.candidate_id, candidate.manifest.component) = (id.into(), native.to_owned());
    candidate
}

fn shipped(rounds: &[u32], hits: u32, predicted: u32) -> Reputation {
    Reputation { proposed: predicted, shipped: rounds.len() as u32, predicted, hits, rounds: rounds.to_vec() }
}

#[test]
fn a_worn_lever_is_not_shipped_again_under_any_name() {
    let mut bed = Bed::new();
    let mut candidate = named(&bed, "C-R4-01", "loop_detection");
    candidate.manifest.component = "something else".to_owned();
    let mut verdict = |reputation: Reputation| {
        bed.scoreboard.components.insert("loop_detection".into(), reputation);
        bed.rules(candidate.clone())
    };
    assert_eq!(verdict(shipped(&[1, 3], 3, 10)), [Rule::WornLever]);
    assert!(verdict(shipped(&[1, 3], 4, 10)).is_empty(), "two in five came true");
    assert!(verdict(shipped(&[0, 3], 0, 10)).is_empty(), "only one of the last three rounds");
    assert_eq!(verdict(shipped(&[2, 3], 0, 0)), [Rule::WornLever]);
}

#[test]
fn a_regression_needs_an_answer() {
    let mut bed = Bed::new();
    let task = bed.task(Split::Train).id.clone();
    let regression = |suspects: &[&str]| Regression {
        task: task.clone(),
        before: (2, 2),
        now: (0, 2),
        suspects: suspects.iter().map(|id| (*id).into()).collect(),
    };
    let promising = named(&bed, "C-R4-01", "loop_detection");
    let mut silent = promising.clone();
    silent.manifest.predicted_impact.will_unlock = vec![Claim::Tags([].into())];
    bed.landscape.regressions = vec![regression(&["C-R3-01"])];
    let said = bed.judge(std::slice::from_ref(&silent));
    let reason = said.no_op.clone().unwrap();
    assert!(reason.contains(task.as_str()) && said.ship_ranking.is_empty(), "{said:?}");
    assert!(markdown(&said).starts_with("- Nothing is shipped this round: tasks that got worse"), "{}", markdown(&said));
    assert_eq!(bed.judge(&[promising]).no_op, None);
    silent.manifest.predicted_impact.at_risk = vec![Claim::Task(task.clone())];
    assert_eq!(bed.judge(std::slice::from_ref(&silent)).no_op, None, "why it holds is said");
    silent.manifest.why_risk_holds = " ".to_owned();
    assert!(bed.judge(std::slice::from_ref(&silent)).no_op.is_some());
    bed.landscape.regressions = vec![regression(&[])];
    assert_eq!(bed.judge(&[silent]).no_op, None, "nothing shipped since: chance");
}

#[test]
fn evidence_then_reputation_then_promise_make_the_order() {
    let mut bed = Bed::new();
    let strong = {
        let mut one = named(&bed, "C-R4-04", "todo_check");
        let anchor = Anchor { trace: TRACE.into(), step: 4 };
        one.manifest.capability_evidence.observed.push(anchor);
        one
    };
    let mut bare = named(&bed, "C-R4-01", "loop_detection");
    (bare.manifest.failure_evidence, bare.manifest.capability_evidence.observed) = (Vec::new(), Vec::new());
    let trusted = named(&bed, "C-R4-03", "checkpoint");
    bed.scoreboard.components.insert("checkpoint".into(), shipped(&[1], 9, 10));
    let said = bed.judge(&[bare, strong, trusted]);
    assert_eq!(said.ship_ranking.iter().map(CandidateId::as_str).collect::<Vec<_>>(), ["C-R4-03", "C-R4-04", "C-R4-01"]);
    assert_eq!(said.findings.iter().map(|finding| finding.rule).collect::<Vec<_>>(), [Rule::BareClaim]);
}

#[test]
fn the_concern_names_farmed_reward_and_a_neglected_bucket() {
    let mut bed = Bed::new();
    let point = |round, reward, success| Progress { round, reward, success };
    let candidate = named(&bed, "C-R4-01", "loop_detection");
    bed.progress = vec![point(2, 0.30, 0.2), point(3, 0.32, 0.2), point(4, 0.40, 0.2)];
    bed.landscape.guard = Some(Guard { overused: Bucket::Processor, neglected: vec![Bucket::Prompt] });
    let concern = bed.judge(std::slice::from_ref(&candidate)).strategy_concern.unwrap();
    assert!(concern.contains("partial reward rose from 0.32 to 0.40 since round 3"), "{concern}");
    assert!(concern.contains("bucket processor is used again") && concern.contains("prompt is still not tried"), "{concern}");
    bed.progress[2].success = 0.3;
    bed.landscape.guard = None;
    assert_eq!(bed.judge(&[candidate]).strategy_concern, None);
    assert_eq!(bed.judge(&[]).no_op.as_deref(), Some("there is no candidate"));
}
