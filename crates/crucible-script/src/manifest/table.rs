//! TOML taken apart, with the line of everything, and faults that read the same everywhere.

use std::ops::Range;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ENTRIES_MAX, Fault};
use crate::nearest::cure;

/// Parses a whole file.
pub(super) fn document(text: &str) -> Result<Spanned<DeTable<'_>>, Fault> {
    DeTable::parse(text).map_err(|error| Fault {
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })
}

/// One table of the file.
#[derive(Debug)]
pub(super) struct Table<'t> {
    text: &'t str,
    /// How messages call it, such as `[[on]]`.
    place: String,
    start: usize,
    entries: &'t DeTable<'t>,
}

impl<'t> Table<'t> {
    pub(super) fn root(text: &'t str, document: &'t Spanned<DeTable<'t>>) -> Self {
        Self {
            text,
            place: "the manifest".to_owned(),
            start: 0,
            entries: document.get_ref(),
        }
    }

    /// Refuses keys that are not in `known`.
    pub(super) fn allow(&self, known: &[&str]) -> Result<(), Fault> {
        let unknown = self
            .entries
            .keys()
            .filter(|key| !known.contains(&key.get_ref().as_ref()))
            .min_by_key(|key| key.span().start);
        match unknown {
            None => Ok(()),
            Some(key) => {
                let name = key.get_ref().as_ref();
                let message = format!("{} has no key `{name}`{}", self.place, cure(name, known));
                Err(self.fault_at(&key.span(), message))
            }
        }
    }

    /// Makes a fault at the value of `key`.
    pub(super) fn fault(&self, key: &str, message: impl Into<String>) -> Fault {
        match self.entries.get(key) {
            Some(value) => self.fault_at(&value.span(), message),
            None => self.fault_here(message),
        }
    }

    /// Makes a fault at the table itself.
    pub(super) fn fault_here(&self, message: impl Into<String>) -> Fault {
        let start = self.start;
        self.fault_at(&(start..start), message)
    }

    fn fault_at(&self, span: &Range<usize>, message: impl Into<String>) -> Fault {
        Fault {
            line: line_of(self.text, span.start),
            message: message.into(),
        }
    }

    fn wrong(&self, key: &str, want: &str) -> Fault {
        self.fault(key, format!("`{key}` of {} must be {want}", self.place))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    fn value(&self, key: &str) -> Option<&'t DeValue<'t>> {
        self.entries.get(key).map(Spanned::get_ref)
    }

    pub(super) fn string(&self, key: &str) -> Result<Option<String>, Fault> {
        match self.value(key) {
            None => Ok(None),
            Some(DeValue::String(text)) => Ok(Some(text.to_string())),
            Some(_) => Err(self.wrong(key, "a text in quotes")),
        }
    }

    /// Returns a text that must be there and say something.
    pub(super) fn required_text(&self, key: &str) -> Result<String, Fault> {
        match self.string(key)? {
            Some(text) if !text.trim().is_empty() => Ok(text),
            Some(_) => Err(self.fault(key, format!("`{key}` of {} is empty", self.place))),
            None => Err(self.fault_here(format!(
                "{} lacks `{key}`; add `{key} = \"..\"`",
                self.place
            ))),
        }
    }

    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, Fault> {
        match self.value(key) {
            None => Ok(None),
            Some(DeValue::Boolean(value)) => Ok(Some(*value)),
            Some(_) => Err(self.wrong(key, "true or false")),
        }
    }

    pub(super) fn integer(&self, key: &str) -> Result<Option<i64>, Fault> {
        match self.value(key) {
            None => Ok(None),
            Some(DeValue::Integer(number)) => i64::from_str_radix(number.as_str(), number.radix())
                .map(Some)
                .map_err(|_| self.wrong(key, "a whole number that fits 64 bits")),
            Some(_) => Err(self.wrong(key, "a whole number")),
        }
    }

    /// Returns a list of texts; one text stands for a list of one.
    pub(super) fn strings(&self, key: &str) -> Result<Vec<String>, Fault> {
        let want = "a list of texts in quotes";
        match self.value(key) {
            None => Ok(Vec::new()),
            Some(DeValue::String(text)) => Ok(vec![text.to_string()]),
            Some(DeValue::Array(items)) => {
                if items.len() > ENTRIES_MAX {
                    return Err(self.wrong(key, &format!("a list of at most {ENTRIES_MAX}")));
                }
                items
                    .iter()
                    .map(|item| match item.get_ref() {
                        DeValue::String(text) => Ok(text.to_string()),
                        _ => Err(self.fault_at(
                            &item.span(),
                            format!("`{key}` of {} must be {want}", self.place),
                        )),
                    })
                    .collect()
            }
            Some(_) => Err(self.wrong(key, want)),
        }
    }

    pub(super) fn table(&self, key: &str) -> Result<Option<Self>, Fault> {
        match self.entries.get(key) {
            None => Ok(None),
            Some(value) => match value.get_ref() {
                DeValue::Table(entries) => Ok(Some(self.below(key, value.span().start, entries))),
                _ => Err(self.wrong(key, &format!("a table: write [{key}] on a line of its own"))),
            },
        }
    }

    /// Returns a list of tables, written `[[key]]`.
    pub(super) fn tables(&self, key: &str) -> Result<Vec<Self>, Fault> {
        let want = format!("a list of tables: write [[{key}]] with double brackets");
        let items = match self.value(key) {
            None => return Ok(Vec::new()),
            Some(DeValue::Array(items)) => items,
            Some(_) => return Err(self.wrong(key, &want)),
        };
        if items.len() > ENTRIES_MAX {
            return Err(self.wrong(key, &format!("a list of at most {ENTRIES_MAX} tables")));
        }
        items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::Table(entries) => Ok(Self {
                    place: format!("[[{key}]]"),
                    ..self.below(key, item.span().start, entries)
                }),
                _ => Err(self.wrong(key, &want)),
            })
            .collect()
    }

    fn below(&self, key: &str, start: usize, entries: &'t DeTable<'t>) -> Self {
        Self {
            text: self.text,
            place: format!("[{key}]"),
            start,
            entries,
        }
    }

    /// Returns a value of any form as JSON.
    pub(super) fn json(&self, key: &str) -> Result<Option<Value>, Fault> {
        self.entries
            .get(key)
            .map(|value| to_json(value.get_ref()).map_err(|want| self.wrong(key, want)))
            .transpose()
    }
}

fn to_json(value: &DeValue<'_>) -> Result<Value, &'static str> {
    Ok(match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(value) => Value::from(*value),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(Value::from)
            .map_err(|_| "made of numbers that fit 64 bits")?,
        DeValue::Float(number) => {
            let number: f64 = number
                .as_str()
                .parse()
                .map_err(|_| "made of numbers that can be read")?;
            serde_json::Number::from_f64(number)
                .map(Value::Number)
                .ok_or("made of finite numbers")?
        }
        DeValue::Datetime(_) => return Err("without dates; write them as text"),
        DeValue::Array(items) => items
            .iter()
            .map(|item| to_json(item.get_ref()))
            .collect::<Result<_, _>>()?,
        DeValue::Table(entries) => {
            let mut object = Map::new();
            // In the order in which they are written, which is the order people meant.
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| key.span().start);
            for (key, value) in entries {
                object.insert(key.get_ref().to_string(), to_json(value.get_ref())?);
            }
            Value::Object(object)
        }
    })
}

fn line_of(text: &str, offset: usize) -> u64 {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1
}
