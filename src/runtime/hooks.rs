//! The hooks as the episode runs them (those around a tool call are in `tool_hooks`): every answer of a processor is checked against the
//! contract of `system.md` §3 before it takes effect, and every change is traced.

use super::assembly::{Station, Trouble};
use super::ballot::Ballot;
use super::desk::Asker;
use super::draft::Draft;
use super::episode::{Episode, Stop, fault_of, not_called};
use super::processor::Fault;
use crate::domain::conversation::{Conversation, HistoryEdit};
use crate::domain::event::{Action, Event, Hook, Intercept, Question, Replace, ToolResult};
use crate::domain::id::ProcessorName;
use crate::domain::message::{Message, Turn};
use crate::domain::outcome::{Boundary, Ending};
use crate::domain::request::{Decision, ModelRequest, ModelRole, Reply, RequestHead, Sampling};
use crate::domain::trace::{Record, ReplySource};
use std::sync::Arc;

/// Most model calls within one step, repeats asked for by processors included.
pub(super) const CALLS_A_STEP: u32 = 4;

/// Most questions one processor may put about one event.
const QUESTIONS_AN_EVENT: u32 = 4;

/// A reply that stands, or another round in the same step.
enum Reading {
    Stands(Reply),
    Again,
}

impl Episode<'_, '_> {
    /// Puts an event to a processor, with its questions answered.
    pub(super) async fn answer(&mut self, station: &mut Station, event: &Event<'_>) -> Result<Action, Stop> {
        let answered = station.on(event, &self.scene()).await;
        let mut action = answered.map_err(|trouble| self.stop_over(station, event.hook(), trouble))?;
        let mut questions = 0;
        while let Action::Ask(question) = action {
            questions += 1;
            if questions > QUESTIONS_AN_EVENT {
                return Err(self.blame(station, event.hook(), "asked too many questions about one event"));
            }
            let mut request = request_of(question);
            let checked = self.seated(request.role).map(|role| request.role = role).and_then(|()| request.decision.check());
            if let Err(message) = checked.and_then(|()| request.sampling.check()) {
                return Err(self.blame(station, event.hook(), &message));
            }
            let reply = self.call(&request, Some(&station.name)).await?;
            let answered = station.told(&reply, event, &self.scene()).await;
            action = answered.map_err(|trouble| self.stop_over(station, event.hook(), trouble))?;
        }
        if let Some(note) = station.note() {
            self.record_change(&station.name, event.hook(), note);
        }
        match action {
            Action::Interrupt { .. } if event.hook() == Hook::TaskEnd => Err(self.forbidden(station, Hook::TaskEnd)),
            Action::Interrupt { reason } => {
                self.trigger(station, event.hook(), format!("interrupted: {reason}"));
                Err(Stop::End(Ending::Interrupt { processor: station.name.0.clone(), reason }))
            }
            Action::Pass | Action::Replace(_) | Action::Split(_) | Action::Intercept(_) | Action::Ask(_) => Ok(action),
        }
    }

    /// The role that answers where a processor asks for one: `main` is whoever plays, and the meta-agent's model is only its own.
    fn seated(&self, role: ModelRole) -> Result<ModelRole, String> {
        let plays = self.agent.role;
        let role = if role == ModelRole::Main { plays } else { role };
        if role == ModelRole::Meta && plays != ModelRole::Meta {
            return Err("the role `meta` is the meta-agent's: no task is played with it".to_owned());
        }
        self.agent.desk.check_role(role).map(|()| role)
    }

    /// One model call; `asked_by` is absent where it is the run loop's own.
    async fn call(&mut self, request: &ModelRequest, asked_by: Option<&ProcessorName>) -> Result<Reply, Stop> {
        let asker = Asker { step: self.step, within: self.within.as_ref(), processor: asked_by };
        let called = self.ground.line.call(request, asker, &mut self.ground.trace).await;
        called.map_err(|fault| self.stop_for(fault, request, asked_by))
    }

    /// A change that a processor made, on the record.
    pub(super) fn trigger(&mut self, station: &Station, hook: Hook, change: String) {
        if self.changed_by.as_ref() != Some(&station.name) {
            self.changed_by = Some(station.name.clone());
        }
        self.record_change(&station.name, hook, change);
    }

    fn record_change(&mut self, processor: &ProcessorName, hook: Hook, change: String) {
        let (within, processor) = (self.within.clone(), processor.clone());
        self.ground.trace.write(&Record::Trigger { step: self.step, within, hook, processor, change });
    }

    /// A fault of a processor, on the record with its name.
    pub(super) fn blame(&mut self, station: &Station, hook: Hook, message: &str) -> Stop {
        self.trigger(station, hook, format!("fault: {message}"));
        fault_of(station, &Fault(message.to_owned()))
    }

    /// What a processor that gave no answer comes to: its own fault, or missing data.
    fn stop_over(&mut self, station: &Station, hook: Hook, trouble: Trouble) -> Stop {
        match trouble {
            Trouble::Fault(fault) => self.blame(station, hook, &fault.0),
            Trouble::Host(message) => Stop::End(Ending::Fault { boundary: Boundary::Sandbox, message }),
        }
    }

    pub(super) fn forbidden(&mut self, station: &Station, hook: Hook) -> Stop {
        self.blame(station, hook, &format!("answered {} with something the hook does not allow", hook.as_str()))
    }

    pub(super) async fn on_task_start(&mut self, stations: &mut [Station]) -> Result<(), Stop> {
        let mut system = String::new();
        let mut demonstrations: Vec<Message> = Vec::new();
        for station in attached(stations, Hook::TaskStart) {
            let event = Event::TaskStart { system: &system, demonstrations: &demonstrations };
            match self.answer(station, &event).await? {
                Action::Pass => {}
                Action::Replace(Replace::TaskStart { system: new_system, demonstrations: new_demonstrations }) => {
                    if let Some(new) = new_system {
                        self.record_change(&station.name, Hook::TaskStart, format!("system prompt of {} bytes", new.len()));
                        system = new;
                    }
                    if let Some(new) = new_demonstrations {
                        if let Err(message) = check_demonstrations(&new) {
                            return Err(self.blame(station, Hook::TaskStart, &message));
                        }
                        self.trigger(station, Hook::TaskStart, format!("{} demonstration turns", new.len()));
                        demonstrations = new;
                    }
                }
                Action::Replace(_) | Action::Split(_) | Action::Intercept(_) | Action::Interrupt { .. } | Action::Ask(_) => {
                    return Err(self.forbidden(station, Hook::TaskStart));
                }
            }
        }
        self.demonstrations = demonstrations.len();
        for message in demonstrations {
            self.conversation.push(message);
        }
        self.head = RequestHead::new(system, self.tools.clone());
        Ok(())
    }

    pub(super) async fn on_step_start(&mut self, stations: &mut [Station]) -> Result<(), Stop> {
        for station in attached(stations, Hook::StepStart) {
            let turns = self.history();
            match self.answer(station, &Event::StepStart { turns: &turns }).await? {
                Action::Pass => {}
                Action::Replace(Replace::StepStart { history }) => {
                    for edit in history {
                        let edited = self.conversation.edited(&shifted(&edit, self.demonstrations));
                        match edited {
                            Ok(edited) => self.conversation = edited,
                            Err(message) => return Err(self.blame(station, Hook::StepStart, &message)),
                        }
                        self.trigger(station, Hook::StepStart, describe_edit(&edit));
                    }
                }
                Action::Replace(_) | Action::Split(_) | Action::Intercept(_) | Action::Interrupt { .. } | Action::Ask(_) => {
                    return Err(self.forbidden(station, Hook::StepStart));
                }
            }
        }
        Ok(())
    }

    fn history(&self) -> Vec<Arc<Turn>> {
        self.conversation.turns()[self.demonstrations.min(self.conversation.turns().len())..].to_vec()
    }

    /// The reply of this step: model calls until a reply stands.
    pub(super) async fn reply(&mut self, stations: &mut [Station]) -> Result<Reply, Stop> {
        let mut calls = 0;
        loop {
            calls += 1;
            let mut draft = Draft {
                conversation: self.conversation.clone(),
                tools: self.tools.clone(),
                admitted: self.ground.actions.clone(),
                actions: self.ground.actions.clone(),
                role: self.agent.role,
                sampling: self.sampling.clone(),
                decision: Decision::Free,
                votes: 1,
                voter: None,
            };
            let mut reply = match self.before_model(stations, &mut draft).await? {
                Some(reply) => reply,
                None => self.draw(&draft).await?,
            };
            self.call_ids.mend(&mut reply.tool_calls);
            match self.after_model(stations, reply, &draft, calls).await? {
                Reading::Stands(reply) => return Ok(reply),
                Reading::Again => {}
            }
        }
    }

    /// The model's reply: drawn as often as the draft says, and the one that most agree with taken, the first of equals. What can no
    /// longer be outvoted ends it.
    async fn draw(&mut self, draft: &Draft) -> Result<Reply, Stop> {
        let request = self.request(draft);
        let first = self.call(&request, None).await?;
        // What was not asked for has no second opinion.
        let is_forced = matches!(&draft.decision, Decision::Choice { options, .. } if options.len() == 1);
        let Some(voter) = draft.voter.as_ref().filter(|_| draft.votes > 1 && !is_forced) else { return Ok(first) };
        let mut ballot = Ballot::new(first);
        for left in (0..draft.votes).rev() {
            if ballot.is_decided(left) {
                break;
            }
            ballot.add(self.call(&request, None).await?);
        }
        let (reply, how) = ballot.taken();
        self.record_change(voter, Hook::AfterModel, how);
        Ok(reply)
    }

    fn request(&mut self, draft: &Draft) -> ModelRequest {
        if draft.tools != self.head.tools {
            self.head = RequestHead::new(self.head.system.clone(), draft.tools.clone());
        }
        ModelRequest {
            head: self.head.clone(),
            conversation: draft.conversation.clone(),
            decision: draft.decision.clone(),
            sampling: draft.sampling.clone(),
            role: draft.role,
        }
    }

    async fn before_model(&mut self, stations: &mut [Station], draft: &mut Draft) -> Result<Option<Reply>, Stop> {
        for station in attached(stations, Hook::BeforeModel) {
            let turns = draft.conversation.turns()[self.demonstrations.min(draft.conversation.turns().len())..].to_vec();
            let event = Event::BeforeModel {
                turns: &turns,
                tools: &draft.tools,
                actions: &draft.actions,
                role: draft.role,
                sampling: &draft.sampling,
                decision: &draft.decision,
            };
            match self.answer(station, &event).await? {
                Action::Pass => {}
                Action::Replace(Replace::BeforeModel(change)) => {
                    let mut change = *change;
                    let checked = change.role.map(|role| self.seated(role)).transpose().map(|role| change.role = role);
                    draft.voter = change.votes.map(|_| station.name.clone()).or(draft.voter.take());
                    match checked.and_then(|()| draft.apply(change)) {
                        Ok(changes) => changes.into_iter().for_each(|change| self.trigger(station, Hook::BeforeModel, change)),
                        Err(message) => return Err(self.blame(station, Hook::BeforeModel, &message)),
                    }
                }
                Action::Intercept(Intercept::Reply(reply)) => {
                    self.trigger(station, Hook::BeforeModel, "supplied the reply".to_owned());
                    let source = ReplySource::Processor;
                    self.ground.trace.write(&Record::Reply {
                        step: self.step,
                        within: self.within.clone(),
                        reply: (*reply).clone(),
                        latency_ms: 0,
                        retries: Vec::new(),
                        source,
                    });
                    return Ok(Some(*reply));
                }
                Action::Replace(_) | Action::Split(_) | Action::Intercept(_) | Action::Interrupt { .. } | Action::Ask(_) => {
                    return Err(self.forbidden(station, Hook::BeforeModel));
                }
            }
        }
        Ok(None)
    }

    async fn after_model(&mut self, stations: &mut [Station], mut reply: Reply, draft: &Draft, calls: u32) -> Result<Reading, Stop> {
        for station in attached(stations, Hook::AfterModel) {
            let is_final = reply.tool_calls.is_empty() && self.text_call(&reply.text).is_none();
            let event = Event::AfterModel { reply: &reply, actions: &draft.actions, calls, is_final };
            let (kept, message) = match self.answer(station, &event).await? {
                Action::Pass => continue,
                Action::Replace(Replace::AfterModel { reply: new, again }) => {
                    if let Some(new) = new {
                        self.trigger(station, Hook::AfterModel, "changed the reply".to_owned());
                        reply = *new;
                        self.call_ids.mend(&mut reply.tool_calls);
                    }
                    let Some(message) = again else { continue };
                    (true, message)
                }
                Action::Intercept(Intercept::Again(message)) => (false, message),
                Action::Replace(_) | Action::Split(_) | Action::Intercept(_) | Action::Interrupt { .. } | Action::Ask(_) => {
                    return Err(self.forbidden(station, Hook::AfterModel));
                }
            };
            if calls >= CALLS_A_STEP {
                self.trigger(station, Hook::AfterModel, format!("wanted call {} of one step: refused", calls + 1));
                continue;
            }
            self.trigger(station, Hook::AfterModel, format!("asked again: {message}"));
            if kept {
                self.push_unanswered(reply);
            }
            self.conversation.push(Message::user(message));
            return Ok(Reading::Again);
        }
        Ok(Reading::Stands(reply))
    }

    /// Keeps a reply whose tool calls will not be made: each gets a result that says so, so that pairing holds.
    fn push_unanswered(&mut self, reply: Reply) {
        let calls = reply.tool_calls.clone();
        self.push_reply(reply);
        for call in calls {
            let ToolResult { text, is_error } = not_called();
            self.conversation.push(Message::Tool { call: call.id, name: call.name, text, is_error });
        }
    }

    pub(super) async fn on_step_end(&mut self, stations: &mut [Station], before: usize) -> Result<(), Stop> {
        for station in attached(stations, Hook::StepEnd) {
            let turns = self.conversation.turns();
            let turns = turns[before.min(turns.len())..].to_vec();
            match self.answer(station, &Event::StepEnd { turns: &turns }).await? {
                Action::Pass => {}
                Action::Replace(_) | Action::Split(_) | Action::Intercept(_) | Action::Interrupt { .. } | Action::Ask(_) => {
                    return Err(self.forbidden(station, Hook::StepEnd));
                }
            }
        }
        Ok(())
    }

    pub(super) async fn on_task_end(&mut self, stations: &mut [Station], ending: &Ending) -> Result<(), Stop> {
        for station in attached(stations, Hook::TaskEnd) {
            match self.answer(station, &Event::TaskEnd { ending }).await? {
                Action::Pass => {}
                Action::Replace(_) | Action::Split(_) | Action::Intercept(_) | Action::Interrupt { .. } | Action::Ask(_) => {
                    return Err(self.forbidden(station, Hook::TaskEnd));
                }
            }
        }
        Ok(())
    }
}

pub(super) fn attached(stations: &mut [Station], hook: Hook) -> impl Iterator<Item = &mut Station> {
    stations.iter_mut().filter(move |station| station.hooks.contains(&hook))
}

fn request_of(question: Question) -> ModelRequest {
    let mut conversation = Conversation::default();
    conversation.push(Message::user(question.prompt));
    ModelRequest {
        head: RequestHead::new(question.system, Vec::new()),
        conversation,
        decision: question.decision,
        sampling: Sampling { max_tokens: Some(question.max_tokens), ..Sampling::default() },
        role: question.role,
    }
}

fn check_demonstrations(messages: &[Message]) -> Result<(), String> {
    let plain = messages.iter().enumerate().all(|(index, message)| match message {
        Message::User { .. } => index % 2 == 0,
        Message::Assistant { tool_calls, .. } => index % 2 == 1 && tool_calls.is_empty(),
        Message::Tool { .. } => false,
    });
    if plain && messages.len().is_multiple_of(2) {
        Ok(())
    } else {
        Err("demonstrations must be user and assistant turns in turn, ending with the assistant".to_owned())
    }
}

/// The edit in terms of the whole conversation, demonstrations included.
fn shifted(edit: &HistoryEdit, by: usize) -> HistoryEdit {
    match edit {
        HistoryEdit::Drop { from, to } => HistoryEdit::Drop { from: from.saturating_add(by), to: to.saturating_add(by) },
        HistoryEdit::Summarise { from, to, text } => {
            HistoryEdit::Summarise { from: from.saturating_add(by), to: to.saturating_add(by), text: text.clone() }
        }
        HistoryEdit::Reorder { order } => {
            HistoryEdit::Reorder { order: (0..by).chain(order.iter().map(|index| index.saturating_add(by))).collect() }
        }
    }
}

fn describe_edit(edit: &HistoryEdit) -> String {
    match edit {
        HistoryEdit::Drop { from, to } => format!("dropped {} turns", to - from),
        HistoryEdit::Summarise { from, to, .. } => format!("summarised {} turns", to - from),
        HistoryEdit::Reorder { .. } => "reordered turns".to_owned(),
    }
}
