//! The worker: gives up its rights, then makes, runs and drops instances as the host orders, one order at a time, until the host is gone.

use super::check::check;
use super::engine::{CallTool, Engine};
use super::gauge::Gauge;
use super::protocol::{FaultKind, Order, Report, ScriptFault, ScriptLimits, frame, length, message};
use crate::domain::message::{Arguments, check_depth};
use crate::sandbox::worker::{confine, parent};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Bytes of address space of one worker: 70 MB before its first script, 170 KB an instance of the usual size, 16 MB one whose heap is full.
/// That is ten thousand of the usual size, or more than a hundred full ones.
const ADDRESS_SPACE: u64 = 2 << 30;

/// The socket to the host.
struct Wire(UnixStream);

impl Wire {
    fn report(&mut self, report: &Report) -> io::Result<()> {
        self.0.write_all(&frame(report).map_err(io::Error::other)?)
    }

    fn order(&mut self) -> io::Result<Order> {
        let mut head = [0; 4];
        self.0.read_exact(&mut head)?;
        let length = length(head).ok_or_else(|| io::Error::other("a frame too long"))?;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        message(&body).map_err(io::Error::other)
    }
}

/// Serves the host until it hangs up.
///
/// # Errors
/// What the operating system says of the socket; a message that is none.
pub fn serve() -> io::Result<()> {
    let wire = Arc::new(Mutex::new(Wire(parent()?)));
    let protections = confine(ADDRESS_SPACE);
    with(&wire, |wire| wire.report(&Report::Ready(protections)))?;
    let mut engines: HashMap<u64, Engine> = HashMap::new();
    loop {
        let order = match with(&wire, Wire::order) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            order => order?,
        };
        if let Some(report) = obey(order, &mut engines, &wire) {
            with(&wire, |wire| wire.report(&report))?;
        }
    }
}

fn with<T>(wire: &Mutex<Wire>, work: impl FnOnce(&mut Wire) -> T) -> T {
    work(&mut wire.lock().unwrap_or_else(PoisonError::into_inner))
}

fn obey(order: Order, engines: &mut HashMap<u64, Engine>, wire: &Arc<Mutex<Wire>>) -> Option<Report> {
    let (id, answered) = match order {
        Order::Check(opening) => return Some(Report::Checked(check(&opening))),
        Order::Open { id, opening, state } => {
            let gauge = Arc::new(Gauge::new());
            let call = caller(Arc::clone(wire), Arc::clone(&gauge), opening.limits);
            return Some(match Engine::open(&opening, gauge, Some(call), state) {
                Ok(engine) => {
                    engines.insert(id, engine);
                    Report::Opened
                }
                Err(fault) => Report::Failed(fault),
            });
        }
        Order::Event { id, hook, sent } => (id, engines.get_mut(&id).map(|engine| engine.event(hook, &sent))),
        Order::Run { id, arguments } => (id, engines.get_mut(&id).map(|engine| engine.run(&arguments))),
        Order::Close { id } => {
            engines.remove(&id);
            return None;
        }
        // Left over from a run that ended before it was told.
        Order::Called(_) | Order::Abandon => return None,
    };
    Some(match answered {
        Some(Ok(answered)) => Report::Answered { answer: answered.answer, state: answered.state },
        Some(Err(fault)) => {
            if fault.kind == FaultKind::Limit {
                engines.remove(&id);
            }
            Report::Failed(fault)
        }
        None => Report::Failed(gone()),
    })
}

fn gone() -> ScriptFault {
    let message = "its instance is gone: it passed a limit before".to_owned();
    ScriptFault { kind: FaultKind::Limit, path: "script".to_owned(), line: 0, column: 0, message }
}

/// Calls of the environment's tools, put to the host while the script waits.
fn caller(wire: Arc<Mutex<Wire>>, gauge: Arc<Gauge>, limits: ScriptLimits) -> CallTool {
    Box::new(move |tool, arguments| {
        if gauge.count_call() >= limits.calls {
            return Err(format!("a composed tool makes at most {} calls in one run", limits.calls));
        }
        if arguments.len() > limits.answer {
            return Err(format!("the arguments of a call are longer than {} bytes of JSON", limits.answer));
        }
        let arguments = serde_json::from_str(arguments).map_err(|error| error.to_string())?;
        check_depth(&arguments).map_err(|problem| format!("the arguments of a call are {problem}"))?;
        let arguments = Arguments(arguments);
        let began = Instant::now();
        let asked = with(&wire, |wire| {
            wire.report(&Report::Call { tool: tool.to_owned(), arguments })?;
            wire.order()
        });
        gauge.extend(began.elapsed());
        match asked {
            Ok(Order::Called(result)) => serde_json::to_string(&result).map_err(|error| error.to_string()),
            Ok(Order::Abandon) => {
                gauge.empty();
                Err("nobody waits for this tool any more".to_owned())
            }
            Ok(Order::Check(_) | Order::Open { .. } | Order::Event { .. } | Order::Run { .. } | Order::Close { .. }) | Err(_) => {
                gauge.empty();
                Err("the host did not answer".to_owned())
            }
        }
    })
}
