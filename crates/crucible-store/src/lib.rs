//! The Data Store: what the notes of a vault say, kept so that questions are answered at once.
//!
//! A [`Store`] is handed the files of a vault ([`NoteIndex`]) and answers questions about them
//! ([`DataStore`]). It keeps two things in its folder, both derived from the notes and built anew
//! when they are lost or damaged: the **facts** (SQLite: files, headings, blocks, links, tags,
//! tasks, problems) and the **text index** (tantivy: what search looks in).
//!
//! A batch of changes is one SQLite transaction that writes facts and an **outbox**. Followers of
//! the outbox do the rest, each at its own pace and from where it was after a restart: `feeder`
//! brings the text index up, [`StoreService`] tells listeners, and `vectors` follows the text index
//! to make vectors of blocks where an inference engine is at hand ([`Store::use_embeddings`]).
//!
//! State that cannot be derived from notes is kept in another file: [`StateFile`].
//!
//! Where to start reading: [`Store`] for the whole, `facts::batch` for what a change does,
//! `feeder` for how search follows, `links` for how links find their notes.
//!
//! [`NoteIndex`]: crucible_services::note_index::NoteIndex
//! [`DataStore`]: crucible_services::data_store::DataStore

mod ask;
mod causes;
mod config;
mod facts;
mod feeder;
mod handle;
mod keyed;
mod links;
mod open;
mod prepare;
mod readers;
mod schema;
mod service;
mod shared;
mod state;
mod store;
mod tell;
mod text;
mod vectors;
mod writer;

pub use config::StoreConfig;
pub use open::OpenError;
pub use service::StoreService;
pub use state::{StateFile, StateFileError};
pub use store::Store;
