//! The description that is served is the one that is committed.

use crate::rig::Rig;
use crate::schema::{DESCRIPTION, operation};

/// Set this to write the description anew: `CRUCIBLE_WRITE_OPENAPI=1 cargo test -p crucible-api`.
const WRITE: &str = "CRUCIBLE_WRITE_OPENAPI";
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

#[tokio::test]
async fn committed_description_is_the_one_that_is_served() {
    let rig = Rig::new().await;
    let served = rig.get("/api/v1/openapi.json").await.json();
    if std::env::var_os(WRITE).is_some() {
        let text = serde_json::to_string_pretty(&served).unwrap() + "\n";
        std::fs::write(PATH, text).unwrap();
        return;
    }
    assert!(
        served == *DESCRIPTION,
        "docs/openapi.json is behind the code; write it anew with {WRITE}=1"
    );
}

#[tokio::test]
async fn every_described_operation_exists() {
    let rig = Rig::new().await;
    for (path, methods) in DESCRIPTION["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let target = path
                .replace("{name}", "none")
                .replace("{model}", "none")
                .replace("{reference}", "none");
            let method = method.to_ascii_uppercase();
            let response = rig.open(&method, &target, &[]).await;
            assert_ne!(response.status(), 405, "{method} {path}");
            if response.status() == 404 {
                let answer = crate::rig::Answer::read(response).await;
                assert_ne!(answer.fault().1, "no_such_route", "{method} {path}");
            }
            assert!(operation(&method, &target).is_some(), "{method} {path}");
        }
    }
}
