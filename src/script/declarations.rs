//! TypeScript declarations of events, answers and helpers: what an author of scripts is given (`harnessx check --types`). Events come from
//! the table in `view`; a test holds the other types against what the program really sends.

use super::view::fields;
use crate::domain::event::Hook;
use std::fmt::Write;

const TYPES: &str = r#"type Role = "main" | "judge" | "meta" | "user";
type Arguments = { readonly [name: string]: unknown };

interface ToolCall { readonly id: string; readonly name: string; readonly arguments: Arguments }
interface ToolSpec { readonly name: string; readonly description: string; readonly schema: Arguments }
interface ToolResult { readonly text: string; readonly is_error: boolean }

/** One turn. User and assistant take turns; results stand behind their calls. */
type Message =
  | { readonly role: "user"; readonly text: string }
  | { readonly role: "assistant"; readonly text: string; readonly tool_calls?: readonly ToolCall[] }
  | { readonly role: "tool"; readonly call: string; readonly name: string; readonly text: string; readonly is_error?: boolean };

/** Tokens and US dollars used so far in this episode. */
interface Usage { readonly input_tokens: number; readonly cached_tokens: number; readonly output_tokens: number; readonly cost: number }
interface Sampling { readonly temperature?: number; readonly top_p?: number; readonly max_tokens?: number; readonly stop?: readonly string[] }
type Decision =
  | { readonly mode: "free" }
  | { readonly mode: "choice"; readonly options: readonly string[]; readonly score: "mean" | "sum" }
  | { readonly mode: "schema"; readonly schema: unknown };
interface Reply {
  readonly text?: string;
  readonly tool_calls?: readonly ToolCall[];
  readonly finish: "stop" | "tool_calls" | "length" | "refusal";
  readonly usage: Usage;
  readonly served_by?: string;
  readonly choice?: { readonly chosen: number; readonly scores: readonly number[]; readonly temperature: number };
  readonly tokens?: { readonly ids?: readonly number[]; readonly log_probabilities: readonly number[] };
}
type Ending =
  | { readonly ending: "final_answer"; readonly text: string }
  | { readonly ending: "environment_done" }
  | { readonly ending: "budget"; readonly limit: string }
  | { readonly ending: "interrupt"; readonly processor: string; readonly reason: string }
  | { readonly ending: "harness_fault"; readonly part: string; readonly message: string }
  | { readonly ending: "fault"; readonly boundary: string; readonly message: string };

/** Whole turns only, by index into `event.turns`; a call stays with its result. */
type HistoryEdit =
  | { edit: "drop"; from: number; to: number }
  | { edit: "summarise"; from: number; to: number; text: string }
  | { edit: "reorder"; order: number[] };
type Wish = { id?: string; name: string; arguments: object };
type Words = { text?: string; tool_calls?: Wish[] };
type Result = { text: string; is_error?: boolean };
/** Ends the episode. */
type Interrupt = { interrupt: string };
/** A question to a model; the same hook is called again with `event.answer`. At most four an event. */
type Ask = { ask: { prompt: string; system?: string; role?: Role; decision?: Decision; max_tokens?: number } };
/** `undefined` passes. */
type Pass = undefined | null | void;
"#;

const API: &str = r#"/** Pure helpers. The same input gives the same output, on any machine. */
interface Api {
  /** Parameters of harness.toml over the defaults of `meta.params`. */
  readonly params: { readonly [name: string]: any };
  /** About four bytes a token. */
  tokens(text: string): number;
  readonly text: {
    /** Lower case, single spaces. */
    normalise(text: string): string;
    /** At most so many letters, with an ellipsis when cut. */
    truncate(text: string, letters: number): string;
    /** 0 (nothing in common) to 1 (the same), by edit distance. */
    similarity(one: string, two: string): number;
  };
  readonly json: {
    /** The first JSON object or array that stands in a text. */
    find(text: string): any | undefined;
  };
  readonly regex: {
    escape(text: string): string;
    /** All matches, in linear time: no look-around, no back-references. `index` counts letters. */
    all(pattern: string, text: string): { text: string; index: number; groups: (string | null)[] }[];
  };
  /** One of the items, drawn by the key: the same key draws the same. */
  choose<T>(items: readonly T[], key: string | number): T;
}
interface ToolApi extends Api {
  /** Calls one of the environment's own tools; counted and traced. At most 64 a run. */
  call(tool: string, args?: object): ToolResult;
}

type Dimension = "model_selection" | "context_assembly" | "memory" | "tools" | "execution_environment"
  | "evaluation_and_reward" | "control_and_safety" | "observability" | "training_bridge";

/** `export const meta` of a processor. All keys may be left out. */
interface Meta { name?: string; group?: string; order?: number; dimension?: Dimension; params?: { [name: string]: unknown } }
/** `export const meta` of a tool; `schema` is the JSON schema of `args`. */
interface ToolMeta { name: string; description: string; schema: object }
/** `export function run(args, state, api)` of a tool. */
type Run = (args: any, state: any, api: ToolApi) => string | Result;
"#;

/// What may be answered at a hook, besides passing, interrupting and asking.
fn answer(hook: Hook) -> &'static str {
    match hook {
        Hook::TaskStart => "Pass | Interrupt | Ask | { replace: { system?: string; demonstrations?: Message[] } }",
        Hook::StepStart => "Pass | Interrupt | Ask | { replace: { history: HistoryEdit[] } }",
        Hook::BeforeModel => {
            "Pass | Interrupt | Ask\n    | { replace: { last_user?: string; append_user?: string; tools?: string[]; actions?: string[]; \
             role?: Role; sampling?: Sampling; decision?: Decision; votes?: number } }\n    | { intercept: { reply: Words } }"
        }
        Hook::AfterModel => "Pass | Interrupt | Ask | { replace: { reply?: Words; again?: string } } | { intercept: { again: string } }",
        Hook::BeforeTool => {
            "Pass | Interrupt | Ask | { replace: { arguments: object } }\n    | { split: { calls: Wish[] } } | { intercept: { result: Result } }"
        }
        Hook::AfterTool => {
            "Pass | Interrupt | Ask | { replace: { result: Result } }\n    | { split: { results: Result[] } } | { intercept: { marker: string } }"
        }
        Hook::StepEnd => "Pass | Interrupt | Ask",
        Hook::TaskEnd => "Pass | Ask",
    }
}

/// The declarations as one `.d.ts` file.
pub fn declarations() -> String {
    let mut text = String::from(
        "// Types of harnessx scripts. A processor (processors/*.js) exports `hooks` and `meta`, a tool (tools/*.js) `run` and `meta`.\n\
         // What is changed in an event changes nothing. `state` is the script's own JSON, kept for one episode; what the module holds is frozen.\n\n",
    );
    text.push_str(TYPES);
    for hook in Hook::ALL {
        let _ = writeln!(text, "\ninterface {} {{", event_name(hook));
        for (name, kind) in fields(hook) {
            let optional = if name == "answer" { "?" } else { "" };
            let kind = match (name, kind) {
                ("hook", _) => format!("\"{}\"", hook.as_str()),
                (_, "Message[]") => "readonly Message[]".to_owned(),
                (_, kind) => kind.to_owned(),
            };
            let _ = writeln!(text, "  readonly {name}{optional}: {kind};");
        }
        text.push_str("}\n");
    }
    text.push_str("\n/** `export const hooks` of a processor. */\ninterface Hooks {\n");
    for hook in Hook::ALL {
        let _ = writeln!(text, "  {}?(event: {}, state: any, api: Api):\n    {};", hook.as_str(), event_name(hook), answer(hook));
    }
    text.push_str("}\n\n");
    text.push_str(API);
    text
}

fn event_name(hook: Hook) -> String {
    let capital =
        |word: &str| word.chars().take(1).map(|letter| letter.to_ascii_uppercase()).chain(word.chars().skip(1)).collect::<String>();
    let words: String = hook.as_str().split('_').map(capital).collect();
    format!("{words}Event")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::ToolResult;
    use crate::domain::message::{Arguments, Message, ToolCall, ToolSpec};
    use crate::domain::outcome::{Boundary, Ending};
    use crate::domain::request::{ChoiceRecord, Decision, Reply, Sampling, ScoreRule, TokenRecord, Usage};
    use serde::Serialize;
    use serde_json::Value;

    fn call() -> ToolCall {
        ToolCall { id: "c".into(), name: "t".into(), arguments: Arguments(serde_json::json!({})) }
    }

    /// Every value with every field there is; a new field or variant breaks the build or the test.
    fn samples() -> Vec<Value> {
        fn json(value: impl Serialize) -> Value {
            serde_json::to_value(value).unwrap()
        }
        let sampling = Sampling { temperature: Some(1.0), top_p: Some(1.0), max_tokens: Some(1), stop: vec!["x".into()] };
        let reply = Reply {
            text: "x".into(),
            tool_calls: vec![call()],
            finish: crate::domain::request::Finish::Stop,
            usage: Usage { input_tokens: 1, cached_tokens: 1, output_tokens: 1, cost: 1.0 },
            served_by: Some("m".into()),
            choice: Some(ChoiceRecord { chosen: 0, scores: vec![1.0], temperature: 0.0 }),
            tokens: Some(TokenRecord { ids: vec![1], log_probabilities: vec![1.0] }),
        };
        vec![
            json(sampling),
            json(reply),
            json(Decision::Choice { options: vec![], score: ScoreRule::Mean }),
            json(Decision::Schema { schema: Value::Null }),
            json(ToolResult { text: String::new(), is_error: true }),
            json(ToolSpec { name: "t".into(), description: String::new(), schema: Arguments(Value::Null) }),
            json(Message::Assistant { text: String::new(), tool_calls: vec![call()] }),
            json(Message::Tool { call: "c".into(), name: "t".into(), text: String::new(), is_error: true }),
            json(Ending::FinalAnswer { text: String::new() }),
            json(Ending::EnvironmentDone),
            json(Ending::Budget { limit: String::new() }),
            json(Ending::Interrupt { processor: String::new(), reason: String::new() }),
            json(Ending::HarnessFault { part: String::new(), message: String::new() }),
            json(Ending::Fault { boundary: Boundary::Sandbox, message: String::new() }),
        ]
    }

    #[test]
    fn every_key_that_is_sent_is_declared() {
        let text = declarations();
        for sample in samples() {
            for (key, value) in sample.as_object().unwrap() {
                assert!(text.contains(&format!("readonly {key}: ")) || text.contains(&format!("readonly {key}?: ")), "{key}");
                if let ("role" | "mode" | "ending", Some(tag)) = (key.as_str(), value.as_str()) {
                    assert!(text.contains(&format!("readonly {key}: \"{tag}\"")), "{key} {tag}");
                }
            }
        }
        for name in super::super::globals::API {
            assert!(
                text.contains(&format!("  {name}(")) || text.contains(&format!("readonly {name}: ")) || text.contains(&format!("{name}<")),
                "{name}"
            );
        }
    }
}
