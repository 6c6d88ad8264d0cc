//! Plans: what most solved episodes of one kind of task do, in the order in which they do it. What is always at hand, or is done to other
//! things than the task's, is a means and no sub-goal.

use super::lessons::Form;
use super::transcripts::Transcript;
use std::collections::BTreeMap;

/// Transcripts of a kind before they make a plan: what a single one does may be chance.
const TRANSCRIPTS: usize = 2;

/// Longest plan.
const SUBGOALS: usize = 12;

/// Plans by value of a tag: places in `forms`.
pub(super) fn plans(forms: &[Form], transcripts: &[Transcript], tag: &str) -> BTreeMap<String, Vec<usize>> {
    let mut kinds: BTreeMap<&str, Vec<Vec<usize>>> = BTreeMap::new();
    for transcript in transcripts {
        let Some(value) = transcript.tags.get(tag) else { continue };
        let subgoal = |action: &String| forms.iter().position(|form| form.template.fillers(action).is_some() && form.is_end());
        kinds.entry(value).or_default().push(transcript.actions.iter().filter_map(subgoal).collect());
    }
    let plans = kinds.into_iter().map(|(value, runs)| (value.to_owned(), shared(&runs)));
    plans.filter(|(_, plan)| !plan.is_empty()).collect()
}

/// The longest sequence that most of them hold in order; empty where there are too few.
fn shared(runs: &[Vec<usize>]) -> Vec<usize> {
    let mut best = (Vec::new(), 0);
    for (index, one) in runs.iter().enumerate() {
        for two in &runs[index..] {
            let sequence = common(one, two);
            let holders = runs.iter().filter(|run| common(run, &sequence).len() == sequence.len()).count();
            let most = holders >= TRANSCRIPTS && 3 * holders >= 2 * runs.len();
            if most && (sequence.len(), holders) > (best.0.len(), best.1) {
                best = (sequence, holders);
            }
        }
    }
    best.0.truncate(SUBGOALS);
    best.0
}

/// The longest sequence that both hold in order.
fn common(one: &[usize], two: &[usize]) -> Vec<usize> {
    let width = two.len() + 1;
    let mut best = vec![0_usize; (one.len() + 1) * width];
    for row in (0..one.len()).rev() {
        for column in (0..two.len()).rev() {
            best[row * width + column] = if one[row] == two[column] {
                best[(row + 1) * width + column + 1] + 1
            } else {
                best[(row + 1) * width + column].max(best[row * width + column + 1])
            };
        }
    }
    let (mut row, mut column, mut shared) = (0, 0, Vec::new());
    while row < one.len() && column < two.len() {
        if one[row] == two[column] {
            shared.push(one[row]);
            (row, column) = (row + 1, column + 1);
        } else if best[(row + 1) * width + column] >= best[row * width + column + 1] {
            row += 1;
        } else {
            column += 1;
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::{common, shared};

    #[test]
    fn one_that_went_another_way_does_not_spoil_the_plan() {
        assert_eq!(shared(&[vec![1, 3, 2], vec![1, 2], vec![2, 1]]), [1, 2]);
        assert_eq!(shared(&[vec![1, 2]]), Vec::<usize>::new());
    }

    #[test]
    fn what_both_do_in_order_is_kept() {
        assert_eq!(common(&[1, 2, 3, 1], &[2, 1, 1, 4]), [2, 1]);
        assert_eq!(common(&[1, 2], &[]), Vec::<usize>::new());
        assert_eq!(common(&[1, 2, 3, 1, 2], &[1, 2, 1, 2, 4]), [1, 2, 1, 2]);
    }
}
