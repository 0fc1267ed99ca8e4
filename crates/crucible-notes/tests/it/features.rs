//! One table for each thing that a note can hold.

use crate::outline::{blocks, callouts, check, fields, headings, ids, links, tags, tasks};

#[test]
fn headings_have_level_line_and_text_without_markup() {
    check(
        headings,
        "# A *b* `c` [[d|e]]\n\nTwo\n---\n\n###### F ######\n",
        &["1: 1 A b c e", "3: 2 Two", "6: 6 F"],
    );
    check(headings, "# A %%b%% c\n", &["1: 1 A  c"]);
    check(
        headings,
        "#no\n\n> # quoted\n\n- # listed\n\n```\n# code\n```\n",
        &[],
    );
    check(headings, "#\n\n## \n", &["1: 1 ", "3: 2 "]);
    check(
        headings,
        "\u{feff}# A\r\n\r\n## B\r\n",
        &["1: 1 A", "3: 2 B"],
    );
    check(headings, "---\na: b\n---\n# A\n", &["4: 1 A"]);
}

#[test]
fn wikilinks_have_target_parts_and_alias() {
    check(
        links,
        "[[A]] [[b/C d.md]]\n[[A|x *y*]]",
        &[
            "1: Wikilink A @[[A]]",
            "1: Wikilink b/C d.md @[[b/C d.md]]",
            "2: Wikilink A|x y @[[A|x *y*]]",
        ],
    );
    check(
        links,
        "[[A#B#C]] [[A#^id|x]] [[#B]] [[#^id]]",
        &[
            "1: Wikilink A#B#C @[[A#B#C]]",
            "1: Wikilink A^id|x @[[A#^id|x]]",
            "1: Wikilink #B @[[#B]]",
            "1: Wikilink ^id @[[#^id]]",
        ],
    );
    check(
        links,
        "![[i.png|300]] ![[N#H]]",
        &[
            "1: Embed i.png|300 @![[i.png|300]]",
            "1: Embed N#H @![[N#H]]",
        ],
    );
    check(
        links,
        "| a |\n| - |\n| [[R\\|r]] |\n",
        &["3: Wikilink R|r @[[R\\|r]]"],
    );
    check(
        links,
        "[[]] [[|a]] [[a\nb]] `[[c]]` $[[d]]$ \\[[e]]\n\n```\n[[f]]\n```\n%%[[g]]%%",
        &[],
    );
    check(links, "[[a [[b]]", &["1: Wikilink b @[[b]]"]);
    check(
        links,
        "[[A|]] [[ A b ]]",
        &["1: Wikilink A @[[A|]]", "1: Wikilink A b @[[ A b ]]"],
    );
    check(
        links,
        "# [[A]]\n> [[B]]\n\n- [[C]]\n[^1]\n\n[^1]: [[D]]\n",
        &[
            "1: Wikilink A @[[A]]",
            "2: Wikilink B @[[B]]",
            "4: Wikilink C @[[C]]",
            "7: Wikilink D @[[D]]",
        ],
    );
}

#[test]
fn markdown_links_lead_to_files_of_the_vault_only() {
    check(
        links,
        "[a *b*](c%20d.md#E) ![f](g.png \"t\")",
        &[
            "1: Markdown c d.md#E|a b @[a *b*](c%20d.md#E)",
            "1: MarkdownEmbed g.png|f @![f](g.png \"t\")",
        ],
    );
    check(
        links,
        "[a](<b c.md>) [](d.md)",
        &[
            "1: Markdown b c.md|a @[a](<b c.md>)",
            "1: Markdown d.md @[](d.md)",
        ],
    );
    check(
        links,
        "[a][r] [r] [r][]\n\n[r]: b.md\n",
        &[
            "1: Markdown b.md|a @[a][r]",
            "1: Markdown b.md|r @[r]",
            "1: Markdown b.md|r @[r][]",
        ],
    );
    check(
        links,
        "[a](https://b.example) <https://c.example> <d@e.example> [m](mailto:x) [none]",
        &[],
    );
    check(
        links,
        "[![a](b.png)](c.md)",
        &[
            "1: Markdown c.md|a @[![a](b.png)](c.md)",
            "1: MarkdownEmbed b.png|a @![a](b.png)",
        ],
    );
    check(
        links,
        "[![a](b.png)](https://c.example)",
        &["1: MarkdownEmbed b.png|a @![a](b.png)"],
    );
}

#[test]
fn tags_stand_in_prose_only_and_are_told_once() {
    check(
        tags,
        "#a #b/c #a\n# H #d\n- #e\n> #f\n\n| #g |\n| - |\n| #h |\n",
        &[
            "a @#a",
            "b/c @#b/c",
            "d @#d",
            "e @#e",
            "f @#f",
            "g @#g",
            "h @#h",
        ],
    );
    check(
        tags,
        "`#a` $#b$ [#c](d) [[e#f]] https://x.example/#g #1 # h \\#i &#35;j\n\n    #k\n\n```\n#l\n```\n%%#m%%\n<p style=\"#n\">\n",
        &[],
    );
    check(
        tags,
        "#snake_case_ #x*y* **#bold** _#under_ #end.",
        &[
            "snake_case_ @#snake_case_",
            "x @#x",
            "bold @#bold",
            "under @#under",
            "end @#end",
        ],
    );
    check(tags, "#a/ #b//", &["a @#a", "b @#b"]);
    check(
        tags,
        "---\ntags: [a, '#b']\n---\n#b #c",
        &["a", "b", "c @#c"],
    );
    check(tags, "%%x%%#a %%y%% #b", &["a @#a", "b @#b"]);
}

#[test]
fn tasks_have_any_status_and_their_own_text() {
    check(
        tasks,
        "- [ ] a *b*\n  - [x] c\n* [-] d [[e|f]]\n1. [?] g\n",
        &["1: [ ] a b", "2: [x] c", "3: [-] d f", "4: [?] g"],
    );
    check(
        tasks,
        "- [ ] a\n  b\n\n  c\n- [x]\n- [ ] ^id\n",
        &["1: [ ] a b", "5: [x] ", "6: [ ] "],
    );
    check(tasks, "- [ ]   \n\n  ::", &["1: [ ] "]);
    check(tasks, "> - [é] a ^id\n", &["1: [é] a"]);
    check(
        tasks,
        "- [x](y)\n- []\n- [ab] c\n- a [ ] b\n[ ] d\n\n```\n- [ ] e\n```\n%%\n- [ ] f\n%%\n",
        &[],
    );
    check(tasks, "- [x] a\n\n[x]: b.md\n", &["1: [x] a"]);
    check(links, "- [x] a\n\n[x]: b.md\n", &[]);
    check(
        tasks,
        "- [ ] #a %%b%% c\n\r\n- [x] d\r\n",
        &["1: [ ] #a  c", "3: [x] d"],
    );
}

#[test]
fn callouts_have_kind_fold_and_title() {
    check(callouts, "> [!note]\n> a\n", &["1: note -"]);
    check(
        callouts,
        "> [!Tip]- A *b* [[c|d]]\n> e\n",
        &["1: tip- A b d"],
    );
    check(
        callouts,
        "a\n\n> [!x|wide]+ T\n> > [!y] U\n> > v\n",
        &["3: x+ T", "4: y U"],
    );
    check(
        callouts,
        "> a\n> [!note] b\n\n[!note] c\n\n> d\n>\n> [!e]\n",
        &[],
    );
    check(callouts, "- > [!note] a\n", &["1: note a"]);
    check(blocks, "> [!note] A\n> b\n> - c\n", &["1: A/b/c"]);
    check(blocks, "> [!note]\n> - c\n", &["1: c"]);
}

#[test]
fn inline_fields_are_lines_or_stand_in_brackets() {
    check(
        fields,
        "a:: 1\nb c:: [[D]]\n\n- e:: 2\n- [ ] f:: 3\n> g:: 4\n",
        &[
            "1: a = 1",
            "2: b c = [[D]]",
            "4: e = 2",
            "5: f = 3",
            "6: g = 4",
        ],
    );
    check(
        fields,
        "x [a:: 1] y (b:: 2)\n\n| [c:: 3] |\n| - |\n| d:: 4 |\n",
        &["1: a = 1", "1: b = 2", "3: c = 3"],
    );
    check(
        fields,
        "`a:: 1` b\n\n```\na:: 1\n```\nstd::vec\n[a:: 1](b.md) $c:: d$\n# e:: f",
        &[],
    );
    check(fields, "**A**:: 1 %%c%%\n", &["1: A = 1"]);
}

#[test]
fn identifiers_name_the_block_they_end() {
    check(
        ids,
        "a b ^one\n\n- c ^two\n  - d ^three\n- e\n",
        &[
            "one @a b ^one",
            "two @- c ^two\\n  - d ^three",
            "three @- d ^three",
        ],
    );
    check(
        ids,
        "a\n^one\n\n- b\n- c\n\n^two\n",
        &["one @a\\n^one", "two @- b\\n- c"],
    );
    check(
        ids,
        "> a\n\n^one\n\n| a |\n| - |\n| b |\n\n^two\n",
        &["one @> a", "two @| a |\\n| - |\\n| b |"],
    );
    check(
        ids,
        "| a |\n| - |\n| b |\n^one\n",
        &["one @| a |\\n| - |\\n| b |"],
    );
    check(ids, "> a\n^one\n", &["one @> a\\n^one"]);
    check(
        ids,
        "```\na\n```\n\n^one\n\n$$\nx\n$$\n\n^two\n",
        &["one @```\\na\\n```", "two @$$\\nx\\n$$"],
    );
    check(ids, "^none\n\n`a ^b`\n\n```\nc ^d\n```\n\nx^2\n", &[]);
    check(
        blocks,
        "a ^one\n\nb\n\n^two\n\n^three x\n",
        &["1: a/b/^three x"],
    );
}

#[test]
fn block_text_has_no_markup() {
    check(
        blocks,
        "a **b** _c_ ~~d~~ `e` $f$ [g](h.md) [[i|j]] [[k]] ![l](m.png) &amp; \\*\n",
        &["1: a b c d e f g j k l & *"],
    );
    check(blocks, "a\nb  \nc<br>d<b>e</b>\n", &["1: a b/c de"]);
    check(
        blocks,
        "```rust\nlet a;\n```\n\n    b\n\n$$\nc\n$$\n",
        &["1: let a;/b/c"],
    );
    check(
        blocks,
        "| a | b |\n| - | - |\n| c | d |\n",
        &["1: a b /c d"],
    );
    check(
        blocks,
        "<div>\n<b>a</b> <!-- c -->\n</div>\n\nd[^1]\n\n[^1]: e\n",
        &["1: a/d/e"],
    );
    check(blocks, "a %%b%% c\n\n%%\nd\n%%\n", &["1: a  c"]);
    check(
        blocks,
        "![](x/a.png) ![[b.png|30x40]] ![[c.png]]\n",
        &["1: a.png b.png c.png"],
    );
    check(blocks, "- a\n  - b\n- c\n\n1. d\n", &["1: a/b/c/d"]);
}
