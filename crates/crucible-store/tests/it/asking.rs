//! Notes are found by any of their names, and listed in pages.

use crucible_services::data_store::{DataStore as _, Error, ListRequest};

use crate::bench::Bench;

async fn vault() -> Bench {
    Bench::with(&[
        ("Bread/Sourdough.md", "# The Sourdough Book\n\n#bread"),
        (
            "Bread/Rye.md",
            "---\naliases: [Black bread]\ntags: [bread/rye]\n---\n",
        ),
        ("Soup/Borscht.md", "beets #soup"),
        ("Soup/Index.md", "soups"),
        ("Bread/Index.md", "breads"),
        ("Pâté 🥖.md", "crust #breadth"),
        ("pic.png", ""),
    ])
    .await
}

async fn path_of(bench: &Bench, reference: &str) -> String {
    bench.store.note(reference).await.unwrap().summary.path
}

#[tokio::test(flavor = "multi_thread")]
async fn any_name_of_a_note_will_do() {
    let bench = vault().await;
    for (reference, expected) in [
        ("Bread/Rye.md", "Bread/Rye.md"),
        ("Bread/Rye", "Bread/Rye.md"),
        ("bread/rye", "Bread/Rye.md"),
        ("/Bread/Rye.md", "Bread/Rye.md"),
        ("rye", "Bread/Rye.md"),
        ("RYE.MD", "Bread/Rye.md"),
        ("black bread", "Bread/Rye.md"),
        ("the sourdough book", "Bread/Sourdough.md"),
        ("soup/index", "Soup/Index.md"),
        ("pa\u{302}te\u{301} 🥖", "Pâté 🥖.md"),
    ] {
        assert_eq!(path_of(&bench, reference).await, expected, "{reference}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_are_answered_with_near_ones() {
    let bench = vault().await;
    for (reference, expected) in [
        ("Sourdoguh", "Bread/Sourdough.md"),
        ("borsch", "Soup/Borscht.md"),
        ("Bread/Rie.md", "Bread/Rye.md"),
        ("sourdough book", "Bread/Sourdough.md"),
    ] {
        match bench.store.note(reference).await {
            Err(Error::NotFound { candidates, .. }) => {
                assert_eq!(candidates.first().map(String::as_str), Some(expected));
            }
            other => panic!("{reference}: {other:?}"),
        }
    }
    match bench.store.note("quantum").await {
        Err(Error::NotFound { candidates, .. }) => assert!(candidates.is_empty()),
        other => panic!("{other:?}"),
    }
    assert!(bench.store.note("").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_several_notes_is_answered_with_all() {
    let bench = vault().await;
    match bench.store.note("index").await {
        Err(Error::Ambiguous { candidates, .. }) => {
            assert_eq!(candidates, ["Bread/Index.md", "Soup/Index.md"]);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_are_not_notes() {
    let bench = vault().await;
    let error = bench.store.note("pic.png").await.unwrap_err();
    assert!(error.to_string().contains("not a note"), "{error}");
}

async fn listed(bench: &Bench, request: ListRequest) -> Vec<String> {
    let page = bench.store.list_notes(request).await.unwrap();
    assert_eq!(page.total, page.notes.len() as u64);
    page.notes.into_iter().map(|note| note.path).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_and_tags_narrow_a_listing() {
    let bench = vault().await;
    let folder = |folder: &str| ListRequest {
        folder: Some(folder.to_owned()),
        ..ListRequest::default()
    };
    let tag = |tag: &str| ListRequest {
        tag: Some(tag.to_owned()),
        ..ListRequest::default()
    };
    let soups = ["Soup/Borscht.md", "Soup/Index.md"];
    assert_eq!(listed(&bench, folder("Soup")).await, soups);
    assert_eq!(listed(&bench, folder("soup/")).await, soups);
    assert_eq!(listed(&bench, folder("So")).await, Vec::<String>::new());
    assert_eq!(listed(&bench, folder("")).await.len(), 6);
    let breads = ["Bread/Rye.md", "Bread/Sourdough.md"];
    assert_eq!(listed(&bench, tag("bread")).await, breads);
    assert_eq!(listed(&bench, tag("#BREAD/rye")).await, ["Bread/Rye.md"]);
    let both = ListRequest {
        folder: Some("Soup".to_owned()),
        ..tag("bread")
    };
    assert_eq!(listed(&bench, both).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_join_to_the_whole_listing() {
    let bench = vault().await;
    let whole = listed(&bench, ListRequest::default()).await;
    assert!(whole.is_sorted());
    for limit in 1..=whole.len() + 1 {
        let mut joined = Vec::new();
        let mut request = ListRequest {
            limit,
            ..ListRequest::default()
        };
        loop {
            let page = bench.store.list_notes(request.clone()).await.unwrap();
            assert_eq!(page.total, whole.len() as u64);
            assert!(page.notes.len() <= limit);
            joined.extend(page.notes.into_iter().map(|note| note.path));
            request.cursor = page.next_cursor;
            if request.cursor.is_none() {
                break;
            }
        }
        assert_eq!(joined, whole, "pages of {limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_cursors_are_refused() {
    let bench = vault().await;
    let page = bench.store.list_notes(ListRequest {
        limit: 1,
        ..ListRequest::default()
    });
    let of_another_listing = page.await.unwrap().next_cursor.unwrap();
    for (cursor, folder) in [
        ("nonsense", None),
        ("", None),
        ("é", None),
        (of_another_listing.as_str(), Some("Soup".to_owned())),
    ] {
        let request = ListRequest {
            cursor: Some(cursor.to_owned()),
            folder,
            ..ListRequest::default()
        };
        let answer = bench.store.list_notes(request).await;
        assert!(
            matches!(answer, Err(Error::InvalidQuery { .. })),
            "{cursor:?}"
        );
    }
}
