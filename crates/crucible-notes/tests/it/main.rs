//! What `crucible-notes` makes of whole notes.

mod blocks;
mod editing;
mod example_vault;
mod features;
mod frontmatter;
mod hostile;
mod outline;
mod properties;
mod relinking;
mod sound;
