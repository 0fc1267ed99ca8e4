//! What can happen, by category.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares one category: an enum of its event types with their names in snake case. The name is
/// both the `type` in JSON and the last part of the dotted name.
macro_rules! event_types {
    (
        $(#[$meta:meta])*
        $category:ident = $prefix:literal {
            $( $(#[$vmeta:meta])* $variant:ident $({ $($(#[$fmeta:meta])* $field:ident : $ty:ty),* $(,)? })? = $name:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "type")]
        #[non_exhaustive]
        pub enum $category {
            $( $(#[$vmeta])* #[serde(rename = $name)] $variant $({ $($(#[$fmeta])* $field: $ty),* })?, )*
        }

        impl $category {
            /// Returns the dotted name, such as `filesystem.file_created`.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $( Self::$variant { .. } => concat!($prefix, ".", $name), )*
                }
            }

            /// One event of each type.
            #[cfg(test)]
            fn samples() -> Vec<Self> {
                vec![$( Self::$variant $({ $($field: tests::Sample::sample(),)* })?, )*]
            }
        }
    };
}

/// What happened, by category.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "category", rename_all = "snake_case")]
pub enum EventType {
    /// Files came, changed, moved or went.
    Filesystem(FilesystemEventType),
    /// Records came, changed or went.
    Database(DatabaseEventType),
    /// A program outside the daemon did something.
    External(ExternalEventType),
    /// Something happened in the MCP gateway.
    Mcp(McpEventType),
    /// Something happened in the inference engine.
    Inference(InferenceEventType),
    /// Something happened in the script engine.
    Script(ScriptEventType),
    /// A supervised service changed.
    Service(ServiceEventType),
    /// The daemon as a whole changed.
    System(SystemEventType),
    /// Something that only its teller and its listeners know.
    Custom {
        /// The name that they agreed on; shown as `custom.NAME`.
        name: String,
    },
}

impl EventType {
    /// Returns the category.
    #[must_use]
    pub const fn category(&self) -> EventCategory {
        match self {
            Self::Filesystem(_) => EventCategory::Filesystem,
            Self::Database(_) => EventCategory::Database,
            Self::External(_) => EventCategory::External,
            Self::Mcp(_) => EventCategory::Mcp,
            Self::Inference(_) => EventCategory::Inference,
            Self::Script(_) => EventCategory::Script,
            Self::Service(_) => EventCategory::Service,
            Self::System(_) => EventCategory::System,
            Self::Custom { .. } => EventCategory::Custom,
        }
    }

    /// Returns the dotted name, such as `filesystem.file_created`.
    #[must_use]
    pub fn name(&self) -> std::borrow::Cow<'static, str> {
        match self {
            Self::Filesystem(kind) => kind.name().into(),
            Self::Database(kind) => kind.name().into(),
            Self::External(kind) => kind.name().into(),
            Self::Mcp(kind) => kind.name().into(),
            Self::Inference(kind) => kind.name().into(),
            Self::Script(kind) => kind.name().into(),
            Self::Service(kind) => kind.name().into(),
            Self::System(kind) => kind.name().into(),
            Self::Custom { name } => format!("custom.{name}").into(),
        }
    }
}

/// The categories of [`EventType`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EventCategory {
    /// See [`FilesystemEventType`].
    Filesystem,
    /// See [`DatabaseEventType`].
    Database,
    /// See [`ExternalEventType`].
    External,
    /// See [`McpEventType`].
    Mcp,
    /// See [`InferenceEventType`].
    Inference,
    /// See [`ScriptEventType`].
    Script,
    /// See [`ServiceEventType`].
    Service,
    /// See [`SystemEventType`].
    System,
    /// See [`EventType::Custom`].
    Custom,
}

event_types! {
    /// Files and folders; paths are relative to the vault, with `/`.
    FilesystemEventType = "filesystem" {
        /// A file is new.
        FileCreated {
            /// Where.
            path: String,
        } = "file_created",
        /// A file has other content.
        FileModified {
            /// Where.
            path: String,
        } = "file_modified",
        /// A file is gone.
        FileDeleted {
            /// Where it was.
            path: String,
        } = "file_deleted",
        /// A file has another name or folder, and the same content.
        FileMoved {
            /// Where it was.
            from: String,
            /// Where it is.
            to: String,
        } = "file_moved",
        /// A folder is new.
        DirectoryCreated {
            /// Where.
            path: String,
        } = "directory_created",
        /// A folder is gone.
        DirectoryDeleted {
            /// Where it was.
            path: String,
        } = "directory_deleted",
    }
}

event_types! {
    /// Records of the Data Store.
    DatabaseEventType = "database" {
        /// A record is new.
        RecordCreated {
            /// The table or collection.
            table: String,
            /// The record's key.
            id: String,
        } = "record_created",
        /// A record changed.
        RecordUpdated {
            /// The table or collection.
            table: String,
            /// The record's key.
            id: String,
        } = "record_updated",
        /// A record is gone.
        RecordDeleted {
            /// The table or collection.
            table: String,
            /// The record's key.
            id: String,
        } = "record_deleted",
        /// The shape of records changed.
        SchemaChanged {
            /// The table or collection.
            table: String,
        } = "schema_changed",
        /// A transaction ended well.
        TransactionCommitted {
            /// The transaction's identifier.
            transaction_id: String,
        } = "transaction_committed",
        /// A transaction was undone.
        TransactionRolledBack {
            /// The transaction's identifier.
            transaction_id: String,
        } = "transaction_rolled_back",
        /// A query was answered.
        QueryCompleted {
            /// The query's identifier.
            query_id: String,
            /// How long it took.
            duration_ms: u64,
        } = "query_completed",
        /// An index was built from nothing.
        IndexBuilt {
            /// Which index.
            index: String,
            /// How many records it holds.
            records: u64,
        } = "index_built",
    }
}

event_types! {
    /// Programs outside the daemon.
    ExternalEventType = "external" {
        /// A request came in over an interface.
        ApiCall {
            /// The endpoint.
            endpoint: String,
            /// The method or verb.
            method: String,
        } = "api_call",
        /// A webhook was called.
        WebhookTriggered {
            /// Its name or address.
            webhook: String,
        } = "webhook_triggered",
        /// A notification arrived.
        NotificationReceived {
            /// Where from.
            channel: String,
        } = "notification_received",
    }
}

event_types! {
    /// The Model Context Protocol.
    McpEventType = "mcp" {
        /// A client called a tool.
        ToolCall {
            /// The tool's name.
            tool_name: String,
        } = "tool_call",
        /// A tool answered.
        ToolResponse {
            /// The tool's name.
            tool_name: String,
            /// How long it took.
            duration_ms: u64,
        } = "tool_response",
        /// A tool failed.
        ToolError {
            /// The tool's name.
            tool_name: String,
            /// Why, in words.
            error: String,
        } = "tool_error",
        /// A client asked for a resource.
        ResourceRequested {
            /// The resource's URI.
            uri: String,
        } = "resource_requested",
        /// A client opened a conversation.
        ClientConnected {
            /// The name that the client gave; never trusted.
            client: String,
        } = "client_connected",
        /// A client went away.
        ClientDisconnected {
            /// The name that the client gave; never trusted.
            client: String,
        } = "client_disconnected",
    }
}

event_types! {
    /// The inference engine.
    InferenceEventType = "inference" {
        /// A model's weights came into memory.
        ModelLoaded {
            /// The model.
            model: String,
            /// How long it took.
            duration_ms: u64,
        } = "model_loaded",
        /// A model's weights left memory.
        ModelUnloaded {
            /// The model.
            model: String,
            /// Why, in words.
            reason: String,
        } = "model_unloaded",
        /// Somebody asked for a generation. Embeddings are counted, not told one by one.
        Requested {
            /// The model.
            model: String,
        } = "requested",
        /// A request was answered.
        Completed {
            /// The model.
            model: String,
            /// How long it took.
            duration_ms: u64,
            /// Tokens read.
            tokens_prompt: u64,
            /// Tokens written.
            tokens_completion: u64,
        } = "completed",
        /// A request failed.
        Failed {
            /// The model.
            model: String,
            /// Why, in words.
            error: String,
        } = "failed",
        /// What the engine did since the last event of this type, and what waits.
        Usage {
            /// Requests answered.
            requests: u64,
            /// Texts embedded.
            texts: u64,
            /// Tokens read and written.
            tokens: u64,
            /// Requests that wait now.
            queued: u64,
        } = "usage",
    }
}

event_types! {
    /// The script engine.
    ScriptEventType = "script" {
        /// A version of a script was compiled and is in force.
        Loaded {
            /// The script.
            script: String,
            /// BLAKE3 of its files.
            version: String,
        } = "loaded",
        /// A new version was refused; the old one, if any, stays in force.
        Refused {
            /// The script.
            script: String,
            /// Why, in words.
            error: String,
        } = "refused",
        /// A script was removed.
        Removed {
            /// The script.
            script: String,
        } = "removed",
        /// A call ended well.
        Completed {
            /// The script.
            script: String,
            /// The function.
            function: String,
            /// How long it took.
            duration_ms: u64,
        } = "completed",
        /// A call failed or was stopped.
        Failed {
            /// The script.
            script: String,
            /// The function.
            function: String,
            /// Why, in words.
            error: String,
        } = "failed",
        /// A script asked for what it was not granted.
        Denied {
            /// The script.
            script: String,
            /// The capability.
            capability: String,
        } = "denied",
        /// A person granted or took back capabilities.
        Granted {
            /// The script.
            script: String,
            /// All capabilities that are granted now.
            capabilities: Vec<String>,
        } = "granted",
        /// A worker process ended.
        WorkerExited {
            /// Why, in words.
            reason: String,
        } = "worker_exited",
    }
}

event_types! {
    /// Supervised services.
    ServiceEventType = "service" {
        /// A health check was made.
        HealthCheck {
            /// The service's name.
            service: String,
            /// The verdict, as in [`crate::health::HealthStatus`].
            status: crate::health::HealthStatus,
        } = "health_check",
        /// A service entered another state.
        ServiceStatusChanged {
            /// The service's name.
            service: String,
            /// The state that it left.
            old_status: String,
            /// The state that it entered.
            new_status: String,
        } = "status_changed",
        /// A service took over another configuration.
        ConfigurationChanged {
            /// The service's name.
            service: String,
            /// Dotted paths of the values that changed.
            changes: Vec<String>,
        } = "configuration_changed",
        /// A service was registered.
        ServiceRegistered {
            /// The service's name.
            service: String,
        } = "registered",
        /// A service was unregistered.
        ServiceUnregistered {
            /// The service's name.
            service: String,
        } = "unregistered",
        /// A service broke down.
        ServiceFailed {
            /// The service's name.
            service: String,
            /// Why, in words.
            error: String,
        } = "failed",
    }
}

event_types! {
    /// The daemon as a whole.
    SystemEventType = "system" {
        /// The daemon is up.
        DaemonStarted {
            /// Its version.
            version: String,
        } = "daemon_started",
        /// The daemon is going down.
        DaemonStopping {
            /// Why, in words.
            reason: String,
        } = "daemon_stopping",
        /// The configuration was read again.
        ConfigurationReloaded {
            /// Dotted paths of the values that changed.
            changes: Vec<String>,
        } = "configuration_reloaded",
        /// Maintenance began.
        MaintenanceStarted {
            /// What for.
            reason: String,
        } = "maintenance_started",
        /// Maintenance ended.
        MaintenanceCompleted {
            /// What for.
            reason: String,
        } = "maintenance_completed",
        /// A backup was written.
        BackupCompleted {
            /// Where.
            location: String,
            /// How large, in bytes.
            size_bytes: u64,
        } = "backup_completed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value for any field of an event.
    pub(super) trait Sample {
        fn sample() -> Self;
    }

    impl Sample for String {
        fn sample() -> Self {
            "text".to_owned()
        }
    }

    impl Sample for Vec<String> {
        fn sample() -> Self {
            vec!["text".to_owned()]
        }
    }

    impl Sample for u64 {
        fn sample() -> Self {
            7
        }
    }

    impl Sample for crate::health::HealthStatus {
        fn sample() -> Self {
            Self::Degraded
        }
    }

    #[test]
    fn category_and_type_in_json_make_the_dotted_name() {
        let mut events: Vec<EventType> = Vec::new();
        events.extend(
            FilesystemEventType::samples()
                .into_iter()
                .map(EventType::Filesystem),
        );
        events.extend(
            DatabaseEventType::samples()
                .into_iter()
                .map(EventType::Database),
        );
        events.extend(
            ExternalEventType::samples()
                .into_iter()
                .map(EventType::External),
        );
        events.extend(McpEventType::samples().into_iter().map(EventType::Mcp));
        events.extend(
            InferenceEventType::samples()
                .into_iter()
                .map(EventType::Inference),
        );
        events.extend(
            ScriptEventType::samples()
                .into_iter()
                .map(EventType::Script),
        );
        events.extend(
            ServiceEventType::samples()
                .into_iter()
                .map(EventType::Service),
        );
        events.extend(
            SystemEventType::samples()
                .into_iter()
                .map(EventType::System),
        );
        for event in events {
            let json = serde_json::to_value(&event).unwrap();
            let part = |field: &str| json[field].as_str().unwrap().to_owned();
            let dotted = format!("{}.{}", part("category"), part("type"));
            assert_eq!(dotted, event.name());
            assert_eq!(serde_json::from_value::<EventType>(json).unwrap(), event);
        }
    }

    #[test]
    fn custom_event_is_named_by_its_teller() {
        let event = EventType::Custom {
            name: "mine".to_owned(),
        };
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(
            json,
            serde_json::json!({ "category": "custom", "name": "mine" })
        );
        assert_eq!(event.name(), "custom.mine");
    }

    #[test]
    fn json_is_flat_and_round_trips() {
        let event = EventType::Filesystem(FilesystemEventType::FileMoved {
            from: "a.md".to_owned(),
            to: "b.md".to_owned(),
        });
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "category": "filesystem", "type": "file_moved", "from": "a.md", "to": "b.md"
            })
        );
        assert_eq!(serde_json::from_value::<EventType>(json).unwrap(), event);
    }
}
