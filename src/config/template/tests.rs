//! Templates: what they may contain, and how they are filled. The defaults are parsed as any other text
//! (`config::tests`).
#![forbid(unsafe_code)]

use super::*;

fn template(kind: MessageKind, text: &str) -> Template {
    Template::parse(kind, text.into()).unwrap()
}

#[test]
fn texts_that_depend_on_other_settings_are_valid() {
    for digits in 6..=10 {
        for default in [Template::not_a_code(digits), Template::last_grace()] {
            let parsed = Template::parse(default.kind, default.text.clone());
            assert_eq!(parsed.unwrap(), default);
        }
    }
    assert_eq!(
        Template::not_a_code(6).fill(&[]),
        "That is not a 6-digit code."
    );
    assert_eq!(
        Template::not_a_code(8).fill(&[]),
        "That is not an 8-digit code."
    );
}

#[test]
fn numbers_have_their_plural() {
    assert_eq!([tries_left(1), tries_left(2)], ["1 try", "2 tries"]);
    assert_eq!(
        [guesses_made(1), guesses_made(65_535)],
        ["1 wrong code was", "65535 wrong codes were"]
    );
    assert_eq!(
        [logins_left(1), logins_left(2)],
        ["1 more login", "2 more logins"]
    );
}

#[test]
fn durations_are_rounded_up() {
    for (milliseconds, text) in [
        (0, "0 s"),
        (1, "1 s"),
        (60_000, "60 s"),
        (60_001, "2 minutes"),
        (7_200_000, "120 minutes"),
        (7_200_001, "3 hours"),
        (86_400_000, "24 hours"),
    ] {
        assert_eq!(human_duration(Duration::from_millis(milliseconds)), text);
    }
    assert!(!human_duration(Duration::MAX).is_empty());
}

#[test]
fn values_are_filled_in_once_and_sanitized() {
    let sent = template(MessageKind::Prompt, "{user}|{host}|{phone}|{rhost}");
    let long = "x".repeat(100);
    let filled = sent.fill(&[
        (Placeholder::User, "{host}{code}}{"),
        (Placeholder::Host, "é\u{1b}[2J\r\n\u{202e}ü"),
        (Placeholder::Rhost, &long),
    ]);
    assert_eq!(
        filled,
        format!("{{host}}{{code}}}}{{|?[2J?||{}", &long[..64])
    );
    let later = template(MessageKind::Final, "{host}");
    assert_eq!(
        later.fill(&[(Placeholder::Host, "é\u{1b}[2J\r\n\u{202e}ü")]),
        "é[2Jü"
    );
}

#[test]
fn the_buffer_of_a_filled_template_never_grows() {
    let text = format!("{{code}}{}{{user}}", "é".repeat(586));
    let sms = template(MessageKind::Sms, &text);
    let long = "😀".repeat(100);
    let filled = sms.fill(&[(Placeholder::User, &long)]);
    assert!(filled.len() <= 1600 * 4);
    assert!(filled.capacity() <= 1600 * 4);
    assert!(filled.chars().count() <= 1600);
}

#[test]
fn invalid_templates_are_refused() {
    let long = "x".repeat(201);
    for (kind, text, expected) in [
        (MessageKind::Prompt, "", "empty"),
        (MessageKind::Final, "  ", "empty"),
        (MessageKind::Prompt, "a\nb", "line break"),
        (MessageKind::Sms, "{code}\u{202e}", "invisible"),
        (MessageKind::Prompt, "Größe", "not ASCII"),
        (MessageKind::Prompt, &long, "too long"),
        (MessageKind::Prompt, "{user}{user}{user}{user}", "filled"),
        (MessageKind::Prompt, "{unknown}", "unknown {name}"),
        (MessageKind::Prompt, "{user", "single brace"),
        (MessageKind::Prompt, "user}", "single brace"),
        (MessageKind::Prompt, "{{user}}", "single brace"),
        (MessageKind::Prompt, "{}", "unknown {name}"),
        (MessageKind::Prompt, "{ user }", "unknown {name}"),
        (MessageKind::Prompt, "{User}", "unknown {name}"),
        (MessageKind::Sms, "Hello {user}", "not contain {code}"),
        (MessageKind::Prompt, "{code}", "at the prompt"),
        (MessageKind::Final, "{code}", "at the prompt"),
    ] {
        let Invalid(why) = Template::parse(kind, text.into()).unwrap_err();
        assert!(why.contains(expected), "{text:?}: {why}");
    }
}
