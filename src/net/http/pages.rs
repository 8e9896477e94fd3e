//! What is on its way, in memory.
#![forbid(unsafe_code)]

use ureq::unversioned::transport::Buffers;
use zeroize::Zeroizing;

/// Room for what is going out and what is coming in, one page each.
pub(super) const PAGE: usize = 32 * 1024;

/// ureq's buffers, as its own `LazyBuffers` but wiped when they go: both halves hold the code.
pub(super) struct Pages {
    going: Zeroizing<Vec<u8>>,
    come: Zeroizing<Vec<u8>>,
    consumed: usize,
    filled: usize,
    progress: bool,
}

impl Pages {
    pub(super) fn new() -> Self {
        Self {
            going: Zeroizing::new(vec![0; PAGE]),
            come: Zeroizing::new(vec![0; PAGE]),
            consumed: 0,
            filled: 0,
            progress: false,
        }
    }
}

impl Buffers for Pages {
    fn output(&mut self) -> &mut [u8] {
        &mut self.going
    }

    fn input(&self) -> &[u8] {
        self.come
            .get(self.consumed..self.filled)
            .unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        if self.consumed > 0 {
            self.come.copy_within(self.consumed..self.filled, 0);
            self.filled = self.filled.saturating_sub(self.consumed);
            self.consumed = 0;
        }
        self.come.get_mut(self.filled..).unwrap_or_default()
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled = self.filled.saturating_add(amount).min(PAGE);
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.consumed = self.consumed.saturating_add(amount).min(self.filled);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        (
            self.come.get_mut(self.filled..).unwrap_or_default(),
            &mut self.going,
        )
    }

    fn can_use_input(&self) -> bool {
        self.progress && self.consumed < self.filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_keep_what_is_not_consumed() {
        let mut pages = Pages::new();
        pages.input_append_buf()[..4].copy_from_slice(b"abcd");
        pages.input_appended(4);
        pages.input_consume(3);
        assert_eq!(pages.input(), b"d");
        assert!(pages.can_use_input());
        assert_eq!(pages.input_append_buf().len(), PAGE - 1);
        pages.input_consume(0);
        assert_eq!(pages.input(), b"d");
        assert!(!pages.can_use_input());
    }
}
