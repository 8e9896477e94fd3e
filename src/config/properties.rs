//! What is true of the settings, whatever stands in them: for `make fuzz`, and in small for the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    reason = "a property panics where it does not hold"
)]

mod addresses;
mod filter;
mod messages;
mod settings;

pub use addresses::addresses;
pub use filter::filter;
pub use messages::messages;
pub use settings::settings;

#[cfg(test)]
mod tests {
    use crate::mutation::ask;

    #[test]
    fn settings() {
        ask("settings", super::settings);
    }

    #[test]
    fn addresses() {
        ask("addresses", super::addresses);
    }

    #[test]
    fn filter() {
        ask("filter", super::filter);
    }

    #[test]
    fn messages() {
        ask("messages", super::messages);
    }
}
