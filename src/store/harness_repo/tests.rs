//! The repository against real git.
