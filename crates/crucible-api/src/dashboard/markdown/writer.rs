//! Where HTML is put together: markup from this program's source, everything else escaped.

use std::fmt::Write as _;

/// HTML that grows.
#[derive(Default)]
pub(super) struct Writer(String);

impl Writer {
    /// Appends markup.
    pub(super) fn raw(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// Appends words. Fillers of blanked comments are left out.
    pub(super) fn text(&mut self, text: &str) {
        let mut escaper = maud::Escaper::new(&mut self.0);
        for piece in text.split([crucible_notes::Visible::FILLER, '\0']) {
            // Writing to a string cannot fail.
            let _infallible = escaper.write_str(piece);
        }
    }

    /// Appends ` name="value"`.
    pub(super) fn attribute(&mut self, name: &'static str, value: &str) {
        self.raw(" ");
        self.raw(name);
        self.raw("=\"");
        self.text(value);
        self.raw("\"");
    }

    /// Appends an element that holds only words; `attributes` begin with a space.
    pub(super) fn element(&mut self, name: &'static str, attributes: &'static str, text: &str) {
        self.raw("<");
        self.raw(name);
        self.raw(attributes);
        self.raw(">");
        self.text(text);
        self.raw("</");
        self.raw(name);
        self.raw(">");
    }

    /// Appends a number.
    pub(super) fn number(&mut self, number: usize) {
        self.0.push_str(&number.to_string());
    }

    /// Appends what another writer holds.
    pub(super) fn part(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}
