//! Which sort a character is of, as BERT's tokenizer sees it.

use unicode_general_category::{GeneralCategory, get_general_category};

/// Says whether a character is left out: NUL, the replacement character, controls, formats.
pub(super) fn is_dropped(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => false,
        '\0' | char::REPLACEMENT_CHARACTER => true,
        ' '..='~' => false,
        _ => matches!(
            get_general_category(character),
            GeneralCategory::Control | GeneralCategory::Format | GeneralCategory::PrivateUse
        ),
    }
}

/// Says whether a character is a mark on the one before it, as an accent is.
pub(super) fn is_mark(character: char) -> bool {
    !character.is_ascii() && get_general_category(character) == GeneralCategory::NonspacingMark
}

/// Says whether a character is a word of its own; all of ASCII that is no letter, digit or space
/// counts.
pub(super) fn is_punctuation(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_punctuation();
    }
    matches!(
        get_general_category(character),
        GeneralCategory::ConnectorPunctuation
            | GeneralCategory::DashPunctuation
            | GeneralCategory::OpenPunctuation
            | GeneralCategory::ClosePunctuation
            | GeneralCategory::InitialPunctuation
            | GeneralCategory::FinalPunctuation
            | GeneralCategory::OtherPunctuation
    )
}

/// Says whether a character is one of the Chinese ones, which are set apart; the ranges are those
/// of the original tokenizer, one mistake in them included.
pub(super) fn is_chinese(character: char) -> bool {
    matches!(
        u32::from(character),
        0x3400..=0x4DBF
            | 0x4E00..=0x9FFF
            | 0xF900..=0xFAFF
            | 0x2_0000..=0x2_A6DF
            | 0x2_A700..=0x2_B73F
            | 0x2_B740..=0x2_B81F
            | 0x2_B920..=0x2_CEAF
            | 0x2_F800..=0x2_FA1F
    )
}
