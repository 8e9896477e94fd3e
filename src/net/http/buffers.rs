//! Buffers for ureq.
#![forbid(unsafe_code)]

use ureq::unversioned::transport::Buffers;
use zeroize::Zeroizing;

/// The capacity for output, and for input.
pub(super) const CAPACITY: usize = 32 * 1024;

/// Buffers as ureq's own `LazyBuffers`, but wiped when dropped: both contain the one-time code.
pub(super) struct WipedBuffers {
    output: Zeroizing<Vec<u8>>,
    input: Zeroizing<Vec<u8>>,
    consumed: usize,
    filled: usize,
    progress: bool,
}

impl WipedBuffers {
    pub(super) fn new() -> Self {
        Self {
            output: Zeroizing::new(vec![0; CAPACITY]),
            input: Zeroizing::new(vec![0; CAPACITY]),
            consumed: 0,
            filled: 0,
            progress: false,
        }
    }
}

impl Buffers for WipedBuffers {
    fn output(&mut self) -> &mut [u8] {
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        self.input
            .get(self.consumed..self.filled)
            .unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        if self.consumed > 0 {
            self.input.copy_within(self.consumed..self.filled, 0);
            self.filled = self.filled.saturating_sub(self.consumed);
            self.consumed = 0;
        }
        self.input.get_mut(self.filled..).unwrap_or_default()
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled = self.filled.saturating_add(amount).min(CAPACITY);
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.consumed = self.consumed.saturating_add(amount).min(self.filled);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        (
            self.input.get_mut(self.filled..).unwrap_or_default(),
            &mut self.output,
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
    fn unconsumed_input_is_kept() {
        let mut buffers = WipedBuffers::new();
        buffers.input_append_buf()[..4].copy_from_slice(b"abcd");
        buffers.input_appended(4);
        buffers.input_consume(3);
        assert_eq!(buffers.input(), b"d");
        assert!(buffers.can_use_input());
        assert_eq!(buffers.input_append_buf().len(), CAPACITY - 1);
        buffers.input_consume(0);
        assert_eq!(buffers.input(), b"d");
        assert!(!buffers.can_use_input());
    }
}
