//! Spans of an episode over OTLP: one for the episode, one for each model call and tool call below it, with the attributes of the
//! `OpenTelemetry` semantic conventions for generative AI. Where they go is set as for any program, by `OTEL_EXPORTER_OTLP_ENDPOINT`.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::Harness;
use crate::domain::outcome::Ending;
use crate::domain::request::Reply;
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span as SdkSpan};
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "opentelemetry",
    behaviour: 1,
    group: Some("opentelemetry"),
    hooks: &[Hook::TaskStart, Hook::BeforeModel, Hook::AfterModel, Hook::BeforeTool, Hook::AfterTool, Hook::TaskEnd],
    dimension: Dimension::Observability,
    summary: "Sends spans of the episode, its model calls and its tool calls over OTLP.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Name of the agent in the spans.
    agent: String,
}

impl Default for Params {
    fn default() -> Self {
        Self { agent: "harnessx".into() }
    }
}

/// The process's exporter: spans are sent in batches by a thread of its own.
static PROVIDER: OnceLock<Result<SdkTracerProvider, String>> = OnceLock::new();

fn provider() -> Result<&'static SdkTracerProvider, String> {
    let made = PROVIDER.get_or_init(|| {
        let exporter = SpanExporter::builder().with_http().build().map_err(|error| format!("the OTLP exporter: {error}"))?;
        Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).build())
    });
    made.as_ref().map_err(Clone::clone)
}

/// Sends what is still held back; called once at the end of the process. Says what could not be sent.
pub fn flush() -> Option<String> {
    let provider = PROVIDER.get()?.as_ref().ok()?;
    provider.force_flush().err().map(|error| error.to_string())
}

struct OpenTelemetry {
    params: Params,
    tracer: SdkTracer,
    episode: Option<Context>,
    call: Option<SdkSpan>,
    tool: Option<SdkSpan>,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params = read_params(params)?;
    let tracer = provider()?.tracer("harnessx");
    Ok(Box::new(OpenTelemetry { params, tracer, episode: None, call: None, tool: None }))
}

impl OpenTelemetry {
    fn below(&self, name: String, kind: SpanKind, attributes: Vec<KeyValue>) -> Option<SdkSpan> {
        let parent = self.episode.as_ref()?;
        Some(self.tracer.span_builder(name).with_kind(kind).with_attributes(attributes).start_with_context(&self.tracer, parent))
    }

    fn begin(&mut self, scene: &Scene<'_>) {
        let mut attributes =
            vec![KeyValue::new("gen_ai.operation.name", "invoke_agent"), KeyValue::new("gen_ai.agent.name", self.params.agent.clone())];
        attributes.extend(scene.tags.iter().map(|(name, value)| KeyValue::new(format!("harnessx.tag.{name}"), value.clone())));
        let name = format!("invoke_agent {}", self.params.agent);
        let span = self.tracer.span_builder(name).with_attributes(attributes).start_with_context(&self.tracer, &Context::new());
        self.episode = Some(Context::new().with_span(span));
    }

    fn answered(&mut self, reply: &Reply) {
        let Some(mut span) = self.call.take() else { return };
        let count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        span.set_attribute(KeyValue::new("gen_ai.usage.input_tokens", count(reply.usage.input_tokens)));
        span.set_attribute(KeyValue::new("gen_ai.usage.output_tokens", count(reply.usage.output_tokens)));
        if let Some(model) = &reply.served_by {
            span.set_attribute(KeyValue::new("gen_ai.response.model", model.clone()));
        }
        span.end();
    }

    fn finish(&mut self, ending: &Ending, scene: &Scene<'_>) {
        let Some(context) = self.episode.take() else { return };
        let span = context.span();
        span.set_attribute(KeyValue::new("harnessx.steps", i64::from(scene.step)));
        match ending {
            Ending::Fault { message, .. } | Ending::HarnessFault { message, .. } => span.set_status(Status::error(message.clone())),
            Ending::FinalAnswer { .. } | Ending::EnvironmentDone | Ending::Budget { .. } | Ending::Interrupt { .. } => {}
        }
        span.end();
    }
}

impl Processor for OpenTelemetry {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::TaskStart { .. } => self.begin(scene),
            Event::BeforeModel { role, .. } => {
                let attributes = vec![KeyValue::new("gen_ai.operation.name", "chat"), KeyValue::new("harnessx.role", role.as_str())];
                self.call = self.below("chat".to_owned(), SpanKind::Client, attributes);
            }
            Event::AfterModel { reply, .. } => self.answered(reply),
            Event::BeforeTool { call } => {
                let name = call.name.as_str();
                let attributes = vec![
                    KeyValue::new("gen_ai.operation.name", "execute_tool"),
                    KeyValue::new("gen_ai.tool.name", name.to_owned()),
                    KeyValue::new("gen_ai.tool.call.id", call.id.as_str().to_owned()),
                ];
                self.tool = self.below(format!("execute_tool {name}"), SpanKind::Internal, attributes);
            }
            Event::AfterTool { result, .. } => {
                if let Some(mut span) = self.tool.take() {
                    if result.is_error {
                        span.set_status(Status::error("the tool failed"));
                    }
                    span.end();
                }
            }
            Event::TaskEnd { ending } => self.finish(ending, scene),
            Event::StepStart { .. } | Event::StepEnd { .. } => {}
        }
        Ok(Action::Pass)
    }
}
