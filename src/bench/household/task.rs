//! The six task types: what each needs, where it can be set, how it is put.

use super::room::{Room, Use};

/// The six task types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskKind {
    /// Put one object somewhere.
    Place,
    /// Hold an object at a lamp that has been switched on.
    LookInLight,
    /// Clean an object, then put it somewhere.
    CleanThenPlace,
    /// Heat an object, then put it somewhere.
    HeatThenPlace,
    /// Cool an object, then put it somewhere.
    CoolThenPlace,
    /// Put two objects of a kind in one place.
    PlaceTwo,
}

impl TaskKind {
    /// All six.
    pub const ALL: [Self; 6] =
        [Self::Place, Self::LookInLight, Self::CleanThenPlace, Self::HeatThenPlace, Self::CoolThenPlace, Self::PlaceTwo];

    /// ALFRED's name for the type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Place => "pick_and_place_simple",
            Self::LookInLight => "look_at_obj_in_light",
            Self::CleanThenPlace => "pick_clean_then_place_in_recep",
            Self::HeatThenPlace => "pick_heat_then_place_in_recep",
            Self::CoolThenPlace => "pick_cool_then_place_in_recep",
            Self::PlaceTwo => "pick_two_obj_and_place",
        }
    }

    /// Rooms that have what the task needs.
    pub(super) fn rooms(self) -> &'static [Room] {
        match self {
            Self::Place | Self::PlaceTwo => &[Room::Kitchen, Room::LivingRoom, Room::Bedroom, Room::Bathroom],
            Self::LookInLight => &[Room::LivingRoom, Room::Bedroom],
            Self::CleanThenPlace => &[Room::Kitchen, Room::Bathroom],
            Self::HeatThenPlace | Self::CoolThenPlace => &[Room::Kitchen],
        }
    }

    /// What must be possible with the goal object.
    pub(super) fn needs(self) -> Use {
        match self {
            Self::Place | Self::LookInLight | Self::PlaceTwo => Use::Take,
            Self::CleanThenPlace => Use::Clean,
            Self::HeatThenPlace => Use::Heat,
            Self::CoolThenPlace => Use::Cool,
        }
    }

    /// How the task is put, in three ways; `{o}` is the object, `{p}` the place or lamp.
    pub(super) fn phrasings(self) -> [&'static str; 3] {
        match self {
            Self::Place => ["put a {o} in {p}.", "put some {o} on {p}.", "find some {o} and put it in {p}."],
            Self::LookInLight => ["look at {o} under the {p}.", "examine the {o} with the {p}.", "hold the {o} under the lit {p}."],
            Self::CleanThenPlace => ["put a clean {o} in {p}.", "clean some {o} and put it in {p}.", "wash the {o} and put it in {p}."],
            Self::HeatThenPlace => ["put a hot {o} in {p}.", "heat some {o} and put it in {p}.", "warm up the {o} and put it in {p}."],
            Self::CoolThenPlace => ["put a cool {o} in {p}.", "cool some {o} and put it in {p}.", "chill the {o} and put it in {p}."],
            Self::PlaceTwo => ["put two {o} in {p}.", "find two {o} and put them in {p}.", "put both {o} together in {p}."],
        }
    }

    /// The receptacle type that a task works with, which is a poor place to end in.
    pub(super) fn device(self) -> &'static str {
        match self {
            Self::CleanThenPlace => "SinkBasin",
            Self::HeatThenPlace => "Microwave",
            Self::CoolThenPlace => "Fridge",
            Self::Place | Self::LookInLight | Self::PlaceTwo => "",
        }
    }
}
