//! How a vault is walked and watched.

use std::path::PathBuf;
use std::time::Duration;

/// How a vault is walked and watched. [`VaultConfig::new`] has the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultConfig {
    /// The folder.
    pub root: PathBuf,
    /// The size, in bytes, above which a note is skipped and named; 100 MiB.
    pub note_bytes_max: u64,
    /// How many folders deep notes are looked for, below the root; 256.
    pub depth_max: usize,
    /// How long a path must be left alone before it is looked at; 50 ms.
    ///
    /// A file that never rests is looked at all the same, every ten such periods; a file that is
    /// missing counts as deleted after two more.
    pub quiet_period: Duration,
    /// How often the whole folder is compared, in case a change was not noticed; 10 min.
    pub reconcile_interval: Duration,
    /// Whether changes are watched for; without it they are found by the comparison on the timer.
    pub watch: bool,
    /// How many folders are watched at most (one system watch each, where the system watches by
    /// folder); no bound but the system's own. Above it the whole folder is compared every 5 s.
    pub watch_folders_max: usize,
}

impl VaultConfig {
    /// Returns the defaults for the vault at `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            note_bytes_max: 100 * 1024 * 1024,
            depth_max: 256,
            quiet_period: Duration::from_millis(50),
            reconcile_interval: Duration::from_secs(600),
            watch: true,
            watch_folders_max: usize::MAX,
        }
    }
}
