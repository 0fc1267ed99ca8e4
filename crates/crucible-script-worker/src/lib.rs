//! The process that compiles and runs scripts, without any authority of its own.
//!
//! Only this crate links the language.
