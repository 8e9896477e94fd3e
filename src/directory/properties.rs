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
    use crate::mutation::check;

    #[test]
    fn entry() {
        check("entry", super::entry);
    }

    #[test]
    fn name() {
        check("name", super::name);
    }

    #[test]
    fn bind() {
        check("bind", super::bind);
    }
}
