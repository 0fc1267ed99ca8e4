//! Line numbers of byte offsets.

/// Counts lines from where it last stood, in either direction, so that asking for places in
/// nearly ascending order costs one pass over the text and no table.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    bytes: &'a [u8],
    offset: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            bytes: text.as_bytes(),
            offset: 0,
            line: 1,
        }
    }

    /// Returns the line of `offset`, from 1.
    pub(crate) fn at(&mut self, offset: usize) -> u64 {
        let offset = offset.min(self.bytes.len());
        if offset >= self.offset {
            self.line += feeds(&self.bytes[self.offset..offset]);
        } else {
            self.line -= feeds(&self.bytes[offset..self.offset]);
        }
        self.offset = offset;
        self.line
    }
}

fn feeds(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_forwards_and_backwards() {
        let mut lines = Lines::new("a\nb\n\nd");
        let found: Vec<u64> = [0, 1, 2, 5, 4, 0, 99].map(|offset| lines.at(offset)).into();
        assert_eq!(found, [1, 1, 2, 4, 3, 1, 4]);
    }
}
