//! Pulls from a server that the test starts and that answers as the hub does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::get;
use crucible_inference::models::{Error, InstalledModel, ModelLibrary, Progress, Source};
use crucible_services::tasks::TaskOwner;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::tiny;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the server has, how it misbehaves, and what it was asked.
#[derive(Default)]
struct Hub {
    files: BTreeMap<String, Vec<u8>>,
    /// Weights are cut off after so many bytes, as often as it says.
    breaks: Mutex<(u64, usize)>,
    /// Weights stop, without an end, after so many bytes.
    hangs_after: Mutex<Option<usize>>,
    /// What the server says about the weights is wrong.
    lies: bool,
    ranges: Mutex<Vec<String>>,
}

struct Place {
    library: ModelLibrary,
    hub: Arc<Hub>,
    _tasks: TaskOwner,
    _temp: tempfile::TempDir,
}

impl Place {
    async fn new(hub: Hub) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let made = temp.path().join("made");
        tiny::write(&made);
        let mut hub = hub;
        for name in ["config.json", "vocab.txt", "model.safetensors"] {
            let content = std::fs::read(made.join(name)).unwrap();
            hub.files.entry(name.to_owned()).or_insert(content);
        }
        hub.files.insert("pytorch_model.bin".to_owned(), vec![0; 9]);
        let hub = Arc::new(hub);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/api/models/{owner}/{name}/revision/{revision}", get(list))
            .route("/{owner}/{name}/resolve/{commit}/{*file}", get(file))
            .with_state(Arc::clone(&hub));
        let tasks = TaskOwner::new("hub");
        tasks.spawn("serve", async move {
            let _stopped = axum::serve(listener, router).await;
        });
        let library =
            ModelLibrary::new(temp.path().join("models")).with_hub(format!("http://{address}/"));
        Self {
            library,
            hub,
            _tasks: tasks,
            _temp: temp,
        }
    }

    async fn pull(&self, told: &mut Vec<Progress>) -> Result<InstalledModel, Error> {
        let source = Source::parse("someone/tiny");
        let mut progress = |progress| told.push(progress);
        self.library.pull(&source, None, &mut progress).await
    }

    fn ranges(&self) -> Vec<String> {
        self.hub.ranges.lock().unwrap().clone()
    }
}

async fn list(
    State(hub): State<Arc<Hub>>,
    Path((owner, name, revision)): Path<(String, String, String)>,
) -> Response<Body> {
    if (owner.as_str(), name.as_str(), revision.as_str()) != ("someone", "tiny", "main") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let siblings: Vec<Value> = hub
        .files
        .iter()
        .map(|(name, content)| {
            let size = content.len();
            if name.ends_with(".safetensors") {
                let sha256 = if hub.lies {
                    "00".repeat(32)
                } else {
                    sha256(content)
                };
                let lfs = json!({ "sha256": sha256, "size": size, "pointerSize": 134 });
                json!({ "rfilename": name, "size": size, "blobId": "f00", "lfs": lfs })
            } else {
                json!({ "rfilename": name, "size": size, "blobId": git_hash(content) })
            }
        })
        .collect();
    axum::Json(json!({ "sha": COMMIT, "siblings": siblings })).into_response()
}

async fn file(
    State(hub): State<Arc<Hub>>,
    Path((_owner, _name, commit, file)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Response<Body> {
    let Some(content) = hub.files.get(&file).filter(|_| commit == COMMIT) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let range = headers
        .get("range")
        .map(|range| range.to_str().unwrap().to_owned());
    let start: usize = range
        .as_deref()
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    hub.ranges.lock().unwrap().extend(range);
    let mut pieces: Vec<Result<Vec<u8>, std::io::Error>> = vec![Ok(content[start..].to_vec())];
    let mut breaks = hub.breaks.lock().unwrap();
    if file.ends_with(".safetensors") && breaks.0 > 0 {
        breaks.0 -= 1;
        let end = content.len().min(start + breaks.1);
        pieces = vec![
            Ok(content[start..end].to_vec()),
            Err(std::io::Error::other("the cable is cut")),
        ];
    }
    let pieces = futures_util::stream::iter(pieces).then(|piece| async {
        tokio::task::yield_now().await;
        piece
    });
    let hangs_after = hub
        .hangs_after
        .lock()
        .unwrap()
        .filter(|_| file.ends_with(".safetensors"));
    let body = match hangs_after {
        Some(bytes) => {
            let first = Ok::<_, std::io::Error>(content[..bytes].to_vec());
            let first = futures_util::stream::iter([first]);
            Body::from_stream(first.chain(futures_util::stream::pending()))
        }
        None => Body::from_stream(pieces),
    };
    let response = Response::builder();
    let response = if start > 0 {
        let last = content.len() - 1;
        response.status(StatusCode::PARTIAL_CONTENT).header(
            "content-range",
            format!("bytes {start}-{last}/{}", content.len()),
        )
    } else {
        response
    };
    response.body(body).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(content: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, content).as_ref())
}

fn git_hash(content: &[u8]) -> String {
    let mut blob = format!("blob {}\0", content.len()).into_bytes();
    blob.extend_from_slice(content);
    hex(ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &blob).as_ref())
}

#[tokio::test]
async fn model_is_downloaded_with_progress_and_only_what_is_needed() {
    let place = Place::new(Hub::default()).await;
    let mut told = Vec::new();
    let pulled = place.pull(&mut told).await.unwrap();
    assert_eq!(
        (pulled.name.as_str(), pulled.source.as_str()),
        ("tiny", "someone/tiny@main")
    );
    let last = told.last().unwrap();
    assert_eq!(Some(last.bytes), last.bytes_total);
    assert_eq!(last.bytes, pulled.bytes);
    assert!(told.is_sorted_by_key(|progress| progress.bytes));
    assert!(!pulled.path.join("pytorch_model.bin").exists());
    assert_eq!(place.library.list().unwrap(), [pulled]);
}

#[tokio::test]
async fn download_that_breaks_off_goes_on_where_it_was() {
    let place = Place::new(Hub {
        breaks: Mutex::new((2, 5000)),
        ..Hub::default()
    })
    .await;
    place.pull(&mut Vec::new()).await.unwrap();
    assert_eq!(place.ranges(), ["bytes=5000-", "bytes=10000-"]);
}

#[tokio::test]
async fn next_pull_uses_what_one_that_was_given_up_left() {
    let place = Place::new(Hub {
        hangs_after: Mutex::new(Some(7000)),
        ..Hub::default()
    })
    .await;
    let source = Source::parse("someone/tiny");
    let stuck = tokio::sync::Notify::new();
    let mut progress = |progress: Progress| {
        if progress.file == "model.safetensors" {
            stuck.notify_one();
        }
    };
    tokio::select! {
        _ = place.library.pull(&source, None, &mut progress) => panic!("the hub hangs"),
        () = stuck.notified() => {}
    }
    assert!(place.library.list().unwrap().is_empty());
    *place.hub.hangs_after.lock().unwrap() = None;
    place.pull(&mut Vec::new()).await.unwrap();
    assert_eq!(place.ranges(), ["bytes=7000-"]);
}

#[tokio::test]
async fn file_that_is_not_what_the_hub_says_is_thrown_away() {
    let place = Place::new(Hub {
        lies: true,
        ..Hub::default()
    })
    .await;
    let error = place.pull(&mut Vec::new()).await.unwrap_err();
    assert!(matches!(&error, Error::Checksum { file, .. } if file == "model.safetensors"));
    assert!(place.library.list().unwrap().is_empty());
    let staged = place.library.folder().join(".pull-tiny/model.safetensors");
    assert!(!staged.exists() && !staged.with_extension("safetensors.part").exists());
}

#[tokio::test]
async fn repository_that_is_not_there_is_named() {
    let place = Place::new(Hub::default()).await;
    let source = Source::parse("nobody/nothing");
    let error = place
        .library
        .pull(&source, None, &mut |_| {})
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("nobody/nothing") && text.contains("404"),
        "{text}"
    );
}

#[tokio::test]
async fn hub_that_cannot_be_reached_suggests_a_folder_or_a_wheel() {
    let temp = tempfile::tempdir().unwrap();
    // A port that was free a moment ago, and on which nobody listens now.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let library = ModelLibrary::new(temp.path()).with_hub(format!("http://{address}"));
    let pulled = library.pull(&Source::parse("a/b"), None, &mut |_| {}).await;
    let text = pulled.unwrap_err().to_string();
    assert!(text.contains("wheel"), "{text}");
}

#[tokio::test]
async fn second_pull_of_the_same_model_waits_for_nobody() {
    let place = Place::new(Hub::default()).await;
    let folder = place.library.folder().join(".pull-tiny");
    std::fs::create_dir_all(&folder).unwrap();
    let lock = std::fs::File::create(folder.join("lock")).unwrap();
    lock.try_lock().unwrap();
    let error = place.pull(&mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, Error::Busy(_)), "{error:?}");
}
