//! Key facts, hostile text, well-formedness, size.

use super::answers::answers;
use super::cost_chart::episodes_by_round;
use super::fixture::{baseline, run};
use super::input::{Comparison, Counts, Report, Use};
use super::{By, PutBack, html, job_summary, junit, markdown};
use crate::domain::id::{HarnessId, TaskId};
use crate::domain::round::RulingWord;
use std::collections::BTreeSet;

/// Elements without a closing tag.
const VOID: [&str; 4] = ["meta", "br", "!DOCTYPE", "?xml"];

/// Checks that every tag is closed in turn, every attribute quoted, and every id there once; gives the text between the tags.
fn parse(markup: &str) -> String {
    let (mut open, mut text, mut ids) = (Vec::new(), String::new(), BTreeSet::new());
    let mut rest = markup;
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        text.push(' ');
        let end = start + rest[start..].find('>').expect("a tag ends");
        let (tag, after) = (&rest[start + 1..end], &rest[end + 1..]);
        rest = after;
        let name = tag.split_whitespace().next().unwrap();
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}> closes nothing near {:?}", &rest[..rest.len().min(60)]);
        } else if !VOID.contains(&name) {
            assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
            if let Some((_, id)) = tag.split_once(" id=\"") {
                assert!(ids.insert(id.split('"').next().unwrap().to_owned()), "id twice: <{tag}>");
            }
            open.push(name);
        }
        if name == "style" {
            rest = &rest[rest.find("</style>").unwrap()..];
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    text.push_str(rest);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first screen's text.
fn first_screen(report: &Report) -> String {
    let page = html(report);
    let (_, rest) = page.split_once("<header>").unwrap();
    parse(rest.split_once("</header>").unwrap().0)
}

#[test]
fn the_first_screen_answers_the_four_questions() {
    insta::assert_snapshot!(first_screen(&run(6, 24)), @r#"parcels-smollm2 After 5 rounds the harness solves 54.2 % of the tasks it was never tuned on; it began at 5.2 %. benchmark parcels · played by smollm2-135m-instruct-q4 · first harness 3f9c1a77be · R0 to R5 What was gained on tasks never seen? +49.0 points 95 % interval over tasks: +35.0 to +61.4 points R0 5.2 % → R5 54.2 % of 48 held-out tasks What did it cost? $0.66 · 11.6 M tokens 1,318 episodes; the rounds took 1 h 13 min 74 % of the prompt tokens served from a cache of this, the meta-agent: 357 K tokens, $0.02 in 3 sessions 465 episodes more not played, because a dry replay showed no difference (3.1 M tokens saved) 12 episodes missing, because plumbing failed: not scored What shipped, and why? 3 of 11 candidates R1 (+13.1 points): Offer only actions that name a word of the goal, because the same three actions are chosen in turn until the steps are used up R3 (+13.1 points): Offer only actions that name a word of the goal, because the same three actions are chosen in turn until the steps are used up R5 (+13.1 points): Offer only actions that name a word of the goal, because the same three actions are chosen in turn until the steps are used up Is it the harness or the model? +39.2 points by the model R5: 54.2 % solved with the model, 15.0 % with a random chooser in its place 95 % interval of the model's part: +20.4 to +54.4 points, on 48 held-out tasks"#);
}

#[test]
fn a_run_without_rounds_says_what_is_missing() {
    insta::assert_snapshot!(first_screen(&baseline()), @r#"parcels-smollm2 One harness was played: it solves 15.0 % of 24 train tasks. benchmark parcels · played by smollm2-135m-instruct-q4 · first harness 3f9c1a77be What was gained on tasks never seen? Not known Held-out tasks were not played. Train tasks solved: 15.0 % [5.7–33.9] What did it cost? $0.02 · 397 K tokens 48 episodes 74 % of the prompt tokens served from a cache What shipped, and why? Nothing This run played one harness; nothing was proposed. Is it the harness or the model? Not measured No random chooser was played in the model's place, so the two cannot be told apart."#);
    let page = parse(&html(&baseline()));
    for missing in ["no round proposed anything", "No digest is on file"] {
        assert!(page.contains(missing), "{missing}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

#[test]
fn nothing_at_all_is_a_page_too() {
    let page = parse(&html(&Report::default()));
    assert!(page.contains("Nothing has been scored yet") && page.contains("No episode is on file"), "{page}");
    parse(&junit(&Report::default()));
    assert!(markdown(&Report::default()).contains("Nothing has been scored yet"));
}

#[test]
fn what_others_wrote_is_read_and_never_rendered() {
    let hostile =
        "</pre><script>alert('x')</script><img src=x onerror=\"alert(1)\"> \u{202e}evil\u{1b}[31m ``` | [a](https://x.example) @all";
    let mut report = run(3, 4);
    report.run.name = hostile.into();
    report.run.policy = hostile.into();
    report.run.settings.insert(hostile.into(), hostile.into());
    report.train[0].task = TaskId(hostile.into());
    report.endings.insert(hostile.into(), 1);
    report.ship_outcomes[0].regressions[0] = TaskId(hostile.into());
    for round in &mut report.rounds {
        for candidate in &mut round.candidates {
            candidate.diff = Some(format!("+{hostile}\n```\n+after"));
            candidate.manifest.title = hostile.into();
            candidate.manifest.root_cause = hostile.into();
            candidate.manifest.failure_evidence[0].snippet = hostile.into();
        }
        for ruled in round.decision.iter_mut().flat_map(|decision| &mut decision.candidates) {
            ruled.title = hostile.into();
            ruled.line = hostile.into();
        }
    }
    let (page, xml) = (html(&report), junit(&report));
    for text in [&page, &xml] {
        parse(text);
        assert!(!text.contains("<script") && !text.contains("<img") && !text.contains('\u{202e}') && !text.contains('\u{1b}'));
    }
    let text = markdown(&report);
    let outside = text.split_once("````diff").unwrap().0.replace("\\]", "");
    assert!(
        !outside.contains('<') && !outside.contains("](http") && !outside.contains("https://") && !outside.contains('\u{202e}'),
        "{outside}"
    );
    assert_eq!(
        text.lines().filter(|line| line.starts_with("````")).count(),
        2 * report.rounds.iter().map(|round| round.candidates.len()).sum::<usize>()
    );
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let page = html(&run(6, 24));
    parse(&page);
    for outside in ["http:", "https:", "<script", "<link", "<iframe", "src=", "href=", "url(", "@import", "javascript:", " on"] {
        let inside_tags = page.split('<').skip(1).any(|tag| tag.split('>').next().unwrap_or_default().contains(outside));
        assert!(!inside_tags, "{outside}");
    }
}

#[test]
fn a_large_run_stays_small() {
    let page = html(&run(15, 100));
    parse(&page);
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
}

#[test]
fn gate_tasks_have_no_names_and_heldout_tasks_are_totals() {
    let text = serde_json::to_string(&run(6, 24)).unwrap();
    assert!(!text.contains("\"h1\"") && text.contains("\"gate\":[["), "{}", &text[..300]);
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), run(6, 24));
}

#[test]
fn tasks_are_compared_with_themselves() {
    let of = |solved: &[u32]| -> Counts { (0..).zip(solved).map(|(task, solved)| (TaskId(format!("t{task}")), (*solved, 2))).collect() };
    let found = Comparison::of_tasks((0, &of(&[0, 0, 1, 2, 0, 1])), (3, &of(&[1, 1, 2, 2, 1]))).unwrap();
    assert_eq!((found.before.tasks, found.after.episodes, found.paired), (5, 10, true));
    assert!((found.gain.value - 0.4).abs() < 1e-12, "{found:?}");
    assert!(Comparison::of_tasks((0, &Counts::new()), (1, &of(&[1]))).is_none());
}

#[test]
fn the_job_summary_leaves_out_diffs_and_tasks() {
    let (whole, summary) = (markdown(&run(6, 24)), job_summary(&run(6, 24)));
    assert!(whole.starts_with(&summary) && whole.contains("```diff") && !summary.contains("```") && !summary.contains("fetch-000"));
    insta::assert_snapshot!(summary, @r#"
    # parcels-smollm2

    **After 5 rounds the harness solves 54.2 % of the tasks it was never tuned on; it began at 5.2 %.**

    Benchmark parcels, played by smollm2-135m-instruct-q4.

    ## What was gained on tasks never seen?

    **+49.0 points**

    - 95 % interval over tasks: +35.0 to +61.4 points
    - R0 5.2 % → R5 54.2 % of 48 held-out tasks

    ## What did it cost?

    **\$0.66 · 11.6 M tokens**

    - 1,318 episodes; the rounds took 1 h 13 min
    - 74 % of the prompt tokens served from a cache
    - of this, the meta-agent: 357 K tokens, \$0.02 in 3 sessions
    - 465 episodes more not played, because a dry replay showed no difference (3.1 M tokens saved)
    - 12 episodes missing, because plumbing failed: not scored

    ## What shipped, and why?

    **3 of 11 candidates**

    - R1 (+13.1 points): Offer only actions that name a word of the goal, because the same three actions are chosen in turn until the steps are used up
    - R3 (+13.1 points): Offer only actions that name a word of the goal, because the same three actions are chosen in turn until the steps are used up
    - R5 (+13.1 points): Offer only actions that name a word of the goal, because the same three actions are chosen in turn until the steps are used up

    ## Is it the harness or the model?

    **+39.2 points by the model**

    - R5: 54.2 % solved with the model, 15.0 % with a random chooser in its place
    - 95 % interval of the model's part: +20.4 to +54.4 points, on 48 held-out tasks

    ## Success by round

    Share of tasks solved, with 95 % intervals over tasks.

    | round | train | gate | held-out |
    |---|---|---|---|
    | R0 | 15.0 % [5.7–33.9] | 10.0 % [2.4–33.0] | 5.2 % [1.6–15.4] |
    | R1 | 29.0 % [14.8–49.0] | 24.0 % [9.6–48.5] | – |
    | R2 | 29.0 % [14.8–49.0] | 24.0 % [9.6–48.5] | – |
    | R3 | 48.0 % [29.7–66.8] | 43.0 % [22.5–66.2] | 36.5 % [24.3–50.6] |
    | R4 | 46.0 % [28.0–65.1] | 41.0 % [21.0–64.5] | – |
    | R5 | 61.0 % [41.3–77.7] | 56.0 % [33.0–76.7] | 54.2 % [40.3–67.4] |

    ## Decisions

    ### R0: baseline


    ### R1: shipped

    - **shipped, +13.1 points** C-R1-01: Offer only actions that name a word of the goal. +13.1 pts (fresh paired, shrunk); claimed fixes e=171 ≥ 150; P(net gain)=0.94; 0/11 protected regressed; 212 rollouts
      - Then: 6 of 9 train tasks predicted to improve did (67 %), 1 task got worse, 2 improved unpredicted.
    - **rejected** C-R1-02: Say which places were seen already. futile after 3 passes (e=0.4, needs 150)
    - **parked** C-R1-03: Three solved examples instead of one. the next pass costs 64 rollouts, 12 are on hand

    ### R2: idle

    - nothing to act on: 3 % of the tasks have a typed cause, 5 % are wanted

    ### R3: shipped

    - **shipped, +13.1 points** C-R3-01: Offer only actions that name a word of the goal. +13.1 pts (fresh paired, shrunk); claimed fixes e=171 ≥ 150; P(net gain)=0.94; 0/11 protected regressed; 212 rollouts
      - Then: 6 of 9 train tasks predicted to improve did (67 %), 1 task got worse, 2 improved unpredicted.
    - **rejected** C-R3-02: Say which places were seen already. futile after 3 passes (e=0.4, needs 150)
    - **parked** C-R3-03: Three solved examples instead of one. the next pass costs 64 rollouts, 12 are on hand

    ### R4: kept the incumbent

    - checked for slow loss: e=12 ≥ 10 that the incumbent is better
    - The Critic is worried: two of the last three edits narrow the same list of actions
    - **blocked, +3.1 points** C-R4-01: Offer only actions that name a word of the goal. +3.1 pts but 2/11 protected regressed: offered as fork
    - **rejected** C-R4-02: Say which places were seen already. futile after 3 passes (e=0.4, needs 150)

    ### R5: shipped

    - **shipped, +13.1 points** C-R5-01: Offer only actions that name a word of the goal. +13.1 pts (fresh paired, shrunk); claimed fixes e=171 ≥ 150; P(net gain)=0.94; 0/11 protected regressed; 212 rollouts
      - Then: 6 of 9 train tasks predicted to improve did (67 %), 1 task got worse, 2 improved unpredicted.
    - **rejected** C-R5-02: Say which places were seen already. futile after 3 passes (e=0.4, needs 150)
    - **parked** C-R5-03: Three solved examples instead of one. the next pass costs 64 rollouts, 12 are on hand

    ## Cost

    Cost by stage; a session of the meta-agent is one episode. Waiting is added up over episodes, many of which wait at once. What a local model takes from its own cache is not told by call and not counted as cached.

    | for | episodes | missing | model calls | prompt tokens | of these cached | reply tokens | money | waited for models |
    |---|---:|---:|---:|---:|---:|---:|---:|---:|
    | rollouts: train, open to the engine | 288 | 3 | 4,896 | 2,332,800 | 1,728,000 | 48,960 | \$0.14 | 12 min 28 s |
    | rollouts: gate, sealed | 742 | 9 | 12,614 | 6,010,200 | 4,452,000 | 126,140 | \$0.37 | 32 min 9 s |
    | rollouts: held-out, sealed | 288 | 0 | 4,896 | 2,332,800 | 1,728,000 | 48,960 | \$0.14 | 12 min 28 s |
    | meta-agent: planner | 1 |  | 9 | 40,000 | 20,000 | 2,000 | \$0.01 | 1 min 1 s |
    | meta-agent: evolver | 2 |  | 18 | 300,000 | 150,000 | 15,000 | \$0.01 | 2 min 2 s |
    | everything else that rounds recorded |  |  |  | 384,200 | 322,000 | 4,940 | \$0.00 |  |
    | all | 1,321 |  | 22,433 | 11,400,000 | 8,400,000 | 246,000 | \$0.66 | 1 h 0 min |

    Tokens of the meta-agent's sessions, prompt and reply, by round and role.

    | round | sessions | planner | evolver | all tokens | money |
    |---|---:|---:|---:|---:|---:|
    | R1 | 3 | 42,000 | 315,000 | 357,000 | \$0.02 |

    Episodes by round (after: beyond the last one that ended): R0 184, R1 125, R2 162, R3 295, R4 236, R5 273, after 96.

    ## Who proposed

    Candidates by who proposed them.

    | engine | proposed | share | shipped | predictions that came true | meta tokens |
    |---|---:|---:|---:|---:|---:|
    | catalog | 8 | 72.7 % | 2 | 66.7 % (12 of 18) | 0 |
    | aegis | 3 | 27.3 % | 1 | 66.7 % (6 of 9) | 357,000 |

    ## What the Digester leaves

    Traces that the Digester read against what the Planner is shown; a token is four bytes of either.

    | round | episodes | trace tokens | tokens shown | which are | ratio | anchors verified | anchors dropped |
    |---|---:|---:|---:|---|---:|---:|---:|
    | R1 | 48 | 912,000 | 3,100 | the Planner's opening | 294 : 1 | 61 | 2 |

    ## Engines compared

    Each run from its own baseline to its last round; held-out tasks with 95 % intervals over tasks.

    | run | engine | comparable | rounds | shipped | episodes | meta tokens | all tokens | money | held-out before | after | gain | model's part |
    |---|---|---|---:|---:|---:|---:|---:|---:|---|---|---|---|
    | parcels-smollm2 (this run) | catalog | yes | 5 | 3 | 1,318 | 357,000 | 11,646,000 | \$0.66 | 5.2 % \[1.6–15.4\] | 54.2 % \[40.3–67.4\] | +49.0 points (+35.0 to +61.4) | +39.2 points |
    | parcels-random | random | no, see below | 5 | 1 | 1,301 | 0 | 11,200,000 | \$0.61 | 6.2 % \[2.1–16.8\] | 12.5 % \[5.9–24.7\] | +6.2 points (-6.2 to +19.1) | – |

    parcels-random is not comparable: other tasks: seed is 2 there and 1 here.
    "#);
}

#[test]
fn junit_counts_tasks() {
    let xml = junit(&run(2, 3));
    parse(&xml);
    insta::assert_snapshot!(xml, @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="parcels-smollm2" tests="3" failures="3"><testsuite name="train" tests="3" failures="3" skipped="0"><properties><property name="held-out gain" value="+8.3 points"></property><property name="held-out gain, 95 % interval" value="-18.0 to +40.6"></property></properties><testcase classname="parcels-smollm2" name="parcels/fetch-000"><failure message="solved in 0 of 2 rollouts"></failure></testcase><testcase classname="parcels-smollm2" name="parcels/sort-001"><failure message="solved in 0 of 2 rollouts"></failure></testcase><testcase classname="parcels-smollm2" name="parcels/stack-002"><failure message="solved in 0 of 2 rollouts"></failure></testcase></testsuite></testsuites>
    "#);
}

#[test]
fn a_candidate_that_waits_counts_once_and_episodes_after_the_last_round_have_a_row() {
    let mut report = run(6, 4);
    let shown = |report: &Report| answers(report)[2].short.clone();
    let before = shown(&report);
    let mut waits = report.rulings().next().map(|(_, ruled)| ruled.clone()).unwrap();
    waits.word = RulingWord::Parked;
    report.rounds[4].decision.as_mut().unwrap().candidates.push(waits);
    assert_eq!(shown(&report), before);
    let recorded: u64 = report.rounds.iter().filter_map(|round| round.record.as_ref()).map(|record| record.rollouts.heldout).sum();
    report.spent.get_mut(&Use::Heldout).unwrap().episodes = recorded + 7;
    let rows = episodes_by_round(&report);
    assert!(rows.last().is_some_and(|(name, rollouts)| name == "after" && rollouts.heldout == 7), "{rows:?}");
    assert!(markdown(&report).contains(", after "));
}

#[test]
fn a_ship_that_the_gate_rolled_back_is_said_to_be_undone() {
    let mut report = run(5, 4);
    let to = HarnessId("2".repeat(40));
    report.put_back = vec![PutBack { after: 4, to: Some(1), harness: to, by: By::Gate }];
    let shipped = answers(&report)[2].clone();
    assert_eq!(shipped.short, "2 of 8 candidates, 1 of them undone since");
    assert!(shipped.lines[1].ends_with("; undone: rolled back by the gate to R1 in R4"), "{:?}", shipped.lines);
    let page = html(&report);
    assert_eq!(page.matches("candidate shipped").count(), html(&run(5, 4)).matches("candidate shipped").count() - 1);
    for text in [parse(&page), markdown(&report)] {
        assert!(text.contains("rolled back by the gate to R1 in R4") && !text.contains("by hand"), "{text}");
    }
}
