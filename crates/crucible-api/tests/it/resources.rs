//! The bodies of the resources about notes.

use crate::rig::Rig;
use crate::twin::HOSTILE_PATH;

#[tokio::test]
async fn search_answers_hits_with_highlights() {
    let rig = Rig::new().await;
    let answer = rig.get("/api/v1/search?q=water&limit=1").await;
    insta::assert_snapshot!(answer.snapshot(), @r##"
        {
          "hits": [
            {
              "path": "Bread.md",
              "title": "Bread",
              "heading_path": [
                "Bread"
              ],
              "line": 3,
              "snippet": {
                "text": "Flour, water, salt. Back to [[Home]].",
                "highlights": [
                  [
                    7,
                    12
                  ]
                ]
              },
              "score": 1.5,
              "parts": {}
            }
          ],
          "took_us": 42,
          "mode": "lexical"
        }
    "##);
}

#[tokio::test]
async fn search_is_narrowed_by_limit_folder_and_tags() {
    let rig = Rig::new().await;
    let count = async |target: &str| {
        let answer = rig.get(target).await.json();
        answer["hits"].as_array().unwrap().len()
    };
    assert_eq!(count("/api/v1/search?q=bread").await, 3);
    assert_eq!(count("/api/v1/search?q=bread&limit=2").await, 2);
    assert_eq!(
        count("/api/v1/search?q=bread&folder=Deep%2FFolder").await,
        1
    );
    assert_eq!(count("/api/v1/search?q=bread&tag=tool/heat").await, 1);
    assert_eq!(
        count("/api/v1/search?q=bread&tag=tool/heat&tag=index").await,
        0
    );
}

#[tokio::test]
async fn note_answers_text_and_facts() {
    let rig = Rig::new().await;
    insta::assert_snapshot!(rig.get("/api/v1/notes/Home.md").await.snapshot(), @r##"
        {
          "path": "Home.md",
          "title": "Home",
          "aliases": [],
          "tags": [
            "index"
          ],
          "hash": "0000000000000000000000000000000000000000000000000000000000000000",
          "size_bytes": 52,
          "modified_ms": 0,
          "text": "# Home\n\nStart with [[Bread]] or [[Nowhere]]. #index\n",
          "properties": {},
          "headings": [
            {
              "level": 1,
              "text": "Home",
              "line": 1
            }
          ]
        }
    "##);
}

#[tokio::test]
async fn note_is_found_by_any_encoding_of_its_path() {
    let rig = Rig::new().await;
    for target in [
        "/api/v1/notes/Deep/Folder/Bread%20Oven.md",
        "/api/v1/notes/Deep%2FFolder%2FBread%20Oven.md",
        "/api/v1/notes/Deep%2FFolder/Bread%20Oven",
    ] {
        let answer = rig.get(target).await;
        assert_eq!(
            answer.json()["path"],
            "Deep/Folder/Bread Oven.md",
            "{target}"
        );
    }
    let hostile =
        "a%20%22b%22%3E%3Cscript%3Ealert(1)%3C/script%3E/100%25%3F%20%231&%0A%F0%9F%A5%96.md";
    let answer = rig.get(&format!("/api/v1/notes/{hostile}")).await;
    assert_eq!(answer.json()["path"], HOSTILE_PATH);
}

#[tokio::test]
async fn links_answer_both_ways() {
    let rig = Rig::new().await;
    insta::assert_snapshot!(rig.get("/api/v1/links/Bread").await.snapshot(), @r##"
        {
          "path": "Bread.md",
          "title": "Bread",
          "outgoing": [
            {
              "target": "Home",
              "resolved": "Home.md",
              "ambiguous": false,
              "kind": "wikilink",
              "line": 3
            }
          ],
          "backlinks": [
            {
              "path": "Home.md",
              "title": "Home",
              "line": 3,
              "context": "Start with [[Bread]] or [[Nowhere]]. #index",
              "kind": "wikilink"
            }
          ]
        }
    "##);
}

#[tokio::test]
async fn listing_goes_on_from_its_cursor_to_the_end() {
    let rig = Rig::new().await;
    let mut paths = Vec::new();
    let mut target = "/api/v1/notes?limit=3".to_owned();
    loop {
        let page = rig.get(&target).await.json();
        assert_eq!(page["total"], 4);
        for note in page["notes"].as_array().unwrap() {
            paths.push(note["path"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page.get("next_cursor") else {
            break;
        };
        let cursor = cursor.as_str().unwrap().replace(' ', "%20");
        target = format!("/api/v1/notes?limit=3&cursor={cursor}");
    }
    assert_eq!(
        paths,
        [
            "Bread.md",
            "Deep/Folder/Bread Oven.md",
            "Home.md",
            HOSTILE_PATH
        ]
    );
}

#[tokio::test]
async fn figures_problems_and_vault_are_told() {
    let rig = Rig::new().await;
    insta::assert_snapshot!(rig.get("/api/v1/stats").await.snapshot(), @r##"
        {
          "notes": 4,
          "blocks": 12770,
          "links": 4,
          "links_unresolved": 1,
          "tags": 2,
          "problems": 1,
          "text_pending": 0,
          "parsed_since_open": 0,
          "index_size_bytes": 0
        }
    "##);
    insta::assert_snapshot!(rig.get("/api/v1/problems").await.snapshot(), @r##"
        [
          {
            "path": "Scan <1>.md",
            "kind": "binary",
            "message": "the file holds NUL bytes; rename it if it is not a note"
          }
        ]
    "##);
    insta::assert_snapshot!(rig.get("/api/v1/vault").await.snapshot(), @r##"
        {
          "name": "Bakery <b>",
          "path": "/vaults/Bakery",
          "index_dir": "/data/bakery"
        }
    "##);
}
