//! Names that are nearly the one asked for.

use std::collections::BTreeMap;

use crucible_notes::names;
use rusqlite::Connection;

use crate::schema::FileKind;

/// The most near names that are offered.
const NEAR_MAX: usize = 5;
/// The longest name that is compared, in characters.
const NAME_CHARS_MAX: usize = 200;

/// Returns the paths of notes whose name, title or alias is near `reference`, best first.
pub(super) fn near(connection: &Connection, reference: &str) -> rusqlite::Result<Vec<String>> {
    let wanted = names::fold(names::strip_md(names::base_name(reference.trim())));
    let wanted: Vec<char> = wanted.chars().take(NAME_CHARS_MAX).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut best: BTreeMap<i64, usize> = BTreeMap::new();
    let mut statement = connection.prepare_cached("SELECT key, file FROM names")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let key = row.get_ref(0)?.as_str().unwrap_or_default();
        let Some(distance) = distance(&wanted, key) else {
            continue;
        };
        let file = row.get(1)?;
        let known = best.entry(file).or_insert(distance);
        *known = distance.min(*known);
        if best.len() > NEAR_MAX * 64 {
            keep_best(&mut best);
        }
    }
    let mut found = Vec::new();
    for (file, distance) in best {
        let mut path = connection.prepare_cached("SELECT path, kind FROM files WHERE id = ?1")?;
        let (path, kind): (String, i64) =
            path.query_row([file], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if FileKind::from_number(kind) == FileKind::Note {
            found.push((distance, path.chars().count(), path));
        }
    }
    found.sort_unstable();
    found.truncate(NEAR_MAX);
    Ok(found.into_iter().map(|(_, _, path)| path).collect())
}

fn keep_best(best: &mut BTreeMap<i64, usize>) {
    let mut distances: Vec<usize> = best.values().copied().collect();
    distances.sort_unstable();
    let limit = distances.get(NEAR_MAX * 16).copied().unwrap_or(usize::MAX);
    best.retain(|_, distance| *distance < limit);
}

/// How far `key` is from `wanted`; `None` when it is not near. A name that contains the other
/// whole is near as well, the nearer the less is left over.
fn distance(wanted: &[char], key: &str) -> Option<usize> {
    let limit = wanted.len() / 4 + 1;
    let key: Vec<char> = key.chars().take(NAME_CHARS_MAX).collect();
    let difference = key.len().abs_diff(wanted.len());
    if difference <= limit
        && let Some(edits) = edits(wanted, &key, limit)
    {
        return Some(edits);
    }
    let (short, long) = if key.len() < wanted.len() {
        (key.as_slice(), wanted)
    } else {
        (wanted, key.as_slice())
    };
    let is_inside = short.len() >= 3 && long.windows(short.len()).any(|part| part == short);
    is_inside.then(|| limit + difference)
}

/// The edit distance (insert, delete, replace, swap neighbours) if it is at most `limit`.
fn edits(a: &[char], b: &[char], limit: usize) -> Option<usize> {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(from != to);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *to && *from == b[j - 1] {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        if row.iter().min().is_some_and(|least| *least > limit) {
            return None;
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|edits| *edits <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &str, b: &str, expected: Option<usize>) {
        let a: Vec<char> = a.chars().collect();
        assert_eq!(distance(&a, b), expected, "{b}");
    }

    #[test]
    fn slips_of_the_finger_are_near() {
        check("sourdough", "sourdough", Some(0));
        check("sourdough", "sourdouhg", Some(1));
        check("sourdough", "sourdogh", Some(1));
        check("sourdough", "sourdough starter", Some(3 + 8));
        check("sourdough", "baguette", None);
        check("ab", "abc", Some(1));
        check("x", "", Some(1));
    }
}
