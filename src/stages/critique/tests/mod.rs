//! The planted-hack suite and its counterpart, honest edits that must pass.
