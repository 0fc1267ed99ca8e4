//! OpenAI's own client, against the API on a socket.
//!
//! `.ci/real-parts` installs it and says where it is. When it is not there the test is ignored,
//! with the reason; in CI (`CI=true`) it fails.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "it/oracle.rs"]
mod oracle;
#[path = "it/twin.rs"]
mod twin;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crucible_api::auth::{AccessControl, NewToken};
use crucible_api::{ApiConfig, ApiParts, ApiService, VaultInfo};
use crucible_core::{CoreConfig, CrucibleCore};
use crucible_services::access::Scope;
use crucible_services::service_traits::{ServiceContext, ServiceLifecycle as _};
use crucible_services::state_store::MemoryState;
use crucible_services::tasks::TaskOwner;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

const VARIABLE: &str = "CRUCIBLE_TEST_PYTHON";

fn main() {
    let name = "openai_python_client_embeds_chats_lists_and_reads_faults";
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    let trial = match std::env::var(VARIABLE) {
        Ok(python) if !python.is_empty() => Trial::test(name, move || test(&python)),
        _ if is_ci => {
            let reason =
                format!("{VARIABLE} is not set; run .ci/real-parts and evaluate its output");
            Trial::test(name, move || Err(reason.into()))
        }
        _ => Trial::test(name, || Ok(()))
            .with_kind(format!("{VARIABLE} not set, see .ci/real-parts"))
            .with_ignored_flag(true),
    };
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit();
}

fn test(python: &str) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let (address, [infers, reads], service) = runtime.block_on(serve());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openai_client/client.py");
    let output = Command::new(python)
        .arg(script)
        .args([&format!("http://{address}/v1"), &infers, &reads])
        // A key or an address of the person's own must not be used.
        .env_remove("OPENAI_API_KEY")
        .env_remove("OPENAI_BASE_URL")
        .output()?;
    runtime.block_on(service.stop())?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("the client ended with {}\n{stderr}", output.status).into());
    }
    let found: Value = serde_json::from_slice(&output.stdout)?;
    check_answers(&found)?;
    check_faults(&found)
}

fn check_answers(found: &Value) -> Result<(), Failed> {
    check(&found["models"], &json!(["vectors", "echo"]))?;
    check(&found["model"], &json!("p"))?;
    let text = "Hello there 🥖";
    let expected = json!({ "text": text, "finish": "stop", "tokens": 7 });
    check(&found["chat"], &expected)?;
    let texts = ["Hello ", "there ", "🥖"];
    let expected = json!({ "texts": texts, "finish": "length", "tokens": 7 });
    check(&found["streamed"], &expected)?;
    let expected = json!({ "texts": ["Hello"], "code": "provider_failed" });
    check(&found["broken_stream"], &expected)?;
    let embeddings = &found["embeddings"];
    check(&embeddings["plain"], &json!([[2.0, -0.5, 0.001]]))?;
    check(&embeddings["tokens"], &json!(7))?;
    // Decoded from 32 bits into 64.
    let wide = f64::from(0.001_f32);
    check(
        &embeddings["usual"],
        &json!([[2.0, -0.5, wide], [1.0, -0.5, wide]]),
    )
}

fn check_faults(found: &Value) -> Result<(), Failed> {
    for (fault, exception, status, code) in [
        (
            &found["faults"]["none"],
            "NotFoundError",
            404,
            "model_not_found",
        ),
        (
            &found["faults"]["invalid"],
            "BadRequestError",
            400,
            "invalid_body",
        ),
        (
            &found["faults"]["busy"],
            "RateLimitError",
            429,
            "rate_limit_exceeded",
        ),
        (
            &found["no_token"],
            "AuthenticationError",
            401,
            "invalid_api_key",
        ),
        (
            &found["no_scope"],
            "PermissionDeniedError",
            403,
            "scope_missing",
        ),
    ] {
        check(&fault["exception"], &json!(exception))?;
        check(&fault["status"], &json!(status))?;
        check(&fault["code"], &json!(code))?;
        if !fault["type"].is_string() {
            return Err(format!("no type in {fault}").into());
        }
    }
    let message = found["faults"]["none"]["message"].as_str();
    if message.is_some_and(|text| text.contains("there are echo and vectors")) {
        Ok(())
    } else {
        Err(format!("the cure is not in {message:?}").into())
    }
}

fn check(seen: &Value, expected: &Value) -> Result<(), Failed> {
    if seen == expected {
        Ok(())
    } else {
        Err(format!("{expected} was expected, not {seen}").into())
    }
}

/// Starts the API with an engine and two tokens: one may infer, the other may read.
async fn serve() -> (SocketAddr, [String; 2], ApiService) {
    let core = CrucibleCore::new(CoreConfig::default()).await.unwrap();
    core.start().await.unwrap();
    let access = AccessControl::new(Arc::new(MemoryState::default()));
    let mut tokens = Vec::new();
    for (name, scope) in [("infers", Scope::Infer), ("reads", Scope::Read)] {
        let made = access.create(NewToken::new(name, [scope])).await.unwrap();
        tokens.push(made.secret.reveal().to_owned());
    }
    let vault = VaultInfo {
        name: "Bakery".to_owned(),
        path: "/vaults/Bakery".into(),
        index_dir: "/data/bakery".into(),
    };
    let store = Arc::new(twin::Twin::sample());
    let mut parts = ApiParts::new(core.clone(), store, vault, access);
    parts.inference = Some(Arc::new(oracle::Oracle::default()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let service = ApiService::new(ApiConfig::default(), parts, listener);
    let context = ServiceContext {
        tasks: TaskOwner::new("test"),
        events: core.publisher(),
    };
    service.start(context).await.unwrap();
    (address, tokens.try_into().unwrap(), service)
}
