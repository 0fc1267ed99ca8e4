//! How a service comes under supervision.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use crucible_services::clock;
use crucible_services::health::ServiceHealth;
use crucible_services::ids::ServiceName;
use crucible_services::router::{InstanceSpec, Subscription};
use crucible_services::service_traits::{ServiceKind, ServiceLifecycle};
use crucible_services::tasks::panic_message;
use tokio::sync::{mpsc, watch};

use crate::core::Inner;
use crate::error::Error;
use crate::options::ServiceOptions;
use crate::registry::Member;
use crate::state::ServiceState;
use crate::status::ServiceStatus;
use crate::supervisor::{COMMANDS_MAX, Inbox, Parts, Snapshot, Supervisor};

/// The longest name of a service, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// What a service says about itself; asked once, when it is registered.
struct Profile {
    name: String,
    version: String,
    kind: ServiceKind,
    dependencies: Vec<String>,
    subscriptions: Vec<Subscription>,
}

impl Profile {
    fn ask(service: &dyn ServiceLifecycle) -> Result<Self, Error> {
        let ask = || Self {
            name: service.name().to_owned(),
            version: service.version().to_owned(),
            kind: service.kind(),
            dependencies: service.dependencies(),
            subscriptions: service
                .subscriptions()
                .into_iter()
                .map(Subscription::from)
                .collect(),
        };
        let profile = std::panic::catch_unwind(AssertUnwindSafe(ask)).map_err(|panic| {
            let message = panic_message(panic.as_ref()).to_owned();
            Error::Panicked { message }
        })?;
        check_name(&profile.name)?;
        Ok(profile)
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let reason = if name.trim().is_empty() {
        "it is empty".to_owned()
    } else if name.len() > NAME_BYTES_MAX {
        format!("it is longer than {NAME_BYTES_MAX} bytes")
    } else if name.chars().any(char::is_control) {
        "it has control characters".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::InvalidName {
        name: name.chars().take(NAME_BYTES_MAX).collect(),
        reason,
    })
}

/// Puts the service under supervision, not started yet, and returns its name.
pub(crate) fn register(
    core: &Inner,
    service: Arc<dyn ServiceLifecycle>,
    options: ServiceOptions,
) -> Result<String, Error> {
    let profile = Profile::ask(service.as_ref())?;
    let max = core.settings.borrow().max_services;
    let name = profile.name.clone();
    let dependencies = profile.dependencies.clone();
    core.registry.insert(&name, &dependencies, max, || {
        supervise(core, service, profile, options)
    })?;
    core.tell.registered(&name);
    Ok(name)
}

fn supervise(
    core: &Inner,
    service: Arc<dyn ServiceLifecycle>,
    profile: Profile,
    options: ServiceOptions,
) -> Result<Member, Error> {
    let name = profile.name;
    let subscriptions = options.subscriptions.clone();
    let spec = InstanceSpec {
        service: ServiceName::new(name.clone()),
        kind: profile.kind.clone(),
        subscriptions: subscriptions.unwrap_or(profile.subscriptions),
    };
    let (instance, faults) = core
        .router
        .add(spec, Arc::clone(&service))
        .map_err(|error| Error::InvalidName {
            name: name.clone(),
            reason: error.to_string(),
        })?;
    let snapshot = Snapshot::new(ServiceStatus {
        name: name.clone(),
        kind: profile.kind,
        version: profile.version,
        state: ServiceState::Registered,
        ready: false,
        health: ServiceHealth::default(),
        restarts: 0,
        dependencies: profile.dependencies.clone(),
        waiting_for: Vec::new(),
        since: clock::now(),
        last_error: None,
    });
    let (shown, snapshot) = watch::channel(snapshot);
    let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
    let parts = Parts {
        name: name.clone(),
        service: Arc::clone(&service),
        dependencies: profile.dependencies.clone(),
        options,
        instance: Arc::new(instance),
        registry: Arc::clone(&core.registry),
        settings: core.settings.subscribe(),
        core: core.stage.clone(),
        events: Arc::new(core.publisher()),
        tell: core.tell.clone(),
        tasks: core.tasks.clone(),
        log: Arc::clone(&core.health),
    };
    let inbox = Inbox {
        commands: inbox,
        faults,
    };
    let supervisor = Supervisor::run(parts, shown, inbox);
    core.tasks
        .spawn(format!("supervisor of {name}"), supervisor);
    Ok(Member {
        name,
        service,
        dependencies: profile.dependencies,
        commands,
        snapshot,
    })
}
