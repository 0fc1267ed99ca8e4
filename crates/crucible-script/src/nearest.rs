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
    let left: Vec<char> = left.chars().take(COMPARED_CHARS_MAX).collect();
    let right: Vec<char> = right.chars().take(COMPARED_CHARS_MAX).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
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
