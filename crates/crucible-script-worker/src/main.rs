//! A script worker as a program of its own, for tests and benches.

fn main() {}
