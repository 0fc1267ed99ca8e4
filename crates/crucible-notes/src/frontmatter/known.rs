//! The properties that mean something to every vault.

use std::collections::HashSet;
use std::ops::Range;

use serde_json::{Map, Value};

use super::Front;
use crate::body::tag;
use crate::facts::{Link, LinkKind, NoteFacts, Tag};
use crate::names::{split_target, split_wikilink};
use crate::spans::clip;

/// Writes what the frontmatter says into `facts`.
pub(crate) fn take_known(front: &Front, facts: &mut NoteFacts) {
    match front {
        Front::Absent => {}
        Front::Unclosed(fault) | Front::Faulty { fault, .. } => {
            facts.frontmatter_fault = Some(fault.clone());
        }
        Front::Known {
            span,
            properties,
            fault,
        } => {
            facts.frontmatter = Some(span.clone());
            facts.frontmatter_fault.clone_from(fault);
            facts.title = title(properties);
            facts.aliases = aliases(properties);
            facts.tags = tags(properties);
            properties
                .values()
                .for_each(|value| links(value, span, &mut facts.links));
            facts.properties = properties.clone();
        }
    }
}

fn title(properties: &Map<String, Value>) -> Option<String> {
    let title = properties.get("title")?.as_str()?.trim();
    (!title.is_empty()).then(|| title.to_owned())
}

/// Values of the properties under any of `names`, in any case.
fn named<'a>(
    properties: &'a Map<String, Value>,
    names: &'a [&str],
) -> impl Iterator<Item = &'a Value> {
    properties
        .iter()
        .filter(|(key, _)| names.iter().any(|name| key.eq_ignore_ascii_case(name)))
        .map(|(_, value)| value)
}

fn aliases(properties: &Map<String, Value>) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut add = |alias: &str| {
        let alias = alias.trim();
        if !alias.is_empty() && seen.insert(alias.to_owned()) {
            found.push(alias.to_owned());
        }
    };
    for value in named(properties, &["aliases", "alias"]) {
        match value {
            Value::Array(values) => values.iter().filter_map(text).for_each(|alias| add(&alias)),
            value => text(value)
                .iter()
                .flat_map(|list| list.split(','))
                .for_each(&mut add),
        }
    }
    found
}

fn tags(properties: &Map<String, Value>) -> Vec<Tag> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut add = |list: &str| {
        for part in list.split(|c: char| c == ',' || c.is_whitespace()) {
            let name = part.trim_start_matches('#').trim_end_matches('/');
            if tag::is_name(name) && seen.insert(name.to_owned()) {
                found.push(Tag {
                    name: name.to_owned(),
                    span: None,
                });
            }
        }
    };
    for value in named(properties, &["tags", "tag"]) {
        match value {
            Value::Array(values) => values.iter().filter_map(text).for_each(|tag| add(&tag)),
            value => text(value).iter().for_each(|list| add(list)),
        }
    }
    found
}

/// A scalar as text; lists, maps and nothing are none.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Adds the wikilinks in a property. The parsers bound the depth of a value.
fn links(value: &Value, span: &Range<usize>, found: &mut Vec<Link>) {
    match value {
        Value::String(text) => links_in_text(text, span, found),
        Value::Array(values) => values.iter().for_each(|value| links(value, span, found)),
        Value::Object(map) => map.values().for_each(|value| links(value, span, found)),
        _ => {}
    }
}

fn links_in_text(text: &str, span: &Range<usize>, found: &mut Vec<Link>) {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("[[") {
        let Some((inner, next)) = after.split_once("]]") else {
            return;
        };
        // `[[a [[b]]` is a link to b.
        let inner = inner.rsplit("[[").next().unwrap_or(inner);
        let (target, alias) = split_wikilink(inner);
        let parts = split_target(target);
        if !parts.is_empty() && !inner.contains('\n') && !target.contains("://") {
            found.push(Link {
                kind: LinkKind::Property,
                target: parts.path,
                headings: parts.headings,
                block: parts.block,
                alias: alias
                    .filter(|alias| !alias.is_empty())
                    .map(|alias| clip(alias).to_owned()),
                span: span.clone(),
                line: 1,
            });
        }
        rest = next;
    }
}
