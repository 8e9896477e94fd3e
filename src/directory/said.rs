//! What a server said, made fit for a log: hostile until proved otherwise.
#![forbid(unsafe_code)]

/// Longest piece of a server's text that is passed on, in characters.
const LONGEST: usize = 200;

/// A name typed by a person is looked for in a server's text from this length on: people type
/// passwords there, and a shorter one would be found in every text.
const TELLING: usize = 4;

/// One printable line of at most [`LONGEST`] characters. Letters and digits of any script stay;
/// of everything else only printable ASCII (no ESC, no CR, no bidirectional overrides).
pub fn printable(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let mut line: String = text
        .chars()
        .take(LONGEST)
        .map(|c| match c {
            ' ' => ' ',
            c if c.is_ascii_graphic() || c.is_alphanumeric() => c,
            _ => '?',
        })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push_str("...");
    }
    line
}

/// A text that takes no more than so many bytes in the log, where a letter beyond ASCII takes four
/// for each of its own; one that was cut off ends in `...`.
pub fn cut(text: &str, room: usize) -> String {
    const DOTS: &str = "...";
    let cost = |c: char| match c {
        '"' | '\\' => 2,
        c if c.is_ascii() => 1,
        c => c.len_utf8().saturating_mul(4),
    };
    let sum = |text: &str| text.chars().map(cost).fold(0, usize::saturating_add);
    if sum(text) <= room {
        return text.to_owned();
    }
    let room = room.saturating_sub(DOTS.len());
    let mut taken = 0_usize;
    let fits = |c: &char| {
        taken = taken.saturating_add(cost(*c));
        taken <= room
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push_str(DOTS);
    short
}

/// Stands for a text that repeats what it must not.
const WITHHELD: &str = "(text withheld: it repeats what was sent)";

/// The same, but not a word of it when it repeats the secret that was sent: a server must not be
/// able to write passwords into our log.
pub fn without(secret: &str, text: &str) -> String {
    if !secret.is_empty() && text.contains(secret) {
        return WITHHELD.to_owned();
    }
    printable(text)
}

/// The same for a name that a person typed. Names are compared without regard to case, and a
/// server may well repeat them in another one.
pub fn without_name(name: &str, text: &str) -> String {
    let (name, folded) = (name.to_lowercase(), text.to_lowercase());
    if name.chars().count() >= TELLING && folded.contains(&name) {
        return WITHHELD.to_owned();
    }
    printable(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_becomes_one_bounded_printable_line() {
        assert_eq!(printable("fine (49), \"quoted\""), "fine (49), \"quoted\"");
        assert_eq!(printable("v2580\0"), "v2580");
        assert_eq!(
            printable("a\nb\rc\x1b[31md\u{202e}e\u{2028}f\u{9b}g\0h\ti"),
            "a?b?c?[31md?e?f?g?h?i"
        );
        assert_eq!(printable("Kennwort läuft ab"), "Kennwort läuft ab");
        let long = printable(&"x".repeat(10_000));
        assert_eq!(long, format!("{}...", "x".repeat(LONGEST)));
        assert_eq!(printable(&"x".repeat(LONGEST)), "x".repeat(LONGEST));
    }

    #[test]
    fn what_is_cut_is_no_longer_than_its_room() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abc...");
        assert_eq!(cut("\u{e4}\u{e4}", 15), "\u{e4}...");
        assert_eq!(cut("\u{e4}\u{e4}", 16), "\u{e4}\u{e4}");
        assert_eq!(cut("\"\"\"", 5), "\"...");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        assert_eq!(without("hunter2", "bad password hunter2!"), WITHHELD);
        assert_eq!(without("hunter2", "bad password"), "bad password");
        assert_eq!(without("", "bad password"), "bad password");
        assert_eq!(without_name("Tr0ub4dor", "no uid=TR0UB4DOR here"), WITHHELD);
        for (name, text) in [("bo", "not about bo"), ("alice", "no such object")] {
            assert_eq!(without_name(name, text), text);
        }
    }
}
