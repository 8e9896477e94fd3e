//! How many parts a text is paid as.
//!
//! Twilio bills each part, and sends in GSM-7 whatever can be written in it, everything else in
//! UCS-2 (<https://www.twilio.com/docs/glossary/what-sms-character-limit>). A part has 140 octets;
//! of several parts, each begins with a header of six. What a sender's own contract or a Messaging
//! Service's smart encoding may make of it is not known here.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

/// How much fits: into a text of one part, and into each of several.
struct Room {
    alone: usize,
    beside: usize,
}

/// In septets.
const GSM_7: Room = Room {
    alone: 160,
    beside: 153,
};

/// In UTF-16 code units.
const UCS_2: Room = Room {
    alone: 70,
    beside: 67,
};

/// The parts of a text, at least one.
#[must_use]
pub fn segments(text: &str) -> u16 {
    if text.chars().all(|c| septets(c).is_some()) {
        parts(text.chars().filter_map(septets), &GSM_7)
    } else {
        parts(text.chars().map(char::len_utf16), &UCS_2)
    }
}

/// Characters of these sizes, none of which is torn in two: neither an escape and what it escapes
/// (3GPP TS 23.040 §9.2.3.24.1) nor a surrogate pair.
fn parts(sizes: impl Iterator<Item = usize> + Clone, room: &Room) -> u16 {
    if sizes.clone().fold(0, usize::saturating_add) <= room.alone {
        return 1;
    }
    let (mut parts, mut filled) = (1_u16, 0_usize);
    for size in sizes {
        filled = filled.saturating_add(size);
        if filled > room.beside {
            parts = parts.saturating_add(1);
            filled = size;
        }
    }
    parts
}

/// The default alphabet (3GPP TS 23.038 §6.2.1) without the letters and digits of ASCII.
const DEFAULT: &str = "\n\r !\"#$%&'()*+,-./:;<=>?@_\
    ¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ";

/// Its extension table (§6.2.1.1).
const EXTENSION: &str = "\u{c}[\\]^{|}~€";

/// What a character takes in GSM-7: one septet, or two with the escape before it. `None`: it
/// cannot be written so.
fn septets(c: char) -> Option<usize> {
    if c.is_ascii_alphanumeric() || DEFAULT.contains(c) {
        Some(1)
    } else {
        EXTENSION.contains(c).then_some(2)
    }
}
