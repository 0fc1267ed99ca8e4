//! A new script passes its own test before anybody has touched it.

use crucible_script::rehearsal::Rehearsal;
use crucible_script::scaffold::{self, Kind};

use crate::support::command;

async fn check(kind: Kind) {
    let place = tempfile::tempdir().unwrap();
    scaffold::write(place.path(), "fresh", kind).unwrap();
    let rehearsal = Rehearsal::open(&place.path().join("fresh"), command())
        .await
        .unwrap();
    let tests = rehearsal.tests();
    assert_eq!(tests.len(), 1, "{tests:?}");
    assert_eq!(rehearsal.test(&tests[0]).await.error, None);
    rehearsal.close().await;
}

#[tokio::test]
async fn a_new_handler_passes_its_test() {
    check(Kind::Handler).await;
}

#[tokio::test]
async fn a_new_tool_passes_its_test() {
    check(Kind::Tool).await;
}

#[tokio::test]
async fn a_new_schedule_passes_its_test() {
    check(Kind::Cron).await;
}
