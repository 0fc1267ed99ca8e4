//! Who says that something happened.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who says that something happened: a kind and a name within it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct EventSource {
    /// What sort of teller.
    pub kind: SourceKind,
    /// Its name, such as `watcher`.
    pub id: String,
}

/// The sorts of tellers.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Something that looks at files.
    Filesystem,
    /// The daemon itself.
    System,
    /// A supervised service.
    Service,
    /// A store of records.
    Database,
    /// An MCP client or server.
    Mcp,
    /// A program outside the daemon.
    External,
    /// A person.
    Manual,
}

macro_rules! constructors {
    ($($name:ident => $kind:ident, $doc:literal;)*) => {
        impl EventSource {
            $(
                #[doc = $doc]
                #[must_use]
                pub fn $name(id: impl Into<String>) -> Self {
                    Self { kind: SourceKind::$kind, id: id.into() }
                }
            )*
        }
    };
}

constructors! {
    filesystem => Filesystem, "Names something that looks at files.";
    system => System, "Names a part of the daemon itself.";
    service => Service, "Names a supervised service.";
    database => Database, "Names a store of records.";
    mcp => Mcp, "Names an MCP client or server.";
    external => External, "Names a program outside the daemon.";
    manual => Manual, "Names a person.";
}
