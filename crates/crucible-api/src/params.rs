//! Query parameters: read, checked, and refused with an error that names the parameter.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::Query;
use axum::http::Uri;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, Code};

/// The parameters of one request; each is one that the resource knows.
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    /// Reads the parameters of `uri`; `known` are the names that the resource takes.
    pub(crate) fn read(uri: &Uri, known: &[&str]) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|error| {
            ApiError::new(
                Code::InvalidQuery,
                format!("the query string cannot be read: {error}"),
            )
        })?;
        for (name, _) in &pairs {
            if !known.contains(&name.as_str()) {
                return Err(unknown(name, known));
            }
        }
        Ok(Self { pairs })
    }

    /// Returns a parameter that may be given once.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.values(name);
        let value = values.next();
        if values.next().is_some() {
            return Err(invalid(name, "is given more than once"));
        }
        Ok(value)
    }

    /// Returns a parameter that must be given, once.
    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.one(name)?
            .ok_or_else(|| invalid(name, format!("is missing; add ?{name}=")))
    }

    /// Returns a parameter that may be repeated.
    pub(crate) fn many(&self, name: &str) -> Vec<String> {
        self.values(name).map(str::to_owned).collect()
    }

    /// Returns a number that must lie in `range`, or `default` when it is not given.
    pub(crate) fn number<T>(
        &self,
        name: &str,
        range: RangeInclusive<T>,
        default: T,
    ) -> Result<T, ApiError>
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(text) = self.one(name)? else {
            return Ok(default);
        };
        text.parse()
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let (least, most) = (range.start(), range.end());
                let want = format!("must be a whole number from {least} to {most}, not {text:?}");
                invalid(name, want)
            })
    }

    /// Returns a repeatable parameter whose values are names of an enum's variants.
    pub(crate) fn variants<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>, ApiError> {
        self.values(name)
            .map(|text| {
                let value = serde_json::Value::from(text);
                serde_json::from_value(value).map_err(|error| invalid(name, error.to_string()))
            })
            .collect()
    }

    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Says what is wrong with a parameter.
pub(crate) fn invalid(name: &str, what: impl Display) -> ApiError {
    ApiError::new(Code::InvalidQuery, format!("parameter `{name}`: {what}"))
}

fn unknown(name: &str, known: &[&str]) -> ApiError {
    let error = ApiError::new(
        Code::InvalidQuery,
        format!("parameter {name:?} is not known here"),
    );
    if known.is_empty() {
        error.hint("this resource takes no parameters")
    } else {
        error.hint(format!("this resource takes {}", known.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Result<Params, ApiError> {
        let uri = format!("/x?{query}").parse().unwrap();
        Params::read(&uri, &["q", "limit"])
    }

    fn message<T>(result: Result<T, ApiError>) -> String {
        result.err().unwrap().detail().message.clone()
    }

    #[test]
    fn values_are_decoded() {
        let params = params("q=a+b%26%F0%9F%A5%96&limit=7").unwrap();
        assert_eq!(params.required("q").unwrap(), "a b&🥖");
        assert_eq!(params.number("limit", 1..=10, 3).unwrap(), 7);
    }

    #[test]
    fn faults_name_the_parameter() {
        assert!(message(params("lmit=1")).contains("lmit"));
        let params = params("q=1&q=2&limit=11").unwrap();
        assert!(message(params.required("q")).contains("`q`"));
        assert!(message(params.number("limit", 1..=10, 3)).contains("`limit`"));
    }

    #[test]
    fn number_left_out_is_the_default_and_nonsense_is_refused() {
        assert_eq!(params("").unwrap().number("limit", 1..=10, 3).unwrap(), 3);
        for text in ["", "x", "-1", "0", "1.5", "99999999999999999999999"] {
            let params = params(&format!("limit={text}")).unwrap();
            assert!(message(params.number("limit", 1..=10, 3)).contains("`limit`"));
        }
    }
}
