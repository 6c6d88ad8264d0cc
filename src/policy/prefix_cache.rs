//! The tree of token prefixes whose keys and values are held, one node a token; a node's number is its slot in [`super::forward::KeyValues`].
//!
//! When slots run out the leaves go that were used longest ago, tokens of options that no context has taken up before all others.
//! Nodes touched by the batch under way stay.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Number of a node: its slot.
pub type Node = u32;

/// Why a node is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It is part of a context.
    Context,
    /// It is part of an option offered.
    Option,
}

#[derive(Clone, Debug)]
struct Entry {
    parent: Option<Node>,
    token: u32,
    children: u32,
    in_context: bool,
    last_batch: u64,
    live: bool,
}

/// Tree of token prefixes.
#[derive(Debug)]
pub struct PrefixCache {
    entries: Vec<Entry>,
    children: HashMap<(Option<Node>, u32), Node>,
    free: Vec<Node>,
    capacity: usize,
    batch: u64,
    /// Batch in which nothing was left to drop.
    exhausted_in: u64,
}

impl PrefixCache {
    /// A tree that holds `capacity` tokens before it drops any.
    pub fn new(capacity: usize) -> PrefixCache {
        PrefixCache { entries: Vec::new(), children: HashMap::new(), free: Vec::new(), capacity, batch: 0, exhausted_in: 0 }
    }

    /// Slots handed out so far, free ones included; more than the capacity only if one batch needed more.
    pub fn slots(&self) -> usize {
        self.entries.len()
    }

    /// Starts a batch: what is touched from here on stays until the next.
    pub fn start_batch(&mut self) {
        self.batch += 1;
    }

    /// Keeps what is held of this context.
    pub fn touch(&mut self, context: &[u32]) {
        let mut parent = None;
        for token in context {
            let Some(node) = self.children.get(&(parent, *token)).copied() else {
                return;
            };
            self.mark(node, Use::Context);
            parent = Some(node);
        }
    }

    /// The node after `parent` for `token`, and whether it is new (its keys and values are still to be computed).
    pub fn child(&mut self, parent: Option<Node>, token: u32, wanted: Use) -> (Node, bool) {
        if let Some(node) = self.children.get(&(parent, token)).copied() {
            self.mark(node, wanted);
            return (node, false);
        }
        let entry = Entry { parent, token, children: 0, in_context: wanted == Use::Context, last_batch: self.batch, live: true };
        if let Some(parent) = parent {
            self.entries[parent as usize].children += 1;
        }
        let node = self.free_slot();
        self.entries[node as usize] = entry;
        self.children.insert((parent, token), node);
        (node, true)
    }

    fn mark(&mut self, node: Node, wanted: Use) {
        let entry = &mut self.entries[node as usize];
        entry.last_batch = self.batch;
        entry.in_context |= wanted == Use::Context;
    }

    fn free_slot(&mut self) -> Node {
        let full = self.free.is_empty() && self.entries.len() >= self.capacity;
        if full && self.exhausted_in != self.batch {
            self.evict();
        }
        self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { parent: None, token: 0, children: 0, in_context: false, last_batch: 0, live: false });
            (self.entries.len() - 1) as Node
        })
    }

    /// Frees a sixteenth of the slots, since each time reads the whole tree.
    fn evict(&mut self) {
        let order = |entry: &Entry, node: Node| Reverse((entry.in_context, entry.last_batch, node));
        let droppable = |entry: &Entry, batch: u64| entry.live && entry.children == 0 && entry.last_batch < batch;
        let leaves = self.entries.iter().enumerate().filter(|(_, entry)| droppable(entry, self.batch));
        let mut heap: BinaryHeap<_> = leaves.map(|(node, entry)| order(entry, node as Node)).collect();
        for _ in 0..(self.entries.len() / 16).max(1) {
            let Some(Reverse((_, _, node))) = heap.pop() else {
                self.exhausted_in = self.batch;
                return;
            };
            let entry = &mut self.entries[node as usize];
            entry.live = false;
            let (parent, token) = (entry.parent, entry.token);
            self.children.remove(&(parent, token));
            self.free.push(node);
            let Some(parent) = parent else { continue };
            let above = &mut self.entries[parent as usize];
            above.children -= 1;
            if droppable(above, self.batch) {
                heap.push(order(above, parent));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(cache: &mut PrefixCache, tokens: &[u32], wanted: Use) -> usize {
        let mut parent = None;
        let mut new = 0;
        for token in tokens {
            let (node, is_new) = cache.child(parent, *token, wanted);
            new += usize::from(is_new);
            parent = Some(node);
        }
        new
    }

    #[test]
    fn the_longest_held_prefix_is_found() {
        let mut cache = PrefixCache::new(100);
        cache.start_batch();
        assert_eq!(insert(&mut cache, &[1, 2, 3], Use::Context), 3);
        assert_eq!(insert(&mut cache, &[1, 2, 4, 5], Use::Context), 2);
        assert_eq!(insert(&mut cache, &[2, 3], Use::Context), 2);
        assert_eq!(insert(&mut cache, &[1, 2, 4, 5], Use::Context), 0);
    }

    #[test]
    fn leaves_of_options_go_first_then_the_oldest_and_live_ones_stay() {
        let mut cache = PrefixCache::new(6);
        cache.start_batch();
        insert(&mut cache, &[1, 2], Use::Context);
        insert(&mut cache, &[7], Use::Context);
        cache.start_batch();
        insert(&mut cache, &[1, 2], Use::Context);
        insert(&mut cache, &[1, 2, 9], Use::Option);
        cache.start_batch();
        assert_eq!(insert(&mut cache, &[3, 4, 5], Use::Context), 3);
        assert_eq!(cache.slots(), 6);
        assert_eq!(insert(&mut cache, &[1, 2], Use::Context), 0);
        cache.start_batch();
        assert_eq!(insert(&mut cache, &[1, 2, 3, 4, 5, 6, 7, 8], Use::Context), 6);
        assert_eq!(cache.slots(), 8);
    }
}
