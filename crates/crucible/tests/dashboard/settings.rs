//! A setting that is changed by a form, and what is refused.

use serde_json::Value;

use super::browser::Tab;
use super::it::harness::Place;
use super::{check_contrast, check_structure, check_troubles, check_width, serve};

const SETTING: &str = "core.health_check_interval_s";

/// The setting's value and origin, as the command line shows them.
fn in_force(place: &Place) -> (Value, Value) {
    let shown = place.json(&["config", "show", SETTING])[0].clone();
    (shown["value"].clone(), shown["origin"]["layer"].clone())
}

/// Types a value into the form and sends it.
fn submit(tab: &mut Tab, text: &str) {
    let row = format!("[id=\"setting-{SETTING}\"]");
    tab.eval(&format!(
        "document.querySelector({row:?}).querySelector('details').open = true"
    ));
    let input = format!("{row} input[name=value]");
    tab.eval(&format!("document.querySelector({input:?}).value = ''"));
    tab.click(&input);
    tab.type_text(text);
    tab.eval("window.old = true");
    tab.press("Enter");
    tab.until("!window.old && document.readyState === 'complete'");
}

pub(crate) fn are_changed_by_form(tab: &mut Tab) {
    let (place, _daemon, origin) = serve(tab);
    let page = format!("{origin}/configuration");
    let row = format!("document.querySelector('[id=\"setting-{SETTING}\"]')");
    tab.go(&page);
    assert_eq!(tab.eval(&format!("{row}.cells[2].textContent")), "built in");

    for (text, reason) in [
        ("0", "0 is not between 1 and 86400"),
        ("often", "is a number, not \\\"often\\\""),
    ] {
        submit(tab, text);
        let told = format!("{row}.querySelector('[role=alert]')");
        tab.until(&format!("{told}.textContent.includes(\"{reason}\")"));
        tab.until(&format!(
            "{told}.textContent.includes('health_check_interval_s')"
        ));
        let field = format!("{row}.querySelector('input[name=value]')");
        assert_eq!(tab.eval(&format!("{field}.value")), text, "can be mended");
        assert_eq!(
            tab.eval(&format!(
                "document.getElementById({field}.getAttribute('aria-describedby')) === {told}"
            )),
            true
        );
        assert_eq!(in_force(&place), (30.into(), "default".into()));
    }
    check_structure(tab, "a refused change");
    for look in ["light", "dark"] {
        tab.look(look);
        check_contrast(tab, "a refused change");
    }
    tab.size(360, 740);
    check_width(tab, "a refused change");
    tab.size(1280, 800);

    submit(tab, "7");
    let told = tab.eval("document.querySelector('main [role=status]').textContent");
    assert!(told.as_str().unwrap().contains("is 7 now"), "{told}");
    let from = tab.eval(&format!("{row}.cells[2].textContent"));
    assert!(from.as_str().unwrap().ends_with("crucible.toml"), "{from}");
    assert_eq!(in_force(&place), (7.into(), "file".into()));

    tab.go(&format!("{page}?changed={SETTING}"));
    check_troubles(tab, "a change");
    tab.eval(&format!("{row}.querySelector('details').open = true"));
    tab.click(&format!("[id=\"setting-{SETTING}\"] button[name=reset]"));
    tab.until(&format!("{row}.cells[2].textContent === 'built in'"));
    assert_eq!(in_force(&place), (30.into(), "default".into()));

    // A form that no page of ours made.
    let forged = format!(
        "fetch('/configuration', {{ method: 'POST', body: new URLSearchParams({{ csrf: 'guess', path: '{SETTING}', value: '9' }}) }}).then((answer) => answer.status)"
    );
    assert_eq!(tab.eval(&forged), 403);
    assert_eq!(in_force(&place), (30.into(), "default".into()));
}
