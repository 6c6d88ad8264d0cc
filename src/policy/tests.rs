//! Model-bound tests: against an independent implementation, and bit for bit against ourselves under other batches and caches.
//! They run when `HARNESSX_SMOLLM2` names the weights file that `tests/fixtures/policy/make_reference.py` was given.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::{Engine, Job, OptionScore, Output, Policy, PolicyError, Work};

#[derive(Deserialize)]
struct Reference {
    prompts: Vec<Prompt>,
    texts: Vec<Text>,
}

#[derive(Deserialize)]
struct Prompt {
    special_prefix: Vec<String>,
    text: String,
    ids: Vec<u32>,
    options: Vec<ReferenceOption>,
    greedy: Vec<u32>,
}

#[derive(Deserialize)]
struct ReferenceOption {
    text: String,
    ids: Vec<u32>,
    log_probabilities: Vec<f32>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../tests/fixtures/policy/reference.json")).unwrap()
}

fn load(threads: usize) -> Option<Policy> {
    let Some(path) = std::env::var_os("HARNESSX_SMOLLM2").map(PathBuf::from).filter(|path| path.exists()) else {
        println!("skipped: HARNESSX_SMOLLM2 does not name a weights file");
        return None;
    };
    Some(Policy::load(&path, threads).unwrap())
}

fn score(context: &[u32], options: &[Vec<u32>]) -> Job {
    Job { context: context.to_vec(), work: Work::Score { options: options.to_vec() } }
}

fn generate(context: &[u32], max_tokens: usize, temperature: f64) -> Job {
    let work = Work::Generate { max_tokens, temperature, seed: 5, stop: Vec::new() };
    Job { context: context.to_vec(), work }
}

fn scores(output: &Result<Output, PolicyError>) -> &[OptionScore] {
    match output {
        Ok(Output::Scores(scores)) => scores,
        other => panic!("not scores: {other:?}"),
    }
}

/// Exact bits of the scores of the one job that `run` answers last.
fn bits(outputs: &[Result<Output, PolicyError>]) -> Vec<Vec<u32>> {
    let options = scores(outputs.last().unwrap());
    options.iter().map(|option| option.log_probabilities.iter().map(|value| value.to_bits()).collect()).collect()
}

#[test]
fn tokens_scores_and_greedy_text_agree_with_the_reference() {
    let Some(policy) = load(2) else { return };
    let Reference { prompts, texts } = reference();
    for Text { text, ids } in &texts {
        assert_eq!(&policy.encode(text), ids, "{text:?}");
    }
    let start = policy.special("<|im_start|>").unwrap();
    assert!(!policy.encode("<|im_start|>").contains(&start));
    assert_eq!(policy.decode(&policy.encode("naïve — 日本 12")), "naïve — 日本 12");
    let mut jobs = Vec::new();
    for prompt in &prompts {
        let special = prompt.special_prefix.iter().map(|name| policy.special(name).unwrap());
        let ids: Vec<u32> = special.chain(policy.encode(&prompt.text)).collect();
        assert_eq!(ids, prompt.ids);
        let options: Vec<Vec<u32>> = prompt.options.iter().map(|option| policy.encode(&option.text)).collect();
        jobs.push(score(&ids, &options));
        jobs.push(generate(&ids, prompt.greedy.len(), 0.0));
    }
    let outputs = Engine::new(Arc::new(policy), 64 << 20).run(&jobs);
    for (prompt, outputs) in prompts.iter().zip(outputs.chunks(2)) {
        for (option, found) in prompt.options.iter().zip(scores(&outputs[0])) {
            assert_eq!(option.ids.len(), found.log_probabilities.len());
            for (expected, found) in option.log_probabilities.iter().zip(&found.log_probabilities) {
                assert!((expected - found).abs() < 1e-3, "{}: {expected} {found}", option.text);
            }
        }
        let Ok(Output::Text { tokens, .. }) = &outputs[1] else { panic!("no text") };
        assert_eq!(tokens, &prompt.greedy);
    }
}

#[test]
fn bits_do_not_depend_on_batch_cache_or_threads() {
    let Some(policy) = load(2) else { return };
    let long = &reference().prompts[3];
    let context = &long.ids[..203];
    let options: Vec<Vec<u32>> =
        [" walks on", " walks away", " walks", " water", " goes to tree 1", " goes to tree 12"].map(|text| policy.encode(text)).into();
    let job = score(context, &options);
    let others: Vec<Job> =
        (0..7_usize).map(|i| score(&[&context[..60 + 17 * i], &[i as u32 + 300][..]].concat(), &options[..=i % 4])).collect();
    let mut engine = Engine::new(Arc::new(policy), 256 << 20);
    let alone = bits(&engine.run(std::slice::from_ref(&job)));
    assert_eq!(alone, bits(&engine.run(std::slice::from_ref(&job))), "all of it in the cache");

    let mut engine = Engine::new(Arc::new(load(1).unwrap()), 256 << 20);
    assert_eq!(alone, bits(&engine.run(&[others, vec![job.clone()]].concat())), "a batch of 8 on one thread");

    let mut engine = Engine::new(Arc::new(load(2).unwrap()), 0);
    let filler: Vec<u32> = (1000..1700).collect();
    let cut_in_two = engine.run(&[score(&filler, &[]), job.clone()]);
    assert_eq!(alone, bits(&cut_in_two), "rows spread over two passes");

    for cut in [202, 200, 160, 1] {
        let prefix = &context[..cut];
        // what was computed as options of a shorter context is taken up as context
        let branches = [context[cut..].to_vec(), vec![context[cut], 77, 78], vec![99, 98]];
        engine.run(&[score(prefix, &branches)]);
        assert_eq!(alone, bits(&engine.run(std::slice::from_ref(&job))), "prefix of {cut}");
    }
    let Ok(Output::Text { tokens, log_probabilities, .. }) = &engine.run(&[generate(context, 4, 0.7)])[0] else { panic!("no text") };
    let scored = bits(&engine.run(&[score(context, std::slice::from_ref(tokens))]));
    assert_eq!(scored[0], log_probabilities.iter().map(|value| value.to_bits()).collect::<Vec<_>>());
}

#[test]
fn a_bad_job_is_refused_and_the_others_run() {
    let Some(policy) = load(2) else { return };
    let limit = policy.context_length();
    let mut engine = Engine::new(Arc::new(policy), 16 << 20);
    let outputs = engine.run(&[
        score(&[], &[vec![5]]),
        score(&[4], &[vec![5], vec![]]),
        score(&vec![4; limit], &[vec![5]]),
        score(&[60_000], &[vec![5]]),
        generate(&[4], 3, f64::NAN),
        score(&[4], &[]),
        generate(&[4], 0, 0.0),
        score(&[4], &[vec![5]]),
    ]);
    assert!(matches!(outputs[0], Err(PolicyError::EmptyContext { job: 0 })));
    assert!(matches!(outputs[1], Err(PolicyError::EmptyOption { job: 1, option: 1 })));
    assert!(matches!(outputs[2], Err(PolicyError::ContextTooLong { tokens, .. }) if tokens == limit + 1));
    assert!(matches!(outputs[3], Err(PolicyError::UnknownToken { token: 60_000, .. })));
    assert!(matches!(outputs[4], Err(PolicyError::Temperature { .. })));
    assert!(scores(&outputs[5]).is_empty());
    assert!(matches!(&outputs[6], Ok(Output::Text { tokens, .. }) if tokens.is_empty()));
    assert!(scores(&outputs[7])[0].log_probabilities[0] < 0.0);
}

#[test]
fn an_engine_can_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Engine>();
}

#[test]
fn a_missing_or_damaged_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.gguf");
    assert!(matches!(Policy::load(&path, 1), Err(PolicyError::Read { .. })));
    std::fs::write(&path, b"GGUF\x03\0\0\0junk").unwrap();
    assert!(matches!(Policy::load(&path, 1), Err(PolicyError::Format { .. })));
}
