//! CPU of one model call on our side: plays scripted episodes against a local server and prints microseconds a call by `getrusage`.
//!
//! `cargo run --release --example provider_speed -- URL [single|multi] [openai|anthropic] [stream] [ENTRY-TOML]`; the server is any
//! that answers each request; faults and retries are counted.

use anyhow::Context;
use harnessx::clock::Clock;
use harnessx::domain::conversation::Conversation;
use harnessx::domain::message::{Arguments, Message, ToolSpec};
use harnessx::domain::request::{Decision, ModelRequest, ModelRole, RequestHead, Sampling};
use harnessx::net::Client;
use harnessx::provider::{Api, Meter, ModelEntry, Provider, Surroundings};
use nix::sys::resource::{UsageWho, getrusage};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const CALLS_AN_EPISODE: usize = 20;
const EPISODES: usize = 500;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let url = arguments.first().context("give the server's URL")?.clone();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let mut builder =
        if has("multi") { tokio::runtime::Builder::new_multi_thread() } else { tokio::runtime::Builder::new_current_thread() };
    let runtime = builder.enable_all().build()?;
    let extra = arguments.iter().find(|argument| argument.contains('=')).cloned().unwrap_or_default();
    let mut entry: ModelEntry = toml::from_str(&format!("base_url = {url:?}\nmodel = 'mock'\n{extra}"))?;
    entry.api = if has("anthropic") { Api::Anthropic } else { Api::OpenAi };
    entry.stream = has("stream");
    let episodes = if extra.is_empty() { EPISODES } else { 50 };
    // With settings of its own (faults, short deadlines) a run is about how calls end, not about their CPU.
    let levels: &[usize] = if extra.is_empty() { &[1, 10, 100, 500] } else { &[50] };
    for concurrency in levels {
        runtime.block_on(play(&entry, *concurrency, episodes))?;
    }
    Ok(())
}

async fn play(entry: &ModelEntry, concurrency: usize, episodes: usize) -> anyhow::Result<()> {
    let models = BTreeMap::from([("mine".to_owned(), entry.clone())]);
    let meter = Arc::new(Meter::default());
    let around = Surroundings { models: &models, environment: &|_| None, client: &Client::new(), meter: &meter, clock: &Clock::system() };
    let provider = Arc::new(Provider::open(&"mine".parse().map_err(anyhow::Error::msg)?, &around)?);
    let next = Arc::new(AtomicUsize::new(0));
    let (cpu, start) = (cpu_us()?, Instant::now());
    let workers: Vec<_> = (0..concurrency).map(|_| tokio::spawn(work(Arc::clone(&provider), Arc::clone(&next), episodes))).collect();
    let mut tally = Tally::default();
    for worker in workers {
        let one = worker.await?;
        tally.retries += one.retries;
        tally.failures += one.failures;
        tally.calls += one.calls;
        tally.slowest_ms = tally.slowest_ms.max(one.slowest_ms);
    }
    let (used, wall) = (cpu_us()? - cpu, start.elapsed());
    let calls = tally.calls.max(1) as f64;
    writeln!(
        std::io::stdout(),
        "concurrency {concurrency:>3}: {:>6.1} us CPU a call, {:>7.0} calls/s, {} calls, {} retries, {} failures, slowest {} ms, {} tokens",
        used as f64 / calls,
        calls / wall.as_secs_f64(),
        tally.calls,
        tally.retries,
        tally.failures,
        tally.slowest_ms,
        meter.tokens()
    )?;
    Ok(())
}

#[derive(Default)]
struct Tally {
    calls: usize,
    retries: usize,
    failures: usize,
    slowest_ms: u128,
}

async fn work(provider: Arc<Provider>, next: Arc<AtomicUsize>, episodes: usize) -> Tally {
    let tool = ToolSpec { name: "echo".into(), description: "Echoes.".into(), schema: Arguments(serde_json::json!({"type": "object"})) };
    let head = RequestHead::new("You are a careful agent. Use the tools you have.".into(), vec![tool]);
    let mut tally = Tally::default();
    loop {
        let episode = next.fetch_add(1, Ordering::Relaxed);
        if episode >= episodes {
            return tally;
        }
        let mut conversation = Conversation::default();
        conversation.push(Message::user(format!("task {episode}")));
        for call in 0..CALLS_AN_EPISODE {
            let request = ModelRequest {
                head: head.clone(),
                conversation: conversation.clone(),
                decision: Decision::Free,
                sampling: Sampling::default(),
                role: ModelRole::Main,
            };
            let start = Instant::now();
            let called = provider.call(&request, (episode * 1000 + call) as u64).await;
            drop(request);
            tally.calls += 1;
            tally.slowest_ms = tally.slowest_ms.max(start.elapsed().as_millis());
            let Ok(called) = called else {
                tally.failures += 1;
                break;
            };
            tally.retries += called.retries.len();
            let results: Vec<Message> = called
                .reply
                .tool_calls
                .iter()
                .map(|call| Message::Tool { call: call.id.clone(), name: call.name.clone(), text: "ok".into(), is_error: false })
                .collect();
            let is_over = results.is_empty();
            conversation.push(Message::Assistant { text: called.reply.text, tool_calls: called.reply.tool_calls });
            for result in results {
                conversation.push(result);
            }
            if is_over {
                break;
            }
        }
    }
}

fn cpu_us() -> anyhow::Result<i64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let us = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    Ok(us(usage.user_time()) + us(usage.system_time()))
}
