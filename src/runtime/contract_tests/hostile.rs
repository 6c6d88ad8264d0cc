//! Processors that answer anything anywhere, over models that write anything.

use super::{Played, Setting, play_in, station, wrong_with};
use crate::clock::seeded_by;
use crate::domain::conversation::HistoryEdit;
use crate::domain::event::{Action, Event, Intercept, Question, Replace, RequestChange, Split, ToolResult};
use crate::domain::id::CallId;
use crate::domain::message::{Arguments, Message, ToolCall};
use crate::domain::outcome::Ending;
use crate::domain::request::{Decision, ModelRole, Reply, Sampling, ScoreRule};
use crate::domain::trace::Record;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rand::RngExt;
use std::collections::BTreeSet;

const IDS: [&str; 6] = ["", "a", "b", "call_1", "call_2", "odd id\n"];
const TOOLS: [&str; 5] = ["echo", "fly", "", "odd name\u{e9}", "helper"];

/// A source of random answers.
struct Chance(rand_chacha::ChaCha8Rng);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn text(&mut self) -> String {
        ["", "t", "two words", "{\"a\": 1}"][self.below(4)].to_owned()
    }

    fn call(&mut self) -> ToolCall {
        let (id, name) = (IDS[self.below(6)], TOOLS[self.below(5)]);
        let field = if name == "helper" { "task" } else { "text" };
        ToolCall { id: CallId::from(id), name: name.into(), arguments: Arguments::text(field, &self.text()) }
    }

    fn reply(&mut self) -> Box<Reply> {
        let tool_calls = (0..self.below(4)).map(|_| self.call()).collect();
        Box::new(Reply { text: self.text(), tool_calls, ..Reply::default() })
    }

    fn result(&mut self) -> ToolResult {
        ToolResult { text: self.text(), is_error: self.coin() }
    }

    fn history(&mut self, turns: usize) -> HistoryEdit {
        let (from, to) = (self.below(turns + 1), self.below(turns + 2));
        match self.below(4) {
            0 => HistoryEdit::Drop { from, to },
            1 => HistoryEdit::Drop { from, to: usize::MAX },
            2 => HistoryEdit::Summarise { from, to, text: self.text() },
            _ => {
                let mut order: Vec<usize> = (0..turns).collect();
                order.rotate_left(from.min(turns));
                HistoryEdit::Reorder { order }
            }
        }
    }

    fn decision(&mut self) -> Decision {
        let options = (0..self.below(4)).map(|_| self.text()).collect();
        [Decision::Free, Decision::Choice { options, score: ScoreRule::Mean }, Decision::Schema { schema: serde_json::json!({}) }]
            .into_iter()
            .nth(self.below(3))
            .unwrap()
    }

    fn change(&mut self) -> RequestChange {
        let mut change = RequestChange::default();
        match self.below(8) {
            0 => change.last_user = Some(self.text()),
            1 => change.append_user = Some(self.text()),
            2 => change.tools = Some(vec![TOOLS[self.below(2)].into()]),
            3 => change.sampling = Some(Sampling { temperature: Some([0.5, -1.0, f64::NAN][self.below(3)]), ..Sampling::default() }),
            4 => change.decision = Some(self.decision()),
            5 => change.votes = Some([0, 1, 3, 10][self.below(4)]),
            6 => change.role = Some([ModelRole::Main, ModelRole::Judge][self.below(2)]),
            _ => change.actions = Some(vec![self.text()]),
        }
        change
    }

    fn demonstrations(&mut self) -> Vec<Message> {
        let turn = |model: bool| if model { Message::assistant("shown") } else { Message::user("shown") };
        (0..self.below(4)).map(|index| turn(index % 2 == 1)).collect()
    }

    /// What fits the hook, with content that may not.
    fn fitting(&mut self, event: &Event<'_>) -> Action {
        match event {
            Event::TaskStart { .. } => {
                Action::Replace(Replace::TaskStart { system: Some(self.text()), demonstrations: Some(self.demonstrations()) })
            }
            Event::StepStart { turns } => Action::Replace(Replace::StepStart { history: vec![self.history(turns.len())] }),
            Event::BeforeModel { .. } if self.below(4) == 0 => Action::Intercept(Intercept::Reply(self.reply())),
            Event::BeforeModel { .. } => Action::Replace(Replace::BeforeModel(Box::new(self.change()))),
            Event::AfterModel { .. } if self.coin() => Action::Intercept(Intercept::Again(self.text())),
            Event::AfterModel { .. } => {
                let again = self.coin().then(|| self.text());
                Action::Replace(Replace::AfterModel { reply: self.coin().then(|| self.reply()), again })
            }
            Event::BeforeTool { .. } => match self.below(3) {
                0 => Action::Replace(Replace::BeforeTool { arguments: Arguments::text("text", &self.text()) }),
                1 => Action::Intercept(Intercept::Result(self.result())),
                _ => Action::Split(Split::Calls((0..self.below(6)).map(|_| self.call()).map(|call| (call.name, call.arguments)).collect())),
            },
            Event::AfterTool { .. } => match self.below(3) {
                0 => Action::Replace(Replace::AfterTool { result: self.result() }),
                1 => Action::Intercept(Intercept::Hide { marker: self.text() }),
                _ => Action::Split(Split::Results((0..self.below(3)).map(|_| self.result()).collect())),
            },
            Event::StepEnd { .. } | Event::TaskEnd { .. } => Action::Pass,
        }
    }

    fn action(&mut self, event: &Event<'_>) -> Action {
        match self.below(200) {
            0..110 => Action::Pass,
            110..190 => self.fitting(event),
            190..194 => Action::Ask(Question {
                role: [ModelRole::Main, ModelRole::User][self.below(2)],
                system: self.text(),
                prompt: self.text(),
                decision: self.decision(),
                max_tokens: self.below(3) as u32,
            }),
            194 => Action::Interrupt { reason: self.text() },
            195 => Action::Intercept(Intercept::Reply(self.reply())),
            196 => Action::Replace(Replace::AfterTool { result: self.result() }),
            197 => Action::Split(Split::Results(vec![self.result()])),
            198 => Action::Intercept(Intercept::Again(self.text())),
            _ => Action::Replace(Replace::StepStart { history: Vec::new() }),
        }
    }
}

fn script() -> impl Strategy<Value = Vec<String>> {
    let call = (select(&IDS[..]), select(&TOOLS[..]), any::<bool>()).prop_map(|(id, name, has_id)| {
        let mut call = serde_json::json!({"name": name, "arguments": {"text": id}});
        if name == "helper" {
            call["arguments"] = serde_json::json!({ "task": "help" });
        }
        if has_id {
            call["id"] = id.into();
        }
        call
    });
    let reply = (select(&["", "text"][..]), vec(call, 0..4));
    vec(reply, 1..5).prop_map(|replies| {
        let line = |(turn, (text, calls)): (usize, (&str, Vec<serde_json::Value>))| {
            serde_json::json!({"match": {"turn": turn}, "reply": {"text": text, "tool_calls": calls}}).to_string()
        };
        let rest = serde_json::json!({"reply": {"tool_calls": [{"name": "echo", "id": "a"}, {"name": "echo", "id": "a"}]}}).to_string();
        replies.into_iter().enumerate().map(line).chain([rest]).collect()
    })
}

fn check(played: &Played) -> Result<(), TestCaseError> {
    for request in played.requests() {
        let wrong = wrong_with(&request);
        prop_assert!(wrong.is_none(), "{wrong:?} in {request:#?}");
    }
    let ids = played.call_ids();
    prop_assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{:?}", ids);
    let mut blamed = BTreeSet::new();
    for record in &played.records {
        if let Record::Trigger { processor, change, .. } = record
            && change.starts_with("fault: ")
        {
            blamed.insert(processor.as_str());
        }
    }
    match &played.ending {
        Ending::HarnessFault { part, message } => prop_assert!(blamed.contains(part.as_str()), "{part}: {message}"),
        Ending::Fault { message, .. } => prop_assert!(false, "{message}"),
        Ending::FinalAnswer { .. } | Ending::EnvironmentDone | Ending::Budget { .. } | Ending::Interrupt { .. } => {
            prop_assert!(blamed.is_empty(), "{blamed:?} broke the contract, and the end is {:?}", played.ending);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_processor_and_no_model_corrupts_an_episode(
        script in script(),
        seeds in vec(any::<u64>(), 0..4),
        setting in select(&[Setting::Alone, Setting::Calling, Setting::Within][..]),
    ) {
        let hostile = |(index, seed): (usize, &u64)| {
            let mut chance = Chance(seeded_by(*seed));
            station(&format!("hostile{index}"), move |event| chance.action(event))
        };
        check(&play_in(setting, &script, seeds.iter().enumerate().map(hostile).collect()))?;
    }
}
