//! Links find their notes, both ways, as notes come and go; and as a naive resolver says.

use crucible_services::data_store::{DataStore as _, LinkKind};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use unicode_normalization::UnicodeNormalization as _;

use crate::bench::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn links_are_returned_with_all_their_parts() {
    let text = "---\nup: \"[[Home]]\"\n---\nSee [[Home#Kitchen|the kitchen]] and ![[pic.png]].\n\n\
                [oven](../Home.md#oven) [[Home#^b1]] ![alt](pic.png) [[#Here]] [[Nowhere]]\n";
    let bench = Bench::with(&[("Home.md", "# H"), ("a/n.md", text), ("a/pic.png", "")]).await;
    let links = bench.store.links("n").await.unwrap();
    let outgoing: Vec<_> = links
        .outgoing
        .iter()
        .map(|link| {
            (
                link.kind,
                link.target.as_str(),
                link.resolved.as_deref(),
                link.heading.as_deref().or(link.block.as_deref()),
            )
        })
        .collect();
    assert_eq!(
        outgoing,
        [
            (LinkKind::Property, "Home", Some("Home.md"), None),
            (LinkKind::Wikilink, "Home", Some("Home.md"), Some("Kitchen")),
            (LinkKind::Embed, "pic.png", Some("a/pic.png"), None),
            (
                LinkKind::Markdown,
                "../Home.md",
                Some("Home.md"),
                Some("oven")
            ),
            (LinkKind::Wikilink, "Home", Some("Home.md"), Some("b1")),
            (LinkKind::MarkdownEmbed, "pic.png", Some("a/pic.png"), None),
            (LinkKind::Wikilink, "", Some("a/n.md"), Some("Here")),
            (LinkKind::Wikilink, "Nowhere", None, None),
        ]
    );
    assert_eq!(links.outgoing[1].alias.as_deref(), Some("the kitchen"));
    let home = bench.store.links("Home").await.unwrap();
    let backlinks: Vec<_> = home
        .backlinks
        .iter()
        .map(|link| (link.path.as_str(), link.line, link.kind))
        .collect();
    assert_eq!(
        backlinks,
        [
            ("a/n.md", 2, LinkKind::Property),
            ("a/n.md", 4, LinkKind::Wikilink),
            ("a/n.md", 6, LinkKind::Markdown),
            ("a/n.md", 6, LinkKind::Wikilink),
        ]
    );
    assert_eq!(home.backlinks[0].context, "up: \"[[Home]]\"");
    assert!(home.backlinks[1].context.starts_with("See [[Home#Kitchen"));
    let stats = bench.store.stats().await.unwrap();
    assert_eq!((stats.links, stats.links_unresolved), (7, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_is_created_is_found_by_the_links_that_waited_for_it() {
    let bench = Bench::with(&[("a.md", "[[Later]] [[x/Later.md]] [[Nick]]")]).await;
    assert_eq!(bench.resolved("a").await, [None, None, None]);
    bench.put("x/later.md", "---\naliases: Nick\n---\n").await;
    let later = Some("x/later.md".to_owned());
    assert_eq!(
        bench.resolved("a").await,
        [later.clone(), later.clone(), later]
    );
    assert_eq!(bench.backlinks("later").await, ["a.md", "a.md", "a.md"]);
    // A better match takes the links over.
    bench.put("Later.md", "").await;
    assert_eq!(bench.backlinks("Later.md").await, ["a.md"]);
    let change = bench.vault.remove("Later.md");
    bench.apply(vec![change]).await;
    assert_eq!(bench.backlinks("later").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_to_one_of_several_notes_are_marked_ambiguous() {
    let bench = Bench::with(&[
        ("one/n.md", ""),
        ("two/n.md", ""),
        ("two/a.md", "[[n]] [[one/n]]"),
    ])
    .await;
    let links = bench.store.links("a").await.unwrap().outgoing;
    let links: Vec<_> = links
        .iter()
        .map(|link| (link.resolved.as_deref(), link.ambiguous))
        .collect();
    assert_eq!(links, [(Some("two/n.md"), true), (Some("one/n.md"), false)]);
}

/// A file of the model: its path, and its aliases if it is a note.
type ModelFile = (String, Vec<String>);

fn fold(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase()
}

fn without_md(path: &str) -> &str {
    path.strip_suffix(".md").unwrap_or(path)
}

fn folders(path: &str) -> Vec<&str> {
    let mut parts: Vec<_> = path.split('/').collect();
    parts.pop();
    parts
}

/// The file that is meant, by looking at every file, rule by rule.
fn naive(files: &[ModelFile], source: &str, target: &str) -> Option<(String, bool)> {
    let rooted = target.starts_with('/');
    let target = target.trim_start_matches('/');
    let is_path = |path: &str, of: &str| {
        fold(path) == fold(of) || (path.ends_with(".md") && fold(without_md(path)) == fold(of))
    };
    let mut tiers: Vec<Vec<&ModelFile>> = Vec::new();
    if target.split('/').any(|part| part == "." || part == "..") {
        let mut at = folders(source);
        for part in target.split('/') {
            match part {
                "." => {}
                ".." => {
                    at.pop()?;
                }
                part => at.push(part),
            }
        }
        let at = at.join("/");
        tiers.push(files.iter().filter(|file| is_path(&file.0, &at)).collect());
    } else {
        tiers.push(
            files
                .iter()
                .filter(|file| is_path(&file.0, target))
                .collect(),
        );
        if !rooted {
            let ends = |file: &&ModelFile| {
                let parts: Vec<_> = file.0.split('/').collect();
                (1..parts.len()).any(|from| is_path(&parts[from..].join("/"), target))
            };
            tiers.push(files.iter().filter(ends).collect());
            let named = |file: &&ModelFile| file.1.iter().any(|alias| fold(alias) == fold(target));
            tiers.push(files.iter().filter(named).collect());
        }
    }
    let mut meant = tiers.into_iter().find(|tier| !tier.is_empty())?;
    let shared = |path: &str| {
        let pairs = folders(source)
            .into_iter()
            .zip(folders(path))
            .collect::<Vec<_>>();
        pairs.into_iter().take_while(|(a, b)| a == b).count()
    };
    meant.sort_by_key(|file| {
        (
            usize::MAX - shared(&file.0),
            file.0.chars().count(),
            file.0.clone(),
        )
    });
    Some((meant[0].0.clone(), meant.len() > 1))
}

/// Names without twins and without dots, so that the order within a tier is that of the brief.
fn path_strategy() -> impl Strategy<Value = String> {
    let folder = prop::sample::select(vec!["", "a/", "b/", "a/b/", "é/", "a/b/c/"]);
    let name = prop::sample::select(vec!["n.md", "m.md", "Ü.md", "pic.png", "b.md"]);
    (folder, name).prop_map(|(folder, name)| format!("{folder}{name}"))
}

fn target_strategy() -> impl Strategy<Value = String> {
    let start = prop::sample::select(vec![
        "", "", "", "a/", "b/", "a/b/", "../", "./", "/", "../../", "../b/",
    ]);
    let name = prop::sample::select(vec![
        "n", "N", "m.md", "u\u{308}", "ü.md", "pic.png", "PIC.png", "b", "nick", "Nack", "none",
    ]);
    (start, name).prop_map(|(start, name)| format!("{start}{name}"))
}

#[test]
fn links_resolve_as_a_naive_resolver_says() {
    let files = prop::collection::btree_set(path_strategy(), 1..12);
    let targets = prop::collection::vec(target_strategy(), 1..12);
    let aliases = prop::collection::vec(prop::sample::select(vec!["Nick", "nack", ""]), 12);
    let source = path_strategy().prop_filter("a note", |path| path.ends_with(".md"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&(files, targets, aliases, source), |case| {
        let (files, targets, aliases, source) = case;
        runtime.block_on(check(
            files.into_iter().collect(),
            &targets,
            &aliases,
            &source,
        ))
    });
    outcome.unwrap();
}

async fn check(
    paths: Vec<String>,
    targets: &[String],
    aliases: &[&str],
    source: &str,
) -> Result<(), TestCaseError> {
    let bench = Bench::new().await;
    let mut files: Vec<ModelFile> = Vec::new();
    for (path, alias) in paths.into_iter().zip(aliases) {
        if path == source {
            continue;
        }
        let is_named = path.ends_with(".md") && !alias.is_empty();
        files.push((
            path,
            if is_named {
                vec![(*alias).to_owned()]
            } else {
                Vec::new()
            },
        ));
    }
    files.push((source.to_owned(), Vec::new()));
    let mut changes = Vec::new();
    for (path, aliases) in &files {
        let text = if path == source {
            targets
                .iter()
                .map(|target| format!("[[{target}]]\n\n"))
                .collect()
        } else if aliases.is_empty() {
            String::new()
        } else {
            format!("---\naliases: [{}]\n---\n", aliases.join(", "))
        };
        changes.push(bench.vault.write(path, text));
    }
    bench.apply(changes).await;
    let links = bench.store.links(source).await.unwrap().outgoing;
    prop_assert_eq!(links.len(), targets.len());
    for (link, target) in links.iter().zip(targets) {
        let expected = naive(&files, source, target);
        let found = link.resolved.clone().map(|path| (path, link.ambiguous));
        prop_assert_eq!(
            &found,
            &expected,
            "[[{}]] in {} among {:?}",
            target,
            source,
            files
        );
    }
    // The other direction finds the same links.
    for (path, _) in files
        .iter()
        .filter(|(path, _)| path.ends_with(".md") && path != source)
    {
        let back = bench.store.links(path).await.unwrap().backlinks;
        let forth = links
            .iter()
            .filter(|link| link.resolved.as_ref() == Some(path));
        prop_assert_eq!(back.len(), forth.count(), "backlinks of {}", path);
    }
    bench.close().await;
    Ok(())
}
