//! Guessing what somebody meant who wrote a name wrongly.

/// What models that know other note tools tend to write, and what it is called here.
const USUAL: [(&str, &str); 24] = [
    ("q", "query"),
    ("text", "query"),
    ("search", "query"),
    ("search_query", "query"),
    ("path", "ref"),
    ("file", "ref"),
    ("filename", "ref"),
    ("file_path", "ref"),
    ("filepath", "ref"),
    ("note", "ref"),
    ("name", "ref"),
    ("title", "ref"),
    ("id", "ref"),
    ("identifier", "ref"),
    ("heading", "section"),
    ("offset", "cursor"),
    ("page", "cursor"),
    ("from_line", "line"),
    ("max_results", "limit"),
    ("count", "limit"),
    ("max_tokens", "budget_tokens"),
    ("max_chars", "budget_tokens"),
    ("directory", "folder"),
    ("dir", "folder"),
];

/// Longer names are not compared letter by letter.
const COMPARED_CHARS_MAX: usize = 64;

/// Returns the name in `known` that `written` most likely stands for.
pub(crate) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    let usual = USUAL.iter().find(|(name, _)| *name == written);
    if let Some(name) = usual.and_then(|(_, here)| known.iter().find(|name| *name == here)) {
        return Some(name);
    }
    let (distance, name) = known
        .iter()
        .map(|name| (distance(&written, name), *name))
        .min()?;
    (distance <= (name.len() / 2).clamp(1, 3)).then_some(name)
}

/// Counts the letters to insert, delete or replace between two names (Levenshtein 1966).
fn distance(left: &str, right: &str) -> usize {
    let cut = |text: &str| text.chars().take(COMPARED_CHARS_MAX).collect::<String>();
    strsim::levenshtein(&cut(left), &cut(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(written: &str, expected: Option<&str>) {
        let known = ["query", "folder", "tags", "limit", "budget_tokens"];
        assert_eq!(nearest(written, &known), expected, "{written}");
    }

    #[test]
    fn slips_and_usual_names_are_recognised() {
        check("folders", Some("folder"));
        check("Query", Some("query"));
        check("tag", Some("tags"));
        check("max_results", Some("limit"));
        check("directory", Some("folder"));
    }

    #[test]
    fn a_name_like_none_is_not_guessed() {
        check("zzzzzzzz", None);
        // Its usual meaning, `ref`, is not among the known names.
        check("identifier", None);
        check(&"é".repeat(10_000), None);
    }
}
