//! What is true of whatever a directory says: for `make fuzz`, and in small for the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    reason = "a property panics where it does not hold"
)]

mod bind;
mod entry;
mod name;

pub use bind::bind;
pub use entry::entry;
pub use name::name;

#[cfg(test)]
mod tests {
    use crate::mutation::ask;

    #[test]
    fn entry() {
        ask("entry", super::entry);
    }

    #[test]
    fn name() {
        ask("name", super::name);
    }

    #[test]
    fn bind() {
        ask("bind", super::bind);
    }
}
