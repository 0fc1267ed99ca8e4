//! How far the vectors are, and what a person is told about it.

use crucible_services::data_store::VectorStats;

use super::ModelKey;

/// What the store knows of the model that notes are embedded with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Model {
    /// The engine has not been asked yet.
    #[default]
    Unknown,
    /// It is not installed.
    Missing { model: String, hint: String },
    /// The engine, or the files of the vectors, cannot be used.
    Failed { reason: String },
    /// It can be used, and its shelf is open.
    Ready(ModelKey),
    /// The store is closed.
    Closed,
}

/// How far the vectors of a store are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    pub(crate) model: Model,
    /// Blocks that can have a vector, and those that do; `None` before they were counted.
    pub(crate) counts: Option<Counts>,
    /// Why no vectors are made now, although some are missing.
    pub(crate) failure: Option<String>,
    /// Passages that the engine could not embed although it embeds others.
    pub(crate) given_up: u64,
}

/// Blocks that can have a vector, and those that do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) blocks: u64,
    pub(crate) done: u64,
}

impl Status {
    /// Begins with another model.
    pub(super) fn begin(&mut self, model: Model) {
        *self = Self {
            model,
            ..Self::default()
        };
    }

    /// Why a search can only go by words; `None` when it can go by meaning too.
    pub(crate) fn only_words(&self) -> Option<String> {
        let why = match &self.model {
            Model::Unknown => {
                "the inference engine has not named its embedding model yet".to_owned()
            }
            Model::Missing { model, hint } if hint.is_empty() => {
                format!("no embedding model: `crucible models pull {model}`")
            }
            Model::Missing { hint, .. } => format!("no embedding model: {hint}"),
            Model::Failed { reason } => reason.clone(),
            Model::Closed => "the store is closed".to_owned(),
            Model::Ready(_) => return None,
        };
        Some(format!("Searched by words only: {why}."))
    }

    /// What is missing in an answer by meaning.
    pub(crate) fn incomplete(&self) -> Option<String> {
        let counts = self.counts.filter(|counts| counts.done < counts.blocks)?;
        let (done, blocks) = (grouped(counts.done), grouped(counts.blocks));
        let mut notice = format!("{done} of {blocks} blocks have vectors yet");
        if let Some(failure) = &self.failure {
            notice = format!("{notice} ({failure})");
        }
        Some(format!("Search by meaning is incomplete: {notice}."))
    }

    /// The same as figures.
    pub(crate) fn stats(&self) -> VectorStats {
        let counts = self.counts.unwrap_or(Counts { blocks: 0, done: 0 });
        let (model, message) = match &self.model {
            Model::Ready(key) => (Some(key.name.clone()), self.failure.clone()),
            Model::Missing { model, .. } => (Some(model.clone()), self.only_words()),
            _ => (None, self.only_words()),
        };
        VectorStats {
            model,
            blocks: counts.blocks,
            blocks_done: counts.done,
            message,
        }
    }
}

/// Writes a number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(blocks: u64, done: u64) -> Status {
        Status {
            model: Model::Ready(ModelKey {
                name: "m".to_owned(),
                revision: "1".to_owned(),
                dimensions: 4,
            }),
            counts: Some(Counts { blocks, done }),
            ..Status::default()
        }
    }

    #[test]
    fn progress_is_told_in_whole_numbers_that_people_can_read() {
        assert_eq!(
            ready(28_748, 1_204).incomplete().as_deref(),
            Some("Search by meaning is incomplete: 1,204 of 28,748 blocks have vectors yet.")
        );
        assert_eq!(ready(7, 7).incomplete(), None);
        assert_eq!(ready(1_000_000, 0).stats().blocks, 1_000_000);
        assert_eq!(
            (grouped(999), grouped(1_000_000)),
            ("999".into(), "1,000,000".into())
        );
    }

    #[test]
    fn a_missing_model_is_named_with_the_cure() {
        let status = |hint: &str| Status {
            model: Model::Missing {
                model: "all-MiniLM-L6-v2".to_owned(),
                hint: hint.to_owned(),
            },
            ..Status::default()
        };
        let notice = status("").only_words().unwrap();
        assert!(
            notice.contains("`crucible models pull all-MiniLM-L6-v2`"),
            "{notice}"
        );
        let notice = status("pull it").only_words().unwrap();
        assert!(notice.ends_with("no embedding model: pull it."), "{notice}");
    }
}
