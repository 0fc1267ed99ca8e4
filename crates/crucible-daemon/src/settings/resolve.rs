//! Lays the layers over each other, and remembers which one each value came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crucible_services::configuration::{Origin, Setting};
use serde_json::{Map, Value};

use super::{Error, Settings, about};

/// What the environment's variables begin with; two underscores go one level down.
const ENVIRONMENT_PREFIX: &str = "CRUCIBLE_";
/// A larger file is not one that a person wrote.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Settings whose value is a choice with a table of its own: taken as a whole.
const WHOLE: [&str; 1] = ["core.routing_config.overflow"];
/// Names at least this similar (Jaro-Winkler, 0 to 1) are suggested.
const SIMILAR_MIN: f64 = 0.75;

/// Where settings may come from, weakest first after the defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file; it need not exist.
    pub file: Option<PathBuf>,
    /// The environment, as pairs; only names such as `CRUCIBLE_SECTION__KEY` are looked at.
    pub environment: Vec<(String, String)>,
    /// Options of the command line: the path set, its value, the option's name.
    pub flags: Vec<(String, Value, String)>,
}

/// Settings with where they came from.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The settings in force.
    pub settings: Settings,
    /// The same, as a tree.
    pub(super) tree: Value,
    /// Where each value that is no default came from, by dotted path.
    pub(super) origins: BTreeMap<String, Origin>,
}

impl Sources {
    /// Reads all layers. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read, or any layer has a fault.
    pub fn resolve(&self) -> Result<Resolved, Error> {
        let text = match &self.file {
            Some(path) => read(path)?,
            None => String::new(),
        };
        self.resolve_with(&text)
    }

    /// Reads all layers, with `file` as the file's text.
    pub(super) fn resolve_with(&self, file: &str) -> Result<Resolved, Error> {
        let defaults = default_tree();
        let mut layers = Layers {
            tree: defaults.clone(),
            defaults,
            origins: BTreeMap::new(),
            faults: Vec::new(),
        };
        if let Some(path) = &self.file {
            let table = parse(path, file)?;
            let origin = Origin::File {
                path: path.display().to_string(),
            };
            layers.lay_tree("", &Value::Object(table), &origin);
        }
        for (variable, text) in &self.environment {
            let Some(path) = setting_of(variable) else {
                continue;
            };
            let origin = Origin::Environment {
                variable: variable.clone(),
            };
            layers.lay(&path, from_text(text), &origin);
        }
        for (path, value, option) in &self.flags {
            let origin = Origin::Flag {
                option: option.clone(),
            };
            layers.lay(path, value.clone(), &origin);
        }
        layers.finish()
    }
}

impl Resolved {
    /// Returns every setting, by path.
    #[must_use]
    pub fn list(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        leaves("", &self.tree, &mut |path, value| {
            settings.push(Setting {
                path: path.to_owned(),
                value: value.clone(),
                origin: self.origins.get(path).cloned().unwrap_or(Origin::Default),
                secret: false,
                live: super::live::is_live(path),
                about: about::of(path),
            });
        });
        settings.sort_by(|a, b| a.path.cmp(&b.path));
        settings
    }
}

pub(super) fn default_tree() -> Value {
    serde_json::to_value(Settings::default()).expect("settings serialise")
}

struct Layers {
    defaults: Value,
    tree: Value,
    origins: BTreeMap<String, Origin>,
    faults: Vec<String>,
}

impl Layers {
    fn lay_tree(&mut self, path: &str, value: &Value, origin: &Origin) {
        match value {
            Value::Object(map) if !is_open(&self.defaults, path) && !WHOLE.contains(&path) => {
                for (key, value) in map {
                    self.lay_tree(&join(path, key), value, origin);
                }
            }
            value => self.lay(path, value.clone(), origin),
        }
    }

    fn lay(&mut self, path: &str, value: Value, origin: &Origin) {
        if !is_known(&self.defaults, path) {
            let fault = unknown(&self.defaults, path);
            self.faults.push(format!("{fault} ({})", shown(origin)));
            return;
        }
        let mut place = &mut self.tree;
        for key in path.split('.') {
            let Value::Object(map) = place else { return };
            place = map.entry(key).or_insert(Value::Null);
        }
        *place = value;
        self.origins.insert(path.to_owned(), origin.clone());
    }

    fn finish(mut self) -> Result<Resolved, Error> {
        match serde_path_to_error::deserialize::<_, Settings>(&self.tree) {
            Err(error) => {
                let path = error.path().to_string();
                let origin = self
                    .origins
                    .get(&path)
                    .map_or_else(String::new, |origin| format!(" ({})", shown(origin)));
                self.faults
                    .push(format!("{path}: {}{origin}", error.inner()));
            }
            Ok(settings) => {
                if let Err(error) = settings.core.validate() {
                    self.faults.push(format!("core: {error}"));
                }
                if let Err(fault) = settings.inference.validate() {
                    self.faults.push(format!("inference: {fault}"));
                }
                if !(1..=64).contains(&settings.scripts.workers_max) {
                    let fault = "scripts.workers_max is not between 1 and 64";
                    self.faults.push(fault.to_owned());
                }
                if self.faults.is_empty() {
                    let (tree, origins) = (self.tree, self.origins);
                    return Ok(Resolved {
                        settings,
                        tree,
                        origins,
                    });
                }
            }
        }
        Err(Error::Invalid {
            faults: self.faults,
        })
    }
}

fn shown(origin: &Origin) -> String {
    match origin {
        Origin::Default => "built in".to_owned(),
        Origin::File { path } => format!("in {path}"),
        Origin::Environment { variable } => format!("from {variable}"),
        Origin::Flag { option } => format!("from {option}"),
    }
}

pub(super) fn read(path: &Path) -> Result<String, Error> {
    let unreadable = |reason: String| Error::Unreadable {
        path: path.to_owned(),
        reason,
    };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(unreadable(error.to_string())),
        Ok(found) if found.len() > FILE_BYTES_MAX => {
            return Err(unreadable(format!(
                "it is larger than {FILE_BYTES_MAX} bytes"
            )));
        }
        Ok(_) => {}
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}

fn parse(path: &Path, text: &str) -> Result<Map<String, Value>, Error> {
    let syntax = |reason: String| Error::Syntax {
        path: path.to_owned(),
        reason,
    };
    let table: toml::Table = toml::from_str(text).map_err(|error| syntax(error.to_string()))?;
    match serde_json::to_value(table).map_err(|error| syntax(error.to_string()))? {
        Value::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}

/// `CRUCIBLE_CORE__ENABLE_DEBUG` is `core.enable_debug`.
fn setting_of(variable: &str) -> Option<String> {
    let rest = variable.strip_prefix(ENVIRONMENT_PREFIX)?;
    rest.contains("__")
        .then(|| rest.to_ascii_lowercase().replace("__", "."))
}

/// Reads a value as TOML would, and anything else as text.
fn from_text(text: &str) -> Value {
    let as_toml = toml::from_str::<toml::Table>(&format!("v = {text}"));
    as_toml
        .ok()
        .and_then(|table| serde_json::to_value(table.get("v")?).ok())
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Says whether names below `path` are the user's own: a table that is empty by default.
fn is_open(defaults: &Value, path: &str) -> bool {
    find(defaults, path).is_some_and(|value| value.as_object().is_some_and(Map::is_empty))
}

fn is_known(defaults: &Value, path: &str) -> bool {
    match find(defaults, path) {
        Some(Value::Object(map)) => map.is_empty() || WHOLE.contains(&path),
        Some(_) => true,
        None => path
            .rsplit_once('.')
            .is_some_and(|(above, _)| is_open(defaults, above)),
    }
}

pub(super) fn find<'t>(tree: &'t Value, path: &str) -> Option<&'t Value> {
    if path.is_empty() {
        return Some(tree);
    }
    path.split('.').try_fold(tree, |place, key| place.get(key))
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

pub(super) fn leaves(path: &str, tree: &Value, each: &mut impl FnMut(&str, &Value)) {
    match tree {
        Value::Object(map) if !map.is_empty() && !WHOLE.contains(&path) => {
            for (key, value) in map {
                leaves(&join(path, key), value, each);
            }
        }
        value => each(path, value),
    }
}

fn unknown(defaults: &Value, path: &str) -> String {
    let mut known = Vec::new();
    leaves("", defaults, &mut |path, _| known.push(path.to_owned()));
    let score = |name: &String| strsim::jaro_winkler(name, path);
    let near = known
        .iter()
        .max_by(|a, b| score(a).total_cmp(&score(b)))
        .filter(|name| score(name) >= SIMILAR_MIN);
    match near {
        Some(near) => format!("{path} is not a setting; did you mean {near}?"),
        None => format!("{path} is not a setting; `crucible config show` lists all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Sources {
        Sources {
            file: Some(PathBuf::from("crucible.toml")),
            ..Sources::default()
        }
    }

    fn origin(resolved: &Resolved, path: &str) -> Origin {
        let list = resolved.list();
        let setting = list.iter().find(|setting| setting.path == path);
        setting.unwrap().origin.clone()
    }

    #[test]
    fn later_layers_win_key_by_key_and_origins_say_which() {
        let mut sources = sources();
        sources.environment = vec![
            ("CRUCIBLE_CORE__MAX_SERVICES".to_owned(), "8".to_owned()),
            ("CRUCIBLE_VAULT".to_owned(), "no setting".to_owned()),
        ];
        let listen = (
            "api.listen".to_owned(),
            "127.0.0.1:9".into(),
            "--listen".to_owned(),
        );
        sources.flags = vec![listen];
        let file = "[core]\nmax_services = 7\nenable_debug = true\n";
        let resolved = sources.resolve_with(file).unwrap();
        assert_eq!(resolved.settings.core.max_services, 8);
        assert!(resolved.settings.core.enable_debug);
        assert_eq!(resolved.settings.api.listen.unwrap().port(), 9);
        let from = |path| origin(&resolved, path);
        assert!(matches!(
            from("core.max_services"),
            Origin::Environment { .. }
        ));
        assert!(matches!(from("core.enable_debug"), Origin::File { .. }));
        assert!(matches!(from("api.listen"), Origin::Flag { .. }));
        assert_eq!(from("core.event_queue_size"), Origin::Default);
    }

    /// Expects that `file` is refused with a message that contains all of `parts`.
    fn check(file: &str, parts: &[&str]) {
        let message = sources().resolve_with(file).unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn faults_name_the_key_the_place_and_the_cure() {
        check(
            "[core]\nmax_servces = 7",
            &["core.max_servces", "core.max_services?", "crucible.toml"],
        );
        check("[kore]\nmax = 7", &["kore.max is not a setting"]);
        check(
            "[core]\nmax_services = \"x\"",
            &["core.max_services", "invalid type", "crucible.toml"],
        );
        check("[core]\nmax_services = 0", &["max_services", "between"]);
        check("[core", &["is not TOML"]);
        check(
            "[core]\na = 1\nb = 2",
            &["core.a is not a setting", "core.b is not a setting"],
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let sources = Sources {
            file: Some(dir.path().join("crucible.toml")),
            ..Sources::default()
        };
        assert_eq!(sources.resolve().unwrap().settings, Settings::default());
    }

    #[test]
    fn the_commented_list_is_the_list_of_defaults() {
        let resolved = sources().resolve_with(super::super::DEFAULTS).unwrap();
        assert_eq!(resolved.settings, Settings::default());
        for setting in resolved.list() {
            assert!(
                !setting.about.is_empty(),
                "{} is not explained",
                setting.path
            );
            if !setting.value.is_null() {
                let named = matches!(setting.origin, Origin::File { .. });
                assert!(named, "{} is not in the list", setting.path);
            }
        }
    }
}
