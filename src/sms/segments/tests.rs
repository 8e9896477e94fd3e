use super::*;

/// The table of 3GPP TS 23.038 §6.2.1, row by row, without ESC, which is not a character.
const TABLE: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
    ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// The table of §6.2.1.1.
const ESCAPED: &str = "\u{c}^{}\\[~]|€";

#[test]
fn the_alphabet_is_that_of_the_standard() {
    assert_eq!(TABLE.chars().count(), 127);
    for c in '\0'..='\u{ffff}' {
        let expected = match c {
            c if TABLE.contains(c) => Some(1),
            c if ESCAPED.contains(c) => Some(2),
            _ => None,
        };
        assert_eq!(septets(c), expected, "{c:?}");
    }
}

#[test]
fn lengths_and_their_segments() {
    let of = |text: &str, times| segments(&text.repeat(times));
    assert_eq!(segments(""), 1);
    assert_eq!(
        segments("042137 is your login code for gate.example.org."),
        1
    );
    for (text, times, expected) in [
        // GSM-7: 160, then 153 each.
        ("x", 160, 1),
        ("x", 161, 2),
        ("x", 306, 2),
        ("x", 307, 3),
        ("x", 459, 3),
        ("x", 460, 4),
        ("x", 1600, 11),
        ("ä", 160, 1),
        ("\n", 161, 2),
        // Two septets each; 153 is odd, and a pair is not split: 76 per segment.
        ("€", 80, 1),
        ("€", 81, 2),
        ("€", 152, 2),
        ("€", 153, 3),
        // UCS-2: 70, then 67 each.
        ("☎", 70, 1),
        ("☎", 71, 2),
        ("☎", 134, 2),
        ("☎", 135, 3),
        ("ç", 71, 2),
        ("`", 71, 2),
        ("\t", 71, 2),
        // Two units each; 67 is odd, and a pair is not split: 33 per segment.
        ("🔑", 35, 1),
        ("🔑", 36, 2),
        ("🔑", 66, 2),
        ("🔑", 67, 3),
    ] {
        assert_eq!(of(text, times), expected, "{text:?} {times} times");
    }
}

#[test]
fn one_character_changes_the_encoding() {
    let plain = "x".repeat(159);
    assert_eq!(segments(&format!("{plain}€")), 2);
    assert_eq!(segments(&format!("{plain}é")), 1);
    assert_eq!(segments(&format!("{plain}ê")), 3);
    // The pair at the boundary goes to the second segment whole, and the third has one septet.
    let text = |last: &str| format!("{}€{}{last}", "x".repeat(152), "x".repeat(151));
    assert_eq!(segments(&text("")), 2);
    assert_eq!(segments(&text("x")), 3);
}

#[test]
fn the_count_saturates() {
    assert_eq!(segments(&"☎".repeat(5_000_000)), u16::MAX);
}
