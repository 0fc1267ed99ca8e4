//! Searches by meaning, and by meaning and words.

use crucible_services::data_store::{
    DataStore as _, Error, SearchHit, SearchMode, SearchRequest, SearchResponse,
};

use crate::bench::Bench;
use crate::vectors::Meaning;

const FILES: &[(&str, &str)] = &[
    (
        "bread/cold.md",
        "# Cold retard\n\nDough waits in the refrigerator over night. #bread\n",
    ),
    (
        "bread/oven.md",
        "# Oven\n\nBake the loaf hot.\n\n## Night\n\nThe icebox slows dough.\n",
    ),
    ("pets/cats.md", "# Pets\n\nEvery cat sleeps in a car.\n"),
    ("pets/Fridge.md", "Magnets hold pictures.\n"),
    (
        "words.md",
        "The fridge door, the fridge light, the fridge.\n",
    ),
];

async fn ask(meaning: &Meaning, request: SearchRequest) -> SearchResponse {
    meaning.bench.store.search(request).await.unwrap()
}

fn request(query: &str, mode: SearchMode) -> SearchRequest {
    let mut request = SearchRequest::new(query);
    request.mode = mode;
    request
}

fn paths(hits: &[SearchHit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.path.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_shares_no_word_with_the_query_is_found_with_its_best_block() {
    let meaning = Meaning::ready(FILES).await;
    let response = ask(&meaning, SearchRequest::new("refrigerator")).await;
    assert_eq!(response.mode, SearchMode::Hybrid);
    assert_eq!(response.notices, Vec::<String>::new());
    let hit = response
        .hits
        .iter()
        .find(|hit| hit.path == "bread/oven.md")
        .unwrap();
    assert_eq!(hit.snippet.text, "Night The icebox slows dough.");
    assert_eq!(hit.snippet.highlights, []);
    assert_eq!(
        (hit.line, hit.heading_path.as_slice()),
        (5, &["Oven".to_owned(), "Night".to_owned()][..])
    );
    assert_eq!((hit.parts.lexical_rank, hit.parts.bm25), (None, None));
    assert!(hit.parts.semantic_rank.is_some() && hit.parts.cosine.unwrap() > 0.3);
    let both = &response.hits[0];
    assert_eq!(both.path, "bread/cold.md");
    assert_eq!(
        (both.parts.lexical_rank, both.parts.semantic_rank.is_some()),
        (Some(1), true)
    );
    assert!(!both.snippet.highlights.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mode_does_what_it_says() {
    let meaning = Meaning::ready(FILES).await;
    let lexical = ask(&meaning, request("refrigerator", SearchMode::Lexical)).await;
    assert_eq!(
        (lexical.mode, paths(&lexical.hits)),
        (SearchMode::Lexical, vec!["bread/cold.md"])
    );
    assert_eq!(lexical.hits[0].parts.lexical_rank, Some(1));
    assert_eq!(lexical.hits[0].parts.cosine, None);
    assert_eq!(meaning.engine.take_queries(), Vec::<String>::new());

    let semantic = ask(&meaning, request("refrigerator", SearchMode::Semantic)).await;
    assert_eq!(
        (semantic.mode, semantic.hits.len()),
        (SearchMode::Semantic, FILES.len())
    );
    for (rank, hit) in (1..).zip(&semantic.hits) {
        assert_eq!(
            (hit.parts.semantic_rank, hit.parts.lexical_rank),
            (Some(rank), None)
        );
        assert_eq!(Some(hit.score), hit.parts.cosine);
    }
    assert!(semantic.hits.is_sorted_by(|a, b| a.score >= b.score));
    assert_eq!(meaning.engine.take_queries(), ["refrigerator"]);

    let hybrid = ask(&meaning, request("refrigerator", SearchMode::Hybrid)).await;
    assert_eq!(hybrid.mode, SearchMode::Hybrid);
    let limited = SearchRequest {
        limit: 1,
        ..request("refrigerator", SearchMode::Hybrid)
    };
    assert_eq!(ask(&meaning, limited).await.hits, hybrid.hits[..1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_called_like_the_query_stands_first() {
    let meaning = Meaning::ready(FILES).await;
    let response = ask(&meaning, SearchRequest::new("fridge")).await;
    assert_eq!(response.hits[0].path, "pets/Fridge.md");
    assert!(response.hits.len() >= 4, "{:?}", paths(&response.hits));
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_tags_phrases_and_exclusions_bind_whatever_is_near() {
    let meaning = Meaning::ready(FILES).await;
    for mode in [SearchMode::Hybrid, SearchMode::Semantic] {
        let all = ask(&meaning, request("refrigerator", mode)).await;
        assert!(all.hits.len() >= 3);
        let folder = SearchRequest {
            folder: Some("bread".to_owned()),
            ..request("refrigerator", mode)
        };
        let mut found = ask(&meaning, folder).await.hits;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        assert_eq!(
            paths(&found),
            ["bread/cold.md", "bread/oven.md"],
            "{mode:?}"
        );
        let tag = SearchRequest {
            tags: vec!["bread".to_owned()],
            ..request("refrigerator", mode)
        };
        assert_eq!(
            paths(&ask(&meaning, tag).await.hits),
            ["bread/cold.md"],
            "{mode:?}"
        );
        let excluded = ask(
            &meaning,
            request("refrigerator -icebox -\"fridge door\"", mode),
        )
        .await;
        let excluded = paths(&excluded.hits);
        assert!(!excluded.contains(&"bread/oven.md") && !excluded.contains(&"words.md"));
        assert!(excluded.contains(&"bread/cold.md"), "{mode:?}");
        let phrase = ask(&meaning, request("refrigerator \"slows dough\"", mode)).await;
        assert_eq!(paths(&phrase.hits), ["bread/oven.md"], "{mode:?}");
        let nothing = ask(&meaning, request("\"no such phrase\"", mode)).await;
        assert_eq!(nothing.hits, [], "{mode:?}");
    }
    let asked = meaning.engine.take_queries();
    assert!(
        asked.contains(&"refrigerator slows dough".to_owned()),
        "{asked:?}"
    );
    assert!(
        asked.iter().all(|query| !query.contains("icebox")),
        "{asked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_that_are_gone_are_not_found_by_meaning() {
    let meaning = Meaning::ready(FILES).await;
    let removed = meaning.bench.vault.remove("pets/cats.md");
    meaning.bench.apply(vec![removed]).await;
    meaning.bench.put("words.md", "Nothing of that.\n").await;
    let found = ask(&meaning, request("feline", SearchMode::Semantic)).await;
    assert!(!paths(&found.hits).contains(&"pets/cats.md"));
    let found = ask(&meaning, request("fridge", SearchMode::Semantic)).await;
    let old = found.hits.iter().find(|hit| hit.path == "words.md");
    assert!(old.is_none_or(|hit| hit.snippet.text == "Nothing of that."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_without_words_is_refused_in_every_mode() {
    let meaning = Meaning::ready(FILES).await;
    for mode in [
        SearchMode::Auto,
        SearchMode::Lexical,
        SearchMode::Semantic,
        SearchMode::Hybrid,
    ] {
        let refused = meaning.bench.store.search(request("-cat", mode)).await;
        assert!(
            matches!(refused, Err(Error::InvalidQuery { .. })),
            "{mode:?}: {refused:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_engine_a_search_goes_by_words_and_says_so_when_asked_for_more() {
    let bench = Bench::with(FILES).await;
    let response = bench.store.search(SearchRequest::new("cat")).await.unwrap();
    assert_eq!(
        (response.mode, response.notices.len()),
        (SearchMode::Lexical, 0)
    );
    for mode in [SearchMode::Semantic, SearchMode::Hybrid] {
        let response = bench.store.search(request("cat", mode)).await.unwrap();
        assert_eq!(
            (response.mode, response.hits.len()),
            (SearchMode::Lexical, 1)
        );
        assert!(
            response.notices[0].contains("no inference engine"),
            "{:?}",
            response.notices
        );
    }
    assert_eq!(bench.store.stats().await.unwrap().vectors, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_only_reads_searches_with_the_vectors_that_are_there() {
    let meaning = Meaning::ready(FILES).await;
    let config = crucible_store::StoreConfig::new(meaning.bench.index_dir());
    let source = std::sync::Arc::clone(&meaning.bench.vault);
    let reader = crucible_store::Store::open_read_only(config, source as _)
        .await
        .unwrap();
    reader.use_embeddings(std::sync::Arc::clone(&meaning.engine) as _);
    let response = reader.search(SearchRequest::new("feline")).await.unwrap();
    assert_eq!(
        (response.mode, paths(&response.hits)[0]),
        (SearchMode::Hybrid, "pets/cats.md")
    );
    meaning.bench.put("new.md", "An automobile.\n").await;
    meaning.complete_after(FILES.len() + 2).await;
    let response = reader
        .search(SearchRequest::new("car driving"))
        .await
        .unwrap();
    assert!(
        paths(&response.hits).contains(&"new.md"),
        "{:?}",
        paths(&response.hits)
    );
}
