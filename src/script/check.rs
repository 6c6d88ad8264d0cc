//! The static checks of a script before it may run: syntax, names that exist nowhere, what scripts are not given, hooks and fields of events
//! that there are none of, and module variables that change. Then its top level runs once, within all limits, and says what it offers.
//!
//! Parsing is done in the worker too: a parser can be brought down by what it parses.

#![expect(clippy::wildcard_enum_match_arm, reason = "the kinds of a syntax tree are many, and another crate's")]

use super::engine::Engine;
use super::gauge::Gauge;
use super::globals::{self, Standing};
use super::kept::kept;
use super::protocol::{Card, Kind, Opening, Remark, ScriptFault};
use super::view::fields;
use crate::domain::event::Hook;
use crate::domain::message::check_depth;
use crate::domain::nearest::did_you_mean;
use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_ast::ast::{BindingPattern, Declaration, Expression, ObjectPropertyKind, Program, Statement};
use oxc_parser::Parser;
use oxc_semantic::{Semantic, SemanticBuilder, SymbolId};
use oxc_span::{GetSpan, SourceType};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest script, in bytes.
const SOURCE_LIMIT: usize = 256 << 10;

/// Most remarks on one script.
const REMARKS: usize = 20;

/// All checks. Nothing of the script runs unless it passes those that only read.
pub(super) fn check(opening: &Opening) -> Result<Card, Vec<Remark>> {
    let source = &opening.source;
    if source.len() > SOURCE_LIMIT {
        return Err(vec![Remark { line: 0, column: 0, message: format!("a script has at most {SOURCE_LIMIT} bytes") }]);
    }
    let meta_at = read(source, opening.kind)?;
    let fault = |ScriptFault { line, column, message, .. }: ScriptFault| vec![Remark { line, column, message }];
    let engine = Engine::open(opening, Arc::new(Gauge::new()), None, None).map_err(fault)?;
    let (names, has_run, meta) = engine.offer().map_err(fault)?;
    let whole = |message: &str| vec![Remark { line: 0, column: 0, message: message.to_owned() }];
    let of_meta = |message: &str| vec![Remark { line: meta_at.0, column: meta_at.1, message: message.to_owned() }];
    if meta.as_ref().is_some_and(|meta| meta.len() > opening.limits.answer) {
        return Err(of_meta(&format!("`meta` is longer than {} bytes of JSON", opening.limits.answer)));
    }
    let meta = meta.map_or_else(|| Ok(serde_json::json!({})), |meta| serde_json::from_str(&meta));
    if let Ok(Err(problem)) = meta.as_ref().map(check_depth) {
        return Err(of_meta(&format!("`meta` is {problem}")));
    }
    let Ok(serde_json::Value::Object(meta)) = meta else { return Err(of_meta("`meta` is not an object of JSON values")) };
    let mut hooks = Vec::new();
    match opening.kind {
        Kind::Tool if !has_run => return Err(whole("a tool exports a function: `export function run(args, state, api) { … }`")),
        Kind::Tool => {}
        Kind::Processor => {
            for name in &names {
                let Some(hook) = Hook::ALL.into_iter().find(|hook| hook.as_str() == name) else {
                    return Err(whole(&unknown_hook(name)));
                };
                hooks.push(hook);
            }
            hooks.sort();
            if hooks.is_empty() {
                return Err(whole("a processor exports its hooks: `export const hooks = { before_model(event, state, api) { … } }`"));
            }
        }
    }
    Ok(Card { hooks, meta, meta_at })
}

fn unknown_hook(name: &str) -> String {
    format!("there is no hook {name:?}; {}", did_you_mean(name, Hook::ALL.iter().map(|hook| hook.as_str())))
}

/// The checks that only read. Gives the place of `meta`.
fn read(source: &str, kind: Kind) -> Result<(u32, u32), Vec<Remark>> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::mjs()).parse();
    let of = |diagnostic: &oxc_diagnostics::OxcDiagnostic| {
        let (line, column) = diagnostic.labels.first().map_or((0, 0), |label| place(source, label.offset() as usize));
        let help = diagnostic.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
        Remark { line, column, message: format!("{}{help}", diagnostic.message) }
    };
    if !parsed.diagnostics.is_empty() {
        return Err(parsed.diagnostics.iter().take(REMARKS).map(of).collect());
    }
    let built = SemanticBuilder::new().with_check_syntax_error(true).with_build_nodes(true).build(&parsed.program);
    if !built.diagnostics.is_empty() {
        return Err(built.diagnostics.iter().take(REMARKS).map(of).collect());
    }
    let exports = Exports::of(&parsed.program);
    let mut reading = Reading { source, semantic: &built.semantic, remarks: Vec::new() };
    reading.names();
    for (at, message) in kept(&built.semantic) {
        reading.remark(at, message);
    }
    reading.nodes(&exports.parameters(kind));
    for (name, at) in &exports.hooks {
        if kind == Kind::Processor && !Hook::ALL.iter().any(|hook| hook.as_str() == name.0) {
            reading.remark(*at, unknown_hook(&name.0));
        }
    }
    let mut remarks = reading.remarks;
    if remarks.is_empty() {
        return Ok(exports.meta_at.map_or((0, 0), |offset| place(source, offset)));
    }
    remarks.sort_by_key(|remark| (remark.line, remark.column));
    remarks.truncate(REMARKS);
    Err(remarks)
}

/// Line and column of a byte, from 1; columns in letters.
fn place(source: &str, offset: usize) -> (u32, u32) {
    let before = source.get(..offset).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line as u32, column as u32)
}

/// What a name of a parameter stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    /// The event of a hook.
    Event(Hook),
    /// The helpers.
    Api,
}

/// A hook's name and the symbols of its first and third parameters.
type Entry = (String, Option<SymbolId>, Option<SymbolId>);

/// What a script exports, as far as it can be read.
#[derive(Default)]
struct Exports {
    hooks: Vec<(Entry, usize)>,
    run: Option<Entry>,
    meta_at: Option<usize>,
}

impl Exports {
    fn of(program: &Program<'_>) -> Self {
        let mut exports = Self::default();
        for statement in &program.body {
            let Statement::ExportDeclaration(export) = statement else { continue };
            match &export.declaration {
                Declaration::VariableDeclaration(variables) => {
                    for variable in &variables.declarations {
                        let Some(name) = variable.id.get_binding_identifier() else { continue };
                        match (name.name.as_str(), variable.init.as_ref().map(Expression::get_inner_expression)) {
                            ("meta", _) => exports.meta_at = Some(variable.span.start as usize),
                            ("hooks", Some(value)) => exports.add_hooks(value),
                            ("run", Some(value)) => exports.run = Some(entry("run", value)),
                            _ => {}
                        }
                    }
                }
                Declaration::FunctionDeclaration(function) if function.id.as_ref().is_some_and(|id| id.name == "run") => {
                    exports.run = Some(("run".to_owned(), symbol(&function.params, 0), symbol(&function.params, 2)));
                }
                _ => {}
            }
        }
        exports
    }

    fn add_hooks(&mut self, value: &Expression<'_>) {
        let Expression::ObjectExpression(object) = value else { return };
        for property in &object.properties {
            let ObjectPropertyKind::ObjectProperty(property) = property else { continue };
            let Some(name) = property.key.static_name() else { continue };
            self.hooks.push((entry(&name, property.value.get_inner_expression()), property.span.start as usize));
        }
    }

    fn parameters(&self, kind: Kind) -> BTreeMap<usize, Given> {
        let mut given = BTreeMap::new();
        let index = |symbol: SymbolId| symbol.index();
        for ((name, event, api), _) in self.hooks.iter().filter(|_| kind == Kind::Processor) {
            if let (Some(hook), Some(event)) = (Hook::ALL.into_iter().find(|hook| hook.as_str() == name), event) {
                given.insert(index(*event), Given::Event(hook));
            }
            given.extend(api.map(|api| (index(api), Given::Api)));
        }
        if let Some((_, _, Some(api))) = &self.run {
            given.insert(index(*api), Given::Api);
        }
        given
    }
}

fn entry(name: &str, value: &Expression<'_>) -> Entry {
    let parameters = match value {
        Expression::FunctionExpression(function) => Some(&function.params),
        Expression::ArrowFunctionExpression(arrow) => Some(&arrow.params),
        _ => None,
    };
    let of = |index| parameters.and_then(|parameters| symbol(parameters, index));
    (name.to_owned(), of(0), of(2))
}

fn symbol(parameters: &oxc_ast::ast::FormalParameters<'_>, index: usize) -> Option<SymbolId> {
    match &parameters.items.get(index)?.pattern {
        BindingPattern::BindingIdentifier(name) => name.symbol_id.get(),
        BindingPattern::ObjectPattern(_) | BindingPattern::ArrayPattern(_) | BindingPattern::AssignmentPattern(_) => None,
    }
}

/// One script while it is read.
struct Reading<'a> {
    source: &'a str,
    semantic: &'a Semantic<'a>,
    remarks: Vec<Remark>,
}

impl Reading<'_> {
    fn remark(&mut self, offset: usize, message: impl Into<String>) {
        let (line, column) = place(self.source, offset);
        self.remarks.push(Remark { line, column, message: message.into() });
    }

    /// Names that are declared nowhere.
    fn names(&mut self) {
        let scoping = self.semantic.scoping();
        for (name, references) in scoping.root_unresolved_references() {
            let message = match globals::standing(name.as_str()) {
                Standing::There => continue,
                Standing::Kept(why) => format!("`{name}` is not there for scripts: {why}"),
                Standing::Unknown => {
                    format!("`{name}` is not defined; {}", did_you_mean(name.as_str(), self.known().iter().map(String::as_str)))
                }
            };
            for reference in references {
                let offset = self.semantic.reference_span(scoping.get_reference(*reference)).start as usize;
                self.remark(offset, message.clone());
            }
        }
    }

    fn known(&self) -> Vec<String> {
        let own = self.semantic.scoping().symbol_names().map(str::to_owned);
        own.chain(globals::THERE.iter().map(|name| (*name).to_owned())).collect()
    }

    /// What is written that scripts may not do, and fields that are not there.
    fn nodes(&mut self, given: &BTreeMap<usize, Given>) {
        const ASYNC: &str = "nothing waits here: write a plain function, without async and await";
        const ALONE: &str = "a script stands alone: it imports nothing";
        for node in self.semantic.nodes() {
            match node.kind() {
                AstKind::Function(function) if function.r#async => self.remark(function.span.start as usize, ASYNC),
                AstKind::ArrowFunctionExpression(arrow) if arrow.r#async => self.remark(arrow.span.start as usize, ASYNC),
                AstKind::AwaitExpression(awaited) => self.remark(awaited.span.start as usize, ASYNC),
                AstKind::ImportDeclaration(import) => self.remark(import.span.start as usize, ALONE),
                AstKind::ExportFromDeclaration(export) => self.remark(export.span.start as usize, ALONE),
                AstKind::ExportAllDeclaration(export) => self.remark(export.span.start as usize, ALONE),
                AstKind::ImportExpression(import) => self.remark(import.span.start as usize, ALONE),
                AstKind::ExportDefaultDeclaration(export) => {
                    self.remark(
                        export.span.start as usize,
                        "there is no default export: a processor exports `hooks` and `meta`, a tool `run` and `meta`",
                    );
                }
                AstKind::StaticMemberExpression(member) => {
                    let property = member.property.name.as_str();
                    if let Expression::Identifier(object) = member.object.get_inner_expression() {
                        self.member(object, property, member.property.span().start as usize, given);
                    }
                }
                _ => {}
            }
        }
    }

    fn member(&mut self, object: &oxc_ast::ast::IdentifierReference<'_>, property: &str, offset: usize, given: &BTreeMap<usize, Given>) {
        let scoping = self.semantic.scoping();
        let symbol = object.reference_id.get().and_then(|reference| scoping.get_reference(reference).symbol_id());
        match (symbol.and_then(|symbol| given.get(&symbol.index())), symbol) {
            (None, None) if object.name == "Math" && property == "random" => {
                self.remark(offset, "Math.random is not there: draw with `api.choose(items, key)`, which is the same every time");
            }
            (Some(Given::Event(hook)), _) => {
                let known: Vec<&str> = fields(*hook).into_iter().map(|(name, _)| name).collect();
                if !known.contains(&property) {
                    let hint = did_you_mean(property, known.into_iter());
                    self.remark(offset, format!("an event of {} has no field {property:?}; {hint}", hook.as_str()));
                }
            }
            (Some(Given::Api), _) if !globals::API.contains(&property) => {
                self.remark(offset, format!("`api` has no {property:?}; {}", did_you_mean(property, globals::API.into_iter())));
            }
            _ => {}
        }
    }
}
