//! What a model's configuration files say about it: sizes, and how its output becomes a vector.

use std::path::Path;

use serde::Deserialize;

/// The longest configuration file that is read.
const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// The most values that the weights may have: 4 GiB of them.
const VALUES_MAX: usize = 1 << 30;

/// The sizes of an encoder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    /// Length of a vector.
    pub hidden: usize,
    /// Length of a vector inside the feed-forward layers.
    pub intermediate: usize,
    /// Number of layers.
    pub layers: usize,
    /// Heads of attention in a layer.
    pub heads: usize,
    /// Tokens that it knows.
    pub vocabulary: usize,
    /// Positions that it knows.
    pub positions: usize,
    /// Kinds of text that it tells apart; the first is used.
    pub types: usize,
    /// Added to the variance in normalisations.
    pub epsilon: f32,
    /// How vectors of tokens become one.
    pub pooling: Pooling,
    /// The most tokens of a text that it reads, with the two marks around it.
    pub tokens_max: usize,
}

/// How the vectors of a text's tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// Their mean.
    Mean,
    /// That of the first token.
    First,
}

/// `config.json`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Config {
    model_type: String,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f32,
    hidden_act: String,
    position_embedding_type: Option<String>,
}

/// `1_Pooling/config.json` of sentence-transformers.
#[derive(Debug, Deserialize)]
struct PoolingConfig {
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
}

/// `sentence_bert_config.json` of sentence-transformers.
#[derive(Debug, Deserialize)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

impl Shape {
    /// Reads the configuration files of the model in `folder`.
    ///
    /// # Errors
    /// In words: which file is missing or damaged, or what the model needs that is not done here.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let config: Config = read_json(folder, "config.json", CONFIG_BYTES_MAX)?
            .ok_or("has no config.json: it is not a model")?;
        let pooling = read_json(folder, "1_Pooling/config.json", CONFIG_BYTES_MAX)?;
        let sentence = read_json(folder, "sentence_bert_config.json", CONFIG_BYTES_MAX)?;
        Self::new(&config, pooling.as_ref(), sentence.as_ref())
    }

    /// Returns how many bytes the weights take.
    pub(crate) fn bytes(&self) -> usize {
        self.values().unwrap_or(VALUES_MAX) * size_of::<f32>()
    }

    fn new(
        config: &Config,
        pooling: Option<&PoolingConfig>,
        sentence: Option<&SentenceConfig>,
    ) -> Result<Self, String> {
        let absolute = config.position_embedding_type.as_deref();
        if config.model_type != "bert" || absolute.is_some_and(|kind| kind != "absolute") {
            return Err(format!(
                "is of the kind {:?}; only BERT encoders with absolute positions are run here",
                config.model_type
            ));
        }
        if config.hidden_act != "gelu" {
            return Err(format!(
                "uses the activation {:?}; only \"gelu\" is done here",
                config.hidden_act
            ));
        }
        let pooling = match pooling {
            Some(pooling) if pooling.pooling_mode_mean_tokens => Pooling::Mean,
            Some(pooling) if pooling.pooling_mode_cls_token => Pooling::First,
            Some(_) => return Err("pools tokens in a way that is not done here".to_owned()),
            None => Pooling::Mean,
        };
        let positions = config.max_position_embeddings;
        let tokens_max = sentence.and_then(|sentence| sentence.max_seq_length);
        let shape = Self {
            hidden: config.hidden_size,
            intermediate: config.intermediate_size,
            layers: config.num_hidden_layers,
            heads: config.num_attention_heads,
            vocabulary: config.vocab_size,
            positions,
            types: config.type_vocab_size,
            epsilon: config.layer_norm_eps,
            pooling,
            tokens_max: tokens_max.unwrap_or(positions).min(positions),
        };
        shape.check()?;
        Ok(shape)
    }

    fn check(&self) -> Result<(), String> {
        let sizes = [self.hidden, self.intermediate, self.layers, self.heads];
        let more = [self.vocabulary, self.types];
        let is_odd = sizes.iter().chain(&more).any(|size| *size == 0)
            || !self.hidden.is_multiple_of(self.heads.max(1))
            || self.tokens_max < 3
            || !self.epsilon.is_finite();
        if is_odd || self.values().is_none_or(|values| values > VALUES_MAX) {
            return Err(format!(
                "config.json has sizes that make no model: {self:?}"
            ));
        }
        Ok(())
    }

    /// Returns the number of values in all weights; `None` when it cannot be counted.
    fn values(&self) -> Option<usize> {
        let rows = self.vocabulary.checked_add(self.positions)?;
        let rows = rows.checked_add(self.types)?;
        let square = self.hidden.checked_mul(self.hidden)?.checked_mul(4)?;
        let feed = self.hidden.checked_mul(self.intermediate)?.checked_mul(2)?;
        let layer = square.checked_add(feed)?.checked_mul(self.layers)?;
        rows.checked_mul(self.hidden)?.checked_add(layer)
    }
}

/// Reads a JSON file of at most `bytes_max`; `None` when it is not there.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(
    folder: &Path,
    name: &str,
    bytes_max: u64,
) -> Result<Option<T>, String> {
    let bytes =
        read_small(&folder.join(name), bytes_max).map_err(|error| format!("{name}: {error}"))?;
    bytes
        .map(|bytes| serde_json::from_slice(&bytes).map_err(|error| format!("{name}: {error}")))
        .transpose()
}

/// Reads a file of at most `bytes_max`; `None` when it is not there.
pub(crate) fn read_small(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, String> {
    use std::io::Read as _;
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut bytes = Vec::new();
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("longer than the {bytes_max} bytes that are read"));
    }
    Ok(Some(bytes))
}
