//! The part of a household that changes during play.

use super::error::Fault;
use super::problem::{Id, Predicate, Problem};

/// What can be true of one entity now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Opened,
    Clean,
    Hot,
    Cool,
    On,
    Toggled,
    Sliced,
    Checked,
}

/// What changes during play.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// Where the agent is.
    pub place: Id,
    /// Objects held, sorted; at most one unless a file starts otherwise.
    pub held: Vec<Id>,
    /// Whether the agent's hand counts as full.
    pub hand_full: bool,
    /// Objects in each receptacle, sorted; indexed by entity.
    pub contents: Vec<Vec<Id>>,
    /// Locations at which each object counts as lying; indexed by entity.
    pub lies_at: Vec<Vec<Id>>,
    /// Object and receptacle pairs that a `take` has parted, sorted: only these make `look` list an object "next to" a place.
    pub parted: Vec<(Id, Id)>,
    marks: Vec<u8>,
}

impl State {
    /// The state that the problem's facts describe.
    pub fn start(problem: &Problem, agent: Id) -> Result<Self, Fault> {
        let count = problem.ids.len();
        let mut place = None;
        let mut state = Self {
            place: 0,
            held: Vec::new(),
            hand_full: false,
            contents: vec![Vec::new(); count],
            lies_at: vec![Vec::new(); count],
            parted: Vec::new(),
            marks: vec![0; count],
        };
        for &(predicate, one, two) in &problem.facts {
            if let Some(mark) = Mark::of(predicate) {
                state.set(one, mark);
            } else if predicate == Predicate::AtLocation && one == agent {
                if place.is_some_and(|place| place != two) {
                    return Err(Fault::new(1, "the agent is at two locations"));
                }
                place = Some(two);
            } else if predicate == Predicate::InReceptacle {
                insert(&mut state.contents[two as usize], one);
            } else if predicate == Predicate::ObjectAtLocation {
                insert(&mut state.lies_at[one as usize], two);
            } else if predicate == Predicate::Holds {
                insert(&mut state.held, two);
            } else if predicate == Predicate::HoldsAny {
                state.hand_full = true;
            }
        }
        state.place = place.ok_or_else(|| Fault::new(1, "the agent is nowhere"))?;
        Ok(state)
    }

    /// Whether a mark is set.
    pub fn is(&self, id: Id, mark: Mark) -> bool {
        self.marks[id as usize] & mark.bit() != 0
    }

    /// Sets a mark.
    pub fn set(&mut self, id: Id, mark: Mark) {
        self.marks[id as usize] |= mark.bit();
    }

    /// Clears a mark.
    pub fn clear(&mut self, id: Id, mark: Mark) {
        self.marks[id as usize] &= !mark.bit();
    }

    /// Objects in a receptacle, sorted.
    pub fn inside(&self, receptacle: Id) -> &[Id] {
        &self.contents[receptacle as usize]
    }

    /// An object goes from a receptacle at the agent's place into the hand.
    pub fn take(&mut self, object: Id, receptacle: Id) {
        remove(&mut self.contents[receptacle as usize], &object);
        remove(&mut self.lies_at[object as usize], &self.place);
        insert(&mut self.held, object);
        insert(&mut self.parted, (object, receptacle));
        self.hand_full = true;
    }

    /// An object goes from the hand into a receptacle at the agent's place.
    pub fn put(&mut self, object: Id, receptacle: Id) {
        insert(&mut self.contents[receptacle as usize], object);
        insert(&mut self.lies_at[object as usize], self.place);
        remove(&mut self.held, &object);
        remove(&mut self.parted, &(object, receptacle));
        self.hand_full = false;
    }
}

impl Mark {
    /// The mark that a predicate stands for.
    pub fn of(predicate: Predicate) -> Option<Self> {
        let marks = [
            (Predicate::Opened, Self::Opened),
            (Predicate::IsClean, Self::Clean),
            (Predicate::IsHot, Self::Hot),
            (Predicate::IsCool, Self::Cool),
            (Predicate::IsOn, Self::On),
            (Predicate::IsToggled, Self::Toggled),
            (Predicate::IsSliced, Self::Sliced),
            (Predicate::Checked, Self::Checked),
        ];
        marks.into_iter().find(|(known, _)| *known == predicate).map(|(_, mark)| mark)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

fn insert<T: Ord>(sorted: &mut Vec<T>, item: T) {
    if let Err(place) = sorted.binary_search(&item) {
        sorted.insert(place, item);
    }
}

fn remove<T: Ord>(sorted: &mut Vec<T>, item: &T) {
    if let Ok(place) = sorted.binary_search(item) {
        sorted.remove(place);
    }
}
