//! The form that changes one setting, and what came of it.

use crucible_services::configuration::{Error, Origin, Setting, SettingChange};
use maud::{Markup, html};
use serde_json::{Number, Value};

use super::super::visit::Visit;
use crate::auth::SafeForm;
use crate::error::{ApiError, Code};
use crate::state::ApiState;

/// A change that was asked for and not made.
pub(super) struct Refusal {
    pub(super) path: String,
    /// What was typed.
    text: String,
    faults: Vec<String>,
    pub(super) error: ApiError,
}

impl Refusal {
    /// Why, as one text.
    pub(super) fn words(&self) -> String {
        self.faults.join("; ")
    }
}

/// Says whether a change is offered: one that holds at once, of a single value, which no stronger
/// layer sets.
pub(super) fn is_offered(setting: &Setting) -> bool {
    let is_single = matches!(
        setting.value,
        Value::Bool(_) | Value::Number(_) | Value::String(_)
    );
    let is_weaker = matches!(setting.origin, Origin::Default | Origin::File { .. });
    setting.live && !setting.secret && is_single && is_weaker
}

/// A value as it is typed.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The form below a value; it is open, with the reason in it, when the last try was refused.
pub(super) fn form(visit: &Visit, setting: &Setting, refused: Option<&Refusal>) -> Markup {
    let field = format!("value-{}", setting.path);
    let fault = format!("fault-{}", setting.path);
    let text = refused.map_or_else(|| shown(&setting.value), |refused| refused.text.clone());
    let described_by = refused.map(|_| fault.as_str());
    let is_invalid = refused.map(|_| "true");
    let is_own = matches!(setting.origin, Origin::File { .. });
    html! {
        details.change open[refused.is_some()] {
            summary { "Change" span.unseen { " " (setting.path) } }
            form action="/configuration" method="post" {
                (visit.form_guard())
                input type="hidden" name="path" value=(setting.path);
                label for=(field) { "New value" }
                @if setting.value.is_boolean() {
                    select id=(field) name="value" aria-describedby=[described_by] aria-invalid=[is_invalid] {
                        @for (value, words) in [("true", "yes"), ("false", "no")] { option value=(value) selected[text == value] { (words) } }
                    }
                } @else {
                    input id=(field) name="value" value=(text) autocomplete="off" spellcheck="false"
                        inputmode=[setting.value.is_number().then_some("decimal")]
                        aria-describedby=[described_by] aria-invalid=[is_invalid];
                }
                @if let Some(refused) = refused { p.fault role="alert" id=(fault) { (refused.words()) } }
                div.switches {
                    button.small type="submit" { "Change" }
                    @if is_own { button.plain.small type="submit" name="reset" value="yes" { "Back to the built-in value" } }
                }
            }
        }
    }
}

/// Makes the change that a form asks for; returns the path of the setting.
pub(super) async fn make(state: &ApiState, form: &SafeForm, by: &str) -> Result<String, Refusal> {
    let path = form.get("path").unwrap_or_default().to_owned();
    let text = form.get("value").unwrap_or_default().to_owned();
    let refuse = |faults: Vec<String>, error: ApiError| Refusal {
        path: path.clone(),
        text: text.clone(),
        faults,
        error,
    };
    let Some(settings) = &state.parts.configuration else {
        let error = ApiError::not_offered("settings to change");
        return Err(refuse(vec![error.detail().message.clone()], error));
    };
    let is_meant = |one: &Setting| one.path == path && !one.secret;
    let old = settings.effective().into_iter().find(is_meant);
    let value = match old {
        None => Err(format!("{path:?} is not a setting; choose one of the page")),
        Some(_) if form.get("reset").is_some() => Ok(Value::Null),
        Some(setting) => read(&setting, text.trim()),
    };
    let value = value.map_err(|fault| {
        refuse(
            vec![fault.clone()],
            ApiError::new(Code::InvalidSettings, fault),
        )
    })?;
    let change = SettingChange {
        path: path.clone(),
        value,
    };
    match settings.change(&[change], by).await {
        Ok(_) => Ok(path),
        Err(error) => {
            let faults = match &error {
                Error::Invalid { faults } => faults.clone(),
                other => vec![other.to_string()],
            };
            Err(refuse(faults, error.into()))
        }
    }
}

/// Reads what was typed as the sort of value that the setting has.
fn read(setting: &Setting, text: &str) -> Result<Value, String> {
    let path = &setting.path;
    match &setting.value {
        Value::Bool(_) => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(format!("{path} is true or false, not {text:?}")),
        },
        Value::Number(old) => text
            .parse::<Number>()
            .map(Value::Number)
            .map_err(|_no_number| {
                format!("{path} is a number, not {text:?}; write it in digits, such as {old}")
            }),
        Value::String(_) if text.is_empty() => Err(format!(
            "{path} cannot be empty; write a value, or go back to the built-in one"
        )),
        Value::String(_) => Ok(Value::String(text.to_owned())),
        _ => Err(format!(
            "{path} is not a single value; change it in the file"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(value: impl Into<Value>) -> Setting {
        Setting {
            path: "core.x".to_owned(),
            value: value.into(),
            origin: Origin::Default,
            secret: false,
            live: true,
            about: String::new(),
        }
    }

    #[test]
    fn text_is_read_as_what_the_setting_holds() {
        assert_eq!(read(&setting(3), "-7"), Ok(Value::from(-7)));
        assert_eq!(read(&setting(0.5), "0.25"), Ok(Value::from(0.25)));
        assert_eq!(read(&setting("5m"), "10"), Ok(Value::from("10")));
        assert_eq!(read(&setting(true), "false"), Ok(Value::from(false)));
        for (old, text) in [
            (Value::from(3), "three"),
            (Value::from(3), ""),
            (Value::from(3), "\"3\""),
            (Value::from(true), "1"),
            (Value::from("a"), ""),
            (Value::from(vec![1]), "[2]"),
        ] {
            let fault = read(&setting(old), text).unwrap_err();
            assert!(fault.starts_with("core.x "), "{fault}");
        }
    }

    #[test]
    fn change_is_offered_where_it_would_hold() {
        assert!(is_offered(&setting(1)));
        let mut at_start = setting(1);
        at_start.live = false;
        assert!(!is_offered(&at_start));
        let mut overruled = setting(1);
        overruled.origin = Origin::Flag {
            option: "--x".to_owned(),
        };
        assert!(!is_offered(&overruled));
        assert!(!is_offered(&setting(Value::Null)));
    }
}
