//! `[messages]`: every text that is shown to the user.
#![forbid(unsafe_code)]

use super::{Located, Row, Sample, Scope, Section, or_default, section, store};
use crate::config::{
    template::{FinalText, Prompt, SmsText, Template},
    value_types::{Invalid, ValueType},
};

section! {
    /// Every text that is shown to the user.
    ///
    /// The SMS is one line of up to 600 characters, with {code}. Prompts are one line of printable ASCII of up
    /// to 200 characters. A code prompt is one of the texts from `messages.sent` to `messages.wait`, a space,
    /// and `messages.code`. The texts from `messages.too_many` on are one line of up to 500 characters, in
    /// which characters that are neither printable ASCII nor letters or digits are shown as question marks.
    /// They end a login and are sent as error messages; `messages.grace` and `messages.guesses` are sent as
    /// information.
    per_service messages "messages.": MessagesKeys =>
    #[derive(Clone, PartialEq, Eq)]
    Messages { last_grace: Template, }
    resolved {}
    fields {
        /// The SMS.
        sms: SmsText = "{code} is your login code for {host}. It expires in {minutes} minutes. Not you? Change your password.";
        /// Asks for the password.
        password: Prompt = "Password: ";
        /// The end of every code prompt.
        code: Prompt = "Verification code: ";
        /// After the first SMS.
        sent: Prompt = "Code sent to {phone}.";
        /// After another SMS with the same code.
        resent: Prompt = "Code sent again.";
        /// After a wrong code.
        wrong: Prompt = "Wrong code, {left} left.";
        /// After an SMS with a new code, because the old one has expired.
        expired: Prompt = "The code has expired; a new one was sent.";
        /// After input that is not a code. The default contains the number of digits (`code.digits`).
        not_a_code: Prompt = "That is not a 6-digit code.";
        /// No further SMS can be sent in this login.
        no_resend: Prompt = "No more SMS in this login.";
        /// The next SMS has to wait, for `limits.pause` or for a limit.
        wait: Prompt = "Another SMS in {wait}.";
        /// Too many wrong codes, or locked until an administrator unlocks.
        too_many: FinalText = "Too many wrong codes. (login {login})";
        /// The code has expired, and no further SMS can be sent.
        too_late: FinalText = "The code has expired. (login {login})";
        /// A limit or a lock is reached that ends by itself.
        ///
        /// From `limits.disable_after` on, the text is `messages.too_many`.
        later: FinalText = "Too many codes. Try again in {wait}. (login {login})";
        /// No verified phone number, or none that can be read.
        ///
        /// If the directory has not verified the first factor, this is also the text for a user who is
        /// not in the directory.
        not_verified: FinalText = "No verified phone number on file. Ask your administrator. (login {login})";
        /// Three answers that were not a code, or one that is the password or the login name, as from a
        /// program that answers every prompt with it.
        no_code: FinalText = "No code was entered. (login {login})";
        /// The directory has verified the password and reports that it has expired or must be changed.
        password_expired: FinalText = "Your password has expired. Change it, then log in again. (login {login})";
        /// The user has sent STOP to the sender (Twilio error 21610).
        stopped: FinalText = "This phone has blocked our messages. Send START to the sender, then log in again. (login {login})";
        /// Twilio refuses the number for another reason, or `limits.allowed_prefixes` does not allow it.
        bad_number: FinalText = "This phone cannot receive codes. Ask your administrator. (login {login})";
        /// The number still waits (`policy.new_phone`).
        new_phone: FinalText = "Your new phone number cannot be used yet. Ask your administrator. (login {login})";
        /// Every other failure after the first factor.
        not_sent: FinalText = "The code could not be sent. Try again later. (login {login})";
        /// Shown with a granted login whose password has expired (`ldap.grace`); {left} is the number of
        /// logins that are left.
        ///
        /// The last of them has a default text of its own, unless this key is changed: "This was the last
        /// login with your expired password. Change it now."
        grace: FinalText = "Your password has expired; {left} until you must change it.";
        /// Shown with a granted login after wrong codes in other logins that were not granted; {left} is "1
        /// wrong code was" or "3 wrong codes were".
        ///
        /// They are shown once, to the user who has entered the code. If the host process accepts no texts
        /// (sudo, PAM_SILENT), they are shown at the next login.
        guesses: FinalText = "{left} entered since your last login.";
    }
}
