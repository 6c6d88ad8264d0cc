//! Several replies to one request, of which one is taken: the one whose action most of them agree with, the first of equals.

use crate::domain::request::Reply;

/// Most replies that one may be chosen from.
pub(super) const VOTES_LIMIT: u32 = 9;

/// Distinct replies in the order they came, and how many have the action of each.
pub(super) struct Ballot(Vec<(Reply, u32)>);

impl Ballot {
    pub(super) fn new(first: Reply) -> Self {
        Self(vec![(first, 1)])
    }

    pub(super) fn add(&mut self, reply: Reply) {
        match self.0.iter_mut().find(|(other, _)| is_same_action(other, &reply)) {
            Some((_, count)) => *count += 1,
            None => self.0.push((reply, 1)),
        }
    }

    /// Place and votes of the reply that leads.
    fn leader(&self) -> (usize, u32) {
        let ahead = |best: (usize, u32), (place, (_, count)): (usize, &(Reply, u32))| if *count > best.1 { (place, *count) } else { best };
        self.0.iter().enumerate().fold((0, 0), ahead)
    }

    /// Whether no `left` further replies can change who leads.
    pub(super) fn is_decided(&self, left: u32) -> bool {
        let (leader, most) = self.leader();
        let mut others = self.0.iter().enumerate().filter(|(place, _)| *place != leader);
        left <= most && others.all(|(place, (_, count))| count + left < most || (place > leader && count + left == most))
    }

    /// The reply taken, and in words how it came to that.
    pub(super) fn taken(mut self) -> (Reply, String) {
        let (leader, most) = self.leader();
        let cast: u32 = self.0.iter().map(|(_, count)| *count).sum();
        let how = format!("took the action of {most} of {cast} replies, {} different", self.0.len());
        (self.0.swap_remove(leader).0, how)
    }
}

/// The same tool calls; where there are none, the same words.
fn is_same_action(one: &Reply, two: &Reply) -> bool {
    let calls = |reply: &Reply| reply.tool_calls.iter().map(|call| (call.name.clone(), call.arguments.0.clone())).collect::<Vec<_>>();
    calls(one) == calls(two) && (!one.tool_calls.is_empty() || one.text.trim() == two.text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::{Arguments, ToolCall};

    fn ballot(texts: &[&str]) -> Ballot {
        let mut replies = texts.iter().map(|text| Reply { text: (*text).to_owned(), ..Reply::default() });
        let mut ballot = Ballot::new(replies.next().unwrap());
        replies.for_each(|reply| ballot.add(reply));
        ballot
    }

    #[test]
    fn the_most_frequent_action_is_taken_and_the_first_of_equals() {
        let taken = |texts: &[&str]| ballot(texts).taken().0.text;
        assert_eq!(taken(&["a", "b", "b "]), "b");
        assert_eq!(taken(&["a", "b", "c"]), "a");
        assert_eq!(taken(&["a", "b", "c", "c", "b"]), "b");
        assert_eq!(ballot(&["a", "b", "b"]).taken().1, "took the action of 2 of 3 replies, 2 different");
    }

    #[test]
    fn a_ballot_ends_when_nothing_can_be_outvoted() {
        assert!(ballot(&["a", "a"]).is_decided(1) && ballot(&["a"]).is_decided(0) && ballot(&["a", "b", "a"]).is_decided(1));
        assert!(!ballot(&["a"]).is_decided(2) && !ballot(&["b", "a", "a"]).is_decided(1));
    }

    #[test]
    fn words_beside_the_same_calls_do_not_matter() {
        let call = |id: &str, text: &str| ToolCall { id: id.into(), name: "echo".into(), arguments: Arguments::text("text", text) };
        let reply = |text: &str, call: ToolCall| Reply { text: text.to_owned(), tool_calls: vec![call], ..Reply::default() };
        assert!(is_same_action(&reply("so", call("1", "x")), &reply("", call("2", "x"))));
        assert!(!is_same_action(&reply("so", call("1", "x")), &reply("so", call("2", "y"))));
    }
}
