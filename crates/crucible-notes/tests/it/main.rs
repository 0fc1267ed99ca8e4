//! What `crucible-notes` makes of whole notes.

mod blocks;
mod example_vault;
mod features;
mod frontmatter;
mod hostile;
mod outline;
mod properties;
mod sound;
