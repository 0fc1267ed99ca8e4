//! `kill -9` during the first index, again and again: the index ends as a fresh one does.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::harness::place::hit_paths;
use crate::harness::{Daemon, Place, http, redact};

/// How many vaults are indexed for the first time, and how often each is interrupted: fifty kills.
const GROUPS: u32 = 10;
const KILLS_PER_GROUP: u32 = 5;
const NOTES: u32 = 400;
/// The seed of the random moments; printed with a failure through the group's number.
const SEED: u64 = 0x5eed_c0de;

#[test]
fn index_after_fifty_kills_equals_a_fresh_one() {
    let mut place = Place::empty();
    generate(&place);
    let begun = tokio::time::Instant::now();
    let mut first = place.serve();
    let whole = begun.elapsed();
    let fresh = content(&mut first);
    first.stop();
    assert_eq!(fresh["notes"].as_array().unwrap().len(), NOTES as usize);

    let mut random = Random(SEED);
    for group in 0..GROUPS {
        place.forget_index();
        for _ in 0..KILLS_PER_GROUP {
            let daemon = place.serve_unready(&[]);
            std::thread::sleep(random.below(whole));
            daemon.kill();
        }
        let mut survivor = place.serve();
        assert_eq!(content(&mut survivor), fresh, "group {group}");
        survivor.stop();
        // What the command line says without a daemon is no other.
        let listed = place.json(&["status"])["stats"]["notes"].clone();
        assert_eq!(listed, NOTES, "group {group}");
    }
}

/// Everything that can be asked about a vault, without what differs from run to run.
fn content(daemon: &mut Daemon) -> Value {
    let notes = daemon.get("/api/v1/notes?limit=1000")["notes"].take();
    let paths: Vec<String> = notes
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["path"].as_str().unwrap().to_owned())
        .collect();
    let links: BTreeMap<&String, Value> = paths
        .iter()
        .map(|path| {
            (
                path,
                daemon.get(&format!("/api/v1/links/{}", http::encode(path))),
            )
        })
        .collect();
    let searches: BTreeMap<String, Vec<String>> = (0..40)
        .map(|number| {
            // One folder has fewer notes than an answer has hits, so that none is cut off.
            let words = if number % 2 == 0 {
                format!("rare{number}")
            } else {
                word(number).to_owned()
            };
            let path = format!("/api/v1/search?q={words}&folder={}&limit=100", number % 13);
            let mut found = hit_paths(&daemon.get(&path));
            found.sort();
            (words, found)
        })
        .collect();
    let mut stats = daemon.get("/api/v1/stats");
    stats["parsed_since_open"].take();
    let problems = daemon.get("/api/v1/problems");
    redact::json(serde_json::json!({
        "notes": notes, "links": links, "searches": searches, "stats": stats, "problems": problems,
    }))
}

fn generate(place: &Place) {
    for number in 0..NOTES {
        let next = (number * 7 + 1) % NOTES;
        let title = if number % 9 == 0 {
            "title: [broken".to_owned()
        } else {
            format!("title: T{number}")
        };
        let words: String = (0..120)
            .map(|n| format!("{} ", word(number * 31 + n * n)))
            .collect();
        let text = format!(
            "---\n{title}\ntags: [group/g{}]\n---\n\n# Note {number}\n\nrare{number} [[{next}]] and \
             [[nowhere {}]]\n\n## Part\n\n{words}\n\n- [ ] task ^b{number}\n",
            number % 5,
            number % 3,
        );
        place.write(&format!("{}/{number}.md", number % 13), text);
    }
}

/// A word of a small vocabulary.
fn word(number: u32) -> &'static str {
    const WORDS: [&str; 64] = [
        "flour", "water", "salt", "yeast", "oven", "crust", "crumb", "knead", "fold", "proof",
        "bench", "score", "steam", "loaf", "rye", "wheat", "malt", "starter", "levain", "poolish",
        "gluten", "starch", "sugar", "butter", "egg", "milk", "seed", "oat", "bran", "germ",
        "stone", "mill", "sieve", "scale", "bowl", "cloth", "peel", "rack", "cool", "slice",
        "toast", "stale", "fresh", "sour", "sweet", "bitter", "warm", "cold", "slow", "fast",
        "rise", "rest", "shape", "round", "long", "thin", "thick", "dense", "open", "closed",
        "dark", "pale", "gold", "brown",
    ];
    WORDS[number as usize % WORDS.len()]
}

/// A linear congruential generator (Knuth, MMIX): the moments repeat exactly.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: Duration) -> Duration {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let fraction = (self.0 >> 40) as f64 / (1_u64 << 24) as f64;
        limit.mul_f64(fraction)
    }
}
