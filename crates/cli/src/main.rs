//! The `release` command.
fn main() {}
