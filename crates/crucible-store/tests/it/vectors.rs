//! Blocks get vectors in the background: each once, and whatever the engine does nothing else suffers.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crucible_services::data_store::{DataStore as _, SearchMode, SearchRequest, VectorStats};
use crucible_services::note_index::{ChangeBatch, ChangeOrigin, NoteIndex as _, NoteSource};
use crucible_store::{Store, StoreConfig};

use crate::bench::{Bench, MemoryVault, until};
use crate::engine::{DIMENSIONS, HINT, Mood, Twin};
use crate::serving::{Serving, serve};

/// Names the folder of the index to the process that will be killed.
const FOLDER_VARIABLE: &str = "CRUCIBLE_VECTORS_CRASH_FOLDER";

const FILES: &[(&str, &str)] = &[
    (
        "cold.md",
        "---\ntitle: Retarding\n---\n# Slow\n\nDough waits in the refrigerator.\n",
    ),
    (
        "cats.md",
        "Every cat sleeps.\n\n## Toys\n\nA mouse of cloth.\n",
    ),
    ("empty.md", ""),
];

/// A store with the twin of an engine, served.
pub(crate) struct Meaning {
    pub(crate) bench: Bench,
    pub(crate) engine: Arc<Twin>,
    serving: Option<Serving>,
}

fn config(bench: &Bench) -> StoreConfig {
    let mut config = StoreConfig::new(bench.index_dir());
    config.embedding_poll = Duration::from_millis(20);
    config.embedding_retry = Duration::from_millis(5);
    config.query_embedding_deadline = Duration::from_millis(300);
    config
}

impl Meaning {
    pub(crate) async fn with(files: &[(&str, &str)]) -> Self {
        let mut meaning = Self {
            bench: Bench::with(files).await,
            engine: Arc::default(),
            serving: None,
        };
        meaning.restart().await;
        meaning
    }

    /// As [`Meaning::with`], when every block has a vector.
    pub(crate) async fn ready(files: &[(&str, &str)]) -> Self {
        let meaning = Self::with(files).await;
        meaning.complete().await;
        meaning
    }

    async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.stop().await;
        }
        self.bench.close().await;
    }

    async fn start(&mut self) {
        let source = Arc::clone(&self.bench.vault) as Arc<dyn NoteSource>;
        self.bench.store = Store::open(config(&self.bench), source).await.unwrap();
        self.bench
            .store
            .use_embeddings(Arc::clone(&self.engine) as _);
        self.serving = Some(serve(&self.bench.store).await);
    }

    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start().await;
    }

    pub(crate) async fn stats(&self) -> VectorStats {
        self.bench.store.stats().await.unwrap().vectors.unwrap()
    }

    /// Waits until every block has a vector.
    pub(crate) async fn complete(&self) {
        until("every block has a vector", async || {
            let stats = self.bench.store.stats().await.unwrap();
            let vectors = stats.vectors.unwrap();
            let text = self.bench.store.stats().await.unwrap().text_pending;
            text == 0 && vectors.blocks > 0 && vectors.blocks_done == vectors.blocks
        })
        .await;
    }

    /// Waits until so many texts were embedded and every block has a vector.
    pub(crate) async fn complete_after(&self, embedded: usize) {
        until("what changed is embedded", async || {
            self.engine.embedded() >= embedded
        })
        .await;
        self.complete().await;
    }

    pub(crate) async fn search(&self, query: &str, mode: SearchMode) -> Vec<String> {
        let mut request = SearchRequest::new(query);
        request.mode = mode;
        let response = self.bench.store.search(request).await.unwrap();
        response.hits.into_iter().map(|hit| hit.path).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_with_text_is_embedded_once_with_its_headings() {
    let meaning = Meaning::ready(FILES).await;
    assert_eq!(
        meaning.engine.take_texts(),
        [
            "Every cat sleeps.",
            "Retarding\nSlow\nDough waits in the refrigerator.",
            "Toys\nA mouse of cloth.",
        ]
    );
    let stats = meaning.stats().await;
    assert_eq!((stats.blocks, stats.blocks_done), (3, 3));
    assert_eq!(
        (stats.model.as_deref(), stats.message),
        (Some("twin"), None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_embeds_nothing_again() {
    let mut meaning = Meaning::ready(FILES).await;
    meaning.engine.take_texts();
    for _ in 0..2 {
        meaning.restart().await;
        meaning.complete().await;
        let found = meaning.search("feline", SearchMode::Semantic).await;
        assert_eq!(found[0], "cats.md");
    }
    assert_eq!(meaning.engine.embedded(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_embeds_only_the_blocks_that_changed() {
    let meaning = Meaning::ready(FILES).await;
    meaning.engine.take_texts();
    let text = "Every cat sleeps.\n\n## Toys\n\nA mouse of wool.\n\n## Food\n\nFish.\n";
    meaning.bench.put("cats.md", text).await;
    meaning.complete_after(2).await;
    let expected = ["Food\nFish.", "Toys\nA mouse of wool."];
    assert_eq!(meaning.engine.take_texts(), expected);
    // What was said before is not embedded again.
    meaning.bench.put("cats.md", FILES[1].1).await;
    meaning.bench.put("more.md", "Every cat sleeps.\n").await;
    meaning.bench.put("new.md", "Wool is warm.\n").await;
    meaning.complete_after(1).await;
    assert_eq!(meaning.engine.take_texts(), ["Wool is warm."]);
    let stats = meaning.stats().await;
    assert_eq!((stats.blocks, stats.blocks_done), (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_or_a_move_embeds_nothing() {
    let meaning = Meaning::ready(FILES).await;
    meaning.engine.take_texts();
    let moved = vec![
        meaning.bench.vault.rename("cats.md", "Animals/Felidae.md"),
        meaning.bench.vault.rename("cold.md", "retard.md"),
    ];
    meaning.bench.apply(moved).await;
    let found = meaning.search("feline", SearchMode::Semantic).await;
    assert_eq!(found[0], "Animals/Felidae.md");
    meaning.bench.put("new.md", "Something else.\n").await;
    meaning.complete_after(1).await;
    assert_eq!(meaning.engine.take_texts(), ["Something else."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_revision_of_the_model_embeds_everything_anew() {
    let mut meaning = Meaning::ready(FILES).await;
    meaning.engine.take_texts();
    meaning.engine.next_revision();
    meaning.restart().await;
    meaning.complete_after(3).await;
    assert_eq!(meaning.engine.take_texts().len(), 3);
    let found = meaning.search("feline", SearchMode::Semantic).await;
    assert_eq!(found[0], "cats.md");
    let vectors = meaning.bench.index_dir().join("vectors");
    until("the old vectors are deleted", async || {
        std::fs::read_dir(&vectors).unwrap().count() == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_installed_later_is_picked_up() {
    let mut meaning = Meaning::with(FILES).await;
    meaning.stop().await;
    let _lost = std::fs::remove_dir_all(meaning.bench.index_dir().join("vectors"));
    meaning.engine.take_texts();
    meaning.engine.feel(Mood::Missing);
    meaning.start().await;
    let response = meaning
        .bench
        .store
        .search(SearchRequest::new("cat"))
        .await
        .unwrap();
    assert_eq!(
        (response.mode, response.hits.len()),
        (SearchMode::Lexical, 1)
    );
    until("the notice says what is missing", async || {
        let response = meaning
            .bench
            .store
            .search(SearchRequest::new("cat"))
            .await
            .unwrap();
        response.notices.iter().any(|notice| notice.contains(HINT))
    })
    .await;
    assert!(meaning.stats().await.message.unwrap().contains(HINT));
    meaning.engine.feel(Mood::Well);
    meaning.complete().await;
    assert_eq!(meaning.engine.take_texts().len(), 3);
    let response = meaning
        .bench
        .store
        .search(SearchRequest::new("cat"))
        .await
        .unwrap();
    assert_eq!(
        (response.mode, response.notices),
        (SearchMode::Hybrid, Vec::new())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_engine_answers_search_by_words_goes_on_and_nothing_false_is_kept() {
    for mood in [
        Mood::Failing,
        Mood::TooMany,
        Mood::Short,
        Mood::Longer,
        Mood::NotANumber,
        Mood::Zero,
        Mood::OtherRevision,
    ] {
        let mut meaning = Meaning::with(&[]).await;
        meaning.engine.feel(mood);
        let changes = FILES
            .iter()
            .map(|(path, text)| meaning.bench.vault.write(path, *text));
        meaning.bench.apply(changes.collect()).await;
        until("the failure is told", async || {
            meaning.stats().await.message.is_some()
        })
        .await;
        let response = meaning
            .bench
            .store
            .search(SearchRequest::new("cat"))
            .await
            .unwrap();
        assert_eq!(
            (response.mode, response.hits.len()),
            (SearchMode::Lexical, 1),
            "{mood:?}"
        );
        assert!(
            response.notices[0].contains("words only"),
            "{:?}",
            response.notices
        );
        assert_eq!(meaning.stats().await.blocks_done, 0, "{mood:?}");
        meaning.engine.feel(Mood::Well);
        meaning.complete().await;
        assert_eq!(meaning.engine.take_texts().len(), 3, "{mood:?}");
        assert_eq!(meaning.stats().await.message, None, "{mood:?}");
        // The query's own vector is believed no more than those of blocks.
        meaning.engine.feel(mood);
        let response = meaning
            .bench
            .store
            .search(SearchRequest::new("cat"))
            .await
            .unwrap();
        assert_eq!(
            (response.mode, response.hits.len()),
            (SearchMode::Lexical, 1),
            "{mood:?}"
        );
        meaning.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_hangs_costs_a_search_no_more_than_its_deadline() {
    let mut meaning = Meaning::ready(FILES).await;
    meaning.engine.take_texts();
    meaning.engine.feel(Mood::Hanging);
    meaning.bench.put("new.md", "Another cat.\n").await;
    let response = meaning
        .bench
        .store
        .search(SearchRequest::new("cat"))
        .await
        .unwrap();
    assert_eq!(
        (response.mode, response.hits.len()),
        (SearchMode::Lexical, 2)
    );
    assert!(
        response.notices[0].contains("not embedded within 0.3 s"),
        "{:?}",
        response.notices
    );
    meaning.restart().await; // stopping does not wait for the answer
    meaning.engine.feel(Mood::Well);
    meaning.complete_after(1).await;
    let found = meaning.search("cat", SearchMode::Hybrid).await;
    assert!(found.contains(&"new.md".to_owned()), "{found:?}");
    meaning.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_cannot_be_embedded_does_not_keep_others_from_it() {
    let meaning = Meaning::with(&[]).await;
    meaning.engine.poison(Some("cursed"));
    meaning.engine.be_busy_once();
    let mut changes: Vec<_> = (0..90)
        .map(|number| {
            let text = format!("Text number {number} about things.\n");
            meaning.bench.vault.write(&format!("{number}.md"), text)
        })
        .collect();
    changes.push(meaning.bench.vault.write("40x.md", "A cursed text.\n"));
    meaning.bench.apply(changes).await;
    until("all others have a vector", async || {
        meaning.stats().await.blocks_done == 90
    })
    .await;
    let mut texts = meaning.engine.take_texts();
    assert!(texts.iter().all(|text| !text.contains("cursed")));
    texts.dedup();
    assert_eq!(texts.len(), 90);
    assert!(meaning.engine.largest_batch() <= 32);
    meaning.engine.poison(None);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_or_missing_files_of_vectors_are_made_anew() {
    let mut meaning = Meaning::ready(FILES).await;
    meaning.stop().await;
    let dir = meaning.bench.index_dir().join("vectors");
    for damage in ["rows", "exact", "all"] {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if damage == "all" || path.extension().is_some_and(|end| end == damage) {
                std::fs::write(path, [0xa5; 1000]).unwrap();
            }
        }
        meaning.start().await;
        meaning.complete().await;
        let found = meaning.search("feline", SearchMode::Semantic).await;
        assert_eq!(found[0], "cats.md", "{damage}");
        meaning.stop().await;
    }
    std::fs::remove_dir_all(&dir).unwrap();
    meaning.engine.take_texts();
    meaning.start().await;
    meaning.complete().await;
    assert_eq!(meaning.engine.take_texts().len(), 3);
    meaning.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_index_finds_its_vectors_again() {
    let mut meaning = Meaning::ready(FILES).await;
    meaning.stop().await;
    meaning.engine.take_texts();
    std::fs::remove_file(meaning.bench.index_dir().join("facts.db")).unwrap();
    meaning.start().await;
    meaning.bench.reconcile().await;
    meaning.complete().await;
    assert_eq!(
        meaning.search("feline", SearchMode::Semantic).await[0],
        "cats.md"
    );
    assert_eq!(meaning.engine.embedded(), 0);
    meaning.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_machine_is_left_alone() {
    static IS_BUSY: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(true);
    fn load() -> Option<f32> {
        IS_BUSY
            .load(std::sync::atomic::Ordering::SeqCst)
            .then_some(9.0)
    }
    let bench = Bench::with(FILES).await;
    bench.close().await;
    let mut config = config(&bench);
    config.load_per_core = load;
    let source = Arc::clone(&bench.vault) as Arc<dyn NoteSource>;
    let store = Store::open(config, source).await.unwrap();
    let engine = Arc::<Twin>::default();
    store.use_embeddings(Arc::clone(&engine) as _);
    let serving = serve(&store).await;
    let stats = async || store.stats().await.unwrap().vectors.unwrap();
    until("blocks are counted", async || stats().await.blocks == 3).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(engine.embedded(), 0);
    IS_BUSY.store(false, std::sync::atomic::Ordering::SeqCst);
    until("blocks have vectors", async || {
        stats().await.blocks_done == 3
    })
    .await;
    serving.stop().await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_that_nothing_uses_any_more_leave_the_disk() {
    let meaning = Meaning::with(&[]).await;
    let write = |number: usize| {
        let text = format!("Text number {number} about things.\n");
        meaning.bench.vault.write(&format!("{number}.md"), text)
    };
    meaning.bench.apply((0..300).map(write).collect()).await;
    meaning.complete_after(300).await;
    let dir = meaning.bench.index_dir().join("vectors");
    let exact_bytes = || {
        let entries = std::fs::read_dir(&dir).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let exact = paths.filter(|path| path.extension().is_some_and(|end| end == "exact"));
        let lens = exact.map(|path| std::fs::metadata(path).map_or(0, |file| file.len()));
        lens.sum::<u64>()
    };
    let row_bytes = (DIMENSIONS * 4) as u64;
    assert_eq!(exact_bytes(), 300 * row_bytes);
    let gone = (0..100).map(|number| meaning.bench.vault.remove(&format!("{number}.md")));
    meaning.bench.apply(gone.collect()).await;
    until("the files are written anew", async || {
        exact_bytes() == 200 * row_bytes
    })
    .await;
    let found = meaning.search("number 250", SearchMode::Semantic).await;
    assert_eq!(found[0], "250.md");
    assert_eq!(meaning.engine.embedded(), 300);
}

/// One of the notes that the process that is killed writes.
fn endless(number: usize) -> (String, String) {
    let text = format!("Note {number}.\n\n## Part\n\nMore of {number}.\n");
    (format!("{number}.md"), text)
}

/// The process that is killed: embeds new notes for ever.
#[test]
fn the_process_that_is_killed_while_it_embeds() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let vault = Arc::new(MemoryVault::default());
        let store = Store::open(StoreConfig::new(folder), Arc::clone(&vault) as _)
            .await
            .unwrap();
        store.use_embeddings(Arc::<Twin>::default());
        let _serving = serve(&store).await;
        let known = store.known_files().await.unwrap().len();
        for number in known.. {
            let (path, text) = endless(number);
            let changes = vec![vault.write(&path, text)];
            let batch = ChangeBatch {
                changes,
                origin: ChangeOrigin::Change,
                cause: None,
            };
            store.apply(batch).await.unwrap();
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_no_vector_is_made_twice_and_none_is_lost() {
    let mut meaning = Meaning::with(&[]).await;
    meaning.stop().await;
    for number in 0..5000 {
        let (path, text) = endless(number);
        meaning.bench.vault.write(&path, text);
    }
    let mut caught = 0;
    for kill in 0..6_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "vectors::the_process_that_is_killed_while_it_embeds",
            ])
            .env(FOLDER_VARIABLE, meaning.bench.index_dir())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(200 + kill * 130)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        meaning.start().await;
        meaning.bench.store.settle().await.unwrap();
        let notes = meaning.bench.store.stats().await.unwrap().notes;
        if notes > 0 {
            meaning.complete().await;
            let stats = meaning.stats().await;
            assert_eq!(stats.blocks, stats.blocks_done);
            caught +=
                usize::from(meaning.engine.embedded() < usize::try_from(stats.blocks).unwrap());
            meaning.engine.take_texts();
            meaning.restart().await;
            meaning.complete().await;
            assert_eq!(meaning.engine.embedded(), 0, "kill {kill}");
        }
        meaning.stop().await;
    }
    assert!(caught > 0, "no process had made a vector");
}
