//! One pass through the layers: its rows, and which keys each row attends to.
//!
//! A row is one token of one tree node. The rows of one job form a group: its keys are the nodes of the context, then those of the
//! options, every node after its ancestors. A group's queries (row by row, and for each row the query heads that share a key head)
//! are cut into panels of 32.

use std::ops::Range;

use super::prefix_cache::Node;
use super::simd::PANEL;

/// One token that goes through the layers.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Where its keys and values are written.
    pub slot: Node,
    /// The token.
    pub token: u32,
    /// Its place in the sequence, from zero.
    pub position: usize,
}

/// Keys of one job, and the rows that the job computes.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// The context, then the options' nodes, each after its ancestors.
    pub keys: Vec<Row>,
    /// How many of the keys are context; at least one.
    pub context: usize,
    /// For each key after the context, the place of the one before it.
    pub parents: Vec<usize>,
    /// Places of the keys that are to be computed, ascending.
    pub rows: Vec<usize>,
}

/// One pass.
#[derive(Debug, Default)]
pub struct Pass {
    /// The rows of all groups.
    pub rows: Vec<Row>,
    /// Rows and keys that belong together.
    pub groups: Vec<Group>,
    /// Panels of queries of all groups.
    pub panels: Vec<QueryPanel>,
}

/// Rows of one job within a pass.
#[derive(Debug)]
pub struct Group {
    /// Slots of the keys.
    pub keys: Vec<Node>,
    /// Rows of the pass.
    pub rows: Range<usize>,
    /// First of the group's panels.
    pub first_panel: usize,
}

/// Up to 32 queries of a group.
#[derive(Debug)]
pub struct QueryPanel {
    /// The group.
    pub group: usize,
    /// Queries of the group, counted `row · heads per key head + head`.
    pub queries: Range<usize>,
    /// Keys below this are seen by all queries of the panel.
    pub seen_by_all: usize,
    /// Zero or −∞ for each key from `seen_by_all` on; keys past its end are seen by none.
    pub mask: Vec<[f32; PANEL]>,
}

impl Pass {
    /// Adds rows of a sequence; `heads` query heads share a key head.
    pub fn add(&mut self, sequence: &Sequence, taken: Range<usize>, heads: usize) {
        let rows = &sequence.rows[taken];
        let Some(last) = rows.last() else { return };
        let first = self.rows.len();
        self.rows.extend(rows.iter().map(|key| sequence.keys[*key]));
        let group = self.groups.len();
        let first_panel = self.panels.len();
        let count = rows.len() * heads;
        for start in (0..count).step_by(PANEL) {
            let queries = start..count.min(start + PANEL);
            let (seen_by_all, mask) = mask(sequence, rows, queries.clone(), heads);
            self.panels.push(QueryPanel { group, queries, seen_by_all, mask });
        }
        let keys = sequence.keys[..=*last].iter().map(|key| key.slot).collect();
        self.groups.push(Group { keys, rows: first..self.rows.len(), first_panel });
    }

    /// The panel of one query of a group, and its place there.
    pub fn place(group: &Group, query: usize) -> (usize, usize) {
        (group.first_panel + query / PANEL, query % PANEL)
    }
}

fn mask(sequence: &Sequence, rows: &[usize], queries: Range<usize>, heads: usize) -> (usize, Vec<[f32; PANEL]>) {
    let rows = &rows[queries.start / heads..=(queries.end - 1) / heads];
    let common = rows.iter().map(|key| (key + 1).min(sequence.context)).min().unwrap_or(0);
    let end = rows.iter().map(|key| key + 1).max().unwrap_or(0);
    let mut mask = vec![[f32::NEG_INFINITY; PANEL]; end - common];
    for query in queries.clone() {
        let lane = query - queries.start;
        let mut key = rows[query / heads - queries.start / heads];
        while key >= sequence.context {
            mask[key - common][lane] = 0.0;
            key = sequence.parents[key - sequence.context];
        }
        for key in common..=key {
            mask[key - common][lane] = 0.0;
        }
    }
    for lane in queries.len()..PANEL {
        for row in &mut mask {
            row[lane] = 0.0;
        }
    }
    (common, mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_sees_its_ancestors_and_itself_only() {
        // context 10 11, then a tree: 12 under 11, 13 under 12, 14 under 11
        let key = |slot| Row { slot, token: 0, position: 0 };
        let sequence =
            Sequence { keys: [10, 11, 12, 13, 14].map(key).to_vec(), context: 2, parents: vec![1, 2, 1], rows: vec![1, 2, 3, 4] };
        let mut pass = Pass::default();
        pass.add(&sequence, 0..4, 1);
        let panel = &pass.panels[0];
        assert_eq!(panel.seen_by_all, 2);
        let seen: Vec<Vec<bool>> = (0..4).map(|lane| panel.mask.iter().map(|row| row[lane] == 0.0).collect()).collect();
        assert_eq!(seen[0], [false, false, false]);
        assert_eq!(seen[1], [true, false, false]);
        assert_eq!(seen[2], [true, true, false]);
        assert_eq!(seen[3], [false, false, true]);
    }
}
