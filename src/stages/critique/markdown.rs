//! The critique for people, line by line: plain for a terminal, escaped for `critique.md`.

use super::{Critique, Finding};
use crate::domain::id::CandidateId;
use crate::domain::untrusted::{escaped, plain};

/// As Markdown: nothing that a model said becomes mark-up.
pub fn markdown(critique: &Critique) -> String {
    listed(critique, escaped)
}

/// For a terminal.
pub fn terminal(critique: &Critique) -> String {
    listed(critique, plain)
}

/// A section without a heading: what ships nothing, the order, who is rejected and why, what else was found, the concern.
fn listed(critique: &Critique, shown: fn(&str) -> String) -> String {
    let mut lines: Vec<String> = critique.no_op.iter().map(|reason| format!("Nothing is shipped this round: {reason}.")).collect();
    if !critique.ship_ranking.is_empty() {
        let names: Vec<&str> = critique.ship_ranking.iter().map(CandidateId::as_str).collect();
        lines.push(format!("To the gate, in this order: {}.", names.join(", ")));
    }
    lines.extend(critique.rejected.iter().map(|(candidate, reason)| format!("{candidate} is rejected: {reason}.")));
    let remarks = critique.findings.iter().filter(|finding| !finding.rule.rejects());
    lines.extend(remarks.map(|Finding { candidate, place, text, .. }| format!("{candidate}: {text} ({place}).")));
    let interactions = critique.reviews.iter().filter(|review| !review.interaction.trim().is_empty());
    lines.extend(interactions.map(|review| format!("{} with what is there: {}", review.candidate, review.interaction)));
    lines.extend(critique.strategy_concern.iter().map(|concern| format!("Concern: {concern}.")));
    lines.iter().flat_map(|line| ["- ".to_owned(), shown(line), "\n".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Place, Rule};
    use super::*;
    use crate::domain::diagnosis::{Review, ReviewWord};

    #[test]
    fn every_word_of_the_critic_is_one_line() {
        let finding = Finding {
            candidate: "C-R1-02".into(),
            rule: Rule::BareClaim,
            place: Place::Manifest("capability_evidence".into()),
            text: "the claim names no place where it was observed".into(),
        };
        let critique = Critique {
            findings: vec![finding],
            ship_ranking: vec!["C-R1-02".into(), "C-R1-01".into()],
            rejected: vec![("C-R1-03".into(), "it changes nothing (manifest.toml, edits)".into())],
            no_op: None,
            strategy_concern: Some("reward\nrises".into()),
            ..Critique::default()
        };
        let expected = "- To the gate, in this order: C-R1-02, C-R1-01.\n\
                        - C-R1-03 is rejected: it changes nothing (manifest.toml, edits).\n\
                        - C-R1-02: the claim names no place where it was observed (manifest.toml, capability_evidence).\n\
                        - Concern: reward rises.\n";
        assert_eq!(terminal(&critique), expected);
        assert_eq!(markdown(&critique), expected.replace('_', "\\_"));
    }

    #[test]
    fn no_word_of_the_critic_becomes_markup_or_a_link() {
        let hostile = "![x](http://evil/?q) <b>";
        let review =
            Review { candidate: "C-1".into(), word: ReviewWord::Pass, reason: String::new(), interaction: hostile.into(), harness: None };
        let critique = Critique {
            rejected: vec![("C-2".into(), hostile.into())],
            no_op: Some(hostile.into()),
            strategy_concern: Some(hostile.into()),
            reviews: vec![review],
            ..Critique::default()
        };
        let page = markdown(&critique);
        assert_eq!(page.matches("\\!\\[x\\](http:&#47;/evil/?q) &lt;b&gt;").count(), 4, "{page}");
        assert!(!page.contains("![") && !page.contains("http://") && !page.contains("\\\\"), "{page}");
        assert_eq!(terminal(&critique).matches(hostile).count(), 4);
    }
}
