//! How another configuration is taken over: all of it or nothing.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::sync::oneshot;

use crate::config::CrucibleConfig;
use crate::core::Inner;
use crate::error::{Error, Failure};
use crate::supervisor::{CallError, Command};

/// One section that changes.
struct Change {
    service: String,
    old: Value,
    new: Value,
}

/// Takes over `next`, or leaves everything as it is.
pub(crate) async fn apply(core: &Inner, next: CrucibleConfig) -> Result<(), Error> {
    let _turn = core
        .configuring
        .try_acquire()
        .map_err(|_taken| Error::ConfigBusy)?;
    let current = core.config.load_full();
    validate(core, &next)?;
    let changes = changed_sections(&current, &next);
    hand_over(core, &changes).await?;

    let mut paths = differences("core", &as_json(&current.core), &as_json(&next.core));
    for change in &changes {
        let inner = differences("", &change.old, &change.new);
        let prefix = format!("services.{}", change.service);
        paths.extend(inner.iter().map(|path| join(&prefix, path)));
        core.tell.configured(&change.service, inner);
    }
    let mut services = current.services.clone();
    services.extend(next.services);
    core.adopt(CrucibleConfig {
        core: next.core,
        services,
    });
    if !paths.is_empty() {
        tracing::info!(changes = paths.join(", "), "configuration changed");
        core.tell.reloaded(paths);
    }
    Ok(())
}

fn validate(core: &Inner, next: &CrucibleConfig) -> Result<(), Error> {
    next.core.validate()?;
    let registered = core.registry.members().len();
    if next.core.max_services < registered {
        return Err(Error::InvalidConfig {
            field: "max_services".to_owned(),
            reason: format!(
                "{} is fewer than the {registered} services that are registered",
                next.core.max_services
            ),
        });
    }
    for name in next.services.keys() {
        core.registry.find(name)?;
    }
    Ok(())
}

fn changed_sections(current: &CrucibleConfig, next: &CrucibleConfig) -> Vec<Change> {
    let mut changes = Vec::new();
    for (service, new) in &next.services {
        let old = current
            .services
            .get(service)
            .cloned()
            .unwrap_or(Value::Null);
        if old != *new {
            changes.push(Change {
                service: service.clone(),
                old,
                new: new.clone(),
            });
        }
    }
    changes
}

/// Hands each service its new section; gives all their old ones back if one refuses.
async fn hand_over(core: &Inner, changes: &[Change]) -> Result<(), Error> {
    for (at, change) in changes.iter().enumerate() {
        let Err(reason) = configure(core, &change.service, &change.new).await else {
            continue;
        };
        let mut not_restored = Vec::new();
        for done in changes[..at].iter().rev() {
            if let Err(reason) = configure(core, &done.service, &done.old).await {
                not_restored.push(Failure {
                    service: done.service.clone(),
                    reason,
                });
            }
        }
        return Err(Error::ConfigRefused {
            service: change.service.clone(),
            reason,
            not_restored,
        });
    }
    Ok(())
}

async fn configure(core: &Inner, service: &str, section: &Value) -> Result<(), String> {
    let member = core.registry.find(service).map_err(|e| e.to_string())?;
    let (reply, answer) = oneshot::channel();
    let section = section.clone();
    let gone = || "it was unregistered meanwhile".to_owned();
    let command = Command::Configure { section, reply };
    member.commands.send(command).await.map_err(|_| gone())?;
    match answer.await {
        Ok(result) => result.map_err(|error: CallError| error.to_string()),
        Err(_closed) => Err(gone()),
    }
}

fn as_json(value: &impl serde::Serialize) -> Value {
    // Plain structs of numbers and words can always be written.
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// Returns the dotted paths at which two values differ, in the order of their names.
fn differences(prefix: &str, old: &Value, new: &Value) -> Vec<String> {
    let empty = serde_json::Map::new();
    let (old, new) = match (old, new) {
        (Value::Object(old), Value::Object(new)) => (old, new),
        (Value::Null, Value::Object(new)) => (&empty, new),
        (Value::Object(old), Value::Null) => (old, &empty),
        (old, new) if old == new => return Vec::new(),
        _ => return vec![prefix.to_owned()],
    };
    let names: BTreeMap<&String, ()> = old
        .keys()
        .chain(new.keys())
        .map(|name| (name, ()))
        .collect();
    let member = |of: &serde_json::Map<String, Value>, name: &str| {
        of.get(name).cloned().unwrap_or(Value::Null)
    };
    names
        .into_keys()
        .flat_map(|name| {
            let path = join(prefix, name);
            differences(&path, &member(old, name), &member(new, name))
        })
        .collect()
}

fn join(prefix: &str, name: &str) -> String {
    match (prefix, name) {
        ("", path) | (path, "") => path.to_owned(),
        _ => format!("{prefix}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_named_by_their_paths() {
        let old = json!({ "a": 1, "b": { "c": [1], "d": 2 }, "e": null });
        let new = json!({ "a": 1, "b": { "c": [2], "d": 2 }, "f": true });
        assert_eq!(differences("x", &old, &new), ["x.b.c", "x.f"]);
        assert_eq!(
            differences("", &Value::Null, &json!({ "a": { "b": 1 } })),
            ["a.b"]
        );
        assert!(differences("x", &old, &old).is_empty());
    }
}
