//! What does the store cost, against the raw libraries beneath it?
//!
//! Prints three lines `ratio NAME VALUE peer=PEER`, medians of interleaved rounds:
//!
//! - `cold-index`: walk, read, hash, parse, facts and text of a whole vault, against raw tantivy
//!   that is handed the same blocks, parsed already;
//! - `warm-start`: opening the index of an unchanged vault and comparing the vault with it,
//!   against a plain walk that stats every file;
//! - `query`: the ten best notes with snippets, against raw tantivy with its own snippets over
//!   the same blocks.
//!
//! The vault is generated, the same on every machine; `CRUCIBLE_BENCH_VAULT=PATH` takes a real one.
//! `CRUCIBLE_BENCH=query` (or another name) runs that part only.

mod blocks;
mod generate;
mod ours;
mod peer;
mod queries;
mod report;

use std::path::{Path, PathBuf};

use blocks::PeerBlock;
use report::{Pair, time};

/// What can go wrong in a bench is only printed.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const COLD_ROUNDS: usize = 5;
const WARM_ROUNDS: usize = 21;
const QUERY_ROUNDS: usize = 15;
const QUERIES: usize = 300;

fn main() -> Outcome<()> {
    let place = tempfile::tempdir()?;
    let vault = match std::env::var_os("CRUCIBLE_BENCH_VAULT") {
        Some(path) => PathBuf::from(path),
        None => generate::vault(&place.path().join("vault"))?,
    };
    let only = std::env::var("CRUCIBLE_BENCH").ok();
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let blocks = blocks::of_vault(&vault)?;
    report::line(&format!(
        "vault: {} notes, {} blocks, {:.1} MB of block text",
        blocks
            .iter()
            .map(|block| block.note)
            .max()
            .map_or(0, |last| last + 1),
        blocks.len(),
        blocks.iter().map(|block| block.text.len()).sum::<usize>() as f64 / 1e6,
    ));
    if wanted("cold-index") {
        cold(&runtime, &vault, &blocks, place.path())?;
    }
    if wanted("warm-start") {
        warm(&runtime, &vault, place.path())?;
    }
    if wanted("query") {
        query(&runtime, &vault, &blocks, place.path())?;
    }
    Ok(())
}

fn cold(
    runtime: &tokio::runtime::Runtime,
    vault: &Path,
    blocks: &[PeerBlock],
    place: &Path,
) -> Outcome<()> {
    let mut pair = Pair::new("cold-index", "raw-tantivy");
    for round in 0..COLD_ROUNDS {
        let dir = place.join(format!("peer-{round}"));
        let (peer, elapsed) = time(|| peer::index(&dir, blocks))?;
        drop(peer);
        pair.peer(elapsed);
        std::fs::remove_dir_all(&dir)?;

        let dir = place.join(format!("ours-{round}"));
        let (store, elapsed) = time(|| runtime.block_on(ours::index(vault, &dir)))?;
        pair.ours(elapsed);
        runtime.block_on(ours::assert_whole(&store))?;
        runtime.block_on(store.close());
        std::fs::remove_dir_all(&dir)?;
    }
    pair.print();
    Ok(())
}

fn warm(runtime: &tokio::runtime::Runtime, vault: &Path, place: &Path) -> Outcome<()> {
    let dir = place.join("warm");
    runtime.block_on(async {
        ours::index(vault, &dir).await?.close().await;
        Outcome::Ok(())
    })?;
    let mut pair = Pair::new("warm-start", "stat-walk");
    for _ in 0..WARM_ROUNDS {
        let (bytes, elapsed) = time(|| peer::stat_walk(vault))?;
        std::hint::black_box(bytes);
        pair.peer(elapsed);
        let (store, elapsed) = time(|| runtime.block_on(ours::open_unchanged(vault, &dir)))?;
        pair.ours(elapsed);
        runtime.block_on(store.close());
    }
    pair.print();
    Ok(())
}

fn query(
    runtime: &tokio::runtime::Runtime,
    vault: &Path,
    blocks: &[PeerBlock],
    place: &Path,
) -> Outcome<()> {
    let queries = queries::of_blocks(blocks, QUERIES);
    let peer = peer::index(&place.join("peer-query"), blocks)?;
    let peer = peer::Searching::new(&peer)?;
    let store = runtime.block_on(ours::index(vault, &place.join("ours-query")))?;
    let mut pair = Pair::new("query", "raw-tantivy-with-its-snippets");
    let (mut found, mut found_by_peer) = (0, 0);
    for _ in 0..QUERY_ROUNDS {
        for query in &queries {
            let (hits, elapsed) = time(|| peer.search(query))?;
            found_by_peer += hits;
            pair.peer(elapsed);
            let (hits, elapsed) = time(|| runtime.block_on(ours::search(&store, query)))?;
            found += hits;
            pair.ours(elapsed);
        }
    }
    runtime.block_on(store.close());
    report::line(&format!(
        "query: {} queries, {found} hits, {found_by_peer} hits of the peer",
        queries.len()
    ));
    pair.print_with_tail();
    Ok(())
}
