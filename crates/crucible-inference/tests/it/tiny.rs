//! A model of a few kilobytes, made up by the test that needs it: of the right form, and senseless.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Length of its vectors.
pub(crate) const HIDDEN: usize = 24;
/// The most tokens that it reads.
pub(crate) const TOKENS_MAX: usize = 16;

const INTERMEDIATE: usize = 40;
const WORDS: [&str; 12] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello", "world", "note", "##s", ".", "a", "b", "c",
];

/// Writes the model into `folder`.
pub(crate) fn write(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("config.json"), config().to_string()).unwrap();
    fs::write(folder.join("vocab.txt"), WORDS.join("\n")).unwrap();
    fs::write(folder.join("model.safetensors"), weights(0.5)).unwrap();
}

/// Its `config.json`.
pub(crate) fn config() -> Value {
    json!({
        "model_type": "bert",
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "vocab_size": WORDS.len(),
        "max_position_embeddings": TOKENS_MAX,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
    })
}

/// Its weights, as large as `size`, as a safetensors file.
pub(crate) fn weights(size: f32) -> Vec<u8> {
    let mut shapes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut add = |name: String, shape: &[usize]| shapes.insert(name, shape.to_vec());
    for (name, rows) in [
        ("word", WORDS.len()),
        ("position", TOKENS_MAX),
        ("token_type", 2),
    ] {
        add(
            format!("embeddings.{name}_embeddings.weight"),
            &[rows, HIDDEN],
        );
    }
    let mut norms = vec!["embeddings.LayerNorm".to_owned()];
    for layer in 0..2 {
        for (part, outputs, inputs) in [
            ("attention.self.query", HIDDEN, HIDDEN),
            ("attention.self.key", HIDDEN, HIDDEN),
            ("attention.self.value", HIDDEN, HIDDEN),
            ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", INTERMEDIATE, HIDDEN),
            ("output.dense", HIDDEN, INTERMEDIATE),
        ] {
            add(
                format!("encoder.layer.{layer}.{part}.weight"),
                &[outputs, inputs],
            );
            add(format!("encoder.layer.{layer}.{part}.bias"), &[outputs]);
        }
        norms.push(format!("encoder.layer.{layer}.attention.output.LayerNorm"));
        norms.push(format!("encoder.layer.{layer}.output.LayerNorm"));
    }
    for norm in norms {
        add(format!("{norm}.weight"), &[HIDDEN]);
        add(format!("{norm}.bias"), &[HIDDEN]);
    }
    let mut header = String::from("{");
    let mut data = Vec::new();
    let mut state = 1_u32;
    for (name, shape) in &shapes {
        let start = data.len();
        for _ in 0..shape.iter().product::<usize>() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let value = ((state >> 8) as f32 / 8_388_608.0 - 1.0) * size;
            data.extend_from_slice(&value.to_le_bytes());
        }
        let comma = if start == 0 { "" } else { "," };
        let offsets = [start, data.len()];
        let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": offsets });
        write!(header, "{comma}{name:?}:{entry}").unwrap();
    }
    header.push('}');
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(&data);
    file
}
