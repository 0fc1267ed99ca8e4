//! The samples of the architecture document, word for word.
//!
//! What stands between `sample begins` and `sample ends` is as it stands in the document; around
//! it are only the placeholders that a sample leaves open. A sample that no longer compiles or
//! holds means that the public contract was broken.

#![expect(
    clippy::str_to_string,
    reason = "the samples stand as they were written"
)]

use std::error::Error;

use crate::actor::{Actor, Log};

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::test(start_paused = true)]
async fn basic_setup() -> Outcome {
    // --- sample begins: Usage Examples / Basic Setup
    use crucible_core::{CrucibleCoreBuilder, CoreConfig};

    // Create core with custom configuration
    let core = CrucibleCoreBuilder::new()
        .with_max_services(100)
        .with_health_check_interval(30)
        .with_auto_recovery(true)
        .build()
        .await?;

    // Start the core
    core.start().await?;
    // --- sample ends
    assert_eq!(core.config().core, CoreConfig::default());
    core.stop().await?;
    Ok(())
}

struct MyService;

impl MyService {
    #[expect(clippy::new_ret_no_self, reason = "the sample leaves open what a service is made of")]
    fn new() -> Actor {
        std::sync::Arc::into_inner(Actor::new("mine", &[], &Log::default())).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn service_registration() -> Outcome {
    let core = crucible_core::CrucibleCoreBuilder::new().build().await?;
    // --- sample begins: Usage Examples / Service Registration
    use crucible_services::service_traits::ServiceLifecycle;
    use std::sync::Arc;

    // Create a service
    let service = Arc::new(MyService::new());

    // Register with core
    core.register_service(service).await?;

    // List all services
    let services = core.list_services().await?;
    // --- sample ends
    assert_eq!(services.len(), 1);
    assert_eq!(services[0].name, ServiceLifecycle::name(&MyService::new()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn event_routing_from_the_usage_examples() -> Outcome {
    // --- sample begins: Usage Examples / Event Routing (imports)
    use crucible_core::*;
    use crucible_services::events::*;
    // --- sample ends
    let core = CrucibleCoreBuilder::new().build().await?;
    core.start().await?;
    let mut seen = core.subscribe_events(EventFilter::category(EventCategory::System));

    // --- sample begins: Usage Examples / Event Routing (rest)
    // Create a daemon event
    let event = DaemonEvent::new(
        EventType::System(SystemEventType::DaemonStarted { version: "1.0.0".to_string() }),
        EventSource::system("core".to_string()),
        EventPayload::json(serde_json::json!({ "status": "running" })),
    );

    // Route the event
    core.route_event(event).await?;
    // --- sample ends
    let Some(Received::Event(event)) = seen.recv().await else {
        return Err("the event was not seen".into());
    };
    assert_eq!(event.event_type.name(), "system.daemon_started");
    core.stop().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn event_routing_to_a_target() -> Outcome {
    use crucible_core::*;
    use crucible_services::events::*;
    use std::sync::Arc;
    let core = CrucibleCoreBuilder::new().build().await?;
    let gateway = Actor::new("mcp-gateway", &[], &Log::default());
    core.register_service(Arc::clone(&gateway)).await?;
    core.start().await?;
    // The sample's `path: String` is a type where a value must stand.
    #[expect(non_snake_case, reason = "the placeholder is called as in the sample")]
    let String = "notes/new.md".to_owned();

    // --- sample begins: Event System Integration / Event Routing
    // Create and route an event
    let event = DaemonEvent::new(
        EventType::Filesystem(FilesystemEventType::FileCreated { path: String }),
        EventSource::filesystem("watcher".to_string()),
        EventPayload::text("File created".to_string()),
    ).with_target(ServiceTarget::new("mcp-gateway".to_string()));

    core.route_event(event).await?;
    // --- sample ends
    core.stop().await?;
    assert_eq!(gateway.handled(), ["File created"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn health_monitoring() -> Outcome {
    use crucible_services::health::HealthStatus;
    let core = crucible_core::CrucibleCoreBuilder::new().build().await?;
    core.register_service(std::sync::Arc::new(MyService::new()))
        .await?;
    core.start().await?;
    // --- sample begins: Usage Examples / Health Monitoring
    // Perform health check
    let health_results = core.perform_health_check().await?;

    // Get system health
    let system_health = core.get_system_health().await?;

    // Get metrics
    let metrics = core.get_metrics().await?;
    // --- sample ends
    assert_eq!(health_results["mine"].status, HealthStatus::Healthy);
    assert_eq!(system_health.status, HealthStatus::Healthy);
    assert_eq!(metrics.services_running, 1);
    core.stop().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn core_configuration_and_daemon_initialization() -> Outcome {
    use crucible_core::*;
    use std::sync::Arc;
    // --- sample begins: Configuration / Core Configuration
    let config = CoreConfig {
        max_services: 100,
        routing_config: RoutingConfig::default(),
        health_check_interval_s: 30,
        metrics_interval_s: 60,
        enable_auto_recovery: true,
        max_recovery_attempts: 3,
        event_queue_size: 10000,
        enable_debug: false,
    };
    // --- sample ends
    assert_eq!(config, CoreConfig::default());
    let core_config = config;
    let log = Log::default();
    let mcp_gateway = Actor::new("mcp-gateway", &["datastore"], &log);
    let inference_engine = Actor::new("inference", &[], &log);
    let script_engine = Actor::new("scripts", &["datastore"], &log);
    let datastore: Arc<dyn crucible_services::service_traits::ServiceLifecycle> =
        Actor::new("datastore", &[], &log);

    // --- sample begins: Integration Points / With Daemon
    // In daemon initialization
    let core = CrucibleCore::new(core_config).await?;
    core.start().await?;

    // Register all daemon services
    core.register_service(mcp_gateway).await?;
    core.register_service(inference_engine).await?;
    core.register_service(script_engine).await?;
    core.register_service(datastore).await?;
    // --- sample ends
    for name in ["mcp-gateway", "inference", "scripts", "datastore"] {
        crate::actor::reaches(&core, name, ServiceState::Running).await;
    }
    core.stop().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn dynamic_configuration_updates() -> Outcome {
    use crucible_core::*;
    let core = CrucibleCoreBuilder::new()
        .with_max_services(7)
        .build()
        .await?;
    core.start().await?;
    // --- sample begins: Configuration / Dynamic Configuration Updates
    // Update configuration at runtime
    let new_config = CrucibleConfig::default();
    core.update_config(new_config).await?;
    // --- sample ends
    assert_eq!(core.config().core.max_services, 100);
    core.stop().await?;
    Ok(())
}

/// The sample uses `?` in a function that returns nothing, so it is wrapped in one that can fail.
mod testing {
    use crucible_core::*;

    async fn lifecycle() -> super::Outcome {
        // --- sample begins: Testing
        let core = CrucibleCoreBuilder::new().build().await?;
        core.start().await?;
        assert_eq!(core.get_state().await, CoreState::Running);
        core.stop().await?;
        assert_eq!(core.get_state().await, CoreState::Stopped);
        // --- sample ends
        Ok(())
    }

    #[tokio::test]
    async fn test_core_lifecycle() {
        lifecycle().await.unwrap();
    }
}
