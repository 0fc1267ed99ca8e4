//! What notes look like, and that nothing in them runs.

use crucible_services::data_store::{LinkKind, OutgoingLink};

use super::*;

fn html(text: &str) -> String {
    render(text, "Title", &[]).html.into_string()
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(html(text).trim_end(), expected, "{text:?}");
}

fn link(target: &str, resolved: Option<&str>, kind: LinkKind) -> OutgoingLink {
    OutgoingLink {
        target: target.to_owned(),
        resolved: resolved.map(str::to_owned),
        ambiguous: false,
        heading: None,
        block: None,
        alias: None,
        kind,
        line: 1,
    }
}

#[test]
fn raw_html_is_shown_as_text() {
    for hostile in [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "<svg><script>1</script></svg>",
        "<iframe src=\"javascript:1\"></iframe>",
        "- <b onclick=x>\n\n> <i>\n\n| <u> |\n| --- |\n| <s> |\n",
        "# <h1 onload=x>\n",
        "```<x>\n</code></pre><script>\n```",
        "`</code><script>`",
        "[<script>](http://a)",
        "[a](http://a \"\\\" onload=x\")",
        "[a](<http://a\" onload=\"x>)",
        "![a\" onerror=\"x](http://a)",
        "[[a\"><script>]] ![[b'><script>|<x>]]",
        "> [!<script>] <script>\n> b",
        "[^<script>]\n\n[^<script>]: <script>",
        "$<script>$ and $$<script>$$",
        "~~<x>~~ **<x>** *<x>*",
        "- [<] a",
        "text ^<script>",
    ] {
        let html = html(hostile);
        let tags = html.split('<').skip(1);
        for tag in tags {
            let name: String = tag
                .trim_start_matches('/')
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            assert!(
                ![
                    "script", "img", "svg", "iframe", "b", "i", "u", "s", "x", ""
                ]
                .contains(&name.as_str()),
                "{name} in {html}"
            );
            let inside = tag.split('>').next().unwrap();
            let outside_quotes: String = inside.split('"').step_by(2).collect();
            let mut attributes = outside_quotes.split_whitespace().skip(1);
            assert!(
                !attributes.any(|name| name.starts_with("on")),
                "{inside} in {html}"
            );
        }
    }
}

#[test]
fn addresses_that_could_run_or_lead_astray_are_no_links() {
    for hostile in [
        "[a](javascript:alert(1))",
        "[a](JAVASCRIPT:alert(1))",
        "[a](java&#10;script:alert(1))",
        "[a](data:text/html,x)",
        "<javascript:alert(1)>",
        "[a](vbscript:x)",
        "[a](//evil.example)",
        "![a](data:image/svg+xml,x)",
        "[a]: javascript:x\n\n[a]",
        "[[javascript:alert(1)]]",
    ] {
        let html = html(hostile);
        assert!(!html.contains("href"), "{hostile}: {html}");
    }
    let web = html("[a](https://a.example/?x=\"y\"&z)");
    assert!(
        web.contains("href=\"https://a.example/?x=&quot;y&quot;&amp;z\""),
        "{web}"
    );
    assert!(html("<me@a.example>").contains("href=\"mailto:me@a.example\""));
}

#[test]
fn links_lead_to_the_pages_of_notes() {
    let outgoing = [
        link("Bread", Some("Deep/Bread.md"), LinkKind::Wikilink),
        link("x.svg", Some("images/x.svg"), LinkKind::Embed),
        link("b.md", Some("Deep/b.md"), LinkKind::Markdown),
        link("Gone", None, LinkKind::Wikilink),
    ];
    let text = "[[Bread#Two Words|loaf]] [[Bread#^id]] ![[x.svg]] [b](b.md) [[Gone]] [[#Here]]";
    let html = render(text, "", &outgoing).html.into_string();
    for expected in [
        "<a href=\"/note/Deep/Bread.md#h-two-words\">loaf</a>",
        "<a href=\"/note/Deep/Bread.md#b-id\">Bread › id</a>",
        "<span class=\"file\" title=\"images/x.svg\">x.svg</span>",
        "<a href=\"/note/Deep/b.md\">b</a>",
        "<span class=\"unresolved\" title=\"Nothing has this name\">Gone</span>",
        "<a href=\"#h-here\">Here</a>",
    ] {
        assert!(html.contains(expected), "{expected}\n{html}");
    }
}

#[test]
fn title_is_not_repeated_and_frontmatter_and_comments_are_not_shown() {
    check(
        "---\na: b\n---\n# Title\n\nx %%secret%% y\n",
        "<p dir=\"auto\">x  y</p>",
    );
    let other = html("# Other\n\n# Title\n");
    assert!(
        other.contains(">Other</h2>") && other.contains(">Title</h2>"),
        "{other}"
    );
}

#[test]
fn tasks_callouts_tags_and_block_marks_are_more_than_text() {
    let html = html(
        "- [x] done #tag\n- [ ] open\n- plain\n\n> [!Warning]- Hot *oven*\n> Mind it.\n\nEnd ^end-1\n",
    );
    for expected in [
        "data-status=\"done\"><span class=\"box\" role=\"img\" aria-label=\"done\"></span> done ",
        "<a class=\"tag\" href=\"/notes?tag=tag\">#tag</a>",
        "aria-label=\"open\"></span> open",
        "<li dir=\"auto\">plain",
        "<details class=\"callout\" data-kind=\"warn\"><summary class=\"callout-title\" dir=\"auto\">Hot oven</summary>",
        "<p dir=\"auto\">Mind it.</p>\n</details>",
        "<span class=\"block-mark\" id=\"b-end-1\"></span>End",
    ] {
        assert!(html.contains(expected), "{expected}\n{html}");
    }
    assert!(!html.contains("[x]") && !html.contains("[!"));
}

#[test]
fn headings_have_identifiers_that_no_part_of_the_page_has() {
    let html = html("## main\n\n## main\n");
    assert!(
        html.contains("id=\"h-main\"") && html.contains("id=\"h-main-2\""),
        "{html}"
    );
}

#[test]
fn tables_keep_their_alignment() {
    let html = html("| a | b |\n| --: | :-: |\n| 1 | 2 |\n");
    assert!(
        html.contains("<th scope=\"col\" dir=\"auto\" class=\"right\">a</th>"),
        "{html}"
    );
    assert!(
        html.contains("<td dir=\"auto\" class=\"center\">2</td>"),
        "{html}"
    );
}

#[test]
fn long_notes_are_cut_at_a_character() {
    let rendered = render(&"é".repeat(SHOWN_MAX_BYTES), "", &[]);
    assert_eq!(rendered.left_out, SHOWN_MAX_BYTES);
}

#[test]
fn every_tag_that_is_opened_is_closed() {
    let text = "# a [b](c.md)\n\n1. x\n2. > y\n   > - [ ] z `q`\n\n[![i](i.png)](n.md) ![[e|30]]\n\n\
                > [!note] t\n\n> [!tip]+\n> ```rs\n> x\n> ```\n\n[^1] ~~d~~\n\n[^1]: f\n\n<div>\n\n[](x.md)\n";
    let html = html(text);
    let mut open: Vec<String> = Vec::new();
    for tag in html.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        let name = tag
            .trim_start_matches('/')
            .split([' ', '>'])
            .next()
            .unwrap()
            .to_owned();
        if ["br", "hr"].contains(&name.as_str()) {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{html}");
        } else {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} in {html}");
}

#[test]
fn pictures_of_the_vault_are_shown_with_their_words_and_size() {
    let outgoing = [
        link("a.png", Some("p q/a.png"), LinkKind::Embed),
        link("p/a.png", Some("p/a.png"), LinkKind::MarkdownEmbed),
        link("b.png", Some("p/b.png"), LinkKind::Wikilink),
    ];
    let text = "![[a.png]] ![[a.png|30x20]] ![[a.png|\"> & co|40]] ![one *two*](p/a.png) [[b.png]] ![x](https://a.example/x.png) ![[gone.png]]";
    let html = render(text, "", &outgoing).html.into_string();
    let start = "<img class=\"picture\" loading=\"lazy\" src=\"/attachment/";
    for expected in [
        "p%20q/a.png\" alt=\"a.png\">",
        "p%20q/a.png\" alt=\"a.png\" width=\"30\" height=\"20\">",
        "p%20q/a.png\" alt=\"&quot;&gt; &amp; co\" width=\"40\">",
        "p/a.png\" alt=\"one two\">",
    ] {
        assert!(
            html.contains(&format!("{start}{expected}")),
            "{expected}\n{html}"
        );
    }
    assert_eq!(html.matches("<img").count(), 4, "{html}");
    assert!(
        html.contains("<span class=\"file\" title=\"p/b.png\">b.png</span>"),
        "{html}"
    );
}
