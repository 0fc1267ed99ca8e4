//! The detail that an event carries.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The detail that an event carries, in one of three forms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "data", rename_all = "snake_case")]
pub enum EventPayload {
    /// Words.
    Text(String),
    /// Structured data.
    Json(Value),
    /// Bytes; base64 (RFC 4648, padded) in JSON.
    #[serde(with = "base64_bytes")]
    #[schemars(with = "String", extend("contentEncoding" = "base64"))]
    Binary(Bytes),
}

impl EventPayload {
    /// Wraps words.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Wraps structured data.
    #[must_use]
    pub const fn json(value: Value) -> Self {
        Self::Json(value)
    }

    /// Wraps bytes.
    #[must_use]
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }
}

/// Bytes as base64 text, since JSON has no bytes.
mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD
            .decode(text)
            .map(Bytes::from)
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_is_base64_in_json_and_back() {
        let payload = EventPayload::binary(&b"\x00\xff note"[..]);
        let json = serde_json::to_string(&payload).unwrap();
        assert_eq!(json, r#"{"kind":"binary","data":"AP8gbm90ZQ=="}"#);
        assert_eq!(
            serde_json::from_str::<EventPayload>(&json).unwrap(),
            payload
        );
    }
}
