//! Very many changes at once.

use crate::harness::{Place, eventually};

const FILES: u64 = 20_000;

#[test]
fn twenty_thousand_files_that_appear_at_once_are_all_indexed() {
    let place = Place::with(&[("first.md", "x")]);
    let mut daemon = place.serve();
    for number in 0..FILES {
        place.write(
            &format!("{:02}/{number}.md", number % 100),
            format!("file{number}"),
        );
    }
    // Questions are answered meanwhile.
    eventually("all files to be indexed", || {
        let stats = daemon.get("/api/v1/stats");
        (stats["notes"] == FILES + 1 && stats["text_pending"] == 0).then_some(())
    });
    for number in [0, 7_777, FILES - 1] {
        let path = format!("{:02}/{number}.md", number % 100);
        daemon.wait_found(&format!("file{number}"), &[&path]);
    }
    assert!(daemon.problems().is_empty());
    daemon.stop();
}
