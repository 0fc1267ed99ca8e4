//! Values that both interfaces carry, in protobuf's shape.

use crucible_services::service_traits::ServiceKind;
use jiff::Timestamp;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::Value as Json;

/// Makes an enum of ours its twin of the same variants; `told and taken` makes the way back too.
macro_rules! twins {
    (told $ours:ident, $($variant:ident)*) => {
        impl From<$ours> for proto::$ours {
            fn from(ours: $ours) -> Self {
                match ours {
                    $($ours::$variant => Self::$variant,)*
                }
            }
        }
    };
    (told and taken $ours:ident, $($variant:ident)*) => {
        twins!(told $ours, $($variant)*);

        impl proto::$ours {
            /// Returns the twin; `None` where nothing is said.
            pub(crate) const fn ours(self) -> Option<$ours> {
                match self {
                    Self::Unspecified => None,
                    $(Self::$variant => Some($ours::$variant),)*
                }
            }
        }
    };
}

pub(super) use twins;

const NANOS: i128 = 1_000_000_000;

/// Returns a moment.
pub(super) fn moment(at: Timestamp) -> prost_types::Timestamp {
    let nanos = at.as_nanosecond();
    prost_types::Timestamp {
        // Both fit: a timestamp is within the years of four digits.
        seconds: i64::try_from(nanos.div_euclid(NANOS)).unwrap_or_default(),
        nanos: i32::try_from(nanos.rem_euclid(NANOS)).unwrap_or_default(),
    }
}

/// Returns a sort of service.
pub(super) fn kind(name: &str) -> ServiceKind {
    let known = [
        ServiceKind::DataStore,
        ServiceKind::InferenceEngine,
        ServiceKind::ScriptEngine,
        ServiceKind::McpGateway,
    ];
    known
        .into_iter()
        .find(|kind| kind.to_string() == name)
        .unwrap_or_else(|| ServiceKind::Custom(name.to_owned()))
}

/// Returns a value; whole numbers beyond 2^53 are rounded.
pub(super) fn value(json: Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(is_so) => Kind::BoolValue(is_so),
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Kind::StringValue(text),
        Json::Array(items) => Kind::ListValue(ListValue {
            values: items.into_iter().map(value).collect(),
        }),
        Json::Object(fields) => Kind::StructValue(fields_of(fields)),
    };
    Value { kind: Some(kind) }
}

/// Returns an object.
pub(super) fn fields_of(fields: serde_json::Map<String, Json>) -> Struct {
    Struct {
        fields: fields
            .into_iter()
            .map(|(name, field)| (name, value(field)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_before_and_after_1970_keep_their_nanoseconds() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:01.000000002Z", 1, 2),
            ("1969-12-31T23:59:59.9Z", -1, 900_000_000),
        ] {
            let found = moment(text.parse().unwrap());
            assert_eq!((found.seconds, found.nanos), (seconds, nanos), "{text}");
        }
    }

    #[test]
    fn kinds_are_read_back_from_their_names() {
        for name in ["data_store", "mcp_gateway", "vault"] {
            assert_eq!(kind(name).to_string(), name);
        }
        assert_eq!(kind("script_engine"), ServiceKind::ScriptEngine);
    }
}
