//! What a character is to the index, and the form in which it is compared.
//!
//! Case, accents, width and Unicode form do not count. Marks that carry the vowels of a script
//! (Devanagari, Thai, kana voicing) do.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// What a character is to the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Part of a word.
    Word,
    /// A word of its own: scripts without spaces, and emoji.
    Single,
    /// Belongs to the character before it, and starts nothing.
    Attached,
    /// Not seen at all: accents that stand alone, joiners, variation selectors.
    Ignored,
    /// Ends a word.
    Separator,
}

/// Says what `c` is to the index.
pub(super) fn class(c: char) -> Class {
    if c.is_ascii() {
        return if c.is_ascii_alphanumeric() {
            Class::Word
        } else {
            Class::Separator
        };
    }
    if is_ignored(c) {
        Class::Ignored
    } else if is_spaceless(c) {
        match c as u32 {
            0x1160..=0x11FF | 0x3099 | 0x309A => Class::Attached,
            _ if is_combining_mark(c) => Class::Attached,
            _ if c.is_alphanumeric() => Class::Single,
            _ => Class::Separator,
        }
    } else if is_emoji(c) {
        Class::Single
    } else if c.is_alphanumeric() || is_combining_mark(c) {
        Class::Word
    } else {
        Class::Separator
    }
}

/// Accents of alphabets, points of Hebrew and Arabic, joiners, selectors and skin tones.
const fn is_ignored(c: char) -> bool {
    matches!(c as u32,
        0x00AD | 0x0300..=0x036F | 0x0591..=0x05BD | 0x05BF..=0x05C7 | 0x064B..=0x065F | 0x0670
        | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x200C..=0x200F | 0x2060 | 0x20D0..=0x20FF
        | 0xFE00..=0xFE0F | 0xFE20..=0xFE2F | 0xFEFF | 0x1F3FB..=0x1F3FF)
}

/// Scripts that put no space between words, and Hangul, which puts it after particles.
const fn is_spaceless(c: char) -> bool {
    matches!(c as u32,
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1100..=0x11FF | 0x1780..=0x17FF
        | 0x3005..=0x3007 | 0x3040..=0x31BF | 0x31F0..=0x31FF | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF | 0xA960..=0xA97F | 0xAC00..=0xD7FF | 0xF900..=0xFAFF
        | 0xFF66..=0xFFDC | 0x20000..=0x3FFFF)
}

const fn is_emoji(c: char) -> bool {
    matches!(c as u32, 0x231A..=0x23FF | 0x2600..=0x27BF | 0x2B05..=0x2B55 | 0x1F000..=0x1FAFF)
}

/// Adds the form of `c` that is compared to `out`.
pub(super) fn push_folded(c: char, out: &mut String) {
    if c.is_ascii() {
        out.push(c.to_ascii_lowercase());
        return;
    }
    for low in narrow(c).to_lowercase() {
        decompose_canonical(low, |part| {
            if !is_ignored(part) {
                push_letter(part, out);
            }
        });
    }
}

/// Full-width forms of ASCII as ASCII.
fn narrow(c: char) -> char {
    match c as u32 {
        code @ 0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(c),
        _ => c,
    }
}

/// Letters that Unicode does not decompose, as people type them without their keyboard.
fn push_letter(c: char, out: &mut String) {
    match c {
        'ß' => out.push_str("ss"),
        'æ' => out.push_str("ae"),
        'œ' => out.push_str("oe"),
        'þ' => out.push_str("th"),
        'ø' => out.push('o'),
        'đ' | 'ð' => out.push('d'),
        'ł' => out.push('l'),
        'ħ' => out.push('h'),
        'ı' => out.push('i'),
        'ς' => out.push('σ'),
        _ => out.push(c),
    }
}

/// The form under which folders and tags are the same: NFC and lower case, at most
/// [`KEY_BYTES_MAX`] of it.
pub(super) fn key(name: &str) -> String {
    let mut key: String = if name.is_ascii() {
        name.to_ascii_lowercase()
    } else {
        name.nfc()
            .collect::<String>()
            .to_lowercase()
            .nfc()
            .collect()
    };
    key.truncate(key.floor_char_boundary(KEY_BYTES_MAX));
    key
}

/// The longest key, in bytes; the index refuses terms of 64 kB.
pub(super) const KEY_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut out = String::new();
        text.chars().for_each(|c| push_folded(c, &mut out));
        out
    }

    #[test]
    fn spellings_of_one_word_fold_alike() {
        for (text, expected) in [
            ("CAFÉ", "cafe"),
            ("Cafe\u{301}", "cafe"),
            ("Straße", "strasse"),
            ("ŒUVRE", "oeuvre"),
            ("Łódź", "lodz"),
            ("ΟΔΟΣ", "οδοσ"),
            ("οδος", "οδοσ"),
            ("ＡＢＣ１", "abc1"),
            ("İstanbul", "istanbul"),
            ("हिन्दी", "हिन्दी"),
        ] {
            assert_eq!(folded(text), expected, "{text}");
        }
        assert_eq!(folded("が"), folded("か\u{3099}"));
        assert_eq!(folded("한"), folded("\u{1112}\u{1161}\u{11ab}"));
    }

    #[test]
    fn scripts_without_spaces_and_emoji_are_single() {
        for c in "漢あア한ไ🥖☕".chars() {
            assert_eq!(class(c), Class::Single, "{c}");
        }
        for c in "aé9жह".chars() {
            assert_eq!(class(c), Class::Word, "{c}");
        }
        for c in "-_ 。、“→\u{200b}".chars() {
            assert_eq!(class(c), Class::Separator, "{c}");
        }
        assert_eq!(class('\u{fe0f}'), Class::Ignored);
        assert_eq!(class('\u{3099}'), Class::Attached);
    }

    #[test]
    fn keys_keep_accents_and_stay_short() {
        assert_eq!(key("Pa\u{302}te/X"), "pâte/x");
        assert!(key(&"é".repeat(9000)).len() <= KEY_BYTES_MAX);
    }
}
