//! The service's life: start, health, failures and recovery, stop.

use std::sync::Arc;
use std::time::Duration;

use crucible_services::health::HealthStatus;
use crucible_services::note_index::ChangeOrigin;
use crucible_services::service_traits::{ServiceError, ServiceKind, ServiceLifecycle as _};
use crucible_vault::{Phase, Progress, VaultConfig, VaultService};

use crate::recorder::{DEADLINE, TestVault, until, wait_for_watching};

async fn wait_for_health(service: &VaultService, status: HealthStatus) -> String {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        let health = service.health_check().await.unwrap();
        if health.status == status {
            return health.message.unwrap_or_default();
        }
        assert!(tokio::time::Instant::now() < deadline, "still {health:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn service_tells_who_it_is_and_how_far() {
    let vault = TestVault::new();
    vault.write("a.md", "x");
    let service = VaultService::new(
        vault.config.clone(),
        vault.folder(),
        Arc::clone(&vault.index) as _,
    );
    assert_eq!(service.name(), "vault");
    assert_eq!(service.kind(), ServiceKind::Custom("vault".to_owned()));
    assert_eq!(service.dependencies(), ["datastore"]);
    assert_eq!(*service.progress().borrow(), Progress::default());
    assert_eq!(
        service.health_check().await.unwrap().status,
        HealthStatus::Unhealthy
    );

    service.start(vault.context()).await.unwrap();
    let again = service.start(vault.context()).await;
    assert!(matches!(again, Err(ServiceError::Refused(_))), "{again:?}");
    wait_for_watching(&service).await;
    let Phase::Watching { first } = service.progress().borrow().phase.clone() else {
        panic!()
    };
    assert_eq!(first.notes, 1);
    wait_for_health(&service, HealthStatus::Healthy).await;

    service.stop().await.unwrap();
    assert_eq!(*service.progress().borrow(), Progress::default());
    assert!(vault.context().tasks.alive().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn service_starts_again_after_a_stop_and_finds_what_it_missed() {
    let vault = TestVault::new();
    vault.write("a.md", "x");
    let service = vault.serve().await;
    service.stop().await.unwrap();
    vault.write("b.md", "missed");
    service.start(vault.context()).await.unwrap();
    wait_for_watching(&service).await;
    assert_eq!(vault.index.paths(), ["a.md", "b.md"]);
    assert_eq!(
        vault.index.origins(),
        [ChangeOrigin::FirstIndex, ChangeOrigin::Change]
    );
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn vault_folder_that_vanishes_keeps_the_index_and_recovers() {
    let vault = TestVault::new();
    vault.write("a.md", "x");
    vault.write("sub/b.md", "x");
    let service = vault.serve().await;
    vault.index.take_log();
    std::fs::rename(vault.root(), vault.outside("away")).unwrap();
    let message = wait_for_health(&service, HealthStatus::Unhealthy).await;
    assert!(message.contains("put it back"), "{message}");
    let mut progress = service.progress();
    let failed = progress.wait_for(|progress| progress.failure.is_some());
    drop(
        tokio::time::timeout(DEADLINE, failed)
            .await
            .unwrap()
            .unwrap(),
    );
    assert!(vault.index.log().is_empty(), "{:?}", vault.index.log());

    std::fs::write(vault.outside("away/c.md"), "written meanwhile").unwrap();
    std::fs::rename(vault.outside("away"), vault.root()).unwrap();
    wait_for_health(&service, HealthStatus::Healthy).await;
    vault.write("d.md", "watched again");
    vault.wait_until_equal().await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_folder_in_place_of_the_vault_keeps_the_index() {
    let vault = TestVault::new();
    vault.write("a.md", "x");
    let service = vault.serve().await;
    std::fs::rename(vault.root(), vault.outside("away")).unwrap();
    std::fs::create_dir(vault.root()).unwrap();
    let message = wait_for_health(&service, HealthStatus::Unhealthy).await;
    assert!(message.contains("mount the disk"), "{message}");
    assert_eq!(vault.index.paths(), ["a.md"]);
    std::fs::remove_dir(vault.root()).unwrap();
    std::fs::rename(vault.outside("away"), vault.root()).unwrap();
    wait_for_health(&service, HealthStatus::Healthy).await;
    assert_eq!(vault.index.paths(), ["a.md"]);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn index_that_refuses_degrades_and_nothing_is_lost() {
    let vault = TestVault::new();
    vault.write("a.md", "x");
    vault.index.refuse(true);
    let service = VaultService::new(
        vault.config.clone(),
        vault.folder(),
        Arc::clone(&vault.index) as _,
    );
    service.start(vault.context()).await.unwrap();
    let message = wait_for_health(&service, HealthStatus::Degraded).await;
    assert!(message.contains("no space left"), "{message}");
    vault.index.refuse(false);
    wait_for_watching(&service).await;
    assert_eq!(vault.index.origins(), [ChangeOrigin::FirstIndex]);

    vault.index.refuse(true);
    vault.write("b.md", "y");
    wait_for_health(&service, HealthStatus::Degraded).await;
    vault.index.refuse(false);
    wait_for_health(&service, HealthStatus::Healthy).await;
    vault.wait_until_equal().await;
    service.stop().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn exhausted_watches_degrade_and_changes_are_found_all_the_same() {
    let mut vault = TestVault::new();
    vault.config = VaultConfig {
        watch_folders_max: 3,
        ..vault.config
    };
    for number in 0..6 {
        vault.write(&format!("{number}/note.md"), "x");
    }
    let service = vault.serve().await;
    let message = wait_for_health(&service, HealthStatus::Degraded).await;
    assert!(message.contains("every 5 s"), "{message}");
    for number in 0..6 {
        vault.write(&format!("{number}/note.md"), "edited");
    }
    vault.wait_until_equal().await;
    for number in 1..6 {
        std::fs::remove_dir_all(vault.root().join(number.to_string())).unwrap();
    }
    vault.wait_until_equal().await;
    wait_for_health(&service, HealthStatus::Healthy).await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn vault_that_is_not_watched_is_compared_on_the_timer() {
    let mut vault = TestVault::new();
    let reconcile_interval = Duration::from_millis(100);
    vault.config = VaultConfig {
        watch: false,
        reconcile_interval,
        ..vault.config
    };
    let service = vault.serve().await;
    vault.write("a.md", "x");
    until("it is found", || vault.index.paths() == ["a.md"]).await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_during_the_first_index_ends_soon_and_the_next_start_finishes_it() {
    let vault = TestVault::new();
    for number in 0..3000 {
        vault.write(&format!("{number}.md"), "x");
    }
    let service = VaultService::new(
        vault.config.clone(),
        vault.folder(),
        Arc::clone(&vault.index) as _,
    );
    service.start(vault.context()).await.unwrap();
    service.stop().await.unwrap();
    service.start(vault.context()).await.unwrap();
    wait_for_watching(&service).await;
    assert_eq!(vault.index.paths().len(), 3000);
    service.stop().await.unwrap();
}
