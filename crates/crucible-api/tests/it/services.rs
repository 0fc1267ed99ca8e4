//! Health and the supervised services, and the switches.

use std::sync::Arc;

use async_trait::async_trait;
use crucible_api::ApiConfig;
use crucible_core::{CoreConfig, CrucibleCore};
use crucible_services::health::ServiceHealth;
use crucible_services::service_traits::{
    ServiceContext, ServiceError, ServiceKind, ServiceLifecycle,
};

use crate::rig::Rig;

/// A service that does nothing, well.
struct Idle {
    name: &'static str,
    needs: &'static [&'static str],
}

#[async_trait]
impl ServiceLifecycle for Idle {
    fn name(&self) -> &str {
        self.name
    }

    fn kind(&self) -> ServiceKind {
        ServiceKind::Custom("idle".to_owned())
    }

    fn dependencies(&self) -> Vec<String> {
        self.needs.iter().map(|&name| name.to_owned()).collect()
    }

    async fn start(&self, _context: ServiceContext) -> Result<(), ServiceError> {
        if self.name == "broken" {
            return Err(ServiceError::Failed("the port is taken".to_owned()));
        }
        Ok(())
    }

    async fn stop(&self) -> Result<(), ServiceError> {
        Ok(())
    }

    async fn health_check(&self) -> Result<ServiceHealth, ServiceError> {
        Ok(ServiceHealth::healthy())
    }
}

/// The services of a daemon, by name and need: `api` needs `datastore`, which needs `disk`.
pub(crate) async fn rig() -> Rig {
    let core = CrucibleCore::new(CoreConfig::default()).await.unwrap();
    for (name, needs) in [
        ("disk", &[] as &[_]),
        ("datastore", &["disk"]),
        ("api", &["datastore"]),
        ("vault", &["datastore"]),
    ] {
        core.register_service(Arc::new(Idle { name, needs }))
            .await
            .unwrap();
    }
    core.start().await.unwrap();
    Rig::over(core, ApiConfig::default(), None)
}

/// A core with so many services, whose names need escaping.
pub(crate) async fn rig_of_many(count: usize) -> Rig {
    let config = CoreConfig {
        max_services: count,
        ..CoreConfig::default()
    };
    let core = CrucibleCore::new(config).await.unwrap();
    for number in 0..count {
        let name: &'static str = format!("s\"\\{number}").leak();
        let service = Idle { name, needs: &[] };
        core.register_service(Arc::new(service)).await.unwrap();
    }
    Rig::over(core, ApiConfig::default(), None)
}

#[tokio::test]
async fn services_are_listed_with_state_and_health() {
    let rig = rig().await;
    rig.core.perform_health_check().await.unwrap();
    insta::assert_snapshot!(rig.get("/api/v1/services/vault").await.snapshot(), @r##"
        {
          "name": "vault",
          "kind": {
            "custom": "idle"
          },
          "version": "[version]",
          "state": "running",
          "ready": true,
          "health": {
            "status": "healthy"
          },
          "restarts": 0,
          "dependencies": [
            "datastore"
          ],
          "since": "[since]"
        }
    "##);
    let names: Vec<_> = rig
        .get("/api/v1/services")
        .await
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|service| service["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[tokio::test]
async fn health_tells_the_whole_and_each_service() {
    let rig = rig().await;
    rig.core.perform_health_check().await.unwrap();
    insta::assert_snapshot!(rig.get("/api/v1/health").await.snapshot(), @r##"
        {
          "status": "healthy",
          "reasons": [],
          "services": {
            "api": {
              "status": "healthy"
            },
            "datastore": {
              "status": "healthy"
            },
            "disk": {
              "status": "healthy"
            },
            "vault": {
              "status": "healthy"
            }
          },
          "checked_at": "[checked_at]"
        }
    "##);
}

#[tokio::test]
async fn metrics_of_the_core_are_told() {
    let rig = rig().await;
    let answer = rig.get("/api/v1/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.json().is_object());
}

#[tokio::test]
async fn probes_tell_alive_and_ready_apart() {
    let rig = rig().await;
    assert_eq!(rig.get("/livez").await.status, 200);
    assert_eq!(
        rig.get("/readyz").await.json(),
        serde_json::json!({ "status": "ok" })
    );
    rig.core.stop_service("vault").await.unwrap();
    assert_eq!(rig.get("/livez").await.status, 200);
    let ready = rig.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.text.contains("vault is not ready"), "{}", ready.text);
}

#[tokio::test]
async fn service_is_stopped_and_started_again() {
    let rig = rig().await;
    let stopped = rig.post("/api/v1/services/vault/stop").await.json();
    assert_eq!(
        (&stopped["state"], &stopped["ready"]),
        (&"stopped".into(), &false.into())
    );
    let started = rig.post("/api/v1/services/vault/start").await.json();
    assert_eq!(
        (&started["state"], &started["ready"]),
        (&"running".into(), &true.into())
    );
    let restarted = rig.post("/api/v1/services/vault/restart").await.json();
    assert_eq!(restarted["state"], "running");
}

#[tokio::test]
async fn service_that_does_not_start_is_a_fault_with_its_cause() {
    let rig = rig().await;
    let broken = Arc::new(Idle {
        name: "broken",
        needs: &[],
    });
    // Whether registering tells that the service did not start is the core's affair.
    let _told = rig.core.register_service(broken).await;
    let answer = rig.post("/api/v1/services/broken/start").await;
    assert_eq!(answer.fault(), (500, "service_failed".to_owned()));
    assert!(answer.text.contains("the port is taken"), "{}", answer.text);
}

#[tokio::test]
async fn what_the_api_needs_is_not_stopped_through_it() {
    let rig = rig().await;
    for target in ["api/stop", "api/restart", "datastore/stop", "disk/stop"] {
        let answer = rig.post(&format!("/api/v1/services/{target}")).await;
        assert_eq!(answer.fault(), (409, "refused".to_owned()), "{target}");
    }
    let restarted = rig.post("/api/v1/services/datastore/restart").await;
    assert_eq!(restarted.json()["state"], "running");
    for name in ["api", "datastore", "disk"] {
        let state = rig.get(&format!("/api/v1/services/{name}")).await.json();
        assert_eq!(state["state"], "running");
    }
}

#[tokio::test]
async fn unknown_service_is_named_with_near_ones() {
    let rig = rig().await;
    for target in ["/api/v1/services/vautl", "/api/v1/services/vault%20"] {
        let answer = rig.get(target).await;
        assert_eq!(answer.fault(), (404, "no_such_service".to_owned()));
        assert_eq!(
            answer.json()["error"]["candidates"],
            serde_json::json!(["vault"])
        );
    }
    for switch in ["start", "stop", "restart"] {
        let answer = rig.post(&format!("/api/v1/services/vautl/{switch}")).await;
        assert_eq!(answer.fault(), (404, "no_such_service".to_owned()));
    }
}
