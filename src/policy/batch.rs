//! From jobs to the rows that must be computed for them: contexts and options become paths in the tree of prefixes.

use std::collections::HashSet;

use super::generation::{Generation, Sampling};
use super::job::{Job, Work};
use super::plan::{Row, Sequence};
use super::prefix_cache::{Node, PrefixCache, Use};

/// A log-probability that a job asks for.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// The node before the token.
    pub node: Node,
    /// The token.
    pub token: u32,
    /// The job.
    pub job: usize,
    /// The job's option.
    pub option: usize,
    /// The token's place in the option.
    pub place: usize,
}

/// What a batch of jobs comes to.
#[derive(Debug, Default)]
pub struct Batch {
    /// Keys and rows, job by job.
    pub sequences: Vec<Sequence>,
    /// Log-probabilities asked for.
    pub asks: Vec<Ask>,
    /// Texts to sample.
    pub generations: Vec<Generation>,
    /// Context tokens that need no row of their own.
    pub cached_tokens: u64,
    /// Nodes whose rows are among the sequences'.
    planned: HashSet<Node>,
}

impl Batch {
    /// Adds a job, already checked.
    pub fn enter(&mut self, index: usize, job: &Job, cache: &mut PrefixCache) {
        let context = job.context.len();
        let keys = Vec::with_capacity(context);
        let mut sequence = Sequence { keys, context, parents: Vec::new(), rows: Vec::new() };
        for (position, token) in job.context.iter().enumerate() {
            let before = sequence.keys.last().map(|key| key.slot);
            let (slot, new) = cache.child(before, *token, Use::Context);
            self.add_key(&mut sequence, Row { slot, token: *token, position }, new);
        }
        match &job.work {
            Work::Score { options } => {
                let start = self.asks.len();
                for (option, tokens) in options.iter().enumerate() {
                    self.enter_option(&mut sequence, tokens, cache, |node, token, place| Ask { node, token, job: index, option, place });
                }
                let wanted = self.asks[start..].iter().map(|ask| ask.node).collect();
                self.recompute(&mut sequence, &wanted);
            }
            Work::Generate { max_tokens, temperature, seed, stop } => {
                let wanted = sequence.keys.last().map(|key| key.slot).into_iter().collect();
                self.recompute(&mut sequence, &wanted);
                let sampling = Sampling { max_tokens: *max_tokens, temperature: *temperature, seed: *seed, stop: stop.clone() };
                self.generations.push(Generation::new(index, &sequence.keys, sampling));
            }
        }
        let computed = sequence.rows.iter().filter(|key| **key < context).count();
        self.cached_tokens += (context - computed) as u64;
        self.sequences.push(sequence);
    }

    /// Enters all tokens of an option but the last, which nothing attends to.
    fn enter_option(&mut self, sequence: &mut Sequence, tokens: &[u32], cache: &mut PrefixCache, ask: impl Fn(Node, u32, usize) -> Ask) {
        let context = sequence.context;
        let mut key = context - 1;
        for (place, token) in tokens.iter().enumerate() {
            let before = sequence.keys[key].slot;
            self.asks.push(ask(before, *token, place));
            if place + 1 == tokens.len() {
                return;
            }
            let (slot, new) = cache.child(Some(before), *token, Use::Option);
            let known = sequence.keys[context..].iter().position(|held| held.slot == slot);
            let parent = std::mem::replace(&mut key, known.map_or(sequence.keys.len(), |known| context + known));
            if known.is_none() {
                sequence.parents.push(parent);
                self.add_key(sequence, Row { slot, token: *token, position: context + place }, new);
            }
        }
    }

    /// Adds a key, and its row if it is new.
    fn add_key(&mut self, sequence: &mut Sequence, key: Row, new: bool) {
        if new {
            sequence.rows.push(sequence.keys.len());
            self.planned.insert(key.slot);
        }
        sequence.keys.push(key);
    }

    /// Adds rows for nodes whose keys and values are held but whose hidden states are wanted; the same bits are written again.
    fn recompute(&mut self, sequence: &mut Sequence, wanted: &HashSet<Node>) {
        for (place, key) in sequence.keys.iter().enumerate().skip(sequence.context - 1) {
            if wanted.contains(&key.slot) && self.planned.insert(key.slot) {
                sequence.rows.push(place);
            }
        }
        sequence.rows.sort_unstable();
    }
}
