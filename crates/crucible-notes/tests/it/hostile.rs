//! Texts that are made to hurt: each must be parsed, in memory and time that grow with its length.

use crate::sound::facts_of;

fn survives(texts: impl IntoIterator<Item = String>) {
    for text in texts {
        facts_of(&text);
    }
}

#[test]
fn deep_containers_are_read() {
    let quotes: String = (1..200).map(|depth| "> ".repeat(depth) + "a\n").collect();
    let lists: String = (0..200)
        .map(|depth| "  ".repeat(depth) + "- [ ] a ^id\n")
        .collect();
    survives([
        quotes,
        lists,
        "> ".repeat(50_000) + "a",
        ">".repeat(100_000),
        "- ".repeat(50_000) + "a",
        "1. ".repeat(30_000) + &"\n".repeat(100_000),
        "> - ".repeat(20_000) + &"\nb".repeat(10_000),
        "> [!note] ".repeat(20_000),
        (0..1500)
            .map(|depth| " ".repeat(depth) + "- a\n")
            .collect::<String>()
            + &"\n".repeat(50_000),
    ]);
}

#[test]
fn runs_of_one_mark_are_read() {
    for mark in [
        "[",
        "]",
        "[[",
        "]]",
        "![[",
        "![",
        "*",
        "**",
        "_",
        "*a _b ",
        "`",
        "` ",
        "$",
        "$$ ",
        "%%",
        "%% ",
        "%%\n",
        "<",
        "<!--",
        "<a ",
        "^",
        "^a ",
        "#",
        "#a ",
        "# ",
        "(",
        "[a](",
        "[[a|",
        "[a::",
        "(a:: ",
        "[a:: b] ",
        "a::\n",
        ":: ",
        "|",
        "| a ",
        "~",
        "~~a",
        "=",
        "&",
        "&a",
        "\\",
        "\u{1}",
        "[^",
        "[^1]: ",
        "[a]: ",
        "[a]: b\n",
        "[a][b] ",
        "- ",
        "-\n",
        "- [ ] \n",
        "> [!a] b\n",
        "```\n",
        "~~~ a\n",
        "<b>",
        "<div>\n\n",
        "a\n===\n",
        "a  \n",
        "\r",
        "\r\n",
        "\t",
        "***\n",
        "---\n",
        "^id\n\n",
        "[[a]] ",
        "![[a|3]] ",
        "[a](b) ",
        "é",
        "🥖#a",
        "a@b.c ",
        "http://a/ ",
    ] {
        survives([mark.repeat(100_000 / mark.len().max(1))]);
    }
}

#[test]
fn unclosed_marks_before_much_text_are_read() {
    let prose = "words and more. ".repeat(4_000);
    for mark in [
        "[",
        "[[",
        "![[",
        "*",
        "`",
        "$",
        "$$",
        "%%",
        "```\n",
        "<!--",
        "<div",
        "(a:: ",
        "---\na: b\n",
        "+++\n",
        "{\"a\": ",
        "> [!a",
        "- [ ",
        "| a |\n| - |\n| ",
    ] {
        survives([
            format!("{mark}{prose}"),
            format!("{prose}{mark}"),
            format!("{mark}{}", prose.replace(". ", ".\n")),
        ]);
    }
}

#[test]
fn nested_images_do_not_multiply_their_text() {
    let depth = 20_000;
    let text = "![a".repeat(depth) + &"](b.png)".repeat(depth);
    let facts = facts_of(&text);
    let kept: usize = facts
        .links
        .iter()
        .filter_map(|link| link.alias.as_ref())
        .map(String::len)
        .sum();
    assert!(kept <= 8 * 4096 + depth, "{kept} bytes");
}

#[test]
fn one_huge_line_becomes_blocks_of_even_size() {
    let text = "A sentence of some length, with [[a link]]. ".repeat(100_000);
    let facts = facts_of(&text);
    assert_eq!(facts.links.len(), 100_000);
    let longest = facts
        .blocks
        .iter()
        .map(|block| block.span.len())
        .max()
        .unwrap();
    assert!(longest <= 1200, "{longest} bytes");
    let words = facts_of(&"x".repeat(1_000_000));
    assert_eq!(
        words
            .blocks
            .iter()
            .map(|block| block.text.len())
            .sum::<usize>(),
        1_000_000
    );
}

#[test]
fn a_reference_used_often_does_not_multiply_its_target() {
    let text = format!("[a]: {}\n\n{}", "b".repeat(50_000), "[a] ".repeat(50_000));
    let facts = facts_of(&text);
    let kept: usize = facts.links.iter().map(|link| link.target.len()).sum();
    assert!(kept <= 4 * text.len(), "{kept} bytes");
}
