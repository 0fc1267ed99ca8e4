use super::*;

const WORDS: &str =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\nhello\nworld\n##s\n,\ncafe\n中\nun\n##aff\n##able\n[\nsep\n]\n##";

fn tokenizer() -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("vocab.txt"), WORDS).unwrap();
    Tokenizer::read(folder.path(), 17).unwrap()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let names: Vec<&str> = WORDS.lines().collect();
    let tokens = tokenizer().encode(text, 12);
    let found: Vec<&str> = tokens.iter().map(|token| names[*token as usize]).collect();
    let (first, rest) = found.split_first().unwrap();
    let (last, rest) = rest.split_last().unwrap();
    assert_eq!((*first, *last), ("[CLS]", "[SEP]"));
    assert_eq!(rest, expected, "{text:?}");
}

#[test]
fn words_are_cut_at_spaces_and_punctuation() {
    check("Hello, worlds", &["hello", ",", "world", "##s"]);
}

#[test]
fn longest_pieces_come_first() {
    check("unaffable", &["un", "##aff", "##able"]);
}

#[test]
fn word_with_an_unknown_part_is_unknown_as_a_whole() {
    check("unaffableq hello", &["[UNK]", "hello"]);
}

#[test]
fn accents_are_stripped_from_composed_and_decomposed_letters() {
    check("Café cafe\u{301}", &["cafe", "cafe"]);
}

#[test]
fn chinese_characters_stand_alone() {
    check("hello中world", &["hello", "中", "world"]);
}

#[test]
fn nul_and_control_characters_are_dropped_without_a_cut() {
    check(
        "hello\0\u{7}s\u{200b} world\u{fffd}s",
        &["hello", "##s", "world", "##s"],
    );
}

#[test]
fn marks_of_the_model_are_text() {
    check("[SEP]", &["[", "sep", "]"]);
}

#[test]
fn empty_text_has_only_the_marks() {
    check("", &[]);
    check(" \u{3000}\n", &[]);
}

#[test]
fn word_longer_than_its_limit_is_unknown() {
    check(&format!("{} hello", "s".repeat(101)), &["[UNK]", "hello"]);
}

#[test]
fn text_is_cut_to_what_the_model_reads() {
    let tokens = tokenizer().encode(&"hello ".repeat(1 << 20), 12);
    assert_eq!(tokens.len(), 12);
    assert_eq!((tokens[0], tokens[10], tokens[11]), (2, 4, 3));
}

#[test]
fn cut_falls_between_characters() {
    let text = "中".repeat(1000);
    assert_eq!(cut(&text, 3).len(), 768);
    assert_eq!(cut("é", 0), "");
}

#[test]
fn vocabulary_larger_than_the_weights_is_refused() {
    let error = tokenizer().check(10).unwrap_err();
    assert!(error.contains("do not belong together"), "{error}");
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_bounds(text in "\\PC*|[\\x00-\\u{ffff}]*", most in 3_usize..40) {
        let tokens = tokenizer().encode(&text, most);
        proptest::prop_assert!((2..=most).contains(&tokens.len()));
        proptest::prop_assert!(tokens.iter().all(|token| *token < 17));
    }
}
