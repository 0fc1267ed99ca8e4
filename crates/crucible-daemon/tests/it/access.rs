//! How a command reaches the notes of a vault.

use crucible_daemon::access::{Access, Via};
use crucible_daemon::compose::Role;
use crucible_daemon::instance::{Instance, InstanceLock};

use crate::place::{Place, search};

#[tokio::test(flavor = "multi_thread")]
async fn command_opens_the_vault_itself_when_nobody_serves_it() {
    let place = Place::with(&[("a.md", "needle")]);
    let access = Access::open(&place.config(Role::Command("search")))
        .await
        .unwrap();
    assert_eq!(access.via(), &Via::Own);
    access
        .own_daemon()
        .unwrap()
        .wait_indexed(|_| ())
        .await
        .unwrap();
    assert_eq!(search(&*access.store(), "needle").await, ["a.md"]);
    access.close().await;
    assert!(Access::running(&place.location()).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn command_asks_the_daemon_that_serves_the_vault() {
    let place = Place::with(&[("a.md", "needle")]);
    let (daemon, _) = place.start(Role::Serve).await;
    let access = Access::open(&place.config(Role::Command("search")))
        .await
        .unwrap();
    let Via::Daemon(instance) = access.via() else {
        panic!("{:?}", access.via())
    };
    assert_eq!(instance.api, daemon.api_address());
    assert_eq!(search(&*access.store(), "needle").await, ["a.md"]);
    access.close().await;
    daemon.stop("done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn command_reads_along_beside_a_process_without_an_api() {
    let place = Place::with(&[("a.md", "needle")]);
    let (agent, _) = place.start(Role::Mcp).await;
    let access = Access::open(&place.config(Role::Command("search")))
        .await
        .unwrap();
    assert!(matches!(access.via(), Via::Reader(_)), "{:?}", access.via());
    assert_eq!(search(&*access.store(), "needle").await, ["a.md"]);
    access.close().await;
    agent.stop("done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn daemon_of_another_vault_is_not_asked_by_mistake() {
    let (place, other) = (
        Place::with(&[("a.md", "needle")]),
        Place::with(&[("b.md", "needle")]),
    );
    let (first, _) = place.start(Role::Command("search")).await;
    first.stop("done").await;
    let (stranger, _) = other.start(Role::Serve).await;
    // As after a crash: the address was taken over by somebody else.
    let stale = Instance {
        pid: std::process::id(),
        role: "serve".to_owned(),
        api: stranger.api_address(),
        version: "0".to_owned(),
    };
    let lock = InstanceLock::acquire(&place.location(), &stale).unwrap();
    let access = Access::open(&place.config(Role::Command("search")))
        .await
        .unwrap();
    assert!(matches!(access.via(), Via::Reader(_)), "{:?}", access.via());
    assert_eq!(search(&*access.store(), "needle").await, ["a.md"]);
    access.close().await;
    drop(lock);
    stranger.stop("done").await;
}
