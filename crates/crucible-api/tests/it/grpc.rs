//! gRPC over a real socket, with the clients that the build makes of the .proto files.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use crucible_api::auth::{AccessControl, NewToken};
use crucible_api::grpc::proto::event_payload::Data;
use crucible_api::grpc::proto::health::health_check_response::ServingStatus;
use crucible_api::grpc::proto::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest,
};
use crucible_api::grpc::proto::subscribe_response::Told;
use crucible_api::grpc::proto::{
    Event, EventCategory, EventFilter, EventPayload, ListServicesRequest, PublishRequest,
    RecentRequest, ServiceRequest, ServiceState, SubscribeRequest,
};
use crucible_api::{ApiConfig, ApiParts, ApiService};
use crucible_core::CrucibleCore;
use crucible_services::access::Scope;
use crucible_services::service_traits::{ServiceContext, ServiceLifecycle as _};
use crucible_services::state_store::MemoryState;
use crucible_services::tasks::TaskOwner;
use http_body_util::BodyExt as _;
use tonic::body::Body;
use tonic::{Code, Status, Streaming};

use crate::rig::parts;
use crate::services;
use crate::twin::Twin;
use crate::wire::Wire;

/// Longer than anything here takes; a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(20);

/// An API on a socket, over a core with some services.
struct Served {
    core: CrucibleCore,
    access: AccessControl,
    api: ApiService,
    address: std::net::SocketAddr,
    tasks: TaskOwner,
}

impl Served {
    async fn open() -> Self {
        Self::with(ApiConfig::default(), AccessControl::open()).await
    }

    async fn guarded() -> Self {
        let access = AccessControl::new(Arc::new(MemoryState::default()));
        Self::with(ApiConfig::default(), access).await
    }

    async fn with(config: ApiConfig, access: AccessControl) -> Self {
        let core = services::rig().await.core;
        let parts = ApiParts {
            access: access.clone(),
            ..parts(&core, &Arc::new(Twin::sample()), None)
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let api = ApiService::new(config, parts, listener);
        let tasks = TaskOwner::new("test");
        let events = core.publisher();
        let tasks_of_run = tasks.clone();
        api.start(ServiceContext {
            tasks: tasks_of_run,
            events,
        })
        .await
        .unwrap();
        Self {
            core,
            access,
            api,
            address,
            tasks,
        }
    }

    async fn wire(&self) -> Wire {
        Wire::connect(self.address).await
    }

    /// A connection whose calls come from the bearer of these scopes.
    async fn bearer(&self, scopes: &[Scope]) -> Wire {
        let name = scopes[0].name();
        let token = NewToken::new(name, scopes.iter().copied());
        let made = self.access.create(token).await.unwrap();
        let header = format!("Bearer {}", made.secret.reveal());
        self.wire().await.by(&header)
    }
}

async fn next<T>(stream: &mut Streaming<T>) -> Result<Option<T>, Status> {
    let message = tokio::time::timeout(PATIENCE, stream.message());
    message.await.expect("the stream goes on")
}

fn service(name: &str) -> ServiceRequest {
    ServiceRequest {
        name: name.to_owned(),
    }
}

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

fn own() -> SubscribeRequest {
    SubscribeRequest {
        filter: Some(EventFilter {
            categories: vec![EventCategory::Custom.into()],
            ..EventFilter::default()
        }),
        last_event_id: None,
    }
}

fn publish(name: &str, data: Data) -> PublishRequest {
    PublishRequest {
        name: name.to_owned(),
        payload: Some(EventPayload { data: Some(data) }),
        ..PublishRequest::default()
    }
}

fn event(told: Option<crucible_api::grpc::proto::SubscribeResponse>) -> Event {
    match told.unwrap().told {
        Some(Told::Event(event)) => *event,
        other => panic!("no event but {other:?}"),
    }
}

#[tokio::test]
async fn health_is_told_of_the_whole_and_of_each_service() {
    let served = Served::open().await;
    let mut health = served.wire().await.health();
    served.core.stop_service("vault").await.unwrap();
    let mut check = async |name| {
        health
            .check(about(name))
            .await
            .map(|r| r.into_inner().status())
    };
    assert_eq!(check("").await.unwrap(), ServingStatus::Serving);
    assert_eq!(check("datastore").await.unwrap(), ServingStatus::Serving);
    assert_eq!(check("vault").await.unwrap(), ServingStatus::NotServing);
    let unknown = check("vautl").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert!(unknown.message().contains("vault"), "{unknown}");
    let all = health
        .list(HealthListRequest {})
        .await
        .unwrap()
        .into_inner();
    let all: BTreeMap<_, _> = all
        .statuses
        .iter()
        .map(|(n, s)| (n.as_str(), s.status()))
        .collect();
    let expected = ["", "api", "datastore", "disk"].map(|name| (name, ServingStatus::Serving));
    let expected = expected
        .into_iter()
        .chain([("vault", ServingStatus::NotServing)]);
    assert_eq!(all, expected.collect());
}

#[tokio::test]
async fn watcher_is_told_when_a_service_stops_and_comes_back() {
    let served = Served::open().await;
    let mut health = served.wire().await.health();
    let mut changes = health.watch(about("vault")).await.unwrap().into_inner();
    let status = |told: Option<HealthCheckResponse>| told.unwrap().status();
    assert_eq!(
        status(next(&mut changes).await.unwrap()),
        ServingStatus::Serving
    );
    served.core.stop_service("vault").await.unwrap();
    assert_eq!(
        status(next(&mut changes).await.unwrap()),
        ServingStatus::NotServing
    );
    served.core.start_service("vault").await.unwrap();
    assert_eq!(
        status(next(&mut changes).await.unwrap()),
        ServingStatus::Serving
    );
    served.core.stop_service("vault").await.unwrap();
    assert_eq!(
        status(next(&mut changes).await.unwrap()),
        ServingStatus::NotServing
    );
    served.core.unregister_service("vault").await.unwrap();
    assert_eq!(
        status(next(&mut changes).await.unwrap()),
        ServingStatus::ServiceUnknown
    );
}

#[tokio::test]
async fn services_are_listed_and_switched() {
    let served = Served::open().await;
    let mut services = served.wire().await.services();
    let listed = services
        .list(ListServicesRequest {})
        .await
        .unwrap()
        .into_inner();
    let names: Vec<_> = listed.services.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    let stopped = services.stop(service("vault")).await.unwrap().into_inner();
    assert_eq!(
        (stopped.state(), stopped.ready),
        (ServiceState::Stopped, false)
    );
    let started = services.start(service("vault")).await.unwrap().into_inner();
    assert_eq!(
        (started.state(), started.ready),
        (ServiceState::Running, true)
    );
    let since = started.since.unwrap();
    let restarted = services
        .restart(service("vault"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(restarted.state(), ServiceState::Running);
    let later = restarted.since.unwrap();
    assert!((later.seconds, later.nanos) > (since.seconds, since.nanos));
    let got = services.get(service("vault")).await.unwrap().into_inner();
    assert_eq!(
        (got.kind.as_str(), got.dependencies),
        ("idle", vec!["datastore".to_owned()])
    );
}

#[tokio::test]
async fn faults_carry_grpc_codes_and_the_words_of_rest() {
    let served = Served::open().await;
    let wire = served.wire().await;
    let unknown = wire.services().get(service("vautl")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert!(unknown.message().contains("vault"), "{unknown}");
    assert_eq!(
        unknown.metadata().get("crucible-code").unwrap(),
        "no_such_service"
    );
    let refused = wire.services().stop(service("api")).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let cure = "restart the daemon instead";
    assert!(refused.message().ends_with(cure), "{refused}");
    let json = publish("x", Data::Json("{".to_owned()));
    let odd = wire.events().publish(json).await.unwrap_err();
    assert_eq!(odd.code(), Code::InvalidArgument);
    let limit = RecentRequest {
        limit: Some(0),
        ..RecentRequest::default()
    };
    let odd = wire.events().recent(limit).await.unwrap_err();
    assert_eq!(odd.code(), Code::InvalidArgument);
    assert!(odd.message().contains("limit"), "{odd}");
}

#[tokio::test]
async fn what_is_published_is_told_to_subscribers_and_remembered() {
    let served = Served::open().await;
    let wire = served.wire().await;
    let mut stream = wire.events().subscribe(own()).await.unwrap().into_inner();
    // Beyond 2^53, where a number of JavaScript is rounded.
    let json = r#"{"count":9007199254740993}"#;
    let request = publish("ping", Data::Json(json.to_owned()));
    let published = wire.events().publish(request).await.unwrap().into_inner();
    let told = event(next(&mut stream).await.unwrap());
    assert_eq!(
        (&told.id, told.event_type.as_ref().unwrap().name.as_str()),
        (&published.id, "custom.ping")
    );
    assert_eq!(
        told.payload.as_ref().unwrap().data,
        Some(Data::Json(json.to_owned()))
    );
    assert_eq!(told.source.as_ref().unwrap().id, "api:local");
    let asked = RecentRequest {
        correlation: Some(published.correlation_id),
        ..RecentRequest::default()
    };
    let recent = wire.events().recent(asked).await.unwrap().into_inner();
    assert_eq!(recent.events, [told]);
}

#[tokio::test]
async fn events_say_what_belongs_to_their_type() {
    let served = Served::open().await;
    let asked = SubscribeRequest {
        filter: Some(EventFilter {
            types: vec!["service.status_changed".to_owned()],
            ..EventFilter::default()
        }),
        last_event_id: None,
    };
    let mut stream = served
        .wire()
        .await
        .events()
        .subscribe(asked)
        .await
        .unwrap()
        .into_inner();
    served.core.stop_service("vault").await.unwrap();
    let told = event(next(&mut stream).await.unwrap());
    let kind = told.event_type.unwrap();
    assert_eq!(kind.category(), EventCategory::Service);
    let fields = kind.fields.unwrap().fields;
    let names: Vec<_> = fields.keys().map(String::as_str).collect();
    assert_eq!(names, ["new_status", "old_status", "service"]);
}

#[tokio::test]
async fn subscriber_that_comes_back_gets_what_it_missed_or_is_told_that_it_is_forgotten() {
    let served = Served::open().await;
    let mut events = served.wire().await.events();
    let mut ids = Vec::new();
    for name in ["one", "two"] {
        let request = publish(name, Data::Text(String::new()));
        ids.push(events.publish(request).await.unwrap().into_inner().id);
    }
    let mut after = own();
    after.last_event_id = Some(ids[0].clone());
    let mut stream = events.subscribe(after).await.unwrap().into_inner();
    assert_eq!(event(next(&mut stream).await.unwrap()).id, ids[1]);
    let mut after = own();
    after.last_event_id = Some(uuid::Uuid::now_v7().to_string());
    let mut stream = events.subscribe(after).await.unwrap().into_inner();
    match next(&mut stream).await.unwrap().unwrap().told {
        Some(Told::Missed(missed)) => assert_eq!(missed.count, None),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn slow_subscriber_is_told_how_many_it_missed() {
    /// More than any subscription and the windows of a connection hold.
    const EVENTS: u64 = 20_000;
    let served = Served::open().await;
    let wire = served.wire().await;
    let mut stream = wire.events().subscribe(own()).await.unwrap().into_inner();
    let tell = async |name: &str| {
        let kind = crucible_services::events::EventType::Custom {
            name: name.to_owned(),
        };
        let source = crucible_services::events::EventSource::external("test");
        let payload = crucible_services::events::EventPayload::text("x".repeat(500));
        let event = crucible_services::events::DaemonEvent::new(kind, source, payload);
        served.core.route_event(event).await.unwrap();
    };
    for _ in 0..EVENTS {
        tell("many").await;
    }
    tell("last").await;
    let (mut seen, mut missed) = (0, 0);
    loop {
        match next(&mut stream).await.unwrap().unwrap().told.unwrap() {
            Told::Missed(some) => missed += some.count.unwrap(),
            Told::Event(event) if event.event_type.as_ref().unwrap().name == "custom.last" => break,
            Told::Event(_) => seen += 1,
        }
    }
    assert!(missed > 0, "nothing was missed; {seen} were kept");
    assert_eq!(seen + missed, EVENTS);
}

#[tokio::test]
async fn who_names_nobody_is_unauthenticated() {
    let served = Served::guarded().await;
    let wire = served.wire().await;
    let refused = wire
        .services()
        .list(ListServicesRequest {})
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(
        refused.message().contains("crucible token create"),
        "{refused}"
    );
    let refused = wire.health().check(about("")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let refused = wire.events().subscribe(own()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let wrong = format!("Bearer crb_{}", "x".repeat(43));
    let wire = served.wire().await.by(&wrong);
    let refused = wire
        .services()
        .list(ListServicesRequest {})
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(
        refused.metadata().get("crucible-code").unwrap(),
        "token_refused"
    );
}

#[tokio::test]
async fn each_call_takes_its_scope_and_no_other() {
    let served = Served::guarded().await;
    for scope in Scope::ALL {
        let wire = served.bearer(&[scope]).await;
        let (mut health, mut services, mut events) =
            (wire.health(), wire.services(), wire.events());
        // No service has this name, so that nothing is done.
        let none = || service("none");
        let past = RecentRequest::default();
        let told = publish("x", Data::Text(String::new()));
        let calls = [
            ("check", Scope::Read, health.check(about("")).await.err()),
            (
                "health list",
                Scope::Read,
                health.list(HealthListRequest {}).await.err(),
            ),
            ("watch", Scope::Read, health.watch(about("")).await.err()),
            (
                "list",
                Scope::Read,
                services.list(ListServicesRequest {}).await.err(),
            ),
            ("get", Scope::Read, services.get(none()).await.err()),
            ("start", Scope::Control, services.start(none()).await.err()),
            ("stop", Scope::Control, services.stop(none()).await.err()),
            (
                "restart",
                Scope::Control,
                services.restart(none()).await.err(),
            ),
            ("publish", Scope::Control, events.publish(told).await.err()),
            ("recent", Scope::Read, events.recent(past).await.err()),
            (
                "subscribe",
                Scope::Read,
                events.subscribe(own()).await.err(),
            ),
        ];
        for (call, need, fault) in calls {
            let is_refused = fault.is_some_and(|f| f.code() == Code::PermissionDenied);
            assert_eq!(is_refused, need != scope, "{call} as {scope}");
        }
    }
}

#[tokio::test]
async fn foreign_authority_and_origin_are_refused() {
    let served = Served::open().await;
    let port = served.address.port();
    for authority in [format!("evil.example:{port}"), "127.0.0.1:1".to_owned()] {
        let wire = served.wire().await.to(&authority);
        let refused = wire.health().check(about("")).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{authority}");
        assert!(refused.message().contains("127.0.0.1"), "{refused}");
    }
    let wire = served.wire().await.to(&format!("localhost:{port}"));
    wire.health().check(about("")).await.unwrap();
    let mut call = tonic::Request::new(about(""));
    call.metadata_mut()
        .insert("origin", "http://evil.example".parse().unwrap());
    let refused = wire.health().check(call).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn message_that_is_too_large_is_resource_exhausted() {
    let served = Served::open().await;
    let mut events = served.wire().await.events();
    let large = publish("x", Data::Text("x".repeat(100_000)));
    let refused = events.publish(large).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    let small = publish("x", Data::Text("x".repeat(10_000)));
    events.publish(small).await.unwrap();
}

#[tokio::test]
async fn streams_are_bounded_with_those_of_rest_and_a_closed_one_makes_room() {
    let config = ApiConfig {
        streams_max: 2,
        ..ApiConfig::default()
    };
    let served = Served::with(config, AccessControl::open()).await;
    let wire = served.wire().await;
    let first = wire.events().subscribe(own()).await.unwrap();
    let _second = wire.health().watch(about("")).await.unwrap();
    let refused = wire.events().subscribe(own()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    drop(first);
    let again = async {
        while wire.events().subscribe(own()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again)
        .await
        .expect("there is room again");
}

#[tokio::test]
async fn stop_ends_open_streams_and_idle_connections_in_order() {
    let served = Served::open().await;
    let wire = served.wire().await;
    let mut idle = served.wire().await.health();
    idle.check(about("")).await.unwrap();
    let mut events = wire.events().subscribe(own()).await.unwrap().into_inner();
    let mut health = wire
        .health()
        .watch(about("vault"))
        .await
        .unwrap()
        .into_inner();
    next(&mut health).await.unwrap();
    served.api.stop().await.unwrap();
    let end = next(&mut events).await.unwrap_err();
    assert_eq!(end.code(), Code::Unavailable, "{end}");
    assert!(
        end.message().contains("call again"),
        "ended, not cut: {end}"
    );
    assert_eq!(
        next(&mut health).await.unwrap_err().code(),
        Code::Unavailable
    );
    assert!(
        served.tasks.alive().is_empty(),
        "{:?}",
        served.tasks.alive()
    );
}

#[tokio::test]
async fn unknown_methods_are_unimplemented_and_plain_requests_refused() {
    let served = Served::open().await;
    let wire = served.wire().await;
    let call = |path: &str, media_type: &str| {
        Request::post(format!("http://{}{path}", served.address))
            .header("content-type", media_type)
            .body(Body::default())
            .unwrap()
    };
    let answer = wire
        .send(call("/crucible.v1.Services/Drop", "application/grpc"))
        .await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["grpc-status"]),
        (200, &"12".parse().unwrap())
    );
    let answer = wire
        .send(call("/crucible.v1.Services/List", "text/plain"))
        .await;
    assert_eq!(answer.status(), 400);
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(
        String::from_utf8_lossy(&text).contains("/api/v1"),
        "{text:?}"
    );
}

#[tokio::test]
async fn rest_is_answered_over_http_2_on_the_same_port() {
    let served = Served::open().await;
    let request = Request::get(format!("http://{}/api/v1/services", served.address));
    let request = request.body(Body::default()).unwrap();
    let answer = served.wire().await.send(request).await;
    assert_eq!(answer.status(), 200);
    let client = crucible_api::client::Client::new(served.address);
    assert_eq!(client.services().await.unwrap().len(), 4);
}
