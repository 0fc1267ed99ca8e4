//! Daemons of every role, from start to stop.

use crucible_daemon::compose::{Role, StartError};
use crucible_daemon::{Daemon, instance};

use crate::place::{Place, search};

#[tokio::test(flavor = "multi_thread")]
async fn every_role_indexes_the_vault_and_stops_cleanly() {
    for role in [Role::Serve, Role::Mcp, Role::Command("search")] {
        let place = Place::with(&[("a.md", "needle [[b]]"), ("b.md", "hay")]);
        let (daemon, indexed) = place.start(role).await;
        assert_eq!(
            (indexed.parsed, indexed.stats.notes, indexed.stats.links),
            (2, 2, 1)
        );
        assert_eq!(search(&*daemon.store(), "needle").await, ["a.md"]);
        assert!(daemon.recovered().is_empty());
        assert_eq!(daemon.api_address().is_some(), role == Role::Serve);
        let holder = instance::running(daemon.location()).unwrap();
        assert_eq!(holder.api, daemon.api_address());
        assert_eq!(holder.pid, std::process::id());
        assert_eq!(daemon.stop("the test is over").await, [""; 0]);
        assert_eq!(instance::running(&place.location()), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn second_start_parses_nothing() {
    let place = Place::with(&[("a.md", "needle")]);
    let (first, _) = place.start(Role::Command("search")).await;
    first.stop("done").await;
    let (second, indexed) = place.start(Role::Serve).await;
    assert_eq!(indexed.parsed, 0);
    assert_eq!(search(&*second.store(), "needle").await, ["a.md"]);
    second.stop("done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn second_daemon_on_a_vault_is_refused_and_harms_nothing() {
    let place = Place::with(&[("a.md", "needle")]);
    let (first, _) = place.start(Role::Serve).await;
    let error = Daemon::start(place.config(Role::Serve)).await.unwrap_err();
    assert!(error.is_vault_in_use(), "{error}");
    assert_eq!(search(&*first.store(), "needle").await, ["a.md"]);
    assert_eq!(
        instance::running(first.location()).unwrap().api,
        first.api_address()
    );
    first.stop("done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn address_that_cannot_be_listened_on_leaves_no_lock_behind() {
    let place = Place::with(&[("a.md", "needle")]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = place
        .config(Role::Serve)
        .listening_on(taken.local_addr().unwrap());
    let error = Daemon::start(config).await.unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }), "{error}");
    let (daemon, _) = place.start(Role::Serve).await;
    daemon.stop("done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn command_gives_up_when_the_vault_goes_away() {
    let place = Place::with(&[("a.md", "needle")]);
    let (first, _) = place.start(Role::Command("search")).await;
    first.stop("done").await;
    std::fs::remove_file(place.location().vault().join("a.md")).unwrap();
    // An empty folder where an index knows notes looks like a disk that is not mounted.
    let daemon = Daemon::start(place.config(Role::Command("search")))
        .await
        .unwrap();
    let error = daemon.wait_indexed(|_| ()).await.unwrap_err();
    assert!(matches!(error, StartError::Indexing { .. }), "{error}");
    assert!(error.to_string().contains("mount the disk"), "{error}");
    daemon.stop("it failed").await;
}
