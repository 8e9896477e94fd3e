//! Shows the prompts and texts of the helper through the PAM conversation, and returns the answers
//! unread.
#![forbid(unsafe_code)]

use pam::{
    constants::{
        PAM_ERROR_MSG, PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_SILENT, PAM_TEXT_INFO, PamFlag,
    },
    conv::Conv,
    module::PamHandle,
};
use protocol::{Answer, MAX_ANSWER, Style};
use zeroize::Zeroizing;

use crate::libpam;

/// Replaces everything but printable ASCII, letters and digits by `?`. A compromised helper chooses
/// the text, and terminals interpret control, format and bidirectional characters.
fn printable(text: &str) -> String {
    let shown = |letter: char| matches!(letter, ' '..='~') || letter.is_alphanumeric();
    let mut printable = String::with_capacity(text.len());
    printable.extend(
        text.chars()
            .map(|letter| if shown(letter) { letter } else { '?' }),
    );
    printable
}

/// Shows a prompt and encodes the answer as a message.
pub(crate) fn prompt(
    pamh: &mut PamHandle,
    style: Style,
    prompt: &str,
    use_first_pass: bool,
) -> Zeroizing<Vec<u8>> {
    let prompt = printable(prompt);
    Zeroizing::new(match style {
        Style::Password => password(pamh, &prompt, use_first_pass),
        Style::Hidden => text(pamh, PAM_PROMPT_ECHO_OFF, &prompt),
        Style::Visible => text(pamh, PAM_PROMPT_ECHO_ON, &prompt),
    })
}

/// Shows an error text, unless the host set `PAM_SILENT`. A failure has no effect on the login.
pub(crate) fn show_error(pamh: &PamHandle, flags: PamFlag, text: &str) {
    show(pamh, flags, PAM_ERROR_MSG, text);
}

/// Shows an information text, unless the host set `PAM_SILENT`. A failure has no effect on the login.
pub(crate) fn show_info(pamh: &PamHandle, flags: PamFlag, text: &str) {
    show(pamh, flags, PAM_TEXT_INFO, text);
}

fn show(pamh: &PamHandle, flags: PamFlag, style: i32, text: &str) {
    if flags & PAM_SILENT != 0 {
        return;
    }
    if let Ok(Some(conv)) = pamh.get_item::<Conv>() {
        let _ = conv.send(style, &printable(text));
    }
}

fn password(pamh: &mut PamHandle, prompt: &str, use_first_pass: bool) -> Vec<u8> {
    let prompted = !libpam::has_password(pamh);
    if prompted && use_first_pass {
        return Answer::Missing.encode();
    }
    libpam::with_password(pamh, prompt, |password| answer(prompted, password))
        .unwrap_or_else(|| Answer::Disconnected.encode())
}

fn text(pamh: &PamHandle, style: i32, prompt: &str) -> Vec<u8> {
    let reply = match pamh.get_item::<Conv>() {
        Ok(Some(conv)) => conv.send(style, prompt),
        _ => return Answer::Disconnected.encode(),
    };
    match reply {
        Ok(Some(text)) => answer(true, text.as_bytes()),
        // A client without a response to a prompt does not support prompts.
        Ok(None) | Err(_) => Answer::Disconnected.encode(),
    }
}

fn answer(prompted: bool, text: &[u8]) -> Vec<u8> {
    if text.len() > MAX_ANSWER {
        return Answer::TooLong.encode();
    }
    Answer::Text { prompted, text }.encode()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_printable_characters_are_shown() {
        let ascii: String = (' '..='~').collect();
        assert_eq!(printable(&ascii), ascii);
        for text in ["Prüfcode für Zoë ß", "Код 42", "確認コード", "رمز"] {
            assert_eq!(printable(text), text);
        }
        for letter in
            ('\0'..'\u{a0}').chain("\u{ad}\u{61c}\u{180e}\u{2028}\u{2029}\u{feff}".chars())
        {
            if !(' '..='~').contains(&letter) {
                assert_eq!(printable(&letter.to_string()), "?", "{letter:?}");
            }
        }
        for letter in ('\u{200b}'..='\u{200f}')
            .chain('\u{202a}'..='\u{202e}')
            .chain('\u{2060}'..='\u{206f}')
            .chain('\u{fff9}'..='\u{fffb}')
            .chain('\u{e0001}'..='\u{e007f}')
        {
            assert_eq!(printable(&letter.to_string()), "?", "{letter:?}");
        }
    }
}
