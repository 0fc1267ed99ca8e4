//! The pages: what they show, and that nothing from a vault becomes markup.

use axum::body::Body;

use crate::rig::{Rig, request};

const HOSTILE_NOTE: &str = "/note/a%20%22b%22%3E%3Cscript%3Ealert%281%29%3C/script%3E/100%25%3F%20%231%26%0A%F0%9F%A5%96.md";

#[tokio::test]
async fn overview_shows_health_counts_problems_and_search() {
    let rig = Rig::new().await;
    let page = rig.get("/").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    for expected in [
        "<h1 dir=\"auto\">Bakery &lt;b&gt;</h1>",
        "Everything works",
        "<dt>Blocks</dt><dd>12\u{202f}770</dd>",
        "role=\"search\" action=\"/search\" method=\"get\"",
        "<label class=\"unseen\" for=\"q\">",
        "<a class=\"skip\" href=\"#main\">",
        "<main id=\"main\"",
        "<h2 id=\"services\">",
        "Scan &lt;1&gt;.md",
    ] {
        assert!(page.text.contains(expected), "{expected}\n{}", page.text);
    }
}

#[tokio::test]
async fn every_page_keeps_the_vault_out_of_its_markup() {
    let rig = Rig::new().await;
    for target in [
        "/",
        "/search?q=bread",
        "/notes",
        "/notes?tag=%3Cscript%3E",
        HOSTILE_NOTE,
        "/note/Home",
        "/note/Home?view=source",
        "/note/%3Cscript%3E",
        "/events",
        "/events?q=%22%3E%3Cscript%3E&correlation=%3Cscript%3E",
        "/services",
        "/services/%3Cscript%3E",
        "/services/%3Cscript%3E/stop",
        "/scripts",
        "/scripts/%3Cscript%3E",
        "/access",
        "/configuration",
    ] {
        let page = rig.get(target).await.text;
        let scripts = page.matches("<script").count();
        assert_eq!(scripts, 1, "{target}: only the page's own\n{page}");
        for hostile in [
            "<img src=x",
            "</pre><b>",
            "<b>hostile",
            "<script>",
            "Bakery <b>",
        ] {
            assert!(!page.contains(hostile), "{target}: {hostile}\n{page}");
        }
        assert!(!page.contains(" style=") && !page.contains(" onload="));
    }
}

#[tokio::test]
async fn search_page_marks_the_words_and_links_to_notes_that_open() {
    let rig = Rig::new().await;
    let page = rig.get("/search?q=Bread").await.text;
    assert!(
        page.contains("A hot oven for <mark>bread</mark>. #tool/heat"),
        "{page}"
    );
    assert!(page.contains("value=\"Bread\""));
    let links: Vec<_> = page
        .split("href=\"")
        .filter_map(|rest| rest.split('"').next())
        .filter(|link| link.starts_with("/note/"))
        .collect();
    assert_eq!(links.len(), 3);
    assert!(links.contains(&HOSTILE_NOTE), "{links:?}");
    for link in links {
        assert_eq!(rig.get(link).await.status, 200, "{link}");
    }
}

#[tokio::test]
async fn search_page_without_words_explains_and_with_a_fault_says_it() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("/search").await.status, 200);
    assert_eq!(rig.get("/search?q=a&mode=psychic").await.status, 400);
    let page = rig.get("/search?q=@invalid").await;
    assert_eq!(page.status, 400);
    assert!(page.text.contains("the phrase has no end; add a &quot;"));
    assert!(
        page.text.contains("value=\"@invalid\""),
        "the query can be mended"
    );
}

#[tokio::test]
async fn note_page_shows_the_note_and_links_both_ways() {
    let rig = Rig::new().await;
    let page = rig.get("/note/Home").await.text;
    for expected in [
        "Start with <a href=\"/note/Bread.md\">Bread</a> or <span class=\"unresolved\"",
        "<a class=\"tag\" href=\"/notes?tag=index\">#index</a>",
        "<a href=\"/note/Bread.md\" dir=\"auto\">Bread</a>",
        "nothing has this name",
        "<h2 id=\"backlinks\">Links to here",
        "href=\"/note/Home.md?view=source\"",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
}

#[tokio::test]
async fn note_page_shows_the_source_as_it_is() {
    let rig = Rig::new().await;
    let page = rig.get("/note/Home?view=source").await.text;
    let source = "<pre class=\"source\" tabindex=\"0\" dir=\"auto\" aria-label=\"The note's text\">\n# Home\n\nStart with [[Bread]] or [[Nowhere]]. #index\n</pre>";
    assert!(page.contains(source), "{page}");
    assert_eq!(rig.get("/note/Home?view=x").await.status, 400);
}

#[tokio::test]
async fn listing_shows_all_notes_or_those_with_a_tag() {
    let rig = Rig::new().await;
    let all = rig.get("/notes").await.text;
    assert_eq!(all.matches("href=\"/note/").count(), 4, "{all}");
    let tagged = rig.get("/notes?tag=tool%2Fheat").await.text;
    assert_eq!(tagged.matches("href=\"/note/").count(), 1, "{tagged}");
    assert!(tagged.contains("<h1 dir=\"auto\">#tool/heat</h1>"));
    assert_eq!(rig.get("/notes?page=2").await.status, 400);
}

#[tokio::test]
async fn unknown_note_has_a_page_with_candidates() {
    let rig = Rig::new().await;
    let page = rig.get("/note/Hme").await;
    assert_eq!(page.status, 404);
    assert!(page.text.contains("<a href=\"/note/Home.md\""));
}

#[tokio::test]
async fn pages_of_what_is_not_there_say_so() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("/services/nobody").await.status, 404);
    assert_eq!(rig.get("/services/nobody/stop").await.status, 404);
    let page = rig.get("/scripts").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("No script engine runs here"));
    assert_eq!(rig.get("/scripts/nobody").await.status, 503);
}

#[tokio::test]
async fn forms_that_no_page_of_ours_made_are_refused() {
    let rig = Rig::new().await;
    for target in [
        "/services/s/restart",
        "/services/s/stop",
        "/services/s/start",
        "/scripts/s/grant",
        "/access",
        "/access/t/revoke",
        "/configuration",
    ] {
        let answer = rig.post(target).await;
        assert!(answer.status.is_client_error(), "{target}: {answer:?}");
        assert_ne!(
            answer.status, 404,
            "{target}: refused before it is looked for"
        );
    }
}

#[tokio::test]
async fn assets_have_their_types_and_the_pages_name_them() {
    let rig = Rig::new().await;
    let page = rig.get("/").await.text;
    for (path, kind) in [
        ("/assets/crucible.css", "text/css; charset=utf-8"),
        ("/assets/crucible.js", "text/javascript; charset=utf-8"),
        ("/assets/crucible.svg", "image/svg+xml"),
    ] {
        let asset = rig.get(path).await;
        assert_eq!(asset.header("content-type"), kind);
        assert!(page.contains(path), "{path}");
    }
}

#[tokio::test]
async fn setting_is_changed_by_form_and_what_was_typed_never_becomes_markup() {
    let rig = Rig::new().await;
    let page = rig.get("/configuration").await.text;
    assert!(!page.contains("hunter2"), "{page}");
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
    let csrf = rest.split('"').next().unwrap();
    let send = async |fields: &str| {
        let body = format!("csrf={csrf}&{fields}");
        let mut request = request("POST", "/configuration").map(|_| Body::from(body));
        let form = "application/x-www-form-urlencoded".parse().unwrap();
        request.headers_mut().insert("content-type", form);
        rig.answer(request).await
    };
    for fields in [
        "path=search.limit&value=%22%3E%3Cscript%3E1%3C%2Fscript%3E",
        "path=%3Cscript%3E&value=1",
        "path=inference.key&value=x",
        "path=search.limit",
        "",
    ] {
        let refused = send(fields).await;
        assert_eq!(refused.status, 422, "{fields}");
        assert!(refused.text.contains("role=\"alert\""), "{fields}");
        assert_eq!(refused.text.matches("<script").count(), 1, "{fields}");
        assert!(!refused.text.contains("hunter2"), "{fields}");
    }
    let changed = send("path=search.limit&value=20").await;
    assert_eq!(changed.status, 303);
    let next = changed.header("location");
    assert_eq!(
        next,
        "/configuration?changed=search.limit#setting-search.limit"
    );
    let page = rig.get("/configuration?changed=search.limit").await.text;
    assert!(
        page.contains("<code>search.limit</code> is <code>20</code> now"),
        "{page}"
    );
    let by = rig.settings.by.lock().unwrap().clone();
    assert!(by.starts_with("dashboard:"), "{by}");
}

#[tokio::test]
async fn without_a_source_of_pictures_none_is_handed_over() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("/attachment/a.png").await.status, 501);
    assert_eq!(rig.get("/attachment/a.svg").await.status, 404);
}
