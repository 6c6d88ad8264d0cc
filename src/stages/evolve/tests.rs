//! Engines on a small written world.
