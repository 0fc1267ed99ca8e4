//! How notes are cut into blocks.

use crucible_notes::Block;

use crate::sound::facts_of;

fn texts(text: &str) -> Vec<String> {
    facts_of(text)
        .blocks
        .into_iter()
        .map(|block| block.text)
        .collect()
}

fn paragraph(word: &str, bytes: usize) -> String {
    format!("{word} ")
        .repeat(bytes / (word.len() + 1))
        .trim_end()
        .to_owned()
}

#[test]
fn short_neighbours_are_merged_up_to_a_size() {
    let parts: Vec<String> = ["a", "b", "c", "d"].map(|word| paragraph(word, 250)).into();
    assert_eq!(
        texts(&parts.join("\n\n")),
        [parts[..2].join("\n"), parts[2..].join("\n")]
    );
}

#[test]
fn a_heading_begins_a_block() {
    let facts = facts_of("a\n\n# b\n\nc\n\n## d\n\n### e\nf\n");
    let found: Vec<(Option<usize>, &str)> = facts
        .blocks
        .iter()
        .map(|block| (block.heading, block.text.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (None, "a"),
            (Some(0), "b\nc"),
            (Some(1), "d"),
            (Some(2), "e\nf")
        ]
    );
}

#[test]
fn code_and_tables_below_two_kilobytes_stay_whole() {
    let lines = paragraph("code", 60) + "\n";
    let code = format!("```\n{}```", lines.repeat(30));
    let table = format!(
        "| a | b |\n| - | - |\n{}",
        format!("| {} | x |\n", paragraph("c", 60)).repeat(28)
    );
    let note = format!("{}\n\n{code}\n\n{table}\n", paragraph("p", 500));
    let facts = facts_of(&note);
    let spans: Vec<&str> = facts
        .blocks
        .iter()
        .map(|block| &note[block.span.clone()])
        .collect();
    assert_eq!(spans[1..], [code.as_str(), table.trim_end()]);
}

#[test]
fn long_code_and_tables_are_cut_between_lines() {
    let code = format!("```\n{}```\n", "let answer = 42;\n".repeat(1000));
    let table = format!(
        "| a | b |\n| - | - |\n{}",
        "| row | of a table |\n".repeat(1000)
    );
    for (note, start) in [(code, "let"), (table, "|")] {
        let facts = facts_of(&note);
        assert!(facts.blocks.len() > 10);
        let whole =
            |block: &Block| note[block.span.clone()].starts_with(start) && block.span.len() < 1200;
        assert!(facts.blocks[1..].iter().all(whole), "{start}");
    }
}

#[test]
fn long_paragraphs_are_cut_after_sentences() {
    let note = "This sentence is forty-four characters long. ".repeat(100);
    let blocks = texts(&note);
    assert!((6..10).contains(&blocks.len()));
    assert!(
        blocks
            .iter()
            .all(|block| block.starts_with("This") && block.ends_with("long."))
    );
    assert_eq!(blocks.join(" "), note.trim_end());
}

#[test]
fn a_block_shows_the_marks_of_its_list() {
    let note = format!("{}\n\n- a\n  - b\n", paragraph("p", 600));
    let facts = facts_of(&note);
    assert_eq!(&note[facts.blocks[1].span.clone()], "- a\n  - b");
    assert_eq!(facts.blocks[1].line, 3);
}

#[test]
fn a_long_list_is_cut_between_items() {
    let note = format!("- {}\n", paragraph("item", 100)).repeat(50);
    let facts = facts_of(&note);
    assert!(
        facts
            .blocks
            .iter()
            .all(|block| note[block.span.clone()].starts_with("- item"))
    );
    assert!(facts.blocks.iter().all(|block| block.span.len() <= 600));
}

#[test]
fn notes_without_words_have_no_blocks() {
    for text in [
        "",
        "\n\n",
        "---\na: b\n---\n",
        "%% c %%",
        "---",
        "***\n\n---",
        "[r]: a.md",
        "> \n- \n",
        "\u{feff}",
    ] {
        assert!(texts(text).is_empty(), "{text:?}");
    }
}
