//! What a model may write where a note is meant.
//!
//! Models copy what they see: a path, a title, `[[Note#Heading|alias]]` out of a text, or
//! `Folder/Note.md:12` out of a search result. A reference is asked for as it is written first,
//! since a title may contain any of those marks, and only then without them.

use std::future::Future;

use crucible_services::data_store::Error;

/// One way to understand what was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// What to ask the store for.
    pub(crate) name: String,
    /// The heading after `#`.
    pub(crate) section: Option<String>,
    /// The line after `:`.
    pub(crate) line: Option<u64>,
}

/// Returns the ways to understand `written`, the most literal first; at most three.
pub(crate) fn readings(written: &str) -> Vec<Reading> {
    let written = written.trim();
    let target = without_brackets(written);
    let literal = Reading {
        name: written.to_owned(),
        ..Reading::default()
    };
    let mut readings = vec![literal];
    if let Some((name, line)) = target.rsplit_once(':')
        && let Ok(line) = line.parse()
    {
        readings.push(Reading {
            name: name.to_owned(),
            section: None,
            line: Some(line),
        });
    }
    let (name, section) = target.split_once('#').unwrap_or((target, ""));
    readings.push(Reading {
        name: name.trim().to_owned(),
        section: Some(section.trim().to_owned()).filter(|section| !section.is_empty()),
        line: None,
    });
    let is_more = |reading: &Reading| !reading.name.is_empty() && reading.name != written;
    let mut index = 0;
    readings.retain(|reading| {
        index += 1;
        index == 1 || is_more(reading)
    });
    readings
}

fn without_brackets(written: &str) -> &str {
    let link = written.strip_prefix('!').unwrap_or(written);
    link.strip_prefix("[[")
        .and_then(|inner| inner.strip_suffix("]]"))
        .map_or(written, |inner| {
            inner.split_once('|').map_or(inner, |(target, _)| target)
        })
}

/// Asks for each reading of `written` until one is found.
///
/// # Errors
/// The error of the last reading asked for.
pub(crate) async fn first_found<T, F>(
    written: &str,
    ask: impl Fn(String) -> F,
) -> Result<(T, Reading), Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut last = Error::NotFound {
        reference: written.trim().to_owned(),
        candidates: Vec::new(),
    };
    for reading in readings(written) {
        match ask(reading.name.clone()).await {
            Ok(found) => return Ok((found, reading)),
            Err(error @ Error::NotFound { .. }) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(written: &str, expected: &[(&str, Option<&str>, Option<u64>)]) {
        let readings: Vec<_> = readings(written)
            .into_iter()
            .map(|r| (r.name, r.section, r.line))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, section, line)| ((*name).to_owned(), section.map(str::to_owned), *line))
            .collect();
        assert_eq!(readings, expected, "{written}");
    }

    #[test]
    fn marks_are_taken_off_only_after_the_literal_name() {
        check("Home.md", &[("Home.md", None, None)]);
        check(
            "a/b.md:12",
            &[("a/b.md:12", None, None), ("a/b.md", None, Some(12))],
        );
        check(
            "C#/b.md:12",
            &[
                ("C#/b.md:12", None, None),
                ("C#/b.md", None, Some(12)),
                ("C", Some("/b.md:12"), None),
            ],
        );
        check("C#", &[("C#", None, None), ("C", None, None)]);
        check(
            "[[Plan#Next steps|plan]]",
            &[
                ("[[Plan#Next steps|plan]]", None, None),
                ("Plan", Some("Next steps"), None),
            ],
        );
        check(
            "![[Plan]]",
            &[("![[Plan]]", None, None), ("Plan", None, None)],
        );
    }

    #[test]
    fn odd_text_gives_only_its_literal_reading() {
        check("[[]]", &[("[[]]", None, None)]);
        check("#tag", &[("#tag", None, None)]);
        check(":5", &[(":5", None, None)]);
        check("12:30 notes", &[("12:30 notes", None, None)]);
    }
}
