//! Texts that people see.

use crate::config::{
    messages::{Field, Last, Messages, Prompt, Sms, Text},
    values::Leaf,
};

/// The code, in these properties.
const CODE: &str = "0421370042";

/// A template, and on each further line the value of a field. What is filled in is one visible line that
/// fits where it is shown; the code is in the SMS and nowhere else.
pub fn messages(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (template, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let mut lines = rest.split('\n').cycle();
    let values = Field::ALL.map(|field| match field {
        Field::Code => (field, CODE),
        other => (other, lines.next().unwrap_or_default()),
    });
    if let Ok(Sms(sms)) = Sms::check(template.to_owned()) {
        let filled = seen(&sms, &values, 1600);
        assert!(filled.contains(CODE), "{filled}");
    }
    // A value may be the code, if a fuzzer has found it out, with anything invisible in it.
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let has_code = digits.contains(CODE);
    if let Ok(Prompt(prompt)) = Prompt::check(template.to_owned()) {
        let filled = seen(&prompt, &values, 255);
        assert!(filled.is_ascii(), "{filled}");
        assert!(has_code || !filled.contains(CODE), "{filled}");
    }
    if let Ok(Last(last)) = Last::check(template.to_owned()) {
        let filled = seen(&last, &values, 511);
        assert!(has_code || !filled.contains(CODE), "{filled}");
    }
    // Our own words, two of which make one prompt (PAM_MAX_MSG_SIZE is 512 with the NUL).
    let ours = Messages::standard(6);
    let code = seen(&ours.code, &values, 255);
    for prompt in [&ours.sent, &ours.wrong, &ours.wait, &ours.expired] {
        assert!(seen(prompt, &values, 255).len().saturating_add(code.len()) < 511);
    }
}

fn seen(text: &Text, values: &[(Field, &str)], most: usize) -> String {
    let filled = text.fill(values);
    assert!(filled.chars().count() <= most, "{filled}");
    let hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    assert!(!filled.contains(hidden), "{filled:?}");
    filled
}
