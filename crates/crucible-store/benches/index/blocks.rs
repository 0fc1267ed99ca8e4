//! The blocks of a vault, as the peer is handed them.

use std::path::Path;

use crate::Outcome;

/// A block with the title of its note.
#[derive(Debug)]
pub(crate) struct PeerBlock {
    pub(crate) note: usize,
    pub(crate) title: String,
    pub(crate) text: String,
}

/// Reads and parses every note below `vault`, in path order.
pub(crate) fn of_vault(vault: &Path) -> Outcome<Vec<PeerBlock>> {
    let mut paths = Vec::new();
    for entry in ignore::WalkBuilder::new(vault)
        .standard_filters(false)
        .hidden(true)
        .build()
    {
        let path = entry?.into_path();
        if path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("md"))
            && path.is_file()
        {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    let mut blocks = Vec::new();
    for (note, path) in paths.iter().enumerate() {
        let bytes = std::fs::read(path)?;
        let decoded = crucible_notes::decode(&bytes);
        let Some(text) = decoded.text() else { continue };
        let facts = crucible_notes::parse(text);
        let stem = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
        let first = facts.headings.iter().find(|heading| heading.level == 1);
        let title = facts
            .title
            .or_else(|| first.map(|heading| heading.text.clone()))
            .or(stem);
        for block in facts.blocks {
            let title = title.clone().unwrap_or_default();
            blocks.push(PeerBlock {
                note,
                title,
                text: block.text,
            });
        }
    }
    Ok(blocks)
}
