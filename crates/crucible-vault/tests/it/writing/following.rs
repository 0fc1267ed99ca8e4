//! The writer beside the service that follows the folder: no change is told twice.

use std::sync::Arc;
use std::time::Duration;

use crucible_services::service_traits::ServiceLifecycle as _;
use crucible_vault::{VaultConfig, VaultService};

use super::{Bench, append};
use crate::recorder::{DEADLINE, TestVault, until, wait_for_watching};

#[tokio::test(flavor = "multi_thread")]
async fn a_written_note_does_not_come_back_as_somebody_elses_change() {
    let bench = Bench::new(&[("a.md", "1\n")]).await;
    let config = VaultConfig {
        quiet_period: Duration::from_millis(10),
        ..VaultConfig::new(bench.place.join("vault"))
    };
    let index = Arc::clone(&bench.index) as Arc<dyn crucible_services::note_index::NoteIndex>;
    let service = VaultService::new(config, bench.folder.clone(), index);
    service.start(TestVault::new().context()).await.unwrap();
    wait_for_watching(&service).await;
    let before = bench.index.store.stats_parsed().await;
    for number in 0..20 {
        bench
            .edit("a.md", append(&number.to_string()))
            .await
            .unwrap();
        bench.create(&format!("n{number}"), "new\n").await.unwrap();
        bench
            .rename(&format!("n{number}.md"), &format!("m{number}"))
            .await
            .unwrap();
        if number % 2 == 0 {
            bench.delete(&format!("m{number}.md")).await.unwrap();
        }
    }
    // A foreign change after all of them: once it is told, the hints before it were looked at.
    std::fs::write(bench.at("foreign.md"), "theirs\n").unwrap();
    until("the foreign change is told", || {
        bench
            .index
            .told
            .lock()
            .unwrap()
            .iter()
            .any(|(change, _)| change == "+foreign.md")
    })
    .await;
    service.stop().await.unwrap();
    bench.check_index().await;
    // The store parsed each new content once: the edits, the creations and the foreign note.
    let parsed = bench.index.store.stats_parsed().await - before;
    assert_eq!(parsed, 20 + 20 + 1);
    bench.tasks.shutdown(DEADLINE).await.unwrap();
}

trait Parsed {
    async fn stats_parsed(&self) -> u64;
}

impl Parsed for crucible_store::Store {
    async fn stats_parsed(&self) -> u64 {
        use crucible_services::data_store::DataStore as _;
        self.stats().await.unwrap().parsed_since_open
    }
}
