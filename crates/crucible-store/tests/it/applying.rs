//! What is handed over can be asked for.

use crucible_services::data_store::{DataStore as _, Problem, ProblemKind};
use crucible_services::note_index::{
    Applied, ChangeBatch, ChangeOrigin, FileChange, FileStamp, NoteIndex as _,
};

use crate::bench::{Bench, until};

const NOTE: &str = "---\ntitle: Sourdough\naliases: [Levain bread]\ntags: [bread]\nhydration: 72\n\
                    ---\n# Method\n\nMix the [[Starter|levain]] with flour. #technique/shaping\n\n\
                    ## Bake\n\nUse a hot oven. ^bake\n\n- [ ] buy flour\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_returned_with_all_its_facts() {
    let bench = Bench::with(&[("bread/Sourdough loaf.md", NOTE)]).await;
    let note = bench.store.note("bread/Sourdough loaf.md").await.unwrap();
    assert_eq!(note.text, NOTE);
    assert_eq!(note.summary.title, "Sourdough");
    assert_eq!(note.summary.aliases, ["Levain bread"]);
    assert_eq!(note.summary.tags, ["bread", "technique/shaping"]);
    assert_eq!(note.summary.size_bytes, NOTE.len() as u64);
    assert_eq!(
        note.summary.hash,
        blake3::hash(NOTE.as_bytes()).to_hex().as_str()
    );
    assert_eq!(note.properties["hydration"], 72);
    let keys: Vec<_> = note.properties.keys().collect();
    assert_eq!(keys, ["title", "aliases", "tags", "hydration"]);
    let headings: Vec<_> = note
        .headings
        .iter()
        .map(|heading| (heading.level, heading.text.as_str(), heading.line))
        .collect();
    assert_eq!(headings, [(1, "Method", 7), (2, "Bake", 11)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_replaces_all_that_the_note_said() {
    let bench = Bench::with(&[("a.md", NOTE), ("b.md", "about turnips")]).await;
    assert_eq!(bench.found("oven").await, ["a.md"]);
    let applied = bench
        .put("a.md", "# Other\n\n[[b]] and pumpkins #orange")
        .await;
    assert_eq!(applied.parsed, 1);
    assert_eq!(bench.found("oven").await, Vec::<String>::new());
    assert_eq!(bench.found("pumpkins").await, ["a.md"]);
    let note = bench.store.note("a").await.unwrap();
    assert_eq!(note.summary.title, "Other");
    assert_eq!(note.summary.tags, ["orange"]);
    assert!(note.summary.aliases.is_empty() && note.properties.is_empty());
    assert!(bench.store.note("Levain bread").await.is_err());
    let words = ["oven", "pumpkins", "turnips"];
    assert_eq!(
        bench.content(&words).await,
        bench.fresh_content(&words).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_content_renews_the_stamp_and_parses_nothing() {
    let bench = Bench::with(&[("a.md", NOTE)]).await;
    let applied = bench.put("a.md", NOTE).await;
    assert_eq!((applied.parsed, applied.unchanged), (0, 1));
    let known = bench.store.known_files().await.unwrap();
    assert_eq!(known["a.md"], bench.vault.get("a.md").unwrap().0);
    assert_eq!(bench.store.stats().await.unwrap().parsed_since_open, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn applying_a_batch_twice_changes_nothing() {
    let bench = Bench::new().await;
    let mut changes = vec![
        bench.vault.write("gone.md", "gone"),
        bench.vault.write("a.md", NOTE),
        bench.vault.write("pic.png", "png"),
        bench.vault.write("old.md", "old"),
    ];
    changes.push(bench.vault.remove("gone.md"));
    changes.push(bench.vault.rename("old.md", "sub/new.md"));
    changes.push(skip("big.md", ProblemKind::TooLarge));
    bench.apply(changes.clone()).await;
    let words = ["flour", "old", "gone"];
    let before = bench.content(&words).await;
    // "gone.md" and "old.md" come and go again, which is what was told.
    bench.apply(changes).await;
    assert_eq!(bench.content(&words).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_files_leave_nothing_behind() {
    let bench = Bench::with(&[("a.md", NOTE), ("b.md", "see [[a]]"), ("p.png", "")]).await;
    let changes = vec![bench.vault.remove("a.md"), bench.vault.remove("p.png")];
    assert_eq!(bench.apply(changes).await.removed, 2);
    assert_eq!(bench.found("oven").await, Vec::<String>::new());
    assert_eq!(bench.resolved("b").await, [None]);
    assert_eq!(
        bench.content(&["oven", "see"]).await,
        bench.fresh_content(&["oven", "see"]).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_told_and_the_rest_is_indexed() {
    let bench = Bench::new().await;
    let changes = vec![
        bench
            .vault
            .write("bad front.md", "---\nlist: [1\n---\nturnips"),
        bench.vault.write("bytes.md", &b"caf\xe9 turnips"[..]),
        bench
            .vault
            .write("really.md", &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..]),
        bench.vault.write("Twin.md", "one turnips"),
        bench.vault.write("twin.md", "two turnips"),
        bench.vault.write("nul.md", "a\0b turnips"),
        skip("big.md", ProblemKind::TooLarge),
    ];
    let applied = bench.apply(changes).await;
    assert_eq!((applied.parsed, applied.skipped), (5, 2));
    let problems = bench.store.problems(100).await.unwrap();
    let kinds: Vec<_> = problems
        .iter()
        .map(|problem| (problem.path.as_str(), problem.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            ("Twin.md", ProblemKind::NameTwin),
            ("bad front.md", ProblemKind::Frontmatter),
            ("big.md", ProblemKind::TooLarge),
            ("bytes.md", ProblemKind::InvalidUtf8),
            ("really.md", ProblemKind::Binary),
            ("twin.md", ProblemKind::NameTwin),
        ]
    );
    assert_eq!(bench.store.stats().await.unwrap().problems, 6);
    assert_eq!(bench.store.problems(2).await.unwrap().len(), 2);
    let mut found = bench.found("turnips").await;
    found.sort();
    assert_eq!(
        found,
        ["Twin.md", "bad front.md", "bytes.md", "nul.md", "twin.md"]
    );
    // What is mended is no problem any more.
    bench.put("bytes.md", "café turnips").await;
    bench
        .put("bad front.md", "---\nlist: [1]\n---\nturnips")
        .await;
    let change = bench.vault.remove("twin.md");
    bench.apply(vec![change]).await;
    assert_eq!(bench.store.stats().await.unwrap().problems, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_becomes_unreadable_leaves_the_index_and_stays_known() {
    let bench = Bench::with(&[("a.md", NOTE)]).await;
    bench
        .apply(vec![skip("a.md", ProblemKind::Unreadable)])
        .await;
    assert_eq!(bench.found("oven").await, Vec::<String>::new());
    assert_eq!(bench.store.stats().await.unwrap().notes, 0);
    assert!(
        bench
            .store
            .known_files()
            .await
            .unwrap()
            .contains_key("a.md")
    );
    let error = bench.store.note("a").await.unwrap_err().to_string();
    assert!(error.contains("is not indexed"), "{error}");
    bench.put("a.md", NOTE).await;
    assert_eq!(bench.found("oven").await, ["a.md"]);
    assert_eq!(bench.store.problems(9).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_found_without_settling() {
    let bench = Bench::with(&[("a.md", NOTE)]).await;
    let changes = vec![bench.vault.write("b.md", "rutabaga")];
    let origin = ChangeOrigin::Change;
    bench
        .store
        .apply(ChangeBatch {
            changes,
            origin,
            cause: None,
        })
        .await
        .unwrap();
    until("the new note is found", async || {
        bench.found("rutabaga").await == ["b.md"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_batch_is_no_fault() {
    let bench = Bench::new().await;
    assert_eq!(bench.apply(Vec::new()).await, Applied::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_refuses() {
    let bench = Bench::with(&[("a.md", NOTE)]).await;
    bench.close().await;
    let origin = ChangeOrigin::Change;
    let changes = vec![bench.vault.write("b.md", "x")];
    let error = bench
        .store
        .apply(ChangeBatch {
            changes,
            origin,
            cause: None,
        })
        .await;
    assert!(error.unwrap_err().to_string().contains("is closed"));
    assert!(bench.store.settle().await.is_err());
}

fn skip(path: &str, kind: ProblemKind) -> FileChange {
    FileChange::Skip {
        problem: Problem {
            path: path.to_owned(),
            kind,
            message: "a reason".to_owned(),
            line: None,
        },
        stamp: Some(FileStamp {
            size: 1,
            modified_ns: 2,
            inode: 3,
        }),
    }
}
