//! The phone numbers among the values of an attribute, and why other values are not numbers.
#![forbid(unsafe_code)]

use super::value::Value;
use crate::phone::{Phone, Plain, Unreadable};

/// Values of an attribute that are parsed. Values have no order (RFC 4511 §4.1.7), so a part of them would
/// be a different part each time: of an attribute with more values none is used.
pub const MAX_VALUES: usize = 64;

/// Reasons that are listed for one attribute.
const MAX_REASONS: usize = 4;

/// The parsed values of one attribute.
pub struct Numbers {
    /// The numbers, sorted by their texts.
    pub phones: Vec<Phone>,
    /// Why other values are not numbers, each reason once, in the same order.
    unreadable: Vec<Unreadable>,
    values: usize,
}

impl Numbers {
    pub fn parse(values: &[Value], plain: Plain) -> Self {
        let mut numbers = Self {
            phones: Vec::new(),
            unreadable: Vec::new(),
            values: values.len(),
        };
        if values.len() > MAX_VALUES {
            return numbers;
        }
        let mut texts: Vec<_> = values.iter().map(Value::text).collect();
        texts.sort_by_key(|text| text.unwrap_or_default().to_owned());
        for text in texts {
            match text.and_then(|text| Phone::parse(text, plain)) {
                Ok(phone) => numbers.phones.push(phone),
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

/// Describes why these attributes contain no number.
pub fn why_no_number(names: &[String], parsed: &[Numbers]) -> String {
    let attributes = names.iter().zip(parsed).map(|(name, numbers)| {
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

/// Describes why these values of `verified_attribute` verify no number.
pub fn why_not_verified(values: &[Value], numbers: &Numbers) -> String {
    let booleans = values.iter().filter(|value| value.is_boolean()).count();
    let reasons = numbers.reasons();
    match (values.len(), booleans) {
        (0, _) => "no value".to_owned(),
        (many, _) if many > MAX_VALUES => format!("{many} values, which are too many"),
        (1, 1) => "FALSE".to_owned(),
        (many, _) if booleans == many => format!("{many} booleans"),
        (many, 1..) => format!("{booleans} of {many} values are booleans"),
        (1, 0) => format!("neither TRUE nor a phone number ({reasons})"),
        (many, 0) => {
            let others = many.saturating_sub(numbers.phones.len());
            format!("{others} of {many} values are no phone numbers ({reasons})")
        }
    }
}
