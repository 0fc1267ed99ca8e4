//! Writes HTML so that nothing from a vault can become markup.
//!
//! [`Html::raw`] takes only text that is written in this program's source; everything else goes
//! through [`Html::text`] or an attribute, which escape.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::percent;

/// A page or a part of one.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Appends markup.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Appends words.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Parsers read NUL as an error or as nothing, depending on where it stands.
                '\0' => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
        self
    }

    /// Appends a number, in groups of three digits.
    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        let digits = number.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                self.0.push('\u{202f}');
            }
            self.0.push(digit);
        }
        self
    }

    /// Appends ` name="value"`.
    pub(super) fn attribute(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.raw(" ").raw(name).raw("=\"").text(value).raw("\"")
    }

    /// Appends a link to a note's page, with words that may differ from its path.
    pub(super) fn note_link(&mut self, path: &str, words: &str) -> &mut Self {
        let mut url = String::from("/note/");
        percent::push_path(&mut url, path);
        self.link(&url, words)
    }

    /// Appends a link to the notes that carry `tag`.
    pub(super) fn tag_link(&mut self, tag: &str) -> &mut Self {
        let mut url = String::from("/notes?tag=");
        percent::push(&mut url, tag);
        self.link(&url, &format!("#{tag}"))
    }

    /// Appends another part.
    pub(super) fn part(&mut self, part: &Self) -> &mut Self {
        self.0.push_str(&part.0);
        self
    }

    fn link(&mut self, url: &str, words: &str) -> &mut Self {
        self.raw("<a").attribute("href", url).raw(" dir=\"auto\">");
        // A link without words cannot be seen or reached.
        self.text(if words.trim().is_empty() {
            "(untitled)"
        } else {
            words
        });
        self.raw("</a>")
    }
}

impl IntoResponse for Html {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "text/html; charset=utf-8")], self.0).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl FnOnce(&mut Html), expected: &str) {
        let mut html = Html::default();
        write(&mut html);
        assert_eq!(html.0, expected);
    }

    #[test]
    fn text_cannot_become_markup() {
        check(
            |html| {
                html.text("</pre><script>alert('&\"')</script>\0");
            },
            "&lt;/pre&gt;&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;\u{fffd}",
        );
    }

    #[test]
    fn attribute_cannot_be_left() {
        check(
            |html| {
                html.attribute("title", "\" onload='x' a=\"");
            },
            " title=\"&quot; onload=&#39;x&#39; a=&quot;\"",
        );
    }

    #[test]
    fn link_to_a_hostile_path_stays_below_note() {
        check(
            |html| {
                html.note_link("javascript:x/\"><b>?#%.md", "<i>");
            },
            "<a href=\"/note/javascript%3Ax/%22%3E%3Cb%3E%3F%23%25.md\" dir=\"auto\">&lt;i&gt;</a>",
        );
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1\u{202f}000"),
            (12_770_001, "12\u{202f}770\u{202f}001"),
        ] {
            check(
                |html| {
                    html.number(number);
                },
                expected,
            );
        }
    }
}
