//! Texts that are shown to the user.

use crate::config::{
    Placeholder, Template,
    table::MessagesKeys,
    template::{FinalText, Prompt, SmsText},
    value_types::ValueType,
};

/// The code, in these properties.
const CODE: &str = "0421370042";

/// The first line is a template, each further line the value of a placeholder. The filled text is one visible
/// line that fits where it is shown; the code is in the SMS and in no other text.
pub fn messages(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (template, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let mut lines = rest.split('\n').cycle();
    let placeholders = Placeholder::ALL.iter().copied();
    let values: Vec<_> = placeholders
        .map(|placeholder| match placeholder {
            Placeholder::Code => (placeholder, CODE),
            other => (other, lines.next().unwrap_or_default()),
        })
        .collect();
    if let Ok(sms) = SmsText::parse(template.to_owned()) {
        let filled = fill(&sms, &values, 1600);
        assert!(filled.contains(CODE), "{filled}");
    }
    // A value may be the code, if a fuzzer has found it, with invisible characters in it.
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let has_code = digits.contains(CODE);
    if let Ok(prompt) = Prompt::parse(template.to_owned()) {
        let filled = fill(&prompt, &values, 255);
        assert!(filled.is_ascii(), "{filled}");
        assert!(has_code || !filled.contains(CODE), "{filled}");
    }
    if let Ok(last) = FinalText::parse(template.to_owned()) {
        let filled = fill(&last, &values, 511);
        assert!(has_code || !filled.contains(CODE), "{filled}");
    }
    // Of two defaults, one prompt is made (PAM_MAX_MSG_SIZE is 512 with the NUL).
    let default = MessagesKeys::default().build(Template::last_grace());
    assert!(default.is_ok(), "{default:?}");
    let Ok(default) = default else { return };
    let code = fill(&default.code, &values, 255);
    for prompt in [
        &default.sent,
        &default.wrong,
        &default.wait,
        &default.expired,
    ] {
        assert!(fill(prompt, &values, 255).len().saturating_add(code.len()) < 511);
    }
}

fn fill(text: &Template, values: &[(Placeholder, &str)], max: usize) -> String {
    let filled = text.fill(values);
    assert!(filled.chars().count() <= max, "{filled}");
    let is_hidden = |character: char| {
        character.is_control()
            || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    assert!(!filled.contains(is_hidden), "{filled:?}");
    filled
}
