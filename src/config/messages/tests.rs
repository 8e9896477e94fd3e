//! Templates: what may stand in them, and what comes of them.
#![forbid(unsafe_code)]

use super::*;

fn text(place: Place, template: &str) -> Text {
    Text::check(place, template.into()).unwrap()
}

#[test]
fn our_own_words_are_allowed() {
    for digits in 6..=10 {
        let Messages {
            sms,
            password,
            code,
            sent,
            resent,
            wrong,
            expired,
            not_a_code,
            no_resend,
            wait,
            too_many,
            too_late,
            not_verified,
            no_code,
            password_expired,
            stopped,
            bad_number,
            new_phone,
            not_sent,
            later,
            grace,
            last_grace,
            guesses,
        } = Messages::standard(digits);
        for ours in [
            sms,
            password,
            code,
            sent,
            resent,
            wrong,
            expired,
            not_a_code,
            no_resend,
            wait,
            too_many,
            too_late,
            not_verified,
            no_code,
            password_expired,
            stopped,
            bad_number,
            new_phone,
            not_sent,
            later,
            grace,
            last_grace,
            guesses,
        ] {
            assert_eq!(
                Text::check(ours.place, ours.template().into()).unwrap(),
                ours
            );
        }
    }
}

#[test]
fn our_own_words_are_filled_in() {
    let words = Messages::standard(6);
    let left = tries_left(2);
    assert_eq!(
        words.wrong.fill(&[(Field::Left, &left)]),
        "Wrong code, 2 tries left."
    );
    for (guesses, text) in [
        (1, "1 wrong code was entered since your last login."),
        (
            65_535,
            "65535 wrong codes were entered since your last login.",
        ),
    ] {
        let left = guesses_made(guesses);
        assert_eq!(words.guesses.fill(&[(Field::Left, &left)]), text);
    }
    let left = tries_left(1);
    assert_eq!(
        words.wrong.fill(&[(Field::Left, &left)]),
        "Wrong code, 1 try left."
    );
    assert_eq!(words.not_a_code.fill(&[]), "That is not a 6-digit code.");
    assert_eq!(
        Messages::standard(8).not_a_code.fill(&[]),
        "That is not an 8-digit code."
    );
    let wait = a_while(Duration::from_secs(25));
    assert_eq!(
        words.wait.fill(&[(Field::Wait, &wait)]),
        "Another SMS in 25 s."
    );
    let wait = a_while(Duration::from_secs(12 * 60));
    assert_eq!(
        words
            .later
            .fill(&[(Field::Login, "7f3a9c21"), (Field::Wait, &wait)]),
        "Too many codes. Try again in 12 minutes. (login 7f3a9c21)"
    );
    assert_eq!(
        words.sms.fill(&[
            (Field::Code, "012345"),
            (Field::Host, "web1"),
            (Field::Minutes, "5")
        ]),
        "012345 is your login code for web1. It expires in 5 minutes. \
         Not you? Change your password."
    );
}

#[test]
fn waiting_is_rounded_up() {
    for (milliseconds, words) in [
        (0, "0 s"),
        (1, "1 s"),
        (60_000, "60 s"),
        (60_001, "2 minutes"),
        (7_200_000, "120 minutes"),
        (7_200_001, "3 hours"),
        (86_400_000, "24 hours"),
    ] {
        assert_eq!(a_while(Duration::from_millis(milliseconds)), words);
    }
    assert!(!a_while(Duration::MAX).is_empty());
}

#[test]
fn values_are_put_in_once_and_clean() {
    let sent = text(Place::Prompt, "{user}|{host}|{phone}|{rhost}");
    let long = "x".repeat(100);
    let filled = sent.fill(&[
        (Field::User, "{host}{code}}{"),
        (Field::Host, "é\u{1b}[2J\r\n\u{202e}ü"),
        (Field::Rhost, &long),
    ]);
    assert_eq!(
        filled,
        format!("{{host}}{{code}}}}{{|?[2J?||{}", &long[..64])
    );
    let later = text(Place::Last, "{host}");
    assert_eq!(
        later.fill(&[(Field::Host, "é\u{1b}[2J\r\n\u{202e}ü")]),
        "é[2Jü"
    );
}

#[test]
fn what_is_filled_in_never_grows_its_buffer() {
    let template = format!("{{code}}{}{{user}}", "é".repeat(586));
    let sms = text(Place::Sms, &template);
    let long = "😀".repeat(100);
    let filled = sms.fill(&[(Field::User, &long)]);
    assert!(filled.len() <= 1600 * 4);
    assert!(filled.capacity() <= 1600 * 4);
    assert!(filled.chars().count() <= 1600);
}

#[test]
fn every_template_that_is_not_allowed_says_why() {
    let long = "x".repeat(201);
    for (place, template, why) in [
        (Place::Prompt, "", "empty"),
        (Place::Last, "  ", "empty"),
        (Place::Prompt, "a\nb", "line break"),
        (Place::Sms, "{code}\u{202e}", "invisible"),
        (Place::Prompt, "Größe", "not ASCII"),
        (Place::Prompt, &long, "too long"),
        (Place::Prompt, "{user}{user}{user}{user}", "filled in"),
        (Place::Prompt, "{nobody}", "unknown {name}"),
        (Place::Prompt, "{user", "single brace"),
        (Place::Prompt, "user}", "single brace"),
        (Place::Prompt, "{{user}}", "single brace"),
        (Place::Prompt, "{}", "unknown {name}"),
        (Place::Prompt, "{ user }", "unknown {name}"),
        (Place::Prompt, "{User}", "unknown {name}"),
        (Place::Sms, "Hello {user}", "no {code}"),
        (Place::Prompt, "{code}", "whoever sits at the prompt"),
        (Place::Last, "{code}", "whoever sits at the prompt"),
    ] {
        let Why(words) = Text::check(place, template.into()).unwrap_err();
        assert!(words.contains(why), "{template:?}: {words}");
    }
}
