//! What it cost, by stage and by round: rollouts by what they were played for, and sessions of the meta-agent by role.

use super::input::{Report, Spent, Use};
use super::table::{Head, Table};
use crate::domain::figures::{grouped, money, time};
use crate::domain::meta::{Role, Sessions};
use crate::domain::request::Usage;

/// Cost by stage; the last row is all of it.
pub(super) fn by_stage(report: &Report) -> Table {
    let (usage, known) = (report.usage(), report.known());
    let sessions = report.sessions();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for what in Use::ALL {
        if let Some(Spent { episodes, missing, calls, usage, milliseconds }) = report.spent.get(&what) {
            let missing = grouped(*missing);
            rows.push(row((format!("rollouts: {}", what.words()), *episodes, missing), Some(*calls), usage, Some(*milliseconds)));
        }
    }
    for (role, taken) in &sessions {
        let head = (format!("meta-agent: {role}"), taken.sessions, String::new());
        rows.push(row(head, Some(taken.calls), &taken.usage, Some(taken.milliseconds)));
    }
    let mut rest = usage;
    rest.subtract(&known);
    if rest.tokens() > 0 {
        let mut rest = row((REST.to_owned(), 0, String::new()), None, &rest, None);
        rest[1] = String::new();
        rows.push(rest);
    }
    let calls = report.spent.values().map(|spent| spent.calls).chain(sessions.values().map(|taken| taken.calls)).sum();
    let waited = report.spent.values().map(|spent| spent.milliseconds).chain(sessions.values().map(|taken| taken.milliseconds)).sum();
    let number = report.episodes() + Sessions::sum(sessions.values()).sessions;
    rows.push(row(("all".to_owned(), number, String::new()), Some(calls), &usage, Some(waited)));
    let heads = ["episodes", "missing", "model calls", "prompt tokens", "of these cached", "reply tokens", "money", "waited for models"];
    let heads = [Head::Words("for")].into_iter().chain(heads.map(Head::Figure)).collect();
    Table { caption: CAPTION, heads, rows }
}

const CAPTION: &str = "Cost by stage; a session of the meta-agent is one episode. Waiting is added up over episodes, many of which wait at \
     once. What a local model takes from its own cache is not told by call and not counted as cached";

/// What the rounds' records hold beyond what is on file.
const REST: &str = "everything else that rounds recorded";

fn row((name, number, missing): (String, u64, String), calls: Option<u64>, usage: &Usage, waited: Option<u64>) -> Vec<String> {
    let or_nothing = |figure: Option<String>| figure.unwrap_or_default();
    vec![
        name,
        grouped(number),
        missing,
        or_nothing(calls.map(grouped)),
        grouped(usage.input_tokens),
        grouped(usage.cached_tokens),
        grouped(usage.output_tokens),
        money(usage.cost),
        or_nothing(waited.map(time)),
    ]
}

/// Tokens of the meta-agent's sessions by round; `None` where none sat.
pub(super) fn by_round(report: &Report) -> Option<Table> {
    let roles: Vec<Role> = report.sessions().into_keys().collect();
    if roles.is_empty() {
        return None;
    }
    let of = |round: &super::Round| {
        let all = Sessions::sum(round.meta.values());
        let by_role = roles.iter().map(|role| round.meta.get(role).map_or_else(|| "–".to_owned(), |taken| grouped(taken.usage.tokens())));
        let mut row = vec![format!("R{}", round.round), grouped(all.sessions)];
        row.extend(by_role);
        row.extend([grouped(all.usage.tokens()), money(all.usage.cost)]);
        row
    };
    let heads = roles.iter().map(|role| Head::Figure(role.as_str()));
    let heads = [Head::Words("round"), Head::Figure("sessions")].into_iter().chain(heads);
    let heads = heads.chain([Head::Figure("all tokens"), Head::Figure("money")]).collect();
    let rows = report.rounds.iter().filter(|round| !round.meta.is_empty()).map(of).collect();
    Some(Table { caption: "Tokens of the meta-agent's sessions, prompt and reply, by round and role", heads, rows })
}
