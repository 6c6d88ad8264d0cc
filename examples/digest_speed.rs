//! How fast traces are digested: `cargo run --release --example digest_speed [MIB]`. Writes traces of the household's shape into a
//! temporary folder, digests them on one thread, and prints MB/s and the memory high-water mark.

use harnessx::domain::id::TaskId;
use harnessx::stages::digest::digest_task;
use std::io::Write;
use std::time::Instant;

const STEPS: usize = 30;

fn trace(number: usize) -> String {
    let mut text = format!(
        "{{\"record\":\"episode\",\"format\":1,\"task\":\"t/{number}\",\"stream\":\"visible\",\"replicate\":0,\"harness\":\"h\",\"policy\":\"p\",\"seed\":1,\"task_text\":\"do it\",\"tags\":{{\"kind\":\"k{}\"}}}}\n",
        number % 6
    );
    let room = "You arrive at shelf 3. On the shelf 3, you see a bowl 1, a vase 2, and a watch 1. ".repeat(12);
    for step in 1..=STEPS {
        let actions: Vec<String> = (0..20).map(|action| format!("go to drawer {action}")).collect();
        let records = [
            serde_json::json!({"record": "trigger", "step": step, "hook": "before_model", "processor": "tried_actions", "change": "actions 20 → 15"}),
            serde_json::json!({"record": "request", "step": step, "kept": 2 * step, "turns": [{"role": "user", "text": room}], "decision": {"mode": "free"},
                "sampling": {}, "role": "main", "digest": "0".repeat(64)}),
            serde_json::json!({"record": "reply", "step": step, "text": "go to drawer 3", "finish": "stop", "usage": {"input_tokens": 900, "cached_tokens": 0,
                "output_tokens": 9, "cost": 0.0}, "choice": {"chosen": 1, "scores": vec![-0.5; 20]}, "latency_ms": 100, "source": "model"}),
            serde_json::json!({"record": "tool", "step": step, "call": {"id": format!("c{step}"), "name": "act", "arguments": {"command": format!("go to drawer {}", step % 7)}},
                "result": {"text": room, "is_error": false}, "actions": actions}),
        ];
        for record in records {
            text.push_str(&record.to_string());
            text.push('\n');
        }
    }
    text.push_str("{\"record\":\"outcome\",\"outcome\":\"failed\",\"end\":{\"ending\":\"budget\",\"limit\":\"steps\"},\"reward\":0.0,\"steps\":30,\"calls\":30,\"usage\":{\"input_tokens\":1,\"cached_tokens\":0,\"output_tokens\":1,\"cost\":0.0}}\n");
    text
}

fn main() -> anyhow::Result<()> {
    let wanted: usize = std::env::args().nth(1).map_or(Ok(256), |text| text.parse())?;
    let dir = tempfile::tempdir()?;
    let (mut bytes, mut files) = (0, 0);
    while bytes < wanted << 20 {
        let text = trace(files);
        std::fs::File::create(dir.path().join(format!("{files}.jsonl")))?.write_all(text.as_bytes())?;
        bytes += text.len();
        files += 1;
    }
    let started = Instant::now();
    let mut signals = 0;
    for file in 0..files {
        let digest =
            digest_task(dir.path(), &TaskId::from("t"), &[(0, format!("{file}.jsonl"))]).map_err(|error| anyhow::anyhow!("{error}"))?;
        signals += digest.signals.len();
    }
    let seconds = started.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{files} traces, {:.0} MB in {seconds:.2} s: {:.0} MB/s on one core; {signals} signals; {peak}",
        bytes as f64 / 1e6,
        bytes as f64 / 1e6 / seconds
    )?;
    Ok(())
}
