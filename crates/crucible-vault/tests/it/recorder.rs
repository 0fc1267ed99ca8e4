//! An index in memory that remembers what it was told, and a vault in a temporary folder.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::data_store::{Error, Problem, ProblemKind};
use crucible_services::events::{DaemonEvent, EventPublisher};
use crucible_services::note_index::{
    Applied, ChangeBatch, ChangeOrigin, FileChange, FileContent, FileStamp, NoteIndex,
};
use crucible_services::router::{RouteError, RoutingReceipt};
use crucible_services::service_traits::{ServiceContext, ServiceLifecycle as _};
use crucible_services::tasks::TaskOwner;
use crucible_vault::{
    Phase, ReconcileError, ReconcileReport, VaultConfig, VaultFolder, VaultService, reconcile,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// What the recorder holds of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Note(Vec<u8>),
    Attachment,
    Skipped(Problem),
}

#[derive(Debug, Default)]
struct Told {
    files: BTreeMap<String, (FileStamp, Held)>,
    log: Vec<String>,
    origins: Vec<ChangeOrigin>,
    faults: Vec<String>,
    notes_read: usize,
}

/// An index in memory.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    told: Mutex<Told>,
    refuses: AtomicBool,
}

impl Recorder {
    pub(crate) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }

    pub(crate) fn files(&self) -> BTreeMap<String, Held> {
        let told = self.told.lock().unwrap();
        told.files
            .iter()
            .map(|(path, (_, held))| (path.clone(), held.clone()))
            .collect()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.told.lock().unwrap().files.keys().cloned().collect()
    }

    pub(crate) fn note(&self, path: &str) -> Option<String> {
        match &self.told.lock().unwrap().files.get(path)?.1 {
            Held::Note(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    pub(crate) fn problem(&self, path: &str) -> Option<ProblemKind> {
        match &self.told.lock().unwrap().files.get(path)?.1 {
            Held::Skipped(problem) => Some(problem.kind),
            _ => None,
        }
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        let told = self.told.lock().unwrap();
        told.files
            .values()
            .filter_map(|(_, held)| match held {
                Held::Skipped(problem) => Some(problem.clone()),
                _ => None,
            })
            .collect()
    }

    /// The changes since the last call, as `+path`, `path->path`, `-path` and `!path`.
    pub(crate) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap().log)
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.told.lock().unwrap().log.clone()
    }

    pub(crate) fn origins(&self) -> Vec<ChangeOrigin> {
        self.told.lock().unwrap().origins.clone()
    }

    pub(crate) fn notes_read(&self) -> usize {
        self.told.lock().unwrap().notes_read
    }

    /// What a contract would call a fault of the vault's.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.told.lock().unwrap().faults.clone()
    }
}

#[async_trait]
impl NoteIndex for Recorder {
    async fn known_files(&self) -> Result<HashMap<String, FileStamp>, Error> {
        let told = self.told.lock().unwrap();
        Ok(told
            .files
            .iter()
            .map(|(path, (stamp, _))| (path.clone(), *stamp))
            .collect())
    }

    async fn apply(&self, batch: ChangeBatch) -> Result<Applied, Error> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Error::Internal {
                message: "no space left on device".to_owned(),
            });
        }
        let mut told = self.told.lock().unwrap();
        told.apply(batch);
        Ok(Applied::default())
    }

    async fn settle(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Told {
    fn apply(&mut self, batch: ChangeBatch) {
        self.check_bounds(&batch);
        self.origins.push(batch.origin);
        for change in batch.changes {
            match change {
                FileChange::Upsert {
                    path,
                    stamp,
                    content,
                } => {
                    self.log.push(format!("+{path}"));
                    let held = match content {
                        FileContent::Note(bytes) => {
                            self.notes_read += 1;
                            Held::Note(bytes.to_vec())
                        }
                        FileContent::Attachment => Held::Attachment,
                    };
                    self.files.insert(path, (stamp, held));
                }
                FileChange::Move { from, to, stamp } => {
                    self.log.push(format!("{from}->{to}"));
                    match self.files.remove(&from) {
                        Some((_, held)) => {
                            self.files.insert(to, (stamp, held));
                        }
                        None => self
                            .faults
                            .push(format!("moved {from:?}, which is unknown")),
                    }
                }
                FileChange::Remove { path } => {
                    self.log.push(format!("-{path}"));
                    if self.files.remove(&path).is_none() {
                        self.faults
                            .push(format!("removed {path:?}, which is unknown"));
                    }
                }
                FileChange::Skip { problem, stamp } => {
                    self.log.push(format!("!{}", problem.path));
                    let stamp = stamp.unwrap();
                    self.files
                        .insert(problem.path.clone(), (stamp, Held::Skipped(problem)));
                }
            }
        }
    }

    fn check_bounds(&mut self, batch: &ChangeBatch) {
        let sizes = batch.changes.iter().map(|change| match change {
            FileChange::Upsert {
                content: FileContent::Note(bytes),
                ..
            } => bytes.len(),
            _ => 0,
        });
        let bytes: usize = sizes.clone().sum();
        let notes = sizes.filter(|size| *size > 0).count();
        if batch.changes.is_empty() || batch.changes.len() > 512 {
            self.faults
                .push(format!("a batch of {} changes", batch.changes.len()));
        }
        if bytes > 9 * 1024 * 1024 && notes > 1 {
            self.faults.push(format!("a batch of {bytes} bytes"));
        }
    }
}

/// A vault in a temporary folder, with its index.
pub(crate) struct TestVault {
    place: tempfile::TempDir,
    pub(crate) config: VaultConfig,
    pub(crate) index: Arc<Recorder>,
    tasks: TaskOwner,
}

#[derive(Debug)]
struct NoEvents;

#[async_trait]
impl EventPublisher for NoEvents {
    async fn publish(&self, _event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        Err(RouteError::Closed)
    }
}

impl TestVault {
    pub(crate) fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("vault");
        std::fs::create_dir(&root).unwrap();
        let config = VaultConfig::new(root.canonicalize().unwrap());
        Self {
            place,
            config,
            index: Arc::default(),
            tasks: TaskOwner::new("test"),
        }
    }

    /// A vault that leaves a save of several steps time to end, however busy the machine is.
    pub(crate) fn patient() -> Self {
        let mut vault = Self::new();
        vault.config.quiet_period = Duration::from_millis(400);
        vault
    }

    pub(crate) fn root(&self) -> &Path {
        &self.config.root
    }

    /// A place on the same disk, outside the vault.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.root().join(from), self.root().join(to)).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_file(self.root().join(path)).unwrap();
    }

    pub(crate) fn folder(&self) -> VaultFolder {
        VaultFolder::open(&self.config).unwrap()
    }

    pub(crate) async fn try_reconcile(&self) -> Result<ReconcileReport, ReconcileError> {
        let token = CancellationToken::new();
        reconcile(&self.folder(), self.index.as_ref(), &token).await
    }

    pub(crate) async fn reconcile(&self) -> ReconcileReport {
        self.try_reconcile().await.unwrap()
    }

    pub(crate) fn context(&self) -> ServiceContext {
        ServiceContext {
            tasks: self.tasks.clone(),
            events: Arc::new(NoEvents),
        }
    }

    /// Starts the service and waits for its first comparison.
    pub(crate) async fn serve(&self) -> VaultService {
        let service = VaultService::new(
            self.config.clone(),
            self.folder(),
            Arc::clone(&self.index) as _,
        );
        service.start(self.context()).await.unwrap();
        wait_for_watching(&service).await;
        service
    }

    /// What the index should hold: everything that an independent walk finds.
    pub(crate) fn on_disk(&self) -> BTreeMap<String, Held> {
        let mut files = BTreeMap::new();
        collect(self.root(), self.root(), &mut files);
        files
    }

    pub(crate) async fn wait_until_equal(&self) {
        until("the index equals the disk", || {
            self.index.files() == self.on_disk()
        })
        .await;
        assert_eq!(self.index.faults(), Vec::<String>::new());
    }
}

pub(crate) async fn wait_for_watching(service: &VaultService) {
    let mut progress = service.progress();
    let watching = progress.wait_for(|progress| {
        matches!(progress.phase, Phase::Watching { .. }) && progress.failure.is_none()
    });
    let _progress = tokio::time::timeout(DEADLINE, watching)
        .await
        .unwrap()
        .unwrap();
}

/// Waits until `holds`; fails with `what` after the deadline.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "not before the deadline: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Held>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            collect(root, &path, files);
            continue;
        }
        let held = if name.ends_with(".md") {
            Held::Note(std::fs::read(&path).unwrap())
        } else {
            Held::Attachment
        };
        let relative = path
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        files.insert(relative, held);
    }
}
