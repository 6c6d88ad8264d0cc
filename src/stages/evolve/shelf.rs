//! Scripts that the catalog and the random control may put into a harness: those of `harnesses/scripts`, compiled in.

/// A script as it stands on the shelf.
#[derive(Debug)]
pub(super) struct Shelved {
    /// Its path within a harness.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! shelved {
    ($path:literal) => {
        Shelved { path: $path, text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/harnesses/scripts/", $path)) }
    };
}

/// Follows a plan of sub-goals and offers what serves the present one.
pub(super) const SUBGOAL_PLANNER: Shelved = shelved!("processors/subgoal_planner.js");
/// Looks first where the wanted thing is likely.
pub(super) const SEARCH_ORDER: Shelved = shelved!("processors/search_order.js");
/// Withholds actions that led back to a state seen before.
pub(super) const LOOP_BREAKER: Shelved = shelved!("processors/loop_breaker.js");
/// Shows what was seen where.
pub(super) const FACT_KEEPER: Shelved = shelved!("processors/fact_keeper.js");
/// Shortens long results to what speaks of the task.
pub(super) const RESULT_SUMMARY: Shelved = shelved!("processors/result_summary.js");
/// Makes a query that found nothing wider.
pub(super) const QUERY_RETRY: Shelved = shelved!("processors/query_retry.js");
/// Makes arguments fit their schema.
pub(super) const ARGUMENT_NORMALISER: Shelved = shelved!("processors/argument_normaliser.js");
/// Questions an answer that the results contradict.
pub(super) const CONTRADICTION_CHECK: Shelved = shelved!("processors/contradiction_check.js");
/// Gives an answer the form that the task asks for.
pub(super) const ANSWER_FORM: Shelved = shelved!("processors/answer_form.js");

/// All of them.
pub(super) const ALL: [&Shelved; 9] = [
    &SUBGOAL_PLANNER,
    &SEARCH_ORDER,
    &LOOP_BREAKER,
    &FACT_KEEPER,
    &RESULT_SUMMARY,
    &QUERY_RETRY,
    &ARGUMENT_NORMALISER,
    &CONTRADICTION_CHECK,
    &ANSWER_FORM,
];
