//! The number of segments that a text is billed as.
//!
//! Twilio bills each segment. It sends a text in GSM-7 if every character of it can be encoded in GSM-7,
//! and in UCS-2 otherwise (<https://www.twilio.com/docs/glossary/what-sms-character-limit>). A segment
//! has 140 octets; with several segments, each begins with a header of six. The contract of the sender
//! and the smart encoding of a Messaging Service may change the count; neither is known here.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

/// How much a segment can contain.
struct Capacity {
    /// If it is the only one.
    single: usize,
    /// If there are several.
    each: usize,
}

/// In septets.
const GSM_7: Capacity = Capacity {
    single: 160,
    each: 153,
};

/// In UTF-16 code units.
const UCS_2: Capacity = Capacity {
    single: 70,
    each: 67,
};

/// Counts the segments of a text, at least one.
#[must_use]
pub fn segments(text: &str) -> u16 {
    if text.chars().all(|c| septets(c).is_some()) {
        count(text.chars().filter_map(septets), &GSM_7)
    } else {
        count(text.chars().map(char::len_utf16), &UCS_2)
    }
}

/// Counts the segments of characters of these sizes. No character is split between two segments: neither
/// an escape and the character after it (3GPP TS 23.040 §9.2.3.24.1) nor a surrogate pair.
fn count(sizes: impl Iterator<Item = usize> + Clone, capacity: &Capacity) -> u16 {
    if sizes.clone().fold(0, usize::saturating_add) <= capacity.single {
        return 1;
    }
    let (mut segments, mut filled) = (1_u16, 0_usize);
    for size in sizes {
        filled = filled.saturating_add(size);
        if filled > capacity.each {
            segments = segments.saturating_add(1);
            filled = size;
        }
    }
    segments
}

/// The default alphabet (3GPP TS 23.038 §6.2.1) without the letters and digits of ASCII.
const DEFAULT: &str = "\n\r !\"#$%&'()*+,-./:;<=>?@_\
    ¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ";

/// Its extension table (§6.2.1.1).
const EXTENSION: &str = "\u{c}[\\]^{|}~€";

/// The size of a character in GSM-7: one septet, or two if it needs an escape. `None`: GSM-7 does not
/// contain it.
fn septets(c: char) -> Option<usize> {
    if c.is_ascii_alphanumeric() || DEFAULT.contains(c) {
        Some(1)
    } else {
        EXTENSION.contains(c).then_some(2)
    }
}
