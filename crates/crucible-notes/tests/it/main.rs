//! What `crucible-notes` makes of whole notes.

mod features;
mod outline;
