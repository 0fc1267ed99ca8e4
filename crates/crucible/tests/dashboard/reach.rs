//! Everything that can be used with a mouse can be reached with the Tab key, and is seen then.

use serde_json::json;

use super::bakery::Bakery;
use super::browser::Tab;
use super::{CHAIN, PAGES};

/// Remembers what should be reached, and what is.
const WATCH: &str = "(() => {
    const all = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex=\"0\"]';
    window.wanted = [...document.querySelectorAll(all)].filter((one) =>
        one.checkVisibility({ visibilityProperty: true }) && !one.disabled);
    window.reached = new Set();
    window.unseen = new Set();
    document.addEventListener('focusin', ({ target }) => {
        window.reached.add(target);
        const style = getComputedStyle(target);
        const box = target.getBoundingClientRect();
        const isSeen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
            && box.width > 0 && box.height > 0;
        if (!isSeen) window.unseen.add(target.outerHTML.slice(0, 120));
    });
    return window.wanted.length;
})()";

/// What was not reached, of what is still on the page: parts of it change by themselves.
const FOUND: &str = "({
    missed: window.wanted.filter((one) => one.isConnected && !window.reached.has(one)).map((one) => one.outerHTML.slice(0, 120)),
    unseen: [...window.unseen],
})";

pub(crate) fn everything(tab: &mut Tab) {
    let mut bakery = Bakery::open();
    bakery.let_in(tab);
    for (_, path) in PAGES.into_iter().filter(|(_, path)| *path != CHAIN) {
        tab.go(&bakery.url(path));
        let wanted = tab.eval(WATCH).as_u64().unwrap();
        assert!(wanted > 12, "{path}");
        // A few more: what scrolls takes the focus too, and so does what comes meanwhile.
        for _ in 0..wanted + 30 {
            tab.press("Tab");
        }
        assert_eq!(
            tab.eval(FOUND),
            json!({ "missed": [], "unseen": [] }),
            "{path}"
        );
    }
}
