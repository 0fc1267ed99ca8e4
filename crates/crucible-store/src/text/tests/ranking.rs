//! Which note stands first, and which is not found at all.

use crucible_services::data_store::SearchRequest;

use super::fixture::{Sample, Shelf};

#[test]
fn the_note_called_like_the_query_wins() {
    let mut shelf = Shelf::new();
    let often = "sourdough bread sourdough bread sourdough bread";
    shelf.add(&Sample {
        path: "a.md",
        title: "Loaf",
        text: often,
        ..Sample::default()
    });
    shelf.add(&Sample {
        path: "b.md",
        title: "Sourdough Bread",
        ..Sample::default()
    });
    let aliases = &["Pain au levain"];
    shelf.add(&Sample {
        path: "c.md",
        title: "Levain",
        aliases,
        ..Sample::default()
    });
    shelf.index.commit(1).unwrap();
    assert_eq!(shelf.found("sourdough bread")[0], "b.md");
    assert_eq!(shelf.found("\"sourdough: BREAD\"")[0], "b.md");
    for query in ["pain au levain", "\"pain au levain\""] {
        assert_eq!(shelf.found(query), ["c.md"]);
    }
    assert_eq!(shelf.found("c"), ["c.md"], "by its file name");
}

#[test]
fn a_note_with_more_of_the_words_ranks_higher() {
    let shelf = Shelf::with(&[
        ("1.md", "yeast yeast yeast yeast yeast"),
        (
            "2.md",
            "a long text about something else that also has yeast in it\n\nand some salt",
        ),
        ("3.md", "salt and salt"),
        ("4.md", "yeast, salt and water"),
    ]);
    let found = shelf.found("yeast salt water");
    assert_eq!(found[..2], ["4.md", "2.md"]);
    assert_eq!(found.len(), 4);
}

#[test]
fn a_word_in_the_title_weighs_more() {
    let shelf = Shelf::with(&[
        ("Oven heat.md", "Preheat for an hour."),
        (
            "Other.md",
            "The oven stood there, an hour later it was warm.",
        ),
    ]);
    assert_eq!(shelf.found("oven hour")[0], "Oven heat.md");
}

#[test]
fn an_excluded_word_removes_the_whole_note() {
    let shelf = Shelf::with(&[
        ("a.md", "bread in one paragraph\n\nwheat in another"),
        ("b.md", "bread only"),
        ("Wheat.md", "bread under a title"),
    ]);
    assert_eq!(shelf.found("bread -wheat"), ["b.md"]);
    assert_eq!(
        shelf.found_sorted("bread -\"wheat in\""),
        ["Wheat.md", "b.md"]
    );
    assert!(shelf.found("bread -bread").is_empty());
}

#[test]
fn a_phrase_must_stand_as_it_is_written() {
    let shelf = Shelf::with(&[
        ("a.md", "the quick brown fox"),
        ("b.md", "the brown quick fox"),
        ("c.md", "quick browns"),
        ("Quick Brown.md", "nothing"),
    ]);
    assert_eq!(
        shelf.found_sorted("\"quick brown\""),
        ["Quick Brown.md", "a.md"]
    );
    assert_eq!(shelf.found("\"browns\""), ["c.md"], "not by its stem");
    assert_eq!(shelf.found_sorted("browns").len(), 4, "by its stem");
    assert_eq!(
        shelf.found("\"quick brown\" \"the\""),
        ["a.md"],
        "every phrase is needed"
    );
}

#[test]
fn tags_include_their_children_and_all_are_needed() {
    let mut shelf = Shelf::new();
    for (path, tags) in [
        ("a.md", &["area/baking", "x"][..]),
        ("b.md", &["Area"]),
        ("c.md", &["areas"]),
        ("d.md", &["area/baking/bread"]),
    ] {
        shelf.add(&Sample {
            path,
            title: "T",
            tags,
            text: "word",
            ..Sample::default()
        });
    }
    shelf.index.commit(1).unwrap();
    let with = |tags: &[&str]| {
        let mut request = SearchRequest::new("word");
        request.tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        shelf.found_in(&request)
    };
    assert_eq!(with(&["area"]), ["a.md", "b.md", "d.md"]);
    assert_eq!(with(&["#Area/Baking"]), ["a.md", "d.md"]);
    assert_eq!(with(&["area", "x"]), ["a.md"]);
    assert!(with(&["are"]).is_empty());
}

#[test]
fn a_folder_holds_what_lies_below_it() {
    let shelf = Shelf::with(&[
        ("a/b/one.md", "word"),
        ("a/two.md", "word"),
        ("ab/three.md", "word"),
        ("E\u{301}t/four.md", "word"),
        ("five.md", "word"),
    ]);
    let below = |folder: &str| {
        let mut request = SearchRequest::new("word");
        request.folder = Some(folder.to_owned());
        shelf.found_in(&request)
    };
    assert_eq!(below("a"), ["a/b/one.md", "a/two.md"]);
    assert_eq!(below("/a/b/"), ["a/b/one.md"]);
    assert_eq!(below("Ét"), ["E\u{301}t/four.md"]);
    assert_eq!(below("").len(), 5);
    assert!(below("nowhere").is_empty());
}

#[test]
fn equal_notes_stand_in_path_order_and_the_limit_holds() {
    let paths: Vec<String> = (0..150)
        .rev()
        .map(|place| format!("n{place:03}.md"))
        .collect();
    let mut shelf = Shelf::new();
    for path in &paths {
        shelf.add(&Sample {
            path,
            title: "Same",
            text: "equal",
            ..Sample::default()
        });
    }
    shelf.index.commit(1).unwrap();
    let mut request = SearchRequest::new("equal");
    request.limit = 100;
    let expected: Vec<_> = (0..100).map(|place| format!("n{place:03}.md")).collect();
    assert_eq!(shelf.found_in(&request), expected);
    request.limit = 5;
    assert_eq!(shelf.found_in(&request).len(), 5);
}

#[test]
fn a_hit_shows_the_best_block_of_its_note() {
    let shelf = Shelf::with(&[("a.md", "first one\n\nthen the needle in hay\n\nlast")]);
    let hits = shelf.hits("needles");
    assert_eq!(hits[0].line, 3);
    assert_eq!(hits[0].ordinal, 1);
    assert_eq!(hits[0].snippet.text, "then the needle in hay");
    assert_eq!(hits[0].snippet.highlights, [(9, 15)]);
    assert!(hits[0].score > 0.0);
}

#[test]
fn the_last_word_counts_as_a_beginning_when_little_is_found() {
    let shelf = Shelf::with(&[("a.md", "some configuration"), ("b.md", "config of it")]);
    assert_eq!(shelf.found("config"), ["b.md", "a.md"]);
    assert_eq!(shelf.found("config "), ["b.md"]);
}

#[test]
fn a_long_note_does_not_take_the_places_of_others() {
    let long = vec!["needle needle needle"; 900].join("\n\n");
    let mut shelf = Shelf::new();
    shelf.add(&Sample {
        path: "long.md",
        title: "L",
        text: &long,
        ..Sample::default()
    });
    let text = "one needle among very many other words that are in this paragraph";
    for path in ["a.md", "b.md", "c.md"] {
        shelf.add(&Sample {
            path,
            title: "T",
            text,
            ..Sample::default()
        });
    }
    shelf.index.commit(1).unwrap();
    assert_eq!(shelf.found("needle "), ["long.md", "a.md", "b.md", "c.md"]);
}
