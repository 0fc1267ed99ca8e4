//! Addresses: a path and a query string that grow, whatever is put into them.

use crate::percent;

/// A path with a query string that grows.
pub(super) struct Target {
    pub(super) text: String,
    separator: char,
}

impl Target {
    pub(super) fn new(path: &str) -> Self {
        Self {
            text: path.to_owned(),
            separator: '?',
        }
    }

    /// Appends a segment to the path; before any parameter.
    pub(super) fn segment(mut self, name: &str) -> Self {
        self.text.push('/');
        percent::push(&mut self.text, name);
        self
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.text.push(self.separator);
        self.separator = '&';
        self.text.push_str(name);
        self.text.push('=');
        percent::push(&mut self.text, value);
        self
    }

    pub(super) fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}
