//! Where a history can be cut so that calls keep their results and roles still take turns.

use crate::domain::message::{Message, Turn};
use std::sync::Arc;

/// `next` may directly follow `previous` once what stood between them is gone.
fn fits(previous: Option<&Message>, next: &Message) -> bool {
    match (previous, next) {
        (_, Message::Tool { .. }) => false,
        (None, next) => matches!(next, Message::User { .. }),
        (Some(Message::User { .. }), next) => matches!(next, Message::Assistant { .. }),
        (Some(Message::Assistant { tool_calls, .. }), next) => tool_calls.is_empty() && matches!(next, Message::User { .. }),
        (Some(Message::Tool { .. }), Message::User { .. } | Message::Assistant { .. }) => true,
    }
}

/// The range nearest to `from..to` that can be taken out: `from` moves later, `to` earlier. None where nothing can go.
pub fn cut(turns: &[Arc<Turn>], from: usize, to: usize) -> Option<(usize, usize)> {
    let mut from = from;
    // The turn taken out first must not be a result: its call would stay.
    while from < to && from > 0 && matches!(turns.get(from)?.message, Message::Tool { .. }) {
        from += 1;
    }
    let previous = if from == 0 { None } else { turns.get(from - 1).map(|turn| &turn.message) };
    let to = (from + 1..=to.min(turns.len().saturating_sub(1))).rev().find(|to| fits(previous, &turns[*to].message))?;
    Some((from, to))
}

/// The last assistant turn at or before `index`.
pub fn last_assistant(turns: &[Arc<Turn>], index: usize) -> Option<usize> {
    let end = turns.len().min(index + 1);
    turns[..end].iter().rposition(|turn| matches!(turn.message, Message::Assistant { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::turns;

    #[test]
    fn roles_take_turns_across_a_cut() {
        let mut history = Vec::new();
        for _ in 0..4 {
            history.extend(turns(&["u"]));
            history.push(Turn::new(Message::assistant("a")));
        }
        assert_eq!(cut(&history, 1, 6), Some((1, 5)));
        assert_eq!(cut(&history, 2, 6), Some((2, 6)));
        assert_eq!(cut(&history, 0, 5), Some((0, 4)));
        assert_eq!(cut(&history, 3, 4), None);
    }
}
