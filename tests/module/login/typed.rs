//! What the user types.

use super::{Login, PASSWORD};
use lab::pamhost::Answer;
use lab::twilio::{Sms, wrong_code};
use std::time::Duration;

/// What the user types at a prompt.
#[derive(Clone, Copy, Debug)]
pub enum Say {
    /// The right password.
    Password,
    /// The code of the newest SMS.
    Code,
    /// The code of the first SMS of this run.
    FirstCode,
    /// The code of the newest SMS, in groups.
    SpacedCode,
    /// As many digits as a code has, but a wrong code.
    WrongCode,
    /// Nothing, after so many seconds.
    NothingAfter(u64),
    /// The right password, when the helper has been killed.
    KilledHelper,
    Text(&'static str),
    Bytes(&'static [u8]),
    /// One letter so many times.
    Long(usize),
    /// The code of the newest SMS, typed after so many seconds.
    CodeAfter(u64),
    Null,
    HangUp,
    Die,
    /// The right password, and the application has set this `PAM_USER`.
    PasswordOfAnother(&'static str),
    /// The code of the newest SMS, and the application has set this `PAM_USER`.
    CodeOfAnother(&'static str),
}

impl Login<'_> {
    pub(super) fn answer(&self, say: Say, arrived: usize) -> Answer {
        let newest = || {
            let sms = self.arrived();
            let sms = sms.get(arrived..).and_then(<[Sms]>::last);
            sms.unwrap_or_else(|| panic!("{}: no SMS to {}", self.case, self.number))
                .code()
        };
        match say {
            Say::Password => PASSWORD.into(),
            Say::Code => newest().into(),
            Say::FirstCode => self.arrived()[arrived].code().into(),
            Say::SpacedCode => {
                let code = newest();
                format!(" {} - {} ", &code[..3], &code[3..]).into()
            }
            Say::NothingAfter(seconds) => {
                std::thread::sleep(Duration::from_secs(seconds));
                "".into()
            }
            Say::KilledHelper => {
                for pid in self.helpers() {
                    rustix::process::kill_process(pid, rustix::process::Signal::KILL)
                        .expect("the helper is there");
                }
                PASSWORD.into()
            }
            Say::WrongCode => wrong_code(&newest()).into(),
            Say::Text(text) => text.into(),
            Say::Bytes(bytes) => Answer::Bytes(bytes.to_vec()),
            Say::Long(length) => "x".repeat(length).into(),
            Say::CodeAfter(seconds) => {
                std::thread::sleep(Duration::from_secs(seconds));
                newest().into()
            }
            Say::Null => Answer::Null,
            Say::HangUp => Answer::ConvErr,
            Say::Die => Answer::KillHost,
            Say::PasswordOfAnother(name) => Answer::SetUser(name.to_owned(), PASSWORD.to_owned()),
            Say::CodeOfAnother(name) => Answer::SetUser(name.to_owned(), newest()),
        }
    }
}
