//! The state of one job that samples text.

use std::collections::HashMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::job::Output;
use super::plan::{Row, Sequence};
use super::prefix_cache::Node;
use super::sample;

/// What a job that samples asks for.
#[derive(Clone, Debug)]
pub struct Sampling {
    /// Most tokens to sample.
    pub max_tokens: usize,
    /// Temperature.
    pub temperature: f64,
    /// Seed of its stream.
    pub seed: u64,
    /// Tokens that end the text.
    pub stop: Vec<u32>,
}

/// A text in the making.
#[derive(Debug)]
pub struct Generation {
    job: usize,
    keys: Vec<Row>,
    sampling: Sampling,
    random: ChaCha8Rng,
    tokens: Vec<u32>,
    log_probabilities: Vec<f32>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// The last key's row is to be computed.
    Waiting,
    /// This token is to be fed.
    Drawn(u32),
    Done {
        stopped: bool,
    },
}

impl Generation {
    /// A text that follows the context in `keys`.
    pub fn new(job: usize, keys: &[Row], sampling: Sampling) -> Generation {
        Generation {
            job,
            keys: keys.to_vec(),
            random: ChaCha8Rng::seed_from_u64(sampling.seed),
            tokens: Vec::new(),
            log_probabilities: Vec::new(),
            state: if sampling.max_tokens == 0 { State::Done { stopped: false } } else { State::Waiting },
            sampling,
        }
    }

    /// Place of the job in the batch.
    pub fn job(&self) -> usize {
        self.job
    }

    /// The row of a pass that this text waits for.
    pub fn awaited(&self, rows: &HashMap<Node, usize>) -> Option<usize> {
        let last = self.keys.last()?;
        if self.state == State::Waiting { rows.get(&last.slot).copied() } else { None }
    }

    /// Draws the next token.
    pub fn draw(&mut self, log_probabilities: impl Iterator<Item = f32>) {
        let (token, value) = sample::draw(log_probabilities, self.sampling.temperature, &mut self.random);
        if self.sampling.stop.contains(&token) {
            self.state = State::Done { stopped: true };
            return;
        }
        self.tokens.push(token);
        self.log_probabilities.push(value);
        self.state = State::Drawn(token);
    }

    /// The node to feed after and the token to feed, if the text goes on within `limit` tokens.
    pub fn next(&mut self, limit: usize) -> Option<(Node, u32)> {
        let State::Drawn(token) = self.state else {
            return None;
        };
        if self.tokens.len() >= self.sampling.max_tokens || self.keys.len() >= limit {
            self.state = State::Done { stopped: false };
            return None;
        }
        self.keys.last().map(|last| (last.slot, token))
    }

    /// Feeds a token at a node.
    pub fn feed(&mut self, slot: Node, token: u32) -> Sequence {
        let position = self.keys.len();
        self.keys.push(Row { slot, token, position });
        self.state = State::Waiting;
        Sequence { keys: self.keys.clone(), context: position + 1, parents: Vec::new(), rows: vec![position] }
    }

    /// The text.
    pub fn output(self) -> Output {
        let stopped = self.state == State::Done { stopped: true };
        Output::Text { tokens: self.tokens, log_probabilities: self.log_probabilities, stopped }
    }
}
