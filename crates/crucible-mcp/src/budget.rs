//! How long an answer may be.
//!
//! Models count tokens; nobody else can. A token is taken as four bytes of the longer of the two
//! forms of an answer, which is near for English and too high for no language by much.

/// Bytes that are counted as one token.
const TOKEN_BYTES: usize = 4;

/// The most tokens that any answer has.
pub(crate) const ANSWER_TOKENS_MAX: usize = 24_000;

/// How many bytes fit into so many tokens.
pub(crate) const fn bytes(tokens: usize) -> usize {
    tokens.saturating_mul(TOKEN_BYTES)
}

/// How many bytes `text` takes inside a JSON string.
pub(crate) fn json_len(text: &str) -> usize {
    text.bytes().map(json_byte_len).sum()
}

/// How many bytes the byte takes inside a JSON string, as serde_json writes it.
const fn json_byte_len(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0x00..=0x1f => 6,
        _ => 1,
    }
}

/// Returns the longest start of `text` that takes at most `bytes_max` bytes inside a JSON string,
/// ends between characters, and has at least one character if `text` has.
pub(crate) fn json_prefix(text: &str, bytes_max: usize) -> &str {
    let mut taken = 0;
    for (at, char) in text.char_indices() {
        let cost = match char {
            '\0'..='\u{7f}' => json_byte_len(char as u8),
            _ => char.len_utf8(),
        };
        if at > 0 && taken + cost > bytes_max {
            return &text[..at];
        }
        taken += cost;
    }
    text
}

/// Returns `text` on one line and at most `chars_max` characters long, with `…` where it was cut.
pub(crate) fn shorten(text: &str, chars_max: usize) -> String {
    let mut short = String::new();
    for (count, char) in text.chars().enumerate() {
        if count + 1 > chars_max {
            short.pop();
            short.push('…');
            break;
        }
        short.push(if char.is_control() { ' ' } else { char });
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_length_is_what_serde_writes() {
        let text = "a\"b\\c\n\t\r\u{8}\u{c}\u{0}\u{1f}\u{7f}é漢😀";
        let written = serde_json::to_string(text).unwrap();
        assert_eq!(json_len(text), written.len() - 2);
    }

    #[test]
    fn prefix_ends_between_characters_and_is_never_empty() {
        assert_eq!(json_prefix("漢字", 1), "漢");
        assert_eq!(json_prefix("漢字", 5), "漢");
        assert_eq!(json_prefix("漢字", 6), "漢字");
        assert_eq!(json_prefix("\n\nx", 4), "\n\n");
        assert_eq!(json_prefix("", 0), "");
    }

    #[test]
    fn shortened_text_is_one_line_and_says_that_it_was_cut() {
        assert_eq!(shorten("a\nb", 3), "a b");
        assert_eq!(shorten("abcd", 3), "ab…");
        assert_eq!(shorten("漢字漢字", 2), "漢…");
    }
}
