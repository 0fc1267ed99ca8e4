//! From a file's bytes to text, or to the finding that it is none.

/// How much of a file is looked at to tell text from binary data, in bytes.
const SAMPLE_BYTES: usize = 64 * 1024;

/// A sample with more than one control character in this many bytes is binary. Text has none but
/// tabs and line ends; compressed or executable data has about one in ten.
const BYTES_PER_CONTROL: usize = 20;

/// First bytes of formats that are sometimes saved under the name of a note.
const MAGIC: [&[u8]; 10] = [
    b"\x89PNG\r\n",
    b"\xff\xd8\xff",
    b"GIF87a",
    b"GIF89a",
    b"%PDF-",
    b"PK\x03\x04",
    b"\x7fELF",
    b"\x1f\x8b\x08",
    b"SQLite format 3\0",
    b"7z\xbc\xaf\x27\x1c",
];

/// What [`decode`] made of a file's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// Valid UTF-8. A byte order mark is kept, so that ranges into the text are ranges into the
    /// file; [`parse`](crate::parse()) steps over it. Stray NUL bytes are kept too.
    Utf8(&'a str),
    /// Nearly UTF-8: each invalid sequence became one U+FFFD. Ranges index this text, no longer
    /// the file.
    Lossy {
        /// The text after replacement.
        text: String,
        /// How many sequences were replaced.
        invalid: usize,
        /// Offset of the first invalid byte in the file.
        first: usize,
    },
    /// UTF-16 that says so with a byte order mark, which is left out. Ranges index this text, not
    /// the file.
    Utf16 {
        /// The text as UTF-8.
        text: String,
        /// How many unpaired surrogates (or half units) became U+FFFD.
        invalid: usize,
    },
    /// Not text: known first bytes, or more than one control character in twenty.
    Binary,
}

impl Decoded<'_> {
    /// Returns the text to parse, or `None` for binary data.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Utf8(text) => Some(text),
            Self::Lossy { text, .. } | Self::Utf16 { text, .. } => Some(text),
            Self::Binary => None,
        }
    }
}

/// Decides what a file's bytes are. Never fails.
///
/// A text with a few NUL bytes is text; data is binary when its first 64 kB open with the mark of
/// a known format or hold more than one control character in twenty bytes.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    if let Some(rest) = bytes.strip_prefix(b"\xff\xfe") {
        return utf16(rest, u16::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(b"\xfe\xff") {
        return utf16(rest, u16::from_be_bytes);
    }
    if is_binary(bytes) {
        return Decoded::Binary;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Decoded::Utf8(text),
        Err(fault) => lossy(bytes, fault.valid_up_to()),
    }
}

fn is_binary(bytes: &[u8]) -> bool {
    if MAGIC.iter().any(|magic| bytes.starts_with(magic)) {
        return true;
    }
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    let controls = sample.iter().filter(|byte| is_control(**byte)).count();
    controls > 1 && controls * BYTES_PER_CONTROL > sample.len()
}

fn is_control(byte: u8) -> bool {
    (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b)) || byte == 0x7f
}

fn lossy(bytes: &[u8], first: usize) -> Decoded<'static> {
    let mut text = String::with_capacity(bytes.len() + 16);
    let mut invalid = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            invalid += 1;
        }
    }
    Decoded::Lossy {
        text,
        invalid,
        first,
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Decoded<'static> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut invalid = rest.len();
    let mut text = String::with_capacity(bytes.len());
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        text.push(decoded.unwrap_or_else(|_| {
            invalid += 1;
            char::REPLACEMENT_CHARACTER
        }));
    }
    if !rest.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    match is_binary(text.as_bytes()) {
        true => Decoded::Binary,
        false => Decoded::Utf16 { text, invalid },
    }
}

/// Returns the length of the byte order mark that `text` opens with.
pub(crate) fn bom_len(text: &str) -> usize {
    match text.starts_with('\u{feff}') {
        true => '\u{feff}'.len_utf8(),
        false => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_is_borrowed_with_its_byte_order_mark() {
        assert_eq!(decode(b"\xef\xbb\xbf# A"), Decoded::Utf8("\u{feff}# A"));
        assert_eq!(decode(b""), Decoded::Utf8(""));
    }

    #[test]
    fn stray_nul_bytes_leave_a_text_a_text() {
        assert_eq!(decode(b"a\0b"), Decoded::Utf8("a\0b"));
        let text = format!("{}\0\0\0", "words ".repeat(100));
        assert_eq!(decode(text.as_bytes()), Decoded::Utf8(&text));
    }

    #[test]
    fn invalid_bytes_are_counted_and_located() {
        let Decoded::Lossy {
            text,
            invalid,
            first,
        } = decode(b"caf\xe9 \xff\xff")
        else {
            panic!("not lossy");
        };
        assert_eq!(
            (text.as_str(), invalid, first),
            ("caf\u{fffd} \u{fffd}\u{fffd}", 3, 3)
        );
    }

    #[test]
    fn binary_data_is_told_from_text() {
        let noise: Vec<u8> = (0..4096u32).map(|i| (i * i % 251) as u8).collect();
        assert_eq!(decode(&noise), Decoded::Binary);
        assert_eq!(decode(b"\x89PNG\r\n\x1a\n and so on"), Decoded::Binary);
        assert_eq!(decode(&[0; 64]), Decoded::Binary);
    }

    #[test]
    fn utf16_is_decoded_in_both_orders() {
        for (bytes, invalid) in [
            (&b"\xff\xfeA\0\n\0"[..], 0),
            (&b"\xfe\xff\0A\0\n"[..], 0),
            (&b"\xff\xfeA\0\n\0\0"[..], 1),
        ] {
            let decoded = decode(bytes);
            assert!(decoded.text().is_some_and(|text| text.starts_with("A\n")));
            assert!(matches!(decoded, Decoded::Utf16 { invalid: found, .. } if found == invalid));
        }
    }
}
