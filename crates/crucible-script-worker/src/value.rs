//! Values on their way between JSON and the language.
//!
//! JSON `null` is `()` in a script; `None` and `()` leave it as `null`, `Some(x)` as `x`. Structs
//! and other types of a script's own stay inside. Nothing is walked deeper than
//! [`VALUE_DEPTH_MAX`].

use crucible_script::protocol::VALUE_DEPTH_MAX;
use rune::TypeHash as _;
use rune::alloc;
use rune::runtime::{Bytes, Object, OwnedTuple, RuntimeError, Value, Vec as RuneVec};
use serde_json::{Map, Number, Value as Json};

/// What a list or object costs besides what stands in it, in bytes; also each of its places.
const PLACE_BYTES: u64 = 2;

/// Why a value cannot leave a script.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    /// It is larger than it may be.
    #[error("the value is larger than {0} bytes")]
    TooLarge(u64),
    /// It is nested too deep.
    #[error("the value is nested deeper than {VALUE_DEPTH_MAX}")]
    TooDeep,
    /// It has no JSON form.
    #[error("a value of type {0} cannot leave the script; use objects, lists, strings and numbers")]
    Foreign(String),
}

/// Brings a JSON value into the language; the caller has seen to its depth.
pub(crate) fn to_rune(json: Json) -> Result<Value, RuntimeError> {
    Ok(match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => rune::to_value(value)?,
        Json::Number(number) => number_to_rune(&number)?,
        Json::String(text) => rune::to_value(alloc::String::try_from(text)?)?,
        Json::Array(items) => {
            let mut list = alloc::Vec::try_with_capacity(items.len())?;
            for item in items {
                list.try_push(to_rune(item)?)?;
            }
            Value::vec(list)?
        }
        Json::Object(fields) => {
            let mut object = Object::with_capacity(fields.len())?;
            for (key, field) in fields {
                object.insert(alloc::String::try_from(key)?, to_rune(field)?)?;
            }
            Value::new(object)?
        }
    })
}

fn number_to_rune(number: &Number) -> Result<Value, RuntimeError> {
    if let Some(value) = number.as_i64() {
        return rune::to_value(value);
    }
    if let Some(value) = number.as_u64() {
        return rune::to_value(value);
    }
    rune::to_value(number.as_f64().unwrap_or(f64::NAN))
}

/// Brings a value out of the language as JSON of at most about `bytes_max` bytes; returns how
/// many it has.
pub(crate) fn to_json(value: &Value, bytes_max: u64) -> Result<(Json, u64), ValueError> {
    let mut way = Way {
        bytes_max,
        bytes: 0,
    };
    let json = way.walk(value, VALUE_DEPTH_MAX)?;
    Ok((json, way.bytes))
}

struct Way {
    bytes_max: u64,
    bytes: u64,
}

impl Way {
    fn take(&mut self, bytes: u64) -> Result<(), ValueError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.bytes_max {
            return Err(ValueError::TooLarge(self.bytes_max));
        }
        Ok(())
    }

    fn walk(&mut self, value: &Value, depth_left: usize) -> Result<Json, ValueError> {
        self.take(PLACE_BYTES)?;
        if let Some(simple) = simple_to_json(value)? {
            return Ok(simple);
        }
        if let Ok(text) = value.borrow_string_ref() {
            self.take(text.len() as u64)?;
            return Ok(Json::String((*text).to_owned()));
        }
        if let Ok(option) = value.borrow_ref::<Option<Value>>() {
            let left = depth_left.checked_sub(1).ok_or(ValueError::TooDeep)?;
            return match &*option {
                None => Ok(Json::Null),
                Some(inner) => self.walk(inner, left),
            };
        }
        if let Ok(list) = value.borrow_ref::<RuneVec>() {
            return self.list(list.iter(), depth_left);
        }
        if let Ok(tuple) = value.borrow_ref::<OwnedTuple>() {
            return self.list(tuple.iter(), depth_left);
        }
        if let Ok(object) = value.borrow_ref::<Object>() {
            let left = depth_left.checked_sub(1).ok_or(ValueError::TooDeep)?;
            let mut fields = Map::new();
            let mut names: Vec<_> = object.iter().collect();
            // The language keeps no order; the same value leaves it the same way each time.
            names.sort_unstable_by_key(|(name, _)| *name);
            for (name, field) in names {
                self.take(name.len() as u64 + PLACE_BYTES)?;
                fields.insert(name.as_str().to_owned(), self.walk(field, left)?);
            }
            return Ok(Json::Object(fields));
        }
        Err(foreign(value))
    }

    fn list<'v>(
        &mut self,
        items: impl Iterator<Item = &'v Value>,
        depth_left: usize,
    ) -> Result<Json, ValueError> {
        let left = depth_left.checked_sub(1).ok_or(ValueError::TooDeep)?;
        let items: Result<_, _> = items.map(|item| self.walk(item, left)).collect();
        Ok(Json::Array(items?))
    }
}

fn simple_to_json(value: &Value) -> Result<Option<Json>, ValueError> {
    let hash = value.type_hash();
    Ok(Some(if hash == <()>::HASH {
        Json::Null
    } else if hash == bool::HASH {
        let value = rune::from_value::<bool>(value.clone());
        Json::Bool(value.unwrap_or(false))
    } else if hash == i64::HASH || hash == u64::HASH {
        match (value.as_integer::<i64>(), value.as_integer::<u64>()) {
            (Ok(value), _) => Json::from(value),
            (_, Ok(value)) => Json::from(value),
            _ => return Err(foreign(value)),
        }
    } else if hash == f64::HASH {
        let number = rune::from_value::<f64>(value.clone()).unwrap_or(f64::NAN);
        let number = Number::from_f64(number);
        Json::Number(number.ok_or_else(|| ValueError::Foreign("not a finite number".to_owned()))?)
    } else if hash == char::HASH {
        let value = rune::from_value::<char>(value.clone());
        Json::String(value.map(String::from).unwrap_or_default())
    } else if hash == Bytes::HASH {
        return Err(foreign(value));
    } else {
        return Ok(None);
    }))
}

fn foreign(value: &Value) -> ValueError {
    ValueError::Foreign(value.type_info().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_comes_back_as_it_went_in() {
        let json = json!({
            "list": [1, -2, 3.5, u64::MAX, true, "text", []],
            "nothing": null,
            "object": {"a": {"b": "ü"}},
        });
        let value = to_rune(json.clone()).unwrap();
        let (back, bytes) = to_json(&value, 1000).unwrap();
        assert_eq!(back, json);
        assert!(bytes > 20);
    }

    #[test]
    fn what_is_too_large_or_too_deep_stays_inside() {
        let long = to_rune(json!("x".repeat(100))).unwrap();
        assert_eq!(to_json(&long, 50), Err(ValueError::TooLarge(50)));
        let deep = (0..70).fold(json!(1), |inner, _| json!([inner]));
        let deep = to_rune(deep).unwrap();
        assert_eq!(to_json(&deep, 5000), Err(ValueError::TooDeep));
    }

    #[test]
    fn what_has_no_json_form_is_named() {
        let bytes = Value::new(Bytes::new()).unwrap();
        let error = to_json(&bytes, 50).unwrap_err().to_string();
        assert!(error.contains("Bytes"), "{error}");
    }
}
