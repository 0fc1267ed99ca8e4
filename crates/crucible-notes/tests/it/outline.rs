//! Facts as lines of text, so that a test shows what it expects at a glance.

use std::fmt::Write as _;

use crucible_notes::{Link, NoteFacts, parse};

/// Compares facts of one sort, one a line.
#[track_caller]
pub(crate) fn check(render: fn(&str, &NoteFacts) -> String, input: &str, expected: &[&str]) {
    let facts = parse(input);
    let found = render(input, &facts);
    let found: Vec<&str> = found.lines().collect();
    assert_eq!(found, expected, "in {input:?}");
}

fn lines<T>(items: &[T], line: impl Fn(&T) -> String) -> String {
    items.iter().fold(String::new(), |mut text, item| {
        let _ = writeln!(text, "{}", line(item));
        text
    })
}

/// `line: level text`
pub(crate) fn headings(_: &str, facts: &NoteFacts) -> String {
    lines(&facts.headings, |heading| {
        format!("{}: {} {}", heading.line, heading.level, heading.text)
    })
}

/// `line: kind target#heading^block|alias @source`
pub(crate) fn links(input: &str, facts: &NoteFacts) -> String {
    lines(&facts.links, |link| link_line(input, link))
}

fn link_line(input: &str, link: &Link) -> String {
    let mut text = format!("{}: {:?} {}", link.line, link.kind, link.target);
    for heading in &link.headings {
        let _ = write!(text, "#{heading}");
    }
    if let Some(block) = &link.block {
        let _ = write!(text, "^{block}");
    }
    if let Some(alias) = &link.alias {
        let _ = write!(text, "|{alias}");
    }
    let source = &input[link.span.clone()];
    let _ = write!(text, " @{}", source.replace('\n', "\\n"));
    text
}

/// `name @source`, or `name` alone from the frontmatter
pub(crate) fn tags(input: &str, facts: &NoteFacts) -> String {
    lines(&facts.tags, |tag| match &tag.span {
        Some(span) => format!("{} @{}", tag.name, &input[span.clone()]),
        None => tag.name.clone(),
    })
}

/// `line: [status] text @source of the status`
pub(crate) fn tasks(input: &str, facts: &NoteFacts) -> String {
    lines(&facts.tasks, |task| {
        let source = &input[task.status_span.clone()];
        assert_eq!(source, task.status.to_string());
        format!("{}: [{}] {}", task.line, task.status, task.text)
    })
}

/// `line: kind fold title`
pub(crate) fn callouts(_: &str, facts: &NoteFacts) -> String {
    lines(&facts.callouts, |callout| {
        let fold = callout.fold.map_or(String::new(), String::from);
        let title = callout.title.as_deref().unwrap_or("-");
        format!("{}: {}{fold} {title}", callout.line, callout.kind)
    })
}

/// `line: key = value`
pub(crate) fn fields(_: &str, facts: &NoteFacts) -> String {
    lines(&facts.fields, |field| {
        format!("{}: {} = {}", field.line, field.key, field.value)
    })
}

/// `line: text`, the line ends of the text as `/`
pub(crate) fn blocks(_: &str, facts: &NoteFacts) -> String {
    lines(&facts.blocks, |block| {
        format!("{}: {}", block.line, block.text.replace('\n', "/"))
    })
}

/// `id @source of what it names`
pub(crate) fn ids(input: &str, facts: &NoteFacts) -> String {
    let ids: Vec<_> = facts.blocks.iter().flat_map(|block| &block.ids).collect();
    lines(&ids, |id| {
        format!("{} @{}", id.id, input[id.span.clone()].replace('\n', "\\n"))
    })
}

/// `line: message`
pub(crate) fn fault(_: &str, facts: &NoteFacts) -> String {
    facts
        .frontmatter_fault
        .as_ref()
        .map_or(String::new(), |fault| {
            let line = fault.line.map_or("-".to_owned(), |line| line.to_string());
            format!("{line}: {}", fault.message)
        })
}
