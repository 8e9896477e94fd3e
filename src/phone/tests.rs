//! What is read, what is refused, and who says that it is right.
#![forbid(unsafe_code)]
#![allow(clippy::arithmetic_side_effects)]

mod cases;
mod judge;
mod table;

/// The same numbers each time (xorshift64*, Vigna 2016): a failure can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let roll = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(roll).unwrap() % sides
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.roll(from.len())]
    }
}
