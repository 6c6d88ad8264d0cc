//! Runs batches of jobs: one pass for all new context tokens and all options, then one pass for each generated token.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::batch::{Ask, Batch};
use super::error::PolicyError;
use super::forward::{KeyValues, Scratch};
use super::generation::Generation;
use super::job::{Job, Meter, OptionScore, Output, Work};
use super::model::Policy;
use super::plan::{Pass, Sequence};
use super::prefix_cache::{Node, PrefixCache, Use};
use super::vocabulary::{self, Distribution, Wanted};

/// Most rows of one pass; more are cut into several.
const PASS_ROWS: usize = 768;

/// A policy with its prefix cache.
#[derive(Debug)]
pub struct Engine {
    policy: Arc<Policy>,
    cache: PrefixCache,
    memory: KeyValues,
    scratch: Scratch,
    meter: Meter,
}

impl Engine {
    /// An engine whose cache takes about `cache_bytes`; a single batch that needs more gets it, and the cache keeps it.
    pub fn new(policy: Arc<Policy>, cache_bytes: usize) -> Engine {
        let shape = policy.network.shape();
        let slots = cache_bytes / KeyValues::bytes_per_token(shape);
        Engine {
            cache: PrefixCache::new(slots),
            memory: KeyValues::new(shape, slots),
            scratch: Scratch::default(),
            meter: Meter::default(),
            policy,
        }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What has been done so far.
    pub fn meter(&self) -> Meter {
        self.meter
    }

    /// Answers each job, in order; a job that cannot be run does not disturb the others.
    pub fn run(&mut self, jobs: &[Job]) -> Vec<Result<Output, PolicyError>> {
        let started = Instant::now();
        let checks: Vec<_> = jobs.iter().enumerate().map(|(index, job)| self.check(index, job)).collect();
        let accepted = || jobs.iter().zip(&checks).enumerate().filter(|(_, (_, check))| check.is_ok());
        self.cache.start_batch();
        for (_, (job, _)) in accepted() {
            self.cache.touch(&job.context);
        }
        let mut batch = Batch::default();
        for (index, (job, _)) in accepted() {
            batch.enter(index, job, &mut self.cache);
        }
        self.meter.cached_tokens += batch.cached_tokens;
        let mut outputs: Vec<Output> = jobs.iter().map(blank).collect();
        self.compute(&batch.sequences, &batch.asks, &mut batch.generations, &mut outputs);
        self.generate(batch.generations, &mut outputs);
        self.meter.busy_seconds += started.elapsed().as_secs_f64();
        checks.into_iter().zip(outputs).map(|(check, output)| check.map(|()| output)).collect()
    }

    fn check(&self, job: usize, request: &Job) -> Result<(), PolicyError> {
        if request.context.is_empty() {
            return Err(PolicyError::EmptyContext { job });
        }
        let options = match &request.work {
            Work::Score { options } => options.as_slice(),
            Work::Generate { temperature, .. } if temperature.is_finite() && *temperature >= 0.0 => &[],
            Work::Generate { temperature, .. } => {
                return Err(PolicyError::Temperature { job, temperature: *temperature });
            }
        };
        if let Some(option) = options.iter().position(Vec::is_empty) {
            return Err(PolicyError::EmptyOption { job, option });
        }
        let tokens = request.context.len() + options.iter().map(Vec::len).max().unwrap_or(0);
        let limit = self.policy.context_length();
        if tokens > limit {
            return Err(PolicyError::ContextTooLong { job, tokens, limit });
        }
        let vocabulary = self.policy.network.shape().vocabulary;
        let mut all = request.context.iter().chain(options.iter().flatten());
        match all.find(|token| **token as usize >= vocabulary) {
            Some(token) => Err(PolicyError::UnknownToken { job, token: *token, vocabulary }),
            None => Ok(()),
        }
    }

    /// Runs all rows of some sequences, answers the asks and draws for the generations that wait for one of the rows.
    fn compute(&mut self, sequences: &[Sequence], asks: &[Ask], generations: &mut [Generation], outputs: &mut [Output]) {
        self.memory.grow(self.cache.slots());
        let shape = self.policy.network.shape();
        let heads = shape.heads / shape.key_heads;
        let mut pass = Pass::default();
        for sequence in sequences {
            let mut start = 0;
            while start < sequence.rows.len() {
                let end = sequence.rows.len().min(start + PASS_ROWS - pass.rows.len());
                pass.add(sequence, start..end, heads);
                start = end;
                if pass.rows.len() == PASS_ROWS {
                    self.run_pass(&pass, asks, generations, outputs);
                    pass = Pass::default();
                }
            }
        }
        if !pass.rows.is_empty() {
            self.run_pass(&pass, asks, generations, outputs);
        }
    }

    fn run_pass(&mut self, pass: &Pass, asks: &[Ask], generations: &mut [Generation], outputs: &mut [Output]) {
        let rows: HashMap<Node, usize> = pass.rows.iter().enumerate().map(|(row, at)| (at.slot, row)).collect();
        let waiting = generations.iter_mut().filter_map(|one| Some((one.awaited(&rows)?, one)));
        let (mut chosen, waiting): (Vec<usize>, Vec<&mut Generation>) = waiting.unzip();
        let mut places = HashMap::new();
        let mut answered = Vec::new();
        let mut wanted = Vec::new();
        for ask in asks {
            let Some(row) = rows.get(&ask.node) else {
                continue;
            };
            let place = *places.entry(*row).or_insert_with(|| {
                chosen.push(*row);
                chosen.len() - 1
            });
            answered.push(ask);
            wanted.push(Wanted { token: ask.token, row: place });
        }
        let distribution = self.forward(pass, &chosen, &wanted, waiting.len());
        for (index, (ask, wanted)) in answered.iter().zip(&wanted).enumerate() {
            let Output::Scores(scores) = &mut outputs[ask.job] else {
                continue;
            };
            scores[ask.option].log_probabilities[ask.place] = distribution.log_probability(index, *wanted);
        }
        self.meter.scored_tokens += (wanted.len() + waiting.len()) as u64;
        for (row, generation) in waiting.into_iter().enumerate() {
            generation.draw(distribution.row(row));
        }
    }

    /// Distributions after the chosen rows of a pass; those of the first `whole` are kept whole.
    fn forward(&mut self, pass: &Pass, chosen: &[usize], wanted: &[Wanted], whole: usize) -> Distribution {
        let Engine { policy, memory, scratch, meter, .. } = self;
        let network = &policy.network;
        meter.computed_tokens += pass.rows.len() as u64;
        policy.threads.install(|| {
            network.run(pass, memory, scratch);
            let left = network.last_hidden(pass.rows.len(), chosen, scratch);
            vocabulary::project(&left, chosen.len(), network.vocabulary(), wanted, whole)
        })
    }

    /// Feeds drawn tokens, one of each text at a time, until no text goes on.
    fn generate(&mut self, mut generations: Vec<Generation>, outputs: &mut [Output]) {
        let limit = self.policy.context_length();
        loop {
            let mut sequences = Vec::new();
            for generation in &mut generations {
                if let Some((before, token)) = generation.next(limit) {
                    let (node, _) = self.cache.child(Some(before), token, Use::Context);
                    sequences.push(generation.feed(node, token));
                }
            }
            if sequences.is_empty() {
                break;
            }
            self.compute(&sequences, &[], &mut generations, outputs);
        }
        for generation in generations {
            let job = generation.job();
            outputs[job] = generation.output();
        }
    }
}

/// An output of the right size, to be filled.
fn blank(job: &Job) -> Output {
    match &job.work {
        Work::Score { options } => {
            let score = |option: &Vec<u32>| OptionScore { log_probabilities: vec![0.0; option.len()] };
            Output::Scores(options.iter().map(score).collect())
        }
        Work::Generate { .. } => Output::Text { tokens: Vec::new(), log_probabilities: Vec::new(), stopped: false },
    }
}
