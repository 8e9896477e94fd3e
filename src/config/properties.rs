//! Properties of the settings with any content: for `make fuzz`, and with fewer inputs for the tests.
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
    use crate::mutation::check;

    #[test]
    fn settings() {
        check("settings", super::settings);
    }

    #[test]
    fn addresses() {
        check("addresses", super::addresses);
    }

    #[test]
    fn filter() {
        check("filter", super::filter);
    }

    #[test]
    fn messages() {
        check("messages", super::messages);
    }
}
