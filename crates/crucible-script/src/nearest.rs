//! Guessing what somebody meant who wrote a name wrongly.

/// Longer names are not compared letter by letter.
const COMPARED_CHARS_MAX: usize = 64;

/// Returns the name in `known` that `written` most likely stands for.
pub(crate) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    let (distance, name) = known
        .iter()
        .map(|name| (distance(&written, name), *name))
        .min()?;
    (distance <= (name.len() / 2).clamp(1, 3)).then_some(name)
}

/// Returns `; did you mean "x"?`, or the list of what there is when nothing is near.
pub(crate) fn cure(written: &str, known: &[&str]) -> String {
    match nearest(written, known) {
        Some(name) => format!("; did you mean `{name}`?"),
        None if known.is_empty() => String::new(),
        None => format!("; there is {}", known.join(", ")),
    }
}

/// Counts the letters to insert, delete or replace between two names (Levenshtein 1966).
fn distance(left: &str, right: &str) -> usize {
    let cut = |text: &str| text.chars().take(COMPARED_CHARS_MAX).collect::<String>();
    strsim::levenshtein(&cut(left), &cut(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_guessed_and_nonsense_is_not() {
        let known = ["events", "function", "paths"];
        assert_eq!(nearest("evnts", &known), Some("events"));
        assert_eq!(nearest("Funktion", &known), Some("function"));
        assert_eq!(nearest("timezone", &known), None);
        assert!(cure("timezone", &known).contains("events, function, paths"));
    }
}
