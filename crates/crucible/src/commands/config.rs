//! `crucible config`: the settings in force, where they come from, and changes to them.

use std::io::Write;

use crucible_daemon::instance;
use crucible_daemon::settings;
use crucible_services::configuration::{Changed, Origin, Setting, SettingChange};
use serde_json::Value;

use crate::args::{Config, ConfigAction, Global};
use crate::failure::{Failure, Kind};
use crate::session::{daemon, print_json};
use crate::setup;
use crate::terminal::{Style, plain};
use crate::vault_choice;

pub(crate) async fn run(global: &Global, args: &Config) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match &args.action {
        ConfigAction::Show { below } => {
            let mut list = in_force(global, args).await?;
            if let Some(below) = below {
                let inside = format!("{below}.");
                list.retain(|setting| setting.path == *below || setting.path.starts_with(&inside));
            }
            if args.format.json {
                return print_json(&list);
            }
            show(&mut out, &list, Style::detect())
        }
        ConfigAction::Set { changes } => {
            let changes = changes
                .iter()
                .map(|text| change(text))
                .collect::<Result<Vec<_>, _>>()?;
            let changed = daemon(global, &args.vault)?
                .change_settings(&changes)
                .await?;
            if args.format.json {
                return print_json(&changed);
            }
            tell(&mut out, &changed)
        }
        ConfigAction::Validate => {
            read(global)?;
            writeln!(out, "The settings are in order.")?;
            Ok(())
        }
        ConfigAction::Path => {
            writeln!(out, "{}", setup::settings_file(global)?.display())?;
            Ok(())
        }
        ConfigAction::Defaults => {
            write!(out, "{}", settings::DEFAULTS)?;
            Ok(())
        }
    }
}

/// The settings of the daemon that runs, else what the next one would start with.
async fn in_force(global: &Global, args: &Config) -> Result<Vec<Setting>, Failure> {
    let location = vault_choice::find(global, args.vault.vault.as_deref()).ok();
    let is_served = location.is_some_and(|location| instance::running(&location).is_some());
    if is_served && let Ok(client) = daemon(global, &args.vault) {
        return Ok(client.settings().await?);
    }
    read(global)
}

fn read(global: &Global) -> Result<Vec<Setting>, Failure> {
    let resolved = setup::sources(global)?.resolve();
    let resolved = resolved.map_err(|error| Failure::new(Kind::Failed, error))?;
    Ok(resolved.list())
}

/// Reads `PATH=VALUE`.
fn change(text: &str) -> Result<SettingChange, Failure> {
    let Some((path, value)) = text.split_once('=') else {
        return Err(
            Failure::message(Kind::Usage, format!("{text:?} sets nothing"))
                .with_hint("write PATH=VALUE, such as core.enable_debug=true"),
        );
    };
    let value = match value {
        "" => Value::Null,
        value => serde_json::from_str(value).unwrap_or_else(|_text| value.into()),
    };
    Ok(SettingChange {
        path: path.trim().to_owned(),
        value,
    })
}

fn show(out: &mut impl Write, list: &[Setting], style: Style) -> Result<(), Failure> {
    for setting in list {
        let value = if setting.secret {
            "(secret)".to_owned()
        } else {
            setting.value.to_string()
        };
        let origin = match &setting.origin {
            Origin::Default => String::new(),
            Origin::File { path } => format!("  {path}"),
            Origin::Environment { variable } => format!("  ${variable}"),
            Origin::Flag { option } => format!("  {option}"),
        };
        let path = style.bold(plain(&setting.path));
        writeln!(
            out,
            "{path} = {}{}",
            plain(&value),
            style.dim(plain(&origin))
        )?;
    }
    Ok(())
}

fn tell(out: &mut impl Write, changed: &Changed) -> Result<(), Failure> {
    for path in &changed.paths {
        writeln!(out, "{} holds now", plain(path))?;
    }
    for path in &changed.after_restart {
        writeln!(out, "{} holds from the next start", plain(path))?;
    }
    if changed.paths.is_empty() && changed.after_restart.is_empty() {
        writeln!(out, "Nothing was another before.")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_or_text_and_nothing_is_the_default() {
        let value = |text| change(text).unwrap().value;
        assert_eq!(value("a.b=7"), 7);
        assert_eq!(value("a.b=true"), true);
        assert_eq!(value("a.b=30s"), "30s");
        assert_eq!(value("a.b=x=y"), "x=y");
        assert_eq!(value("a.b="), Value::Null);
        assert_eq!(change("a.b").unwrap_err().code(), 2);
    }
}
