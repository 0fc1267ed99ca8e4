//! The process that compiles and runs scripts, without any authority of its own.
//!
//! The daemon starts it, gives it two pipes and speaks [`crucible_script::protocol`] with it.
//! [`run`] gives up everything else first (`sandbox`), then serves (`engine`): scripts are compiled
//! (`compile`), called within a budget (`execute`), and reach the daemon through `host`, over
//! `link` and `pipe`. Only this crate links the language.

mod compile;
mod engine;
mod execute;
mod host;
mod link;
mod nesting;
mod pipe;
mod sandbox;
mod value;
mod worker;

pub use sandbox::trial::try_out;
pub use worker::run;
