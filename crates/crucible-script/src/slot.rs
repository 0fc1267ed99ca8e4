//! One installed script: the version in force, what it may do, how it has fared.
//!
//! A slot lives as long as the script's folder. What changes is behind one lock that is held for
//! moments; calls take what they need out of it and run without.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crucible_services::script::{Error, LogLine, ScheduleInfo, ScriptInfo, ScriptState};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::capability::Capability;
use crate::config::ScriptConfig;
use crate::grants::Grant;
use crate::job::Job;
use crate::log::LogRing;
use crate::package::Stamp;
use crate::planner::Planner;
use crate::queue::Queue;
use crate::rate::Rate;
use crate::scopes::Scopes;
use crate::version::Version;

/// How long a script waits after its first crash; each further one doubles it.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// The longest wait after a crash.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// One installed script.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) queue: Queue<Job>,
    pub(crate) emits: Arc<Mutex<Rate>>,
    /// Cancelled when the script is removed or the engine stops.
    pub(crate) token: CancellationToken,
    state: Mutex<State>,
    log: Mutex<LogRing>,
    calls: AtomicU64,
    failures: AtomicU64,
    dropped: AtomicU64,
}

/// What changes.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) force: Option<Force>,
    /// Why the newest version in the folder is not in force.
    pub(crate) refused: Option<String>,
    pub(crate) grant: Option<Grant>,
    pub(crate) planner: Option<Planner>,
    pub(crate) stamp: Option<Stamp>,
    last_error: Option<String>,
    crashes: u32,
    /// Why nothing is called until the script is loaded again.
    off: Option<String>,
    not_before: Option<Instant>,
}

/// What is in force.
#[derive(Clone, Debug)]
pub(crate) struct Force {
    pub(crate) version: Arc<Version>,
    pub(crate) scopes: Arc<Scopes>,
}

impl Slot {
    pub(crate) fn new(name: &str, config: &ScriptConfig, token: CancellationToken) -> Self {
        Self {
            name: name.to_owned(),
            queue: Queue::new(config.queue_max),
            emits: Arc::new(Mutex::new(Rate::new(
                config.emits_per_minute,
                Instant::now(),
            ))),
            token,
            state: Mutex::default(),
            log: Mutex::new(LogRing::new(config.log_lines_max)),
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) -> MutexGuard<'_, LogRing> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self, line: LogLine) {
        self.ring().push(line);
    }

    pub(crate) fn log(&self, limit: usize) -> Vec<LogLine> {
        self.ring().newest(limit)
    }

    /// Returns what is in force, if calls are made at all.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with the reason.
    pub(crate) fn force(&self) -> Result<Force, Error> {
        let state = self.state();
        if let Some(why) = &state.off {
            return Err(Error::Unavailable(why.clone()));
        }
        state.force.clone().ok_or_else(|| {
            let why = state
                .refused
                .clone()
                .unwrap_or_else(|| "it is being read".to_owned());
            Error::Unavailable(format!("no version of {:?} is in force: {why}", self.name))
        })
    }

    /// Returns when the next call may begin, after crashes.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        self.state().not_before
    }

    pub(crate) fn count_dropped(&self) -> u64 {
        self.dropped.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a call that ended well.
    pub(crate) fn succeeded(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        state.crashes = 0;
        state.not_before = None;
    }

    /// Counts a call that failed; says whether crashes have now switched the script off.
    pub(crate) fn failed(&self, error: &str, crash: Option<&str>, crashes_max: u32) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.failures.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        state.last_error = Some(error.to_owned());
        let Some(crash) = crash else {
            return false;
        };
        state.crashes += 1;
        let doubled = BACKOFF_FIRST.saturating_mul(1 << (state.crashes - 1).min(16));
        state.not_before = Some(Instant::now() + doubled.min(BACKOFF_MAX));
        let is_off = state.crashes >= crashes_max;
        if is_off {
            let why = format!(
                "switched off after {} crashes in a row, the last: {crash}; mend the script, or \
                 load it again with `crucible script reload {}`",
                state.crashes, self.name
            );
            state.last_error = Some(why.clone());
            state.off = Some(why);
        }
        is_off
    }

    /// Puts a version in force and forgets how former ones fared.
    pub(crate) fn put(&self, force: Force, grant: Option<Grant>, planner: Planner) {
        let mut state = self.state();
        state.force = Some(force);
        state.grant = grant;
        state.planner = Some(planner);
        state.refused = None;
        state.last_error = None;
        state.crashes = 0;
        state.off = None;
        state.not_before = None;
    }

    /// Notes that the version in the folder was refused; says whether that is news.
    pub(crate) fn refuse(&self, why: &str) -> bool {
        let mut state = self.state();
        let is_news = state.refused.as_deref() != Some(why);
        state.refused = Some(why.to_owned());
        state.last_error = Some(why.to_owned());
        is_news
    }

    /// Says in words what a person should look at; `None` when all is well.
    pub(crate) fn complaint(&self) -> Option<String> {
        let state = self.state();
        match (&state.off, &state.refused) {
            (Some(why), _) => Some(format!("{}: {why}", self.name)),
            (None, Some(why)) => Some(format!("{}: {why}", self.name)),
            (None, None) => None,
        }
    }

    pub(crate) fn info(&self) -> ScriptInfo {
        let state = self.state();
        let manifest = state.force.as_ref().map(|force| &force.version.manifest);
        let scopes = state.force.as_ref().map(|force| &force.scopes);
        let granted = scopes.map(|scopes| scopes.granted()).unwrap_or_default();
        let requested = manifest.map(|manifest| manifest.capabilities.as_slice());
        let texts = |asked: &[Capability]| asked.iter().map(ToString::to_string).collect();
        ScriptInfo {
            name: self.name.clone(),
            about: manifest
                .map(|manifest| manifest.about.clone())
                .unwrap_or_default(),
            state: match (&state.force, &state.refused) {
                (Some(_), None) => ScriptState::Active,
                (Some(_), Some(_)) => ScriptState::Outdated,
                (None, _) => ScriptState::Faulty,
            },
            version: state
                .force
                .as_ref()
                .map(|force| force.version.source.version.clone())
                .unwrap_or_default(),
            manifest: manifest
                .map(|manifest| manifest.hash.clone())
                .unwrap_or_default(),
            requested: texts(requested.unwrap_or_default()),
            granted: texts(granted),
            handlers: manifest.map(describe_handlers).unwrap_or_default(),
            tools: manifest
                .map(|manifest| {
                    manifest
                        .tools
                        .iter()
                        .map(|tool| tool.name.clone())
                        .collect()
                })
                .unwrap_or_default(),
            schedules: schedules(&state),
            calls: self.calls.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            last_error: state.last_error.clone(),
        }
    }
}

fn describe_handlers(manifest: &crate::manifest::Manifest) -> Vec<String> {
    let describe = |handler: &crate::manifest::Handler| {
        let mut words = handler.events.join(", ");
        if !handler.paths.is_empty() {
            words.push_str(&format!(" in {}", handler.paths.join(", ")));
        }
        if !handler.not_paths.is_empty() {
            words.push_str(&format!(" but not in {}", handler.not_paths.join(", ")));
        }
        if !handler.tags.is_empty() {
            words.push_str(&format!(" tagged {}", handler.tags.join(" or ")));
        }
        format!("{words} -> {}", handler.function)
    };
    manifest.handlers.iter().map(describe).collect()
}

fn schedules(state: &State) -> Vec<ScheduleInfo> {
    let (Some(force), Some(planner)) = (&state.force, &state.planner) else {
        return Vec::new();
    };
    let lines = force.version.manifest.schedules.iter().enumerate();
    lines
        .map(|(index, schedule)| ScheduleInfo {
            function: schedule.function.clone(),
            cron: schedule.cron.as_str().to_owned(),
            next: planner.next(index),
            last: planner.last(index),
        })
        .collect()
}
