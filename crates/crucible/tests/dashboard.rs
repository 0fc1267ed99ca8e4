//! The dashboard in a real browser: what people see, that nothing from a vault or from elsewhere
//! can act in their name, and that it can be read and used by everybody.
//!
//! The browser is the Chromium that `CRUCIBLE_TEST_CHROMIUM` names, or `chromium` on the PATH. When
//! there is none the tests are ignored, with the reason; in CI (`CI=true`) they fail then. With
//! `CRUCIBLE_SCREENSHOTS=FOLDER` each page is also written there as PNG, light and dark.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "it"]
mod it {
    #[expect(dead_code, reason = "shared with tests that need more of it")]
    pub(crate) mod harness;
}

#[path = "dashboard/bakery.rs"]
mod bakery;
#[path = "dashboard/browser.rs"]
mod browser;
#[path = "dashboard/foreign.rs"]
mod foreign;
#[path = "dashboard/pictures.rs"]
mod pictures;
#[path = "dashboard/reach.rs"]
mod reach;
#[path = "dashboard/settings.rs"]
mod settings;

use std::path::PathBuf;
use std::time::Duration;

use bakery::Bakery;
use browser::Tab;
use it::harness::{Daemon, Place};
use libtest_mimic::{Arguments, Failed, Trial};

/// What is tried with a browser that has just been started.
type Test = fn(&mut Tab);

/// The pages of the dashboard, with a name for each picture.
const PAGES: [(&str, &str); 13] = [
    ("overview", "/"),
    ("notes", "/notes"),
    ("note", "/note/Recipes/Country%20Loaf.md"),
    ("picture", "/note/Troubleshooting/Dense%20Crumb.md"),
    ("search", "/search?q=sluggish+starter"),
    ("events", "/events"),
    ("chain", CHAIN),
    ("services", "/services"),
    ("service", "/services/datastore"),
    ("scripts", "/scripts"),
    ("script", "/scripts/daily-digest"),
    ("access", "/access"),
    (
        "configuration",
        "/configuration?changed=core.health_check_interval_s",
    ),
];
/// Stands for the page of all that came of one change.
const CHAIN: &str = "/events?correlation=";
/// How long a day at work takes before its pictures are taken, a step.
const PAUSE: Duration = Duration::from_secs(8);
/// Pages that tell of something that is not there.
const FAULTS: [&str; 5] = [
    "/note/Nothing%20of%20this%20name",
    "/services/nobody",
    "/scripts/nobody",
    "/search?q=xyzzyxyzzy",
    "/events?correlation=nothing",
];

fn main() {
    let mut arguments = Arguments::from_args();
    // One at a time: each starts a browser of its own beside the daemon.
    arguments.test_threads = Some(1);
    let tests: [(&str, Test); 14] = [
        (
            "every_page_loads_without_a_fault_and_can_be_read",
            every_page,
        ),
        (
            "overview_and_events_show_a_note_that_is_saved_and_its_chain",
            live_events,
        ),
        ("events_can_be_filtered_and_held", filtered_events),
        ("nothing_in_a_hostile_note_runs", hostile_note),
        ("keys_search_open_and_go_to_places", keyboard),
        (
            "every_control_is_reached_with_the_tab_key_and_seen_then",
            reach::everything,
        ),
        (
            "pictures_of_the_vault_are_shown_and_nothing_else_is",
            pictures::are_shown_and_nothing_else_is,
        ),
        (
            "setting_is_changed_by_form_and_a_wrong_one_is_refused_with_its_reason",
            settings::are_changed_by_form,
        ),
        (
            "services_are_restarted_stopped_and_started_by_button",
            switches,
        ),
        ("look_is_chosen_and_remembered", look_is_remembered),
        (
            "link_lets_one_browser_in_and_logging_out_ends_it",
            one_time_link,
        ),
        (
            "token_is_shown_once_and_lets_in_until_it_is_revoked",
            tokens,
        ),
        (
            "script_that_is_granted_by_click_reacts_to_the_next_change",
            grants,
        ),
        (
            "foreign_page_gets_nothing_and_changes_nothing",
            foreign_page,
        ),
    ];
    let trials = tests.map(|(name, test)| trial(name, test));
    libtest_mimic::run(&arguments, trials.into()).exit();
}

fn trial(name: &'static str, test: Test) -> Trial {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    match chromium() {
        Some(program) => Trial::test(name, move || {
            let mut tab = Tab::open(&program);
            tab.size(1280, 800);
            tab.look("light");
            test(&mut tab);
            Ok(())
        }),
        None if is_ci => Trial::test(name, || {
            Err(Failed::from("there is no chromium on the PATH"))
        }),
        None => Trial::test(name, || Ok(()))
            .with_kind("no chromium on the PATH")
            .with_ignored_flag(true),
    }
}

fn chromium() -> Option<String> {
    if let Ok(program) = std::env::var("CRUCIBLE_TEST_CHROMIUM") {
        return Some(program).filter(|program| !program.is_empty());
    }
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).find(|folder| folder.join("chromium").is_file());
    found.map(|_| "chromium".to_owned())
}

/// A place with the example vault, a daemon that has indexed it, and a browser that was let in by
/// the link that the command line prints.
fn serve(tab: &mut Tab) -> (Place, Daemon, String) {
    let place = Place::example();
    let mut daemon = place.serve();
    let origin = format!("http://{}", daemon.api());
    let link = place.about(&["dashboard"]).succeeds().stdout;
    tab.go(link.trim());
    tab.until("location.pathname === '/' && document.readyState === 'complete'");
    (place, daemon, origin)
}

#[track_caller]
fn check_troubles(tab: &mut Tab, page: &str) {
    let troubles = tab.troubles();
    assert!(troubles.is_empty(), "{page}: {troubles:#?}");
}

#[track_caller]
fn check_contrast(tab: &mut Tab, page: &str) {
    let found = tab.eval(include_str!("dashboard/contrast.js"));
    assert!(found["seen"].as_u64().unwrap() > 10, "{page}: {found}");
    assert_eq!(found["faults"], serde_json::json!([]), "{page}");
}

#[track_caller]
fn check_width(tab: &mut Tab, page: &str) {
    let wide = tab.eval(
        "[...document.querySelectorAll('body *')].filter((e) => !e.closest('.table, pre, .unseen, .skip, dialog, .log') \
         && e.getBoundingClientRect().right > 360.5).map((e) => e.outerHTML.slice(0, 120)).slice(0, 5)",
    );
    let width = tab.eval("document.documentElement.scrollWidth");
    assert_eq!(width, 360, "{page} scrolls sideways: {wide:#}");
}

/// What everybody needs of a page whatever is on it.
#[track_caller]
fn check_structure(tab: &mut Tab, page: &str) {
    let found = tab.eval(
        "(() => { const all = (selector) => [...document.querySelectorAll(selector)]; \
         const named = (e) => (e.getAttribute('aria-label') ?? e.textContent).trim() !== ''; \
         const ids = all('[id]').map((e) => e.id); return { \
         h1: all('h1').length, lang: document.documentElement.lang, main: all('main').length, \
         here: all('nav [aria-current]').length, \
         twice: ids.filter((id, at) => ids.indexOf(id) !== at), \
         nameless: all('a, button').filter((e) => !named(e)).map((e) => e.outerHTML), \
         unlabelled: all('input:not([type=hidden]), select').filter((e) => e.labels.length === 0).map((e) => e.outerHTML), \
         style: all('[style]').length }; })()",
    );
    assert_eq!(found["h1"], 1, "{page}: {found}");
    assert_eq!(found["lang"], "en", "{page}");
    assert_eq!(found["main"], 1, "{page}");
    assert_eq!(found["style"], 0, "{page}");
    for list in ["twice", "nameless", "unlabelled"] {
        assert_eq!(found[list], serde_json::json!([]), "{page}: {list}");
    }
}

fn every_page(tab: &mut Tab) {
    let shots = std::env::var_os("CRUCIBLE_SCREENSHOTS").map(PathBuf::from);
    let mut bakery = Bakery::open();
    bakery.work(shots.as_ref().map_or(Duration::ZERO, |_| PAUSE));
    bakery.let_in(tab);
    let story = bakery.story();
    for (name, path) in PAGES {
        let path = if path == CHAIN { &story } else { path };
        let url = bakery.url(path);
        for look in ["light", "dark"] {
            tab.look(look);
            tab.size(1280, 800);
            tab.go(&url);
            tab.until("document.querySelector('#live')?.textContent !== 'connecting'");
            check_troubles(tab, path);
            check_contrast(tab, &format!("{path} {look}"));
            if let Some(folder) = &shots {
                bakery.stand_for_a_picture(tab);
                tab.screenshot(&folder.join(format!("{name}-{look}.png")));
            }
        }
        check_structure(tab, path);
        assert_eq!(
            tab.eval("document.querySelectorAll('nav.x, nav [aria-current]').length")
                .as_u64()
                .unwrap(),
            u64::from(name != "search"),
            "{path}"
        );
        tab.size(360, 740);
        tab.go(&url);
        check_width(tab, path);
    }
    tab.size(360, 740);
    for path in FAULTS {
        tab.go(&bakery.url(path));
        check_structure(tab, path);
        check_width(tab, path);
        for look in ["light", "dark"] {
            tab.look(look);
            check_contrast(tab, path);
        }
    }
}

fn live_events(tab: &mut Tab) {
    let (place, _daemon, origin) = serve(tab);
    tab.go(&origin);
    tab.until("document.querySelector('#live').textContent === 'live'");
    let notes = "document.querySelector('.figures dd').textContent";
    let before: u64 = tab.eval(notes).as_str().unwrap().parse().unwrap();
    place.write("Fresh.md", "# Fresh\n\nJust baked.\n");
    tab.until("[...document.querySelectorAll('#event-list .event')].some((row) => \
               row.textContent.includes('filesystem.file_created') && row.textContent.includes('Fresh.md'))");
    tab.until(&format!("{notes} === '{}'", before + 1));
    check_troubles(tab, "overview");

    tab.go(&format!("{origin}/events"));
    tab.until("document.querySelector('#live').textContent === 'live'");
    place.write("Fresh.md", "# Fresh\n\nHalf eaten.\n");
    let row = "[...document.querySelectorAll('#event-list .event')].find((row) => \
               row.textContent.includes('filesystem.file_modified') && row.textContent.includes('Fresh.md'))";
    tab.until(row);
    let id = tab.eval(&format!(
        "{row}.querySelector('[data-slot=correlation]').textContent"
    ));
    tab.eval(&format!("{row}.id = 'found'"));
    tab.click("#found summary");
    tab.until("document.querySelector('#found details').open");
    tab.click("#found [data-slot=correlation]");
    tab.until("location.search.startsWith('?correlation=') && document.readyState === 'complete'");
    tab.until("document.querySelectorAll('.chain .event').length > 0");
    let all_same = format!(
        "[...document.querySelectorAll('.chain [data-slot=correlation]')].every((one) => one.textContent === {id})"
    );
    assert_eq!(tab.eval(&all_same), true);
    check_troubles(tab, "chain");
}

fn filtered_events(tab: &mut Tab) {
    let (place, _daemon, origin) = serve(tab);
    tab.go(&format!("{origin}/events?category=filesystem"));
    tab.until("document.querySelector('#live').textContent === 'live'");
    let categories = "[...new Set([...document.querySelectorAll('.event')].filter((row) => !row.hidden).map((row) => row.dataset.category))].join()";
    place.write("One.md", "one\n");
    tab.until("[...document.querySelectorAll('.event')].some((row) => row.textContent.includes('One.md'))");
    assert_eq!(tab.eval(categories), "filesystem");
    tab.click("#event-filter input");
    tab.type_text("two.md");
    tab.until("[...document.querySelectorAll('.event')].every((row) => row.hidden)");
    assert_eq!(
        tab.eval("document.querySelector('#no-events').hidden"),
        false
    );
    tab.click("#pause");
    tab.until("document.querySelector('#pause').getAttribute('aria-pressed') === 'true'");
    place.write("Two.md", "two\n");
    tab.until("document.querySelector('#live').textContent.match(/paused, [1-9]/)");
    assert_eq!(tab.eval("[...document.querySelectorAll('.event')].some((row) => row.textContent.includes('Two.md'))"), false);
    tab.click("#pause");
    tab.until("[...document.querySelectorAll('.event')].some((row) => !row.hidden && row.textContent.includes('Two.md'))");
    assert_eq!(tab.eval("location.search"), "?category=filesystem&q=two.md");
}

fn hostile_note(tab: &mut Tab) {
    let (place, _daemon, origin) = serve(tab);
    let name = "Hostile <img src=x onerror=pwned=38>.md";
    tab.go(&format!("{origin}/events"));
    tab.until("document.querySelector('#live').textContent === 'live'");
    place.write(name, include_str!("dashboard/hostile.md"));
    place.write(
        "Linking.md",
        "See [[Hostile <img src=x onerror=pwned=38>|<script>pwned=39</script>]].\n",
    );
    tab.until("[...document.querySelectorAll('.event')].some((row) => row.textContent.includes('onerror=pwned=38'))");
    check_harmless(tab, "/events");
    let note = format!("/note/{}", it::harness::http::encode(name));
    for path in [
        note.as_str(),
        &format!("{note}?view=source"),
        "/note/Linking.md",
        "/search?q=script",
        "/notes",
        "/",
        "/search?q=%3Cscript%3Epwned%3D40%3C%2Fscript%3E",
        "/events?q=%22%3E%3Cscript%3Epwned%3D41%3C%2Fscript%3E&correlation=%3Cscript%3E",
        "/services/%3Cscript%3Epwned=42%3C%2Fscript%3E",
    ] {
        tab.go(&format!("{origin}{path}"));
        check_harmless(tab, path);
    }
    tab.go(&format!("{origin}{note}"));
    let shown = tab.eval("document.querySelector('.prose').innerText");
    let shown = shown.as_str().unwrap();
    for words in [
        "<script>window.pwned = 6</script>",
        "onerror=\"window.pwned = 7\"",
        "<iframe srcdoc",
        "script link",
    ] {
        assert!(shown.contains(words), "{words} is there to read:\n{shown}");
    }
    // Everything on the page that can be clicked without leaving it.
    tab.eval("for (const one of document.querySelectorAll('.prose *')) { if (!one.closest('a')) one.click(); }");
    tab.eval("for (const one of document.querySelectorAll('.prose *')) one.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }))");
    check_harmless(tab, &note);
    tab.size(360, 740);
    tab.go(&format!("{origin}{note}"));
    check_width(tab, &note);
}

#[track_caller]
fn check_harmless(tab: &mut Tab, page: &str) {
    let found = tab.eval(
        "({ pwned: typeof window.pwned, \
         scripts: [...document.scripts].map((one) => one.getAttribute('src')), \
         foreign: document.querySelectorAll('iframe, object, embed, base, style, meta[http-equiv], main img, .prose svg, .prose form, .prose input').length, \
         handlers: [...document.querySelectorAll('*')].flatMap((one) => one.getAttributeNames()).filter((name) => name.startsWith('on')), \
         addresses: [...document.querySelectorAll('[href], [action], [src]')].map((one) => one.href?.baseVal ?? one.href ?? one.action ?? one.src) \
           .filter((url) => !/^(https?:|mailto:)/.test(url)) })",
    );
    let expected = serde_json::json!({
        "pwned": "undefined", "scripts": ["/assets/crucible.js"], "foreign": 0, "handlers": [], "addresses": [],
    });
    assert_eq!(found, expected, "{page}");
    let refused = tab.troubles().into_iter().filter(|trouble| {
        // A page about something that is not there says so with its status.
        !trouble.contains("the server responded with a status of 404")
    });
    assert_eq!(refused.collect::<Vec<_>>(), Vec::<String>::new(), "{page}");
}

fn keyboard(tab: &mut Tab) {
    let (_place, _daemon, origin) = serve(tab);
    tab.go(&origin);
    tab.press("Tab");
    assert_eq!(tab.eval("document.activeElement.className"), "skip");
    assert_eq!(
        tab.eval("document.activeElement.getBoundingClientRect().x >= 0"),
        true
    );
    tab.press("Enter");
    tab.until("document.activeElement.id === 'main'");
    tab.press("/");
    tab.until("document.activeElement.id === 'q'");
    assert_eq!(
        tab.eval("getComputedStyle(document.activeElement).outlineStyle"),
        "solid"
    );
    tab.type_text("sluggish starter");
    tab.press("Enter");
    tab.until("location.pathname === '/search' && document.readyState === 'complete'");
    tab.until("document.querySelectorAll('.hits > li').length > 1");
    tab.press("j");
    tab.press("j");
    tab.press("k");
    let first = tab.eval("document.querySelector('.hits a').href");
    assert_eq!(tab.eval("document.activeElement.href"), first);
    tab.press("Enter");
    tab.until("location.pathname.startsWith('/note/') && document.readyState === 'complete'");
    assert_eq!(tab.eval("location.href"), first);
    tab.press("?");
    tab.until("document.querySelector('#help').open");
    tab.press("Escape");
    tab.until("!document.querySelector('#help').open");
    tab.press("g");
    tab.press("e");
    tab.until("location.pathname === '/events' && document.readyState === 'complete'");
    tab.press("j");
    tab.press("Enter");
    tab.until("document.querySelector('.event details').open");
}

fn switches(tab: &mut Tab) {
    let (_place, _daemon, origin) = serve(tab);
    let page = format!("{origin}/services/mcp-gateway");
    tab.go(&page);
    tab.click("form[action$='/restart'] button");
    tab.until("location.search === '?done=restart' && document.readyState === 'complete'");
    assert_eq!(
        tab.eval("document.querySelector('[role=status]').textContent"),
        "It was stopped and started again."
    );
    tab.click("a[href$='/stop']");
    tab.until("document.querySelector('h1')?.textContent === 'Stop mcp-gateway?'");
    tab.click("form[action$='/stop'] button");
    tab.until("location.search === '?done=stop'");
    tab.until("document.querySelector('.state-line').textContent.includes('stopped')");
    tab.click("form[action$='/start'] button");
    tab.until("location.search === '?done=start'");
    tab.until("document.querySelector('.state-line').textContent.includes('running since')");
    // Others need it: the refusal says which.
    tab.go(&format!("{origin}/services/datastore/stop"));
    tab.click("form[action$='/stop'] button");
    tab.until("document.querySelector('[role=alert]')");
    // A form that no page of ours made.
    let status = tab.eval("fetch('/services/vault/restart', { method: 'POST', body: new URLSearchParams({ csrf: 'guess' }) }).then((answer) => answer.status)");
    assert_eq!(status, 403);
}

fn look_is_remembered(tab: &mut Tab) {
    let (_place, _daemon, origin) = serve(tab);
    let ground = "getComputedStyle(document.body).backgroundColor";
    tab.go(&origin);
    let light = tab.eval(ground);
    tab.click("#look");
    tab.until(&format!("{ground} !== {light}"));
    let dark = tab.eval(ground);
    tab.go(&format!("{origin}/notes"));
    assert_eq!(tab.eval(ground), dark, "light system, dark by choice");
    tab.click("#look");
    tab.look("dark");
    tab.go(&format!("{origin}/notes"));
    assert_eq!(tab.eval(ground), light, "dark system, light by choice");
}

fn one_time_link(tab: &mut Tab) {
    let place = Place::example_called("Bakery");
    let mut daemon = place.serve();
    let origin = format!("http://{}", daemon.api());
    let link = place.about(&["dashboard"]).succeeds().stdout;
    let link = link.trim();
    tab.go(&format!("{origin}/notes"));
    assert_eq!(
        tab.eval("document.querySelectorAll('main a').length"),
        0,
        "nothing of the vault"
    );
    assert_eq!(tab.eval("document.body.className"), "bare");
    check_contrast_of_bare(tab);
    tab.go(link);
    tab.until("location.pathname === '/' && document.querySelector('h1').textContent === 'Bakery'");
    assert_eq!(
        tab.eval("document.cookie.includes('session')"),
        false,
        "scripts cannot read it"
    );
    tab.go(link);
    tab.until("document.querySelector('[role=alert]')?.textContent.includes('used before')");
    tab.go(&origin);
    tab.until("document.querySelector('form[action=\"/logout\"]')");
    tab.click("form[action='/logout'] button");
    tab.until("document.body.className === 'bare'");
    tab.go(&format!("{origin}/notes"));
    assert_eq!(tab.eval("document.body.className"), "bare");
}

fn check_contrast_of_bare(tab: &mut Tab) {
    for look in ["light", "dark"] {
        tab.look(look);
        let found = tab.eval(include_str!("dashboard/contrast.js"));
        assert_eq!(found["faults"], serde_json::json!([]));
    }
}

fn tokens(tab: &mut Tab) {
    let (_place, _daemon, origin) = serve(tab);
    tab.go(&format!("{origin}/access"));
    tab.click("input[name=name]");
    tab.type_text("laptop-editor");
    tab.click("input[name=scope][value=write]");
    tab.click("form.stack button");
    tab.until("document.querySelector('.secret pre')?.textContent.startsWith('crb_')");
    let secret = tab.eval("document.querySelector('.secret pre').textContent");
    let ask = format!(
        "fetch('/api/v1/stats', {{ credentials: 'omit', headers: {{ authorization: 'Bearer ' + {secret} }} }}).then((answer) => answer.status)"
    );
    assert_eq!(tab.eval(&ask), 200);
    tab.go(&format!("{origin}/access"));
    assert_eq!(
        tab.eval(&format!("document.body.innerHTML.includes({secret})")),
        false,
        "shown once"
    );
    tab.click("form[action='/access/laptop-editor/revoke'] button");
    tab.until("document.querySelector('.empty') && location.pathname === '/access'");
    assert_eq!(tab.eval(&ask), 401);
}

fn grants(tab: &mut Tab) {
    let mut bakery = Bakery::open();
    bakery.let_in(tab);
    let digest = |bakery: &Bakery| {
        let pages = std::fs::read_dir(bakery.place.vault().join("Journal/Changes")).ok()?;
        let page = pages.flatten().next()?;
        std::fs::read_to_string(page.path()).ok()
    };
    let page = bakery.url("/scripts/daily-digest");
    tab.go(&page);
    // The manifest that the person read is another now: nothing is granted.
    tab.eval("document.querySelector('input[name=manifest]').value = 'another'");
    tab.click("input[name=capability]");
    tab.click("form.grants button");
    tab.until("document.querySelector('[role=alert]')?.textContent.includes('manifest')");
    let granted = |bakery: &Bakery| {
        let listed = bakery.place.json(&["script", "list"]);
        let all = listed.as_array().unwrap().clone();
        let digest = all.into_iter().find(|one| one["name"] == "daily-digest");
        digest.unwrap()["granted"].clone()
    };
    assert_eq!(granted(&bakery), serde_json::json!([]));
    assert_eq!(digest(&bakery), None);

    tab.go(&page);
    let boxes = tab.eval("document.querySelectorAll('input[name=capability]').length");
    assert_eq!(boxes, 2);
    for nth in 1..=2 {
        tab.click(&format!(
            "form.grants label:nth-of-type({nth}) input[name=capability]"
        ));
    }
    tab.click("form.grants button");
    tab.until("location.search === '?done=grant' && document.readyState === 'complete'");
    assert_eq!(granted(&bakery).as_array().unwrap().len(), 2);
    bakery.place.write("Recipes/Baps.md", "# Baps\n\nSoft.\n");
    it::harness::eventually("the script notes the change", || {
        digest(&bakery)?.contains("Baps").then_some(())
    });
    let calls = "document.querySelector('.state-line').textContent.match(/[1-9]\\d* calls?/)";
    tab.go(&page);
    tab.until(calls);
    check_troubles(tab, "script");
}

fn foreign_page(tab: &mut Tab) {
    let (_place, mut daemon, origin) = serve(tab);
    // The browser has been here: whatever lets it in goes along with what the page tries.
    tab.go(&origin);
    let site = foreign::serve(daemon.api());
    for host in ["127.0.0.1", "localhost"] {
        tab.go(&format!("http://{host}:{}/", site.port()));
        assert_eq!(
            tab.eval("window.done"),
            serde_json::json!({ "tried": 12, "got": [] }),
            "from {host}"
        );
    }
    let services = daemon.get("/api/v1/services");
    let restarts = services
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["restarts"].as_u64());
    assert!(restarts.clone().all(|count| count == Some(0)), "{services}");
}
