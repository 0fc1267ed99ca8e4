//! Which note a name stands for: path, end of a path, file name, title, alias.

use crucible_notes::names::{base_name, fold, strip_md};
use crucible_services::data_store::{Error, NoteSummary};

/// Returns the one note that `reference` names.
pub(super) fn resolve<'a>(
    notes: &'a [NoteSummary],
    reference: &str,
) -> Result<&'a NoteSummary, Error> {
    let wanted = fold(strip_md(reference));
    let by_path = |note: &&NoteSummary| fold(strip_md(&note.path)) == wanted;
    if let Some(note) = notes.iter().find(by_path) {
        return Ok(note);
    }
    let by_name = |note: &&NoteSummary| {
        let path = fold(strip_md(&note.path));
        path.strip_suffix(&wanted)
            .is_some_and(|rest| rest.ends_with('/'))
            || fold(strip_md(base_name(&note.path))) == wanted
            || fold(&note.title) == wanted
            || note.aliases.iter().any(|alias| fold(alias) == wanted)
    };
    let named: Vec<&NoteSummary> = notes.iter().filter(by_name).collect();
    match named.as_slice() {
        [] => Err(Error::NotFound {
            reference: reference.to_owned(),
            candidates: Vec::new(),
        }),
        [only] => Ok(only),
        several => Err(Error::Ambiguous {
            reference: reference.to_owned(),
            candidates: several.iter().map(|note| note.path.clone()).collect(),
        }),
    }
}
