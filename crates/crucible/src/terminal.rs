//! How text looks on a terminal; plain wherever it is not one or `NO_COLOR` is set.

use std::fmt::Display;
use std::io::IsTerminal as _;

use crucible_services::data_store::Snippet;

/// Decorates text, or leaves it alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    colour: bool,
}

impl Style {
    /// Decorates when standard output is a terminal that wants it.
    pub(crate) fn detect() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            colour: std::io::stdout().is_terminal() && !refused,
        }
    }

    pub(crate) fn bold(self, text: impl Display) -> String {
        self.wrap("1", text)
    }

    pub(crate) fn dim(self, text: impl Display) -> String {
        self.wrap("2", text)
    }

    pub(crate) fn good(self, text: impl Display) -> String {
        self.wrap("32", text)
    }

    pub(crate) fn warn(self, text: impl Display) -> String {
        self.wrap("33", text)
    }

    fn wrap(self, code: &str, text: impl Display) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }

    /// Returns a snippet with its matches in bold; control characters of the note are dropped, so
    /// that a note cannot steer the terminal.
    pub(crate) fn snippet(self, snippet: &Snippet) -> String {
        let mut shown = String::with_capacity(snippet.text.len());
        let mut from = 0;
        for &(start, end) in &snippet.highlights {
            let (Some(before), Some(hit)) =
                (snippet.text.get(from..start), snippet.text.get(start..end))
            else {
                continue;
            };
            shown.push_str(&plain(before));
            shown.push_str(&self.bold(plain(hit)));
            from = end;
        }
        shown.push_str(&plain(snippet.text.get(from..).unwrap_or_default()));
        shown
    }
}

/// Returns text without control characters, on one line.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Returns text without control characters other than line feeds and tabs.
pub(crate) fn plain_lines(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect()
}

/// Returns a number with thin groups of three, such as `12,770`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Returns a size such as `1.4 MB`.
pub(crate) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let bytes_shown = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes_shown / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes_shown / 1e6),
        _ => format!("{:.1} GB", bytes_shown / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(12_345_678), "12,345,678");
    }

    #[test]
    fn a_note_cannot_steer_the_terminal() {
        let snippet = Snippet {
            text: "a\x1b[2Jb".to_owned(),
            highlights: vec![(0, 1)],
        };
        let style = Style { colour: false };
        assert_eq!(style.snippet(&snippet), "a [2Jb");
    }

    #[test]
    fn highlights_off_the_text_are_ignored() {
        let snippet = Snippet {
            text: "é".to_owned(),
            highlights: vec![(0, 1), (5, 9)],
        };
        assert_eq!(Style { colour: true }.snippet(&snippet), "é");
    }
}
