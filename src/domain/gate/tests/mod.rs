//! Tests of the whole machine: properties (`gate.md` §7), and one case for each rule.

mod cases;
mod player;
mod properties;
mod rules;
