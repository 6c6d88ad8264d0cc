//! What is asked of the engine and what it answers.

/// One request: a context, and what to do after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Token ids from the start of the sequence; at least one.
    pub context: Vec<u32>,
    /// What to do after the context.
    pub work: Work,
}

/// What to do after a job's context.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Log-probability of each continuation offered.
    Score {
        /// The continuations, each of at least one token.
        options: Vec<Vec<u32>>,
    },
    /// Sample a continuation.
    Generate {
        /// Most tokens to sample; sampling also ends at the end of the model's window.
        max_tokens: usize,
        /// Zero takes the likeliest token (the lowest id of equals).
        temperature: f64,
        /// Seed of this job's own random stream.
        seed: u64,
        /// Sampling ends when one of these comes; it is left out of the text.
        stop: Vec<u32>,
    },
}

/// Answer to one job.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Answer to [`Work::Score`], in the order of the options.
    Scores(Vec<OptionScore>),
    /// Answer to [`Work::Generate`].
    Text {
        /// The tokens sampled, without the stop token.
        tokens: Vec<u32>,
        /// Natural log-probability of each token under the model, at temperature 1.
        log_probabilities: Vec<f32>,
        /// Whether a stop token ended the text.
        stopped: bool,
    },
}

/// Score of one option.
#[derive(Clone, Debug, PartialEq)]
pub struct OptionScore {
    /// Natural log-probability of each token of the option, exact over the full vocabulary.
    pub log_probabilities: Vec<f32>,
}

impl OptionScore {
    /// Log-probability of the whole option.
    pub fn total(&self) -> f64 {
        self.log_probabilities.iter().map(|p| f64::from(*p)).sum()
    }
}

/// What an engine has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Meter {
    /// Tokens that went through the layers.
    pub computed_tokens: u64,
    /// Context tokens that did not, for the cache or another job of the batch had them.
    pub cached_tokens: u64,
    /// Option and sampled tokens that got a log-probability.
    pub scored_tokens: u64,
    /// Seconds spent inside `run`.
    pub busy_seconds: f64,
}
