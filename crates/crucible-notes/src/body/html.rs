//! HTML as text: tags and comments left out.

use std::borrow::Cow;

/// Where in HTML the last line ended.
#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Tag,
    Comment,
    /// In a style sheet or script, to the end of the block.
    Silent,
}

/// Strips HTML line by line.
#[derive(Debug, Default)]
pub(super) struct Stripper {
    state: State,
}

impl Stripper {
    /// Returns the text of a line.
    pub(super) fn strip<'a>(&mut self, line: &'a str) -> Cow<'a, str> {
        if self.state == State::Text && !line.contains('<') {
            return Cow::Borrowed(line);
        }
        let mut text = String::new();
        let mut rest = line;
        while !rest.is_empty() {
            let (kept, next) = self.step(rest);
            text.push_str(kept);
            rest = next;
        }
        if line.ends_with('\n') && !text.ends_with('\n') {
            text.push('\n');
        }
        Cow::Owned(text)
    }

    fn step<'a>(&mut self, rest: &'a str) -> (&'a str, &'a str) {
        match self.state {
            State::Text => {
                let Some((kept, tag)) = rest.split_once('<') else {
                    return (rest, "");
                };
                self.state = if tag.starts_with("!--") {
                    State::Comment
                } else if starts_with(tag, "style") || starts_with(tag, "script") {
                    State::Silent
                } else if tag.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)) {
                    State::Tag
                } else {
                    return (&rest[..kept.len() + 1], tag);
                };
                (kept, tag)
            }
            State::Tag => self.resume_after(rest, ">", " "),
            State::Comment => self.resume_after(rest, "-->", ""),
            State::Silent => ("", ""),
        }
    }

    fn resume_after<'a>(&mut self, rest: &'a str, mark: &str, gap: &'a str) -> (&'a str, &'a str) {
        match rest.split_once(mark) {
            Some((_, rest)) => {
                self.state = State::Text;
                (gap, rest)
            }
            None => ("", ""),
        }
    }
}

fn starts_with(tag: &str, name: &str) -> bool {
    tag.get(..name.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// Whether a tag within prose is a line break.
pub(super) fn is_break(tag: &str) -> bool {
    starts_with(tag, "<br")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_comments_are_left_out_across_lines() {
        for (html, expected) in [
            ("<b>a</b> c\n", " a  c\n"),
            ("<div\nclass=x>a\n", "\n a\n"),
            ("<!-- a\n> b --> c\n", "\n c\n"),
            ("<style>\na { b }\n</style>\n", "\n\n\n"),
            ("1 < 2\n", "1 < 2\n"),
            ("a <", "a <"),
        ] {
            let mut stripper = Stripper::default();
            let text: String = html
                .split_inclusive('\n')
                .map(|line| stripper.strip(line))
                .collect();
            assert_eq!(text, expected, "{html}");
        }
    }
}
