//! The phone numbers among the values of an attribute, and why others are none.
#![forbid(unsafe_code)]

use super::{Value, is, is_true};
use crate::phone::{Phone, Plain, Unreadable};

/// Most values of an attribute that are looked at. They have no order (RFC 4511 §4.1.7), so of
/// more than these the "first" would be another one each time: then none is.
pub const MAX_VALUES: usize = 64;

/// Reasons that are named for one attribute.
const MAX_REASONS: usize = 4;

/// What was read of the values of one attribute.
pub struct Numbers {
    /// Those that can be read, in the order of their texts.
    pub read: Vec<Phone>,
    /// Why others cannot, each reason once, in the same order.
    unreadable: Vec<Unreadable>,
    values: usize,
}

impl Numbers {
    pub fn of(values: &[Value], plain: Plain) -> Self {
        let mut numbers = Self {
            read: Vec::new(),
            unreadable: Vec::new(),
            values: values.len(),
        };
        if values.len() > MAX_VALUES {
            return numbers;
        }
        let mut texts: Vec<_> = values.iter().map(Value::text).collect();
        texts.sort_by_key(|text| text.unwrap_or_default().to_owned());
        for text in texts {
            match text.and_then(|text| Phone::read(text, plain)) {
                Ok(phone) => numbers.read.push(phone),
                Err(why) if numbers.unreadable.contains(&why) => {}
                Err(why) => numbers.unreadable.push(why),
            }
        }
        numbers
    }

    fn reasons(&self) -> String {
        let reasons = self.unreadable.iter().take(MAX_REASONS);
        let mut reasons: Vec<_> = reasons.map(ToString::to_string).collect();
        if self.unreadable.len() > MAX_REASONS {
            reasons.push("other reasons".to_owned());
        }
        reasons.join(", ")
    }
}

/// Why no number was read in any of these attributes.
pub fn unread(names: &[String], read: &[Numbers]) -> String {
    let attributes = names.iter().zip(read).map(|(name, numbers)| {
        let reasons = numbers.reasons();
        match numbers.values {
            0 => format!("{name}: no value"),
            1 => format!("{name}: {reasons}"),
            many if many > MAX_VALUES => format!("{name}: {many} values, which are too many"),
            many => format!("{name} ({many} values): {reasons}"),
        }
    });
    attributes.collect::<Vec<_>>().join("; ")
}

/// Why these values of `verified_attribute` verify nothing.
pub fn unverified(values: &[Value], numbers: &Numbers) -> String {
    let is_boolean = |value: &&Value| is_true(value) || is(value, "FALSE");
    let booleans = values.iter().filter(is_boolean).count();
    let reasons = numbers.reasons();
    match (values.len(), booleans) {
        (0, _) => "no value".to_owned(),
        (many, _) if many > MAX_VALUES => format!("{many} values, which are too many"),
        (1, 1) => "FALSE".to_owned(),
        (many, _) if booleans == many => format!("{many} booleans"),
        (many, 1..) => format!("{booleans} of {many} values are booleans"),
        (1, 0) => format!("neither TRUE nor a phone number ({reasons})"),
        (many, 0) => {
            let others = many.saturating_sub(numbers.read.len());
            format!("{others} of {many} values are no phone numbers ({reasons})")
        }
    }
}
