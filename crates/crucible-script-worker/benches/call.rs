//! What does a warm script call with a 1 kB event cost, against a bare pipe round trip of the same
//! size to a child process?
//!
//! Prints `ratio warm-call VALUE peer=bare-pipe`: medians of interleaved round trips. Then, for
//! orientation: a cold start, compiling a script, and by how much runaway scripts pass their time.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crucible_script::protocol::{HostError, Level, ScriptSource};
use crucible_script::worker::{CallSpec, HostCalls, Worker, WorkerCommand};
use crucible_services::script::Budget;
use serde_json::{Value, json};
use tokio::time::Instant;

const ROUNDS: usize = 4000;
const WARM_UP: usize = 400;
const STARTS: usize = 9;
const RUNAWAYS: usize = 5;
const TEXT_BYTES: usize = 820;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct NoHost;

#[async_trait]
impl HostCalls for NoHost {
    async fn host_call(&self, name: &str, _: Vec<Value>) -> Result<Value, HostError> {
        Err(HostError::new("invalid", name))
    }

    fn log(&self, _: Level, _: &str) {}
}

#[expect(clippy::print_stdout, reason = "a bench prints its result")]
fn main() -> Outcome<()> {
    // One thread, as the pipe has on its side: no time goes into handing over between two.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let event = event();
    let bytes = serde_json::to_vec(&event)?.len();
    println!("event: {bytes} bytes as JSON");

    let mut worker = runtime.block_on(Worker::start(&command()))?;
    let spec = CallSpec {
        script: script("pub fn main(event) { event.path }"),
        function: "main".to_owned(),
        arguments: vec![event],
        budget: Budget::default(),
    };
    let mut pipe = BarePipe::start(bytes)?;
    let mut ours = Vec::with_capacity(ROUNDS);
    let mut peers = Vec::with_capacity(ROUNDS);
    for round in 0..WARM_UP + ROUNDS {
        let next = spec.clone();
        let (ours_took, peer_took) = runtime.block_on(async {
            let began = Instant::now();
            let done = worker.call(next, &NoHost).await?;
            let ours_took = began.elapsed();
            std::hint::black_box(done);
            let began = Instant::now();
            pipe.round_trip()?;
            Outcome::Ok((ours_took, began.elapsed()))
        })?;
        if round >= WARM_UP {
            ours.push(ours_took);
            peers.push(peer_took);
        }
    }
    let ratio = median(&mut ours).as_secs_f64() / median(&mut peers).as_secs_f64();
    println!("ratio warm-call {ratio:.2} peer=bare-pipe");
    println!(
        "warm call {:?} (p99 {:?}), bare pipe {:?} (p99 {:?})",
        median(&mut ours),
        high(&mut ours),
        median(&mut peers),
        high(&mut peers)
    );
    runtime.block_on(starts())?;
    runtime.block_on(runaways())
}

/// A cold start until the greeting, then compiling and the first call.
#[expect(clippy::print_stdout, reason = "a bench prints its result")]
async fn starts() -> Outcome<()> {
    let text = include_str!("../../../docs/scripts.md");
    let examples: String = text
        .split("```rune\n")
        .skip(1)
        .filter_map(|part| part.split("```").next())
        .enumerate()
        .map(|(number, part)| part.replace("main()", &format!("example_{number}()")))
        .collect();
    let lines = examples.lines().count();
    let (mut started, mut compiled, mut first) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut worker = Worker::start(&command()).await?;
        started.push(began.elapsed());
        let began = Instant::now();
        if let Some(fault) = worker.load(&script(&examples)).await?.fault() {
            return Err(fault.into());
        }
        compiled.push(began.elapsed());
        let began = Instant::now();
        let spec = CallSpec {
            script: script("pub fn main() { 1 }"),
            function: "main".to_owned(),
            arguments: Vec::new(),
            budget: Budget::default(),
        };
        worker.call(spec, &NoHost).await?;
        first.push(began.elapsed());
    }
    println!("cold start {:?}", median(&mut started));
    println!("compile {lines} lines {:?}", median(&mut compiled));
    println!("compile and call one line {:?}", median(&mut first));
    Ok(())
}

/// By how much scripts that do not end pass their wall time.
#[expect(clippy::print_stdout, reason = "a bench prints its result")]
async fn runaways() -> Outcome<()> {
    let wall = Duration::from_millis(200);
    for (name, text) in [
        ("vm-loop", "pub fn main() { loop {} }"),
        (
            "native-iterator",
            "pub fn main() { (0..100_000_000_000).iter().sum::<i64>() }",
        ),
    ] {
        let mut over = Vec::new();
        for _ in 0..RUNAWAYS {
            let mut worker = Worker::start(&command()).await?;
            let source = script(text);
            worker.load(&source).await?;
            let spec = CallSpec {
                script: source,
                function: "main".to_owned(),
                arguments: Vec::new(),
                budget: Budget {
                    wall,
                    instructions: u64::MAX,
                    ..Budget::default()
                },
            };
            let began = Instant::now();
            if worker.call(spec, &NoHost).await.is_ok() {
                return Err(format!("{name} came to an end").into());
            }
            // A killed worker still has to be gone.
            worker.shutdown(Duration::ZERO).await;
            over.push(began.elapsed().saturating_sub(wall));
        }
        let most = over.iter().max().copied().unwrap_or_default();
        println!("overshoot {name} {:?}, at most {most:?}", median(&mut over));
    }
    Ok(())
}

/// A child process that gives back what it is given.
struct BarePipe {
    child: Child,
    given: Vec<u8>,
    back: Vec<u8>,
}

impl BarePipe {
    fn start(bytes: usize) -> Outcome<Self> {
        let child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Self {
            child,
            given: vec![b'x'; bytes],
            back: vec![0; bytes],
        })
    }

    fn round_trip(&mut self) -> Outcome<()> {
        let missing = "the child has no pipes";
        let stdin = self.child.stdin.as_mut().ok_or(missing)?;
        stdin.write_all(&self.given)?;
        let stdout = self.child.stdout.as_mut().ok_or(missing)?;
        stdout.read_exact(&mut self.back)?;
        Ok(())
    }
}

impl Drop for BarePipe {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

fn command() -> WorkerCommand {
    WorkerCommand {
        program: PathBuf::from(env!("CARGO_BIN_EXE_crucible-script-worker")),
        args: Vec::new(),
    }
}

fn script(text: &str) -> Arc<ScriptSource> {
    Arc::new(ScriptSource {
        script: "bench".to_owned(),
        version: format!("{}{}", text.len(), &text[..text.len().min(64)]),
        entry: "main.rn".to_owned(),
        files: [("main.rn".to_owned(), text.to_owned())].into(),
    })
}

/// An event of a changed note, 1 kB as JSON.
fn event() -> Value {
    json!({
        "type": "note.changed",
        "path": "Recipes/Bagels.md",
        "title": "Bagels",
        "tags": ["bread", "breakfast"],
        "modified_ms": 1_772_344_800_000_i64,
        "properties": {"serves": 8, "rating": 4.5},
        "text": "flour ".repeat(TEXT_BYTES / 6),
    })
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn high(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}
