//! Embeddings per second, against ONNX Runtime on the same texts, threads and machine.
//!
//! `CRUCIBLE_TEST_MODEL` names the model (a wheel or a folder), `CRUCIBLE_TEST_PYTHON` a Python with
//! ONNX Runtime; see `.ci/real-parts`. Both sides cut, run and pool; passes alternate, so that
//! both meet the same noise, and the fastest of each counts. Prints
//! `ratio NAME VALUE peer=onnxruntime`: above 1, this side is faster.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use crucible_inference::models::{DEFAULT_MODEL, ModelLibrary, Source};
use crucible_inference::providers::Secrets;
use crucible_inference::{InferenceConfig, InferenceService};
use crucible_services::events::{DaemonEvent, EventPublisher};
use crucible_services::inference::{EmbedRequest, InferenceEngine as _, Urgency};
use crucible_services::router::{RouteError, RoutingReceipt};
use crucible_services::service_traits::{ServiceContext, ServiceLifecycle as _};
use crucible_services::tasks::TaskOwner;
use tokio::time::Instant;

/// Tokens of each text, the marks around it included.
const TOKENS: usize = 128;

#[derive(Debug)]
struct Silence;

#[async_trait]
impl EventPublisher for Silence {
    async fn publish(&self, _event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        Ok(RoutingReceipt {
            deliveries: Vec::new(),
        })
    }
}

fn main() {
    let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(model) = read("CRUCIBLE_TEST_MODEL") else {
        println!("embed: CRUCIBLE_TEST_MODEL is not set, see .ci/real-parts; nothing measured");
        return;
    };
    let python = read("CRUCIBLE_TEST_PYTHON");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let temp = tempfile::tempdir().unwrap();
    let library = ModelLibrary::new(temp.path());
    let pull = async {
        let source = Source::parse(&model);
        library
            .pull(&source, Some(DEFAULT_MODEL), &mut |_| {})
            .await
    };
    let folder = runtime.block_on(pull).unwrap().path;
    let cores = std::thread::available_parallelism().unwrap().get();
    for threads in [1, cores.min(8)] {
        for (batch, passes) in [(1, 60), (32, 6)] {
            let texts = texts(batch);
            let ours = Ours::new(&runtime, temp.path(), threads);
            let mut peer = python
                .as_ref()
                .map(|python| Peer::new(python, &folder, threads, &texts));
            let mut best = (f64::MAX, f64::MAX);
            for _ in 0..passes {
                best.0 = best.0.min(ours.pass(&texts));
                if let Some(peer) = &mut peer {
                    best.1 = best.1.min(peer.pass());
                }
            }
            let rate = |seconds: f64| batch as f64 / seconds;
            let name = format!("embed_batch_{batch}_threads_{threads}");
            println!("{name}: {:.1} texts/s, {TOKENS} tokens each", rate(best.0));
            if peer.is_some() {
                println!("{name}: {:.1} texts/s by onnxruntime", rate(best.1));
                println!("ratio {name} {:.2} peer=onnxruntime", best.1 / best.0);
            }
        }
    }
}

/// Texts of words that are one token each.
fn texts(count: usize) -> Vec<String> {
    const WORDS: [&str; 10] = [
        "note", "river", "stone", "garden", "music", "winter", "letter", "bread", "paper", "light",
    ];
    (0..count)
        .map(|text| {
            let words = (0..TOKENS - 2).map(|word| WORDS[(word * (text + 3) + word / 10) % 10]);
            words.collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// The engine, without its cache.
struct Ours<'a> {
    runtime: &'a tokio::runtime::Runtime,
    service: InferenceService,
}

impl<'a> Ours<'a> {
    fn new(runtime: &'a tokio::runtime::Runtime, models: &Path, threads: usize) -> Self {
        let config = InferenceConfig {
            threads,
            cache_mb: 0,
            ..InferenceConfig::default()
        };
        let service = InferenceService::new(config, models.to_owned(), Secrets::none()).unwrap();
        let context = ServiceContext {
            tasks: TaskOwner::new("bench"),
            events: Arc::new(Silence),
        };
        runtime.block_on(service.start(context)).unwrap();
        Self { runtime, service }
    }

    fn pass(&self, texts: &[String]) -> f64 {
        let request = EmbedRequest {
            model: None,
            texts: texts.to_vec(),
            urgency: Urgency::Interactive,
        };
        let started = Instant::now();
        let embeddings = self.runtime.block_on(self.service.embed(request)).unwrap();
        let seconds = started.elapsed().as_secs_f64();
        assert_eq!(embeddings.tokens, (texts.len() * TOKENS) as u64);
        seconds
    }
}

/// ONNX Runtime in a process of its own, which does one pass for each line it gets.
struct Peer {
    child: std::process::Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Peer {
    fn new(python: &str, model: &Path, threads: usize, texts: &[String]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer/onnx_peer.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg("speed")
            .arg(model)
            .arg(threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let question = serde_json::to_string(texts).unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{question}").unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut peer = Self { child, answers };
        assert_eq!(peer.line(), "ready");
        peer
    }

    fn pass(&mut self) -> f64 {
        writeln!(self.child.stdin.as_mut().unwrap(), "go").unwrap();
        self.line().parse().unwrap()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ended = self.child.wait();
    }
}
