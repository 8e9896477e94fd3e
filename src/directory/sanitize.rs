//! Texts from a server, made safe for the log. A server may send anything, even a password that it
//! was sent.
#![forbid(unsafe_code)]

/// Longest text from a server that is passed on, in characters.
const MAX_TEXT: usize = 200;

/// Shortest name that is searched for in a server's text: users type passwords at the name prompt, and
/// a shorter name would be found in every text.
const MIN_NAME: usize = 4;

/// Returns one printable line of at most [`MAX_TEXT`] characters. Letters and digits of any script are
/// kept; of all other characters only printable ASCII (no ESC, no CR, no bidirectional overrides).
pub fn printable(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let mut line: String = text
        .chars()
        .take(MAX_TEXT)
        .map(|c| match c {
            ' ' => ' ',
            c if c.is_ascii_graphic() || c.is_alphanumeric() => c,
            _ => '?',
        })
        .collect();
    if text.chars().nth(MAX_TEXT).is_some() {
        line.push_str("...");
    }
    line
}

/// Shortens a text to at most `max` bytes of a log value, in which a byte of a non-ASCII character takes
/// four. A shortened text ends in `...`.
pub fn cut(text: &str, max: usize) -> String {
    const DOTS: &str = "...";
    let cost = |c: char| match c {
        '"' | '\\' => 2,
        c if c.is_ascii() => 1,
        c => c.len_utf8().saturating_mul(4),
    };
    let sum = |text: &str| text.chars().map(cost).fold(0, usize::saturating_add);
    if sum(text) <= max {
        return text.to_owned();
    }
    let max = max.saturating_sub(DOTS.len());
    let mut used = 0_usize;
    let fits = |c: &char| {
        used = used.saturating_add(cost(*c));
        used <= max
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push_str(DOTS);
    short
}

/// Replaces a text that repeats what must not be logged.
const WITHHELD: &str = "(text withheld: it repeats what was sent)";

/// As [`printable`], but withholds the whole text if it contains the secret that was sent: a server
/// must not be able to write passwords into the log.
pub fn without_secret(secret: &str, text: &str) -> String {
    if !secret.is_empty() && text.contains(secret) {
        return WITHHELD.to_owned();
    }
    printable(text)
}

/// As [`without_secret`], for a name that the user typed. Case is ignored, because a server may repeat
/// a name in another case.
pub fn without_name(name: &str, text: &str) -> String {
    let (name, folded) = (name.to_lowercase(), text.to_lowercase());
    if name.chars().count() >= MIN_NAME && folded.contains(&name) {
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
        assert_eq!(long, format!("{}...", "x".repeat(MAX_TEXT)));
        assert_eq!(printable(&"x".repeat(MAX_TEXT)), "x".repeat(MAX_TEXT));
    }

    #[test]
    fn a_cut_text_is_no_longer_than_asked() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abc...");
        assert_eq!(cut("\u{e4}\u{e4}", 15), "\u{e4}...");
        assert_eq!(cut("\u{e4}\u{e4}", 16), "\u{e4}\u{e4}");
        assert_eq!(cut("\"\"\"", 5), "\"...");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn a_text_that_repeats_what_was_sent_is_withheld() {
        assert_eq!(without_secret("hunter2", "bad password hunter2!"), WITHHELD);
        assert_eq!(without_secret("hunter2", "bad password"), "bad password");
        assert_eq!(without_secret("", "bad password"), "bad password");
        assert_eq!(without_name("Tr0ub4dor", "no uid=TR0UB4DOR here"), WITHHELD);
        for (name, text) in [("bo", "not about bo"), ("alice", "no such object")] {
            assert_eq!(without_name(name, text), text);
        }
    }
}
