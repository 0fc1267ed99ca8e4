//! Frontmatter: found at the very top only, in one of three notations.
//!
//! [`read`] cuts it; `values` turns it into properties; [`take_known`] picks what has a meaning
//! (title, aliases, tags, links).

mod known;
mod values;

use std::ops::Range;

use serde_json::{Map, Value};

use crate::facts::FrontmatterFault;
use crate::spans::{floor, line_end};

pub(crate) use known::take_known;

/// Longest frontmatter that is read, in bytes.
const FRONTMATTER_MAX_BYTES: usize = 256 * 1024;

/// What stands at the top of a note.
pub(crate) enum Front {
    /// No frontmatter.
    Absent,
    /// It was opened, but never closed: the note has none.
    Unclosed(FrontmatterFault),
    /// It has an end, but is not understood.
    Faulty {
        span: Range<usize>,
        fault: FrontmatterFault,
    },
    /// It is understood; `fault` tells of what was passed over.
    Known {
        span: Range<usize>,
        properties: Map<String, Value>,
        fault: Option<FrontmatterFault>,
    },
}

impl Front {
    /// Where the Markdown begins.
    pub(crate) fn body_start(&self, text_start: usize) -> usize {
        match self {
            Self::Absent | Self::Unclosed(_) => text_start,
            Self::Faulty { span, .. } | Self::Known { span, .. } => span.end,
        }
    }
}

/// Reads the frontmatter that begins at `start`, if there is one.
pub(crate) fn read(text: &str, start: usize) -> Front {
    match text.as_bytes().get(start) {
        Some(b'-') => fenced(text, start, "---", values::yaml),
        Some(b'+') => fenced(text, start, "+++", values::toml),
        Some(b'{') => braced(text, start),
        _ => Front::Absent,
    }
}

type Reader = fn(&str) -> Result<values::Properties, FrontmatterFault>;

fn fenced(text: &str, start: usize, fence: &str, reader: Reader) -> Front {
    let opened = line_end(text, start);
    if text[start..opened].trim_end() != fence {
        return Front::Absent;
    }
    let inner_start = after_line(text, opened);
    let window = floor(text, inner_start.saturating_add(FRONTMATTER_MAX_BYTES));
    let Some((inner_end, end)) = find_fence(&text[..window], inner_start, fence) else {
        return unclosed(text, inner_start, window, fence);
    };
    let span = start..end;
    // The line of the opening fence makes the lines of the parser those of the file.
    match reader(&text[inner_start..inner_end]) {
        Ok(found) => Front::Known {
            span,
            properties: found.map,
            fault: found.fault,
        },
        Err(fault) => Front::Faulty { span, fault },
    }
}

/// Returns where the closing fence's line starts and where the line after it starts.
fn find_fence(text: &str, mut at: usize, fence: &str) -> Option<(usize, usize)> {
    while at < text.len() {
        let end = line_end(text, at);
        if text[at..end].trim_end() == fence {
            return Some((at, after_line(text, end)));
        }
        at = after_line(text, end);
    }
    None
}

fn after_line(text: &str, end: usize) -> usize {
    let rest = &text[end..];
    match rest.strip_prefix('\r').unwrap_or(rest).starts_with('\n') {
        true => end + 1 + usize::from(rest.starts_with('\r')),
        false => end,
    }
}

/// A rule at the top of a note is no fault; something that looks like properties is.
fn unclosed(text: &str, inner: usize, window: usize, fence: &str) -> Front {
    let first = &text[inner..line_end(text, inner)];
    let separator = if fence == "---" { ':' } else { '=' };
    let looks_like_properties = first.split_once(separator).is_some_and(|(key, value)| {
        !key.trim().is_empty()
            && !key.starts_with(char::is_whitespace)
            && key.len() < 64
            && (value.is_empty() || value.starts_with(' ') || separator == '=')
    });
    if !looks_like_properties {
        return Front::Absent;
    }
    let message = if window < text.len() {
        format!(
            "frontmatter has no closing `{fence}` within {FRONTMATTER_MAX_BYTES} bytes; close or shorten it"
        )
    } else {
        format!("frontmatter is never closed; add a line `{fence}` after it")
    };
    Front::Unclosed(FrontmatterFault {
        message,
        line: Some(1),
    })
}

fn braced(text: &str, start: usize) -> Front {
    let window = floor(text, start.saturating_add(FRONTMATTER_MAX_BYTES));
    let mut objects =
        serde_json::Deserializer::from_str(&text[start..window]).into_iter::<Map<String, Value>>();
    match objects.next() {
        Some(Ok(properties)) => {
            let end = start + objects.byte_offset();
            let line = line_end(text, end);
            if !text[end..line].trim().is_empty() {
                return Front::Absent;
            }
            Front::Known {
                span: start..after_line(text, line),
                properties,
                fault: None,
            }
        }
        Some(Err(fault)) if looks_like_json(&text[start..window]) => {
            Front::Unclosed(values::json_fault(&fault))
        }
        _ => Front::Absent,
    }
}

fn looks_like_json(text: &str) -> bool {
    let inner = text[1..].trim_start();
    inner.starts_with('"')
        && inner[1..]
            .split_once('"')
            .is_some_and(|(_, rest)| rest.trim_start().starts_with(':'))
}
