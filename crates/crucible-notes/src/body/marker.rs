//! The marks that make an item a task and a quote a callout.

/// `[x]` at the start of an item.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TaskMark {
    pub(super) status: char,
    /// Where the status stands in the line.
    pub(super) status_at: usize,
    /// Where the text begins.
    pub(super) end: usize,
}

/// Reads the first line of an item, its list mark included.
pub(super) fn task(line: &str) -> Option<TaskMark> {
    let item = line.trim_start();
    let digits = item.bytes().take_while(u8::is_ascii_digit).count();
    let content = match item.as_bytes().get(digits)? {
        b'-' | b'*' | b'+' if digits == 0 => &item[1..],
        b'.' | b')' if digits > 0 => &item[digits + 1..],
        _ => return None,
    };
    let inner = content.trim_start_matches([' ', '\t']).strip_prefix('[')?;
    if content.len() == inner.len() + 1 {
        return None;
    }
    let status = inner.chars().next().filter(|c| !matches!(c, '[' | ']'))?;
    let after = inner[status.len_utf8()..].strip_prefix(']')?;
    let text = after.trim_start_matches([' ', '\t']);
    (text.len() < after.len() || text.is_empty()).then(|| TaskMark {
        status,
        status_at: line.len() - inner.len(),
        end: line.len() - text.len(),
    })
}

/// `[!kind]` at the start of a quote.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CalloutMark {
    /// In lower case.
    pub(super) kind: String,
    pub(super) fold: Option<char>,
    /// Where the title begins.
    pub(super) end: usize,
}

/// Reads the first line of a quote, its quote mark left out.
pub(super) fn callout(line: &str) -> Option<CalloutMark> {
    let inner = line.strip_prefix("[!")?;
    let (kind, rest) = inner.split_once(']')?;
    // What follows a `|` is for style sheets.
    let kind = kind.split('|').next().unwrap_or(kind).trim();
    if kind.is_empty() || kind.contains('[') {
        return None;
    }
    let fold = rest.chars().next().filter(|c| matches!(c, '+' | '-'));
    let title = rest[usize::from(fold.is_some())..].trim_start();
    Some(CalloutMark {
        kind: crate::spans::clip(kind).to_lowercase(),
        fold,
        end: line.len() - title.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_have_one_character_in_brackets() {
        for (line, expected) in [
            ("- [ ] a", Some((' ', 3, 6))),
            ("* [x] a", Some(('x', 3, 6))),
            ("  + [-] a", Some(('-', 5, 8))),
            ("12. [?] a", Some(('?', 5, 8))),
            ("1) [é] a", Some(('é', 4, 8))),
            ("-   [/]\ta", Some(('/', 5, 8))),
            ("- [x]", Some(('x', 3, 5))),
            ("- [x](a)", None),
            ("- [[a]] b", None),
            ("- []", None),
            ("- [ab] c", None),
            ("-[x] a", None),
            ("a [x] b", None),
            ("", None),
        ] {
            let found = task(line).map(|mark| (mark.status, mark.status_at, mark.end));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn callouts_have_a_kind_and_may_fold() {
        for (line, expected) in [
            ("[!note]", Some(("note", None, 7))),
            ("[!Note] Title", Some(("note", None, 8))),
            ("[!tip]- Title", Some(("tip", Some('-'), 8))),
            ("[!tip]+", Some(("tip", Some('+'), 7))),
            ("[!my kind|wide] T", Some(("my kind", None, 16))),
            ("[!]", None),
            ("[!note", None),
            ("a [!note]", None),
        ] {
            let found = callout(line);
            let found = found
                .as_ref()
                .map(|mark| (mark.kind.as_str(), mark.fold, mark.end));
            assert_eq!(found, expected, "{line}");
        }
    }
}
