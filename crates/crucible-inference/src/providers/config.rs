//! What can be set about providers, and what of it is refused.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::backoff::RetryConfig;
use super::breaker::BreakerConfig;
use super::secret::KeyPlace;

/// The providers, in the order in which they are asked for a model that several offer.
///
/// ```toml
/// [[inference.providers]]
/// name = "ollama"
/// kind = "ollama"
///
/// [[inference.providers]]
/// name = "openai"
/// kind = "openai"
/// api_key_env = "OPENAI_API_KEY"
/// models = ["gpt-5-mini", { name = "small", upstream = "gpt-5-nano" }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProvidersConfig {
    /// One entry each.
    pub list: Vec<ProviderConfig>,
}

/// One provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// What it is called here and before a model's name, as in `ollama/llama3`; letters, digits,
    /// `-` and `_`.
    pub name: String,
    /// Which protocol it speaks.
    pub kind: ProviderKind,
    /// Where it is; empty for the public address of its kind. Plain HTTP is refused unless it
    /// stays on this machine.
    #[serde(default)]
    pub base_url: String,
    /// Allows plain HTTP to other machines; what is sent can then be read and changed on the way.
    #[serde(default)]
    pub allow_plain_http: bool,
    /// The variable of the environment that holds its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// The file that holds its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_file: Option<PathBuf>,
    /// The models to use; empty for all that it says it has.
    #[serde(default)]
    pub models: Vec<ModelEntry>,
    /// How long it may take to connect; 5 s.
    #[serde(
        default = "connect_timeout",
        with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required"
    )]
    pub connect_timeout: Duration,
    /// How long a stream, or vectors, may take to begin after the request was sent; 60 s. A model
    /// that is first loaded into memory takes its time.
    #[serde(
        default = "first_byte_timeout",
        with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required"
    )]
    pub first_byte_timeout: Duration,
    /// How long a stream may be silent between two pieces; 30 s.
    #[serde(
        default = "idle_timeout",
        with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required"
    )]
    pub idle_timeout: Duration,
    /// How long the whole answer may take, with all that is tried again; 10 min.
    #[serde(
        default = "timeout",
        with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required"
    )]
    pub timeout: Duration,
    /// How many requests may be under way; more go to the next provider or are refused; 16.
    #[serde(default = "requests_max")]
    pub requests_max: usize,
    /// How many texts are sent in one request for vectors; 64.
    #[serde(default = "embed_texts_max")]
    pub embed_texts_max: usize,
    /// How many bytes of one text are sent for a vector; the rest is cut off; 24,000. Most models
    /// read no more than 8,192 tokens.
    #[serde(default = "embed_text_bytes_max")]
    pub embed_text_bytes_max: usize,
    /// When a request is sent again.
    #[serde(default)]
    pub retry: RetryConfig,
    /// When the provider is left alone for a while.
    #[serde(default)]
    pub breaker: BreakerConfig,
}

const fn connect_timeout() -> Duration {
    Duration::from_secs(5)
}

const fn first_byte_timeout() -> Duration {
    Duration::from_secs(60)
}

const fn idle_timeout() -> Duration {
    Duration::from_secs(30)
}

const fn timeout() -> Duration {
    Duration::from_secs(600)
}

const fn requests_max() -> usize {
    16
}

const fn embed_texts_max() -> usize {
    64
}

const fn embed_text_bytes_max() -> usize {
    24_000
}

/// The protocols that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// OpenAI's, which many servers speak too: `/v1/chat/completions`, `/v1/embeddings`.
    #[serde(rename = "openai")]
    OpenAi,
    /// Ollama's own: `/api/chat`, `/api/embed`.
    Ollama,
    /// Anthropic's: `/v1/messages`.
    Anthropic,
}

/// A model to use: its name alone, or a table that says more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelEntry {
    /// The name to ask for here.
    pub name: String,
    /// The provider's own name for it, where that differs; several providers can so offer one
    /// name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// True when it embeds.
    pub embeds: bool,
    /// Length of its vectors, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<usize>,
}

impl ModelEntry {
    /// Returns the provider's own name for the model.
    #[must_use]
    pub fn upstream(&self) -> &str {
        self.upstream.as_deref().unwrap_or(&self.name)
    }
}

impl From<&str> for ModelEntry {
    fn from(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            upstream: None,
            embeds: name.contains("embed"),
            dimensions: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelTable {
    name: String,
    upstream: Option<String>,
    embeds: Option<bool>,
    dimensions: Option<usize>,
}

impl<'de> Deserialize<'de> for ModelEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry;
        impl<'de> Visitor<'de> for Entry {
            type Value = ModelEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a model's name, or a table with its name")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<ModelEntry, E> {
                Ok(ModelEntry::from(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ModelEntry, A::Error> {
                let table = ModelTable::deserialize(MapAccessDeserializer::new(map))?;
                let plain = ModelEntry::from(table.name.as_str());
                let embeds = plain.embeds || table.dimensions.is_some();
                Ok(ModelEntry {
                    upstream: table.upstream,
                    embeds: table.embeds.unwrap_or(embeds),
                    dimensions: table.dimensions,
                    ..plain
                })
            }
        }
        deserializer.deserialize_any(Entry)
    }
}

/// Why a provider cannot be set up. Messages read after "failed to ..: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("provider {provider:?}: {reason}")]
pub struct ConfigError {
    /// The provider's name in the configuration.
    pub provider: String,
    /// What is wrong, and the cure.
    pub reason: String,
}

impl ProvidersConfig {
    /// Says whether the settings can be used.
    ///
    /// # Errors
    /// The first provider at fault.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (at, config) in self.list.iter().enumerate() {
            let is_twice = self.list[..at].iter().any(|c| c.name == config.name);
            let checked = if is_twice {
                Err("there are two of this name; rename one".to_owned())
            } else {
                config.check()
            };
            checked.map_err(|reason| ConfigError {
                provider: config.name.clone(),
                reason,
            })?;
        }
        Ok(())
    }
}

impl ProviderConfig {
    /// Creates a provider with the defaults of its kind.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: ProviderKind) -> Self {
        Self {
            name: name.into(),
            kind,
            base_url: String::new(),
            allow_plain_http: false,
            api_key_env: None,
            api_key_file: None,
            models: Vec::new(),
            connect_timeout: connect_timeout(),
            first_byte_timeout: first_byte_timeout(),
            idle_timeout: idle_timeout(),
            timeout: timeout(),
            requests_max: requests_max(),
            embed_texts_max: embed_texts_max(),
            embed_text_bytes_max: embed_text_bytes_max(),
            retry: RetryConfig::default(),
            breaker: BreakerConfig::default(),
        }
    }

    pub(crate) fn key_place(&self) -> KeyPlace {
        match (&self.api_key_env, &self.api_key_file) {
            (Some(name), _) => KeyPlace::Variable(name.clone()),
            (None, Some(path)) => KeyPlace::File(path.clone()),
            (None, None) => KeyPlace::None,
        }
    }

    /// Returns the address that paths are added to; it has no `/` at its end.
    ///
    /// An address without a path gets the one of its kind. One of OpenAI's kind is otherwise used
    /// as it is, as its own clients do; Anthropic's gets `/v1` unless it ends so.
    pub(crate) fn base(&self) -> Result<String, String> {
        let text = if self.base_url.is_empty() {
            self.kind.public_address()
        } else {
            self.base_url.as_str()
        };
        let url = Url::parse(text).map_err(|error| {
            format!("base_url {text:?} is no address: {error}; write it as https://host/path")
        })?;
        self.check_url(&url)?;
        let bare = url.as_str().trim_end_matches('/').to_owned();
        Ok(match self.kind {
            ProviderKind::OpenAi if url.path() == "/" => bare + "/v1",
            ProviderKind::Anthropic if !bare.ends_with("/v1") => bare + "/v1",
            ProviderKind::Ollama => bare.strip_suffix("/api").unwrap_or(&bare).to_owned() + "/api",
            ProviderKind::OpenAi | ProviderKind::Anthropic => bare,
        })
    }

    fn check_url(&self, url: &Url) -> Result<(), String> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err("base_url holds a key; name it by api_key_env or api_key_file".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("base_url has a query or a fragment; paths are added to it".to_owned());
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.allow_plain_http || is_loopback(url) => Ok(()),
            "http" => Err(format!(
                "base_url {url} is plain HTTP to another machine; use https, or allow it by \
                 allow_plain_http = true"
            )),
            other => Err(format!("base_url begins with {other}:; use https")),
        }
    }

    fn check(&self) -> Result<(), String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(is_plain) {
            return Err("a name has letters, digits, - and _, and at most 64 of them".to_owned());
        }
        if self.name == "local" {
            return Err("local is the name of this process; choose another".to_owned());
        }
        if self.api_key_env.is_some() && self.api_key_file.is_some() {
            return Err("api_key_env and api_key_file are both set; keep one".to_owned());
        }
        let zero = [
            ("connect_timeout", self.connect_timeout.is_zero()),
            ("first_byte_timeout", self.first_byte_timeout.is_zero()),
            ("idle_timeout", self.idle_timeout.is_zero()),
            ("timeout", self.timeout.is_zero()),
            ("requests_max", self.requests_max == 0),
            ("embed_texts_max", self.embed_texts_max == 0),
            ("embed_text_bytes_max", self.embed_text_bytes_max < 4),
            ("retry.attempts_max", self.retry.attempts_max == 0),
            ("breaker.rest_first", self.breaker.rest_first.is_zero()),
        ];
        if let Some((field, _)) = zero.into_iter().find(|(_, is_zero)| *is_zero) {
            return Err(format!(
                "{field} is too small; leave it out for the default"
            ));
        }
        if self.timeout > Duration::from_secs(24 * 3600) || self.requests_max > 10_000 {
            return Err("timeout is at most 24 h and requests_max 10000".to_owned());
        }
        self.base().map(drop)
    }
}

impl ProviderKind {
    const fn public_address(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Ollama => "http://127.0.0.1:11434",
            Self::Anthropic => "https://api.anthropic.com",
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests;
