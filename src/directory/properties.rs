//! Properties that hold for any response of a directory, for `make fuzz` and for the unit tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    reason = "a property that does not hold panics"
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
