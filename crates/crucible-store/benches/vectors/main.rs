//! What does a search by meaning cost, against the arithmetic that it cannot do without?
//!
//! Prints two lines `ratio NAME VALUE peer=PEER`, medians of interleaved rounds. Vectors have 384
//! numbers and are made of the words of each block, so that the query costs nothing to embed:
//!
//! - `vector-top10`: the ten best notes by meaning, with titles and snippets, against a raw scan of the
//!   same vectors as 8-bit numbers with the fifty best compared exactly;
//! - `hybrid-query`: the ten best notes by words and by meaning, against a search by words and the same
//!   raw scan, one after the other.
//!
//! The vault is generated, the same on every machine; `CRUCIBLE_BENCH_VAULT=PATH` takes a real one.

#[expect(dead_code, reason = "the index bench counts notes, this one does not")]
#[path = "../index/blocks.rs"]
mod blocks;
mod engine;
#[path = "../index/generate.rs"]
mod generate;
mod peer;
#[path = "../index/queries.rs"]
mod queries;
#[path = "../index/report.rs"]
mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::data_store::{DataStore, SearchMode, SearchRequest, SearchResponse};
use crucible_services::events::{DaemonEvent, EventPublisher};
use crucible_services::note_index::NoteIndex;
use crucible_services::router::{RouteError, RoutingReceipt};
use crucible_services::service_traits::{ServiceContext, ServiceLifecycle};
use crucible_services::tasks::TaskOwner;
use crucible_store::{Store, StoreConfig, StoreService};
use crucible_vault::{VaultConfig, VaultFolder, reconcile};
use tokio_util::sync::CancellationToken;

use engine::Engine;
use report::{Pair, time};

/// What can go wrong in a bench is only printed.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const ROUNDS: usize = 9;
const QUERIES: usize = 100;
/// How long all vectors may take.
const DEADLINE: Duration = Duration::from_secs(300);

fn main() -> Outcome<()> {
    let place = tempfile::tempdir()?;
    let vault = match std::env::var_os("CRUCIBLE_BENCH_VAULT") {
        Some(path) => PathBuf::from(path),
        None => generate::vault(&place.path().join("vault"))?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let queries = queries::of_blocks(&blocks::of_vault(&vault)?, QUERIES);
    let engine = Arc::new(Engine::default());
    let tasks = TaskOwner::new("bench");
    let dir = place.path().join("index");
    let (store, elapsed) =
        time(|| runtime.block_on(store_with_vectors(&vault, &dir, &engine, &tasks)))?;
    let peer = peer::Raw::of(&engine.vectors());
    report::line(&format!(
        "vectors: {} of {} numbers, made and kept in {elapsed:.2?}",
        peer.len(),
        engine::DIMENSIONS
    ));
    measure(&runtime, &store, &peer, &queries)?;
    runtime.block_on(async {
        tasks
            .shutdown(DEADLINE)
            .await
            .map_err(|left| format!("{left:?}"))?;
        store.close().await;
        Ok(())
    })
}

fn measure(
    runtime: &tokio::runtime::Runtime,
    store: &Store,
    peer: &peer::Raw,
    queries: &[String],
) -> Outcome<()> {
    let mut top = Pair::new("vector-top10", "raw-int8-scan");
    let mut hybrid = Pair::new("hybrid-query", "lexical-plus-scan");
    let ask = |query: &str, mode| time(|| runtime.block_on(search(store, query, mode)));
    let mut found = [0; 4];
    for _ in 0..ROUNDS {
        for query in queries {
            let vector = engine::vector(query);
            let (nearest, scan) = time(|| Ok(peer.nearest(&vector, 10)))?;
            found[0] += nearest.len();
            let (hits, elapsed) = ask(query, SearchMode::Semantic)?;
            found[1] += hits;
            top.peer(scan);
            top.ours(elapsed);
            let (hits, words) = ask(query, SearchMode::Lexical)?;
            found[2] += hits;
            let (hits, elapsed) = ask(query, SearchMode::Hybrid)?;
            found[3] += hits;
            hybrid.peer(words + scan);
            hybrid.ours(elapsed);
        }
    }
    report::line(&format!(
        "hits of {} queries: {} vectors raw, {} by meaning, {} by words, {} by both",
        queries.len(),
        found[0],
        found[1],
        found[2],
        found[3]
    ));
    top.print_with_tail();
    hybrid.print_with_tail();
    Ok(())
}

async fn search(store: &Store, query: &str, mode: SearchMode) -> Outcome<usize> {
    let mut request = SearchRequest::new(query);
    request.mode = mode;
    let SearchResponse {
        hits, mode: done, ..
    } = store.search(request).await?;
    assert_eq!(done, mode, "every block has a vector");
    Ok(std::hint::black_box(hits).len())
}

/// Indexes a vault and waits until every block has a vector.
async fn store_with_vectors(
    vault: &Path,
    dir: &Path,
    engine: &Arc<Engine>,
    tasks: &TaskOwner,
) -> Outcome<Store> {
    let folder = VaultFolder::open(&VaultConfig::new(vault))?;
    let store = Store::open(StoreConfig::new(dir), Arc::new(folder.clone())).await?;
    store.use_embeddings(Arc::clone(engine) as _);
    let context = ServiceContext {
        tasks: tasks.clone(),
        events: Arc::new(Deaf),
    };
    StoreService::new(store.clone()).start(context).await?;
    reconcile(&folder, &store, &CancellationToken::new()).await?;
    store.settle().await?;
    let complete = async {
        loop {
            let vectors = store.stats().await?.vectors.unwrap_or_default();
            if vectors.blocks > 0 && vectors.blocks_done == vectors.blocks {
                return Outcome::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, complete).await??;
    Ok(store)
}

/// Hears nothing.
#[derive(Debug)]
struct Deaf;

#[async_trait]
impl EventPublisher for Deaf {
    async fn publish(&self, _event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        Ok(RoutingReceipt::default())
    }
}
