//! Which texts are accepted and refused, compared with libphonenumber.
#![forbid(unsafe_code)]
#![allow(clippy::arithmetic_side_effects)]

mod accepted;
mod libphonenumber;
mod refused;
mod table;

use super::{Phone, Region};

fn parse(text: &str, region: &str) -> Option<String> {
    let region = (!region.is_empty()).then(|| Region::named(region).unwrap());
    Phone::parse(text, region)
        .ok()
        .map(|phone| phone.e164().to_owned())
}

/// A random generator with a fixed seed (xorshift64*, Vigna 2016), so that failures are reproducible.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % limit
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}
