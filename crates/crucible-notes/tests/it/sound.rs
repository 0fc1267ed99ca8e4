//! What holds for the facts of any text whatever.

use std::ops::Range;

use crucible_notes::{NoteFacts, parse};

/// Parses and checks that every range and line is right.
#[track_caller]
pub(crate) fn facts_of(text: &str) -> NoteFacts {
    let facts = parse(text);
    check(text, &facts);
    facts
}

#[track_caller]
fn check(text: &str, facts: &NoteFacts) {
    let line_of = lines(text);
    let fits = |what: &str, span: &Range<usize>| {
        assert!(
            text.get(span.clone()).is_some(),
            "{what} {span:?} is no range of the text"
        );
    };
    let mut end = facts.frontmatter.clone().map_or(0, |span| {
        fits("frontmatter", &span);
        span.end
    });
    let body = end;
    for block in &facts.blocks {
        fits("block", &block.span);
        assert!(
            block.span.start >= end,
            "block {:?} begins before {end}",
            block.span
        );
        assert!(!block.span.is_empty(), "block {:?} is empty", block.span);
        assert!(
            !block.text.is_empty() || !block.ids.is_empty(),
            "nothing in {:?}",
            block.span
        );
        assert_eq!(
            block.line,
            line_of(block.span.start),
            "line of block {:?}",
            block.span
        );
        assert!(
            block
                .heading
                .is_none_or(|heading| heading < facts.headings.len())
        );
        end = block.span.end;
        for id in &block.ids {
            fits("identifier", &id.span);
            assert!(!id.span.is_empty(), "{} names nothing", id.id);
        }
        let headings = facts.headings.iter().filter(|heading| {
            block.span.start < heading.span.start && heading.span.start < block.span.end
        });
        assert_eq!(
            headings.count(),
            0,
            "block {:?} spans two headings",
            block.span
        );
    }
    let mut end = body;
    for heading in &facts.headings {
        fits("heading", &heading.span);
        assert!(heading.span.start >= end && (1..=6).contains(&heading.level));
        assert_eq!(
            heading.line,
            line_of(heading.span.start),
            "line of {heading:?}"
        );
        end = heading.span.end;
    }
    for link in &facts.links {
        fits("link", &link.span);
        assert_eq!(link.line, line_of(link.span.start), "line of {link:?}");
        assert!(!link.target.is_empty() || !link.headings.is_empty() || link.block.is_some());
    }
    for tag in &facts.tags {
        if let Some(span) = &tag.span {
            fits("tag", span);
            assert_eq!(text[span.clone()], format!("#{}", tag.name));
        }
    }
    for task in &facts.tasks {
        fits("status", &task.status_span);
        assert_eq!(text[task.status_span.clone()], task.status.to_string());
        assert!(task.line <= line_of(task.status_span.start));
    }
}

/// Returns a function from offsets to lines, slow and plain.
fn lines(text: &str) -> impl Fn(usize) -> u64 {
    let feeds: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    move |offset| 1 + feeds.partition_point(|feed| *feed < offset) as u64
}
