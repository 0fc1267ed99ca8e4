//! Shows the settings in force, and changes them while the daemon runs.
//!
//! A change is validated as a whole, handed to the core and to each service concerned, and written
//! to the file last; whoever refuses makes all go back. What cannot change while it is in use
//! holds from the next start.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use crucible_core::{CrucibleConfig, CrucibleCore};
use crucible_services::clock;
use crucible_services::configuration::{
    Changed, Configuration, Error, Origin, Setting, SettingChange,
};
use serde_json::Value;
use tokio::sync::Semaphore;
use toml_edit::DocumentMut;

use super::resolve::{Resolved, Sources, find, leaves, read};

/// Sections that are handed to the service of the same name when they change.
const LIVE_SECTIONS: [&str; 1] = ["inference"];
/// Read once, when the router is created.
const AT_START: [&str; 2] = [
    "core.routing_config.recent_events_max",
    "core.routing_config.recent_bytes_max",
];

/// Says whether a change of the setting holds at once.
pub(super) fn is_live(path: &str) -> bool {
    let section = path.split('.').next().unwrap_or_default();
    (section == "core" && !AT_START.contains(&path)) || LIVE_SECTIONS.contains(&section)
}

/// The settings of a running daemon.
pub struct LiveSettings {
    sources: Sources,
    core: CrucibleCore,
    current: ArcSwap<Resolved>,
    /// One change at a time.
    turn: Semaphore,
}

impl std::fmt::Debug for LiveSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveSettings")
            .field("file", &self.sources.file)
            .finish_non_exhaustive()
    }
}

impl LiveSettings {
    /// Begins with what was read at start.
    #[must_use]
    pub fn new(sources: Sources, resolved: Resolved, core: CrucibleCore) -> Self {
        Self {
            sources,
            core,
            current: ArcSwap::from_pointee(resolved),
            turn: Semaphore::new(1),
        }
    }

    /// Returns the file's text with `changes` made, and what all layers give then.
    async fn prepare(&self, changes: &[SettingChange]) -> Result<(String, Resolved), Error> {
        let Some(path) = self.sources.file.clone() else {
            return Err(Error::Failed(
                "this daemon runs without a settings file; start it with --config PATH".to_owned(),
            ));
        };
        let text = tokio::task::spawn_blocking(move || read(&path))
            .await
            .map_err(|error| Error::Failed(error.to_string()))?
            .map_err(into_error)?;
        let mut document: DocumentMut = text
            .parse()
            .map_err(|error| Error::Failed(format!("the settings file is not TOML: {error}")))?;
        let mut faults = self.overruled(changes);
        for change in changes {
            if let Err(fault) = set(&mut document, change) {
                faults.push(fault);
            }
        }
        if !faults.is_empty() {
            return Err(Error::Invalid { faults });
        }
        let text = document.to_string();
        let resolved = self.sources.resolve_with(&text).map_err(into_error)?;
        Ok((text, resolved))
    }

    /// A value that a stronger layer sets would not change.
    fn overruled(&self, changes: &[SettingChange]) -> Vec<String> {
        let current = self.current.load();
        let told = changes.iter().filter_map(|change| {
            let by = match current.origins.get(&change.path)? {
                Origin::Environment { variable } => format!("the environment variable {variable}"),
                Origin::Flag { option } => format!("the option {option}"),
                Origin::Default | Origin::File { .. } => return None,
            };
            Some(format!(
                "{} is set by {by}, which is stronger than the file; change it there",
                change.path
            ))
        });
        told.collect()
    }

    /// Hands the live part over to the core and its services: all of it or nothing.
    async fn hand_over(&self, next: &Resolved) -> Result<(), Error> {
        let mut config = CrucibleConfig::from(next.settings.core.clone());
        let current = self.current.load_full();
        for section in LIVE_SECTIONS {
            let new = find(&next.tree, section);
            if new != find(&current.tree, section) {
                let section_value = new.cloned().unwrap_or(Value::Null);
                config.services.insert(section.to_owned(), section_value);
            }
        }
        self.core
            .update_config(config)
            .await
            .map_err(|error| match error {
                crucible_core::Error::InvalidConfig { .. } => Error::Invalid {
                    faults: vec![error.to_string()],
                },
                error => Error::Refused {
                    service: "the core".to_owned(),
                    reason: error.to_string(),
                },
            })
    }
}

#[async_trait]
impl Configuration for LiveSettings {
    fn effective(&self) -> Vec<Setting> {
        self.current.load().list()
    }

    async fn validate(&self, changes: &[SettingChange]) -> Result<(), Error> {
        self.prepare(changes).await.map(|_| ())
    }

    async fn change(&self, changes: &[SettingChange], by: &str) -> Result<Changed, Error> {
        let _turn = self
            .turn
            .acquire()
            .await
            .map_err(|closed| Error::Failed(closed.to_string()))?;
        let (text, next) = self.prepare(changes).await?;
        let before = self.current.load_full();
        self.hand_over(&next).await?;
        if let Some(path) = self.sources.file.clone() {
            let written = tokio::task::spawn_blocking(move || write(&path, &text)).await;
            let failure = match written {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(broken_off) => Some(broken_off.to_string()),
            };
            if let Some(reason) = failure {
                self.hand_over(&before).await?;
                return Err(Error::Failed(format!(
                    "the settings file could not be written ({reason}); nothing was changed"
                )));
            }
        }
        let (paths, after_restart) = differences(&before.tree, &next.tree)
            .into_iter()
            .partition(|path| is_live(path));
        self.current.store(Arc::new(next));
        tracing::info!(by, ?paths, ?after_restart, "settings changed");
        Ok(Changed {
            paths,
            after_restart,
            at: clock::now(),
        })
    }
}

fn into_error(error: super::Error) -> Error {
    match error {
        super::Error::Invalid { faults } => Error::Invalid { faults },
        other => Error::Failed(other.to_string()),
    }
}

/// The paths at which two trees differ.
fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    leaves("", after, &mut |path, value| {
        if find(before, path) != Some(value) {
            paths.push(path.to_owned());
        }
    });
    leaves("", before, &mut |path, _| {
        if find(after, path).is_none() {
            paths.push(path.to_owned());
        }
    });
    paths
}

/// Sets one value in the file, or takes it out, and leaves comments and order as they are.
fn set(document: &mut DocumentMut, change: &SettingChange) -> Result<(), String> {
    let path = &change.path;
    let Some((tables, key)) = path.rsplit_once('.') else {
        return Err(format!("{path} is a section, not a setting"));
    };
    let mut table = document.as_table_mut();
    for name in tables.split('.') {
        let place = table.entry(name).or_insert_with(|| {
            let mut section = toml_edit::Table::new();
            section.set_implicit(true);
            toml_edit::Item::Table(section)
        });
        table = place
            .as_table_mut()
            .ok_or_else(|| format!("{path}: {name} is not a table in the file"))?;
    }
    if change.value.is_null() {
        table.remove(key);
        return Ok(());
    }
    let value = as_toml(&change.value).ok_or_else(|| format!("{path}: not a value of TOML"))?;
    match table.get_mut(key).and_then(toml_edit::Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = value;
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(key, toml_edit::Item::Value(value));
        }
    }
    Ok(())
}

fn as_toml(value: &Value) -> Option<toml_edit::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.into(),
            (None, Some(real)) => real.into(),
            (None, None) => return None,
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => {
            let items: Option<toml_edit::Array> = items.iter().map(as_toml).collect();
            items?.into()
        }
        Value::Object(map) => {
            let mut table = toml_edit::InlineTable::new();
            for (key, value) in map {
                table.insert(key, as_toml(value)?);
            }
            table.into()
        }
    })
}

/// Replaces the file: a reader sees the old one or the new one.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder)?;
    let draft = path.with_extension("toml.new");
    let mut file = std::fs::File::create(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crucible_core::CrucibleCoreBuilder;

    async fn live(text: &str, environment: &[(&str, &str)]) -> (tempfile::TempDir, LiveSettings) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("crucible.toml");
        std::fs::write(&file, text).unwrap();
        let own = |pair: &(&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
        let sources = Sources {
            file: Some(file),
            environment: environment.iter().map(own).collect(),
            flags: Vec::new(),
        };
        let resolved = sources.resolve().unwrap();
        let core = CrucibleCoreBuilder::new()
            .with_config(resolved.settings.core.clone())
            .build()
            .await
            .unwrap();
        core.start().await.unwrap();
        (dir, LiveSettings::new(sources, resolved, core))
    }

    fn change(path: &str, value: impl Into<Value>) -> SettingChange {
        SettingChange {
            path: path.to_owned(),
            value: value.into(),
        }
    }

    fn value(settings: &LiveSettings, path: &str) -> Value {
        let list = settings.effective();
        let setting = list.iter().find(|setting| setting.path == path);
        setting.unwrap().value.clone()
    }

    #[tokio::test]
    async fn change_reaches_the_core_and_the_file_and_keeps_comments() {
        let (dir, settings) = live("# mine\n[core]\nmax_services = 7 # few\n", &[]).await;
        let changes = [
            change("core.max_services", 9),
            change("core.enable_debug", true),
            change("api.authentication", false),
        ];
        let changed = settings.change(&changes, "test").await.unwrap();
        assert_eq!(changed.paths, ["core.max_services", "core.enable_debug"]);
        assert_eq!(changed.after_restart, ["api.authentication"]);
        assert_eq!(settings.core.config().core.max_services, 9);
        assert_eq!(value(&settings, "core.max_services"), 9);
        let text = std::fs::read_to_string(dir.path().join("crucible.toml")).unwrap();
        assert!(
            text.starts_with("# mine\n[core]\nmax_services = 9 # few\n"),
            "{text}"
        );
        assert!(text.contains("authentication = false"), "{text}");
        let back = [change("core.max_services", Value::Null)];
        settings.change(&back, "test").await.unwrap();
        assert_eq!(value(&settings, "core.max_services"), 100);
    }

    #[tokio::test]
    async fn one_wrong_value_changes_nothing_at_all() {
        let (dir, settings) = live("", &[]).await;
        let changes = [
            change("core.enable_debug", true),
            change("core.max_services", 0),
        ];
        assert!(settings.validate(&changes).await.is_err());
        let error = settings.change(&changes, "test").await.unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
        assert!(!settings.core.config().core.enable_debug);
        assert_eq!(value(&settings, "core.enable_debug"), false);
        let text = std::fs::read_to_string(dir.path().join("crucible.toml")).unwrap();
        assert_eq!(text, "");
    }

    #[tokio::test]
    async fn what_the_environment_sets_cannot_be_changed_in_the_file() {
        let environment = [("CRUCIBLE_CORE__MAX_SERVICES", "8")];
        let (_dir, settings) = live("", &environment).await;
        let changes = [change("core.max_services", 9)];
        let error = settings.change(&changes, "test").await.unwrap_err();
        assert!(
            error.to_string().contains("CRUCIBLE_CORE__MAX_SERVICES"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn unwritable_file_leaves_the_core_as_it_was() {
        let (dir, settings) = live("", &[]).await;
        // A folder stands where the draft would be written.
        std::fs::create_dir(dir.path().join("crucible.toml.new")).unwrap();
        let changes = [change("core.max_services", 9)];
        let error = settings.change(&changes, "test").await.unwrap_err();
        assert!(error.to_string().contains("nothing was changed"), "{error}");
        assert_eq!(settings.core.config().core.max_services, 100);
    }
}
