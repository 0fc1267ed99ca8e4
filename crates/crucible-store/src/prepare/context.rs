//! The piece of text that a backlink is shown with.

/// The most characters of a context.
const CONTEXT_CHARS_MAX: usize = 200;
/// How many characters of a long line are shown before the link.
const CHARS_BEFORE: usize = 80;

/// Returns the line on which `at` stands, shortened around it if it is long.
pub(super) fn context(text: &str, at: usize) -> String {
    let at = floor_char_boundary(text, at);
    let (start, line) = line_around(text, at);
    shorten(line, at - start)
}

fn line_around(text: &str, at: usize) -> (usize, &str) {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..]
        .find('\n')
        .map_or(text.len(), |newline| at + newline);
    (start, &text[start..end])
}

fn shorten(line: &str, at: usize) -> String {
    let trimmed = line.trim();
    if trimmed.len() <= CONTEXT_CHARS_MAX || trimmed.chars().count() <= CONTEXT_CHARS_MAX {
        return trimmed.to_owned();
    }
    let start = line[..at]
        .char_indices()
        .rev()
        .nth(CHARS_BEFORE - 1)
        .map_or(0, |(index, _)| index);
    let piece = &line[start..];
    let end = piece
        .char_indices()
        .nth(CONTEXT_CHARS_MAX)
        .map_or(piece.len(), |(index, _)| index);
    let before = if start > 0 { "…" } else { "" };
    let after = if end < piece.len() { "…" } else { "" };
    format!("{before}{}{after}", piece[..end].trim())
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lines_are_whole() {
        let text = "first\n  see [[b]] there  \nlast";
        assert_eq!(context(text, text.find("[[").unwrap()), "see [[b]] there");
    }

    #[test]
    fn long_lines_are_cut_around_the_link() {
        let text = format!("{} [[b]] {}", "ä ".repeat(300), "ö ".repeat(300));
        let cut = context(&text, text.find("[[").unwrap());
        assert!(cut.starts_with('…') && cut.ends_with('…') && cut.contains("[[b]]"));
        assert!(cut.chars().count() <= CONTEXT_CHARS_MAX + 2);
    }

    #[test]
    fn no_position_is_out_of_reach() {
        assert_eq!(context("", 7), "");
        assert_eq!(context("é", 1), "é");
    }
}
