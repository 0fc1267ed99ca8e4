//! State is kept like the in-memory twin keeps it, lasts, and is never dropped.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crucible_services::state_store::{
    Error, Expect, KEY_BYTES_MAX, MemoryState, NAMESPACE_BYTES_MAX, StateStore, StateWrite,
    VALUE_BYTES_MAX,
};
use crucible_store::{StateFile, StateFileError};
use tokio::task::JoinSet;

/// Names the file to the process that will be killed.
const FILE_VARIABLE: &str = "CRUCIBLE_STATE_CRASH_FILE";

fn pairs(found: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    found
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_slice()))
        .collect()
}

/// What every state store does.
async fn conforms(state: &dyn StateStore) {
    assert_eq!(state.get("n", "a").await.unwrap(), None);
    let keys = ["a", "b", "ba", "c\0d", "é", ""];
    let writes = keys.map(|key| StateWrite::put(key, key.as_bytes()));
    state.write("n", writes.to_vec()).await.unwrap();
    state
        .write("m", vec![StateWrite::put("b", "other")])
        .await
        .unwrap();
    assert_eq!(
        state.get("n", "c\0d").await.unwrap(),
        Some(b"c\0d".to_vec())
    );
    assert_eq!(state.get("n", "").await.unwrap(), Some(Vec::new()));
    assert_eq!(state.get("m", "b").await.unwrap(), Some(b"other".to_vec()));

    let all = state.list("n", "", None, 100).await.unwrap();
    let listed: Vec<&str> = all.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(listed, ["", "a", "b", "ba", "c\0d", "é"]);
    let page = state.list("n", "b", None, 1).await.unwrap();
    assert_eq!(pairs(&page), [("b", &b"b"[..])]);
    let page = state.list("n", "b", Some("b"), 9).await.unwrap();
    assert_eq!(pairs(&page), [("ba", &b"ba"[..])]);
    assert!(state.list("n", "b", Some("z"), 9).await.unwrap().is_empty());
    assert!(state.list("n", "x", Some("a"), 9).await.unwrap().is_empty());
    assert!(state.list("n", "", None, 0).await.unwrap().is_empty());
    assert_eq!(
        state.size_bytes("n").await.unwrap(),
        2 * (1 + 1 + 2 + 3 + 2)
    );
    assert_eq!(state.size_bytes("nobody's").await.unwrap(), 0);

    let refused = vec![
        StateWrite::put("new", "1"),
        StateWrite::remove("a").expecting(Expect::Value(b"not this".to_vec())),
    ];
    let key = "a".to_owned();
    assert_eq!(state.write("n", refused).await, Err(Error::Changed { key }));
    assert_eq!(state.get("n", "new").await.unwrap(), None);
    let kept = vec![
        StateWrite::put("new", "1").expecting(Expect::Absent),
        StateWrite::put("new", "2").expecting(Expect::Value(b"1".to_vec())),
        StateWrite::remove("a").expecting(Expect::Value(b"a".to_vec())),
        StateWrite::remove("never there"),
    ];
    state.write("n", kept).await.unwrap();
    assert_eq!(state.get("n", "new").await.unwrap(), Some(b"2".to_vec()));
    assert_eq!(state.get("n", "a").await.unwrap(), None);
    bounds_hold(state).await;
}

async fn bounds_hold(state: &dyn StateStore) {
    let at_most = StateWrite::put("k".repeat(KEY_BYTES_MAX), vec![7; VALUE_BYTES_MAX]);
    let namespace = "n".repeat(NAMESPACE_BYTES_MAX);
    state.write(&namespace, vec![at_most]).await.unwrap();
    let size = (KEY_BYTES_MAX + VALUE_BYTES_MAX) as u64;
    assert_eq!(state.size_bytes(&namespace).await.unwrap(), size);
    for (namespace, write) in [
        ("n".repeat(NAMESPACE_BYTES_MAX + 1), StateWrite::remove("k")),
        (
            "n".to_owned(),
            StateWrite::remove("k".repeat(KEY_BYTES_MAX + 1)),
        ),
        (
            "n".to_owned(),
            StateWrite::put("k", vec![0; VALUE_BYTES_MAX + 1]),
        ),
    ] {
        let refused = state.write(&namespace, vec![write]).await;
        assert!(
            matches!(refused, Err(Error::TooLarge { .. })),
            "{refused:?}"
        );
    }
}

/// Of writers that expect what they read, none overwrites another's.
async fn counts_every_increment(state: Arc<dyn StateStore>) {
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let state = Arc::clone(&state);
        writers.spawn(async move {
            for _ in 0..5 {
                while increment(state.as_ref()).await.is_err() {}
            }
        });
    }
    writers.join_all().await;
    let counted = state.get("n", "count").await.unwrap();
    assert_eq!(counted, Some(b"40".to_vec()));
}

async fn increment(state: &dyn StateStore) -> Result<(), Error> {
    let old = state.get("n", "count").await?;
    let text = old
        .as_deref()
        .map_or("0", |old| std::str::from_utf8(old).unwrap());
    let next = text.parse::<u32>().unwrap() + 1;
    let expect = old.clone().map_or(Expect::Absent, Expect::Value);
    let write = StateWrite::put("count", next.to_string()).expecting(expect);
    state.write("n", vec![write]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn file_and_memory_keep_state_alike() {
    let place = tempfile::tempdir().unwrap();
    conforms(&MemoryState::default()).await;
    counts_every_increment(Arc::new(MemoryState::default())).await;
    conforms(&StateFile::open(place.path().join("a.db")).unwrap()).await;
    let file = StateFile::open(place.path().join("new folder/b.db")).unwrap();
    counts_every_increment(Arc::new(file)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_open_files_are_one_state() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("state.db");
    let (one, other) = (
        StateFile::open(&path).unwrap(),
        StateFile::open(&path).unwrap(),
    );
    one.write("n", vec![StateWrite::put("k", "1")])
        .await
        .unwrap();
    assert_eq!(other.get("n", "k").await.unwrap(), Some(b"1".to_vec()));
    let taken = vec![StateWrite::put("k", "2").expecting(Expect::Absent)];
    assert!(matches!(
        other.write("n", taken).await,
        Err(Error::Changed { .. })
    ));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("state.db");
    let state = StateFile::open(&path).unwrap();
    state
        .write("n", vec![StateWrite::put("k", "1")])
        .await
        .unwrap();
    for entry in std::fs::read_dir(place.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    drop(state);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    StateFile::open(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
}

/// The file of a closed state with some keys in it.
async fn written(path: &Path) -> Vec<u8> {
    let state = StateFile::open(path).unwrap();
    for number in 0..200 {
        let write = StateWrite::put(format!("key {number}"), vec![7; 300]);
        state.write("n", vec![write]).await.unwrap();
    }
    drop(state);
    let log = path.with_extension("db-wal");
    crate::bench::until("the file is closed", async || !log.exists()).await;
    std::fs::read(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_named_and_left_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("state.db");
    let sound = written(&path).await;
    let mut holed = sound.clone();
    for at in (4096..holed.len()).step_by(4096) {
        holed[at..at + 64].fill(0xa5);
    }
    for (name, damaged) in [
        ("not a database", b"tokens: none".repeat(100)),
        ("empty", Vec::new()),
        ("cut off", sound[..sound.len() / 2].to_vec()),
        ("holes", holed),
    ] {
        std::fs::write(&path, &damaged).unwrap();
        let error = StateFile::open(&path).unwrap_err();
        assert!(
            matches!(error, StateFileError::Damaged { .. }),
            "{name}: {error}"
        );
        let message = error.to_string();
        assert!(message.contains(path.to_str().unwrap()), "{message}");
        assert!(
            message.contains("put a copy of it in its place"),
            "{message}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), damaged, "{name}");
    }
    std::fs::write(&path, &sound).unwrap();
    let state = StateFile::open(&path).unwrap();
    assert_eq!(
        state.list("n", "key ", None, 1000).await.unwrap().len(),
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_with_its_log_is_no_new_beginning() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("state.db");
    let state = StateFile::open(&path).unwrap();
    state
        .write("n", vec![StateWrite::put("k", "1")])
        .await
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    let error = StateFile::open(&path).unwrap_err();
    assert!(matches!(error, StateFileError::Damaged { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_later_program_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("state.db");
    let mut bytes = written(&path).await;
    bytes[60..64].copy_from_slice(&9_u32.to_be_bytes()); // `user_version` in SQLite's file header
    std::fs::write(&path, bytes).unwrap();
    let error = StateFile::open(&path).unwrap_err();
    assert!(
        matches!(error, StateFileError::Newer { version: 9, .. }),
        "{error}"
    );
}

/// The process that is killed: writes one number after another and says which are acknowledged.
#[test]
fn the_process_that_is_killed_while_it_writes_state() {
    let Some(path) = std::env::var_os(FILE_VARIABLE) else {
        return;
    };
    let acknowledged = Path::new(&path).with_extension("acknowledged");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let state = StateFile::open(&path).unwrap();
        let begun = state.list("n", "", None, usize::MAX).await.unwrap().len();
        for number in begun.. {
            let write = StateWrite::put(format!("{number:06}"), "x").expecting(Expect::Absent);
            state.write("n", vec![write]).await.unwrap();
            std::fs::write(&acknowledged, (number + 1).to_string()).unwrap();
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_holds_what_was_acknowledged() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("state.db");
    let acknowledged = path.with_extension("acknowledged");
    let mut last = 0;
    for kill in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "state::the_process_that_is_killed_while_it_writes_state",
            ])
            .env(FILE_VARIABLE, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let count = || {
            let text = std::fs::read_to_string(&acknowledged).unwrap_or_default();
            text.parse::<usize>().unwrap_or(0) // being written just now
        };
        crate::bench::until("something was acknowledged", async || count() > last).await;
        tokio::time::sleep(Duration::from_millis(kill * 7)).await; // another moment every time
        child.kill().unwrap();
        child.wait().unwrap();
        let state = StateFile::open(&path).unwrap();
        let held = state.list("n", "", None, usize::MAX).await.unwrap();
        assert!(held.len() >= count(), "{} of {}", held.len(), count());
        let keys = held.iter().map(|(key, _)| key.clone());
        assert!(keys.eq((0..held.len()).map(|number| format!("{number:06}"))));
        last = held.len();
    }
}
