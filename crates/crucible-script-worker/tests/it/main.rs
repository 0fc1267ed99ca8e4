//! The worker as the daemon sees it: a real process behind a real pipe.

mod calls;
mod compiling;
mod deaths;
mod docs;
mod faults;
mod sandbox;
mod support;
