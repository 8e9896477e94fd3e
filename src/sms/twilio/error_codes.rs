//! Twilio's error codes, each with what happened and what to do, in our own words.
#![forbid(unsafe_code)]

use crate::failure::{Failure, FailureKind, Stage};

use Cause::{Account, Number};

/// Parent of Twilio's pages on error codes, one page for each code.
const PAGES_URL: &str = "https://www.twilio.com/docs/api/errors";

/// The cause of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// This phone number. Other users still get their codes.
    Number,
    /// Account, sender, settings or text. No user gets a code, or none in that country.
    Account,
}

/// Whether a code refuses the phone number. A code that is not in the table refuses the account.
pub(super) fn is_about_the_number(code: u32) -> bool {
    row(code).is_some_and(|(_, cause, ..)| cause == Number)
}

fn row(code: u32) -> Option<Row> {
    let at = CODES.binary_search_by_key(&code, |row| row.0).ok()?;
    CODES.get(at).copied()
}

/// Describes an HTTP status and an error code if there is one. With a code, the remedy ends with the
/// address of Twilio's page on it.
pub(super) fn explain(kind: FailureKind, status: u16, code: Option<u32>) -> Failure {
    let Some(code) = code else {
        let what = match status {
            201 => "Twilio accepted the text and dropped it without an error code".to_owned(),
            _ => format!("Twilio returns HTTP {status} without an error code"),
        };
        return Failure::new(Stage::Twilio, kind, what, for_status(status));
    };
    let (what, remedy) = match (code, status, row(code)) {
        (20003, 401, _) => (
            format!("Twilio error {code}: {}", CREDENTIALS.0),
            CREDENTIALS.1,
        ),
        (20003, 403, _) => (
            format!("Twilio error {code}: {}", PERMISSION.0),
            PERMISSION.1,
        ),
        (_, _, Some((_, _, what, remedy))) => (format!("Twilio error {code}: {what}"), remedy),
        (_, _, None) => (
            format!("Twilio error {code} (HTTP {status})"),
            "see Twilio's page on it",
        ),
    };
    Failure {
        code: Some(code),
        ..Failure::new(
            Stage::Twilio,
            kind,
            what,
            format!("{remedy} ({PAGES_URL}/{code})"),
        )
    }
}

/// 20003 with HTTP 401: the account is not authenticated.
const CREDENTIALS: (&str, &str) = (
    "the credentials are not accepted",
    "check twilio_sid with twilio_token, or api_key_sid with api_key_secret, in Twilio's console, Account Info: \
     they may be deleted, test credentials, those of a subaccount, or of another region than api_url",
);

/// 20003 with HTTP 403: the account is authenticated and has no permission to send.
const PERMISSION: (&str, &str) = (
    "the credentials are accepted, but have no permission to send",
    "give a restricted API key the permission to send messages (Twilio's console, API keys), and check that \
     the account's compliance profile is approved (Trust Hub)",
);

/// What to do if there is only a status.
const fn for_status(status: u16) -> &'static str {
    match status {
        201 => "find the message in Twilio's console, Monitor, Logs, Messaging",
        401 | 403 => {
            "check twilio_sid, and twilio_token or the API key (Twilio's console, Account Info)"
        }
        407 => {
            "the proxy demands a password, which twilio.proxy does not support: allow this machine without one"
        }
        429 => "wait; if it happens often, ask Twilio for a higher rate or use a Messaging Service",
        500..=599 => "wait; see https://status.twilio.com",
        400..=499 => "check twilio_sid, twilio.api_url and twilio.proxy",
        _ => "check twilio.api_url and twilio.proxy: this is not a response of Twilio",
    }
}

/// Code, cause, meaning, remedy.
type Row = (u32, Cause, &'static str, &'static str);

/// Sorted by code. The causes were decided code by code on 2026-12-01, from Twilio's documentation of
/// error codes and its change of 2024-07-10, which split 21211, 21212, 21606 and 21614. `Number` is a
/// refusal that other numbers do not get, even if it is solved in the account (21408 one country, 21608
/// one number of a trial account, 21612 the combination of sender and number). 21266 is a number in the
/// directory that is our own sender. A code that only the carrier reports after the text was accepted
/// (30003 and above) is not a refusal of the number: the next text may be delivered. 21263 is missing:
/// Twilio has no page on it.
#[rustfmt::skip]
const CODES: &[Row] = &[
    (10001, Account, "the account is not active",
        "pay for it or reactivate it: Twilio's console, Billing"),
    (10002, Account, "the trial account does not allow this",
        "upgrade the account: Twilio's console, Billing, Upgrade"),
    (20003, Account, "the credentials are not accepted, or have no permission to send",
        "check twilio_sid and twilio_token, or the API key, its permissions and region: Twilio's console, Account Info"),
    (20005, Account, "the account is not active",
        "pay for it or reactivate it: Twilio's console, Billing"),
    (20008, Account, "test credentials cannot do this",
        "use the live credentials: Twilio's console, Account Info"),
    (20403, Account, "the account is suspended or closed",
        "write to Twilio's support, through Twilio's console"),
    (20404, Account, "there is no such account at this address",
        "check twilio_sid against Twilio's console, Account Info, and that api_url has no path"),
    (20429, Account, "too many requests at once",
        "wait; if it happens often, ask Twilio for a higher limit or send through a Messaging Service"),
    (20500, Account, "internal error of Twilio",
        "wait; see https://status.twilio.com"),
    (20503, Account, "Twilio is temporarily unavailable",
        "wait; see https://status.twilio.com"),
    (21211, Number, "the phone number is invalid",
        "correct the user's number in the directory; it needs its country code or the right default_region"),
    (21212, Account, "from_number is not a valid number",
        "set from_number to + and digits, as listed in Twilio's console, Phone Numbers, Active Numbers"),
    (21265, Number, "the phone number is a short code",
        "give the user a mobile number in the directory"),
    (21266, Number, "the phone number is from_number itself",
        "correct the user's number in the directory, or from_number"),
    (21268, Number, "the phone number is a premium rate or information service",
        "give the user an ordinary mobile number in the directory"),
    (21408, Number, "the account may not send to that country",
        "enable the country in Twilio's console, Messaging, Settings, Geo Permissions"),
    (21601, Account, "from_number cannot send SMS",
        "use a number with the SMS capability: Twilio's console, Phone Numbers, Active Numbers"),
    (21602, Account, "the text is empty",
        "set messages.sms to a text with {code} in it"),
    (21603, Account, "the sender is missing",
        "set from_number or messaging_service_sid"),
    (21606, Account, "from_number is not this account's, or cannot send SMS to that country",
        "use a number with the SMS capability that this account owns: Twilio's console, Phone Numbers, Active Numbers"),
    (21608, Number, "a trial account sends to verified numbers only, and this number is not verified",
        "verify the number in Twilio's console, Phone Numbers, Verified Caller IDs, or upgrade the account and have its compliance profile approved"),
    (21610, Number, "the user has sent STOP to this sender",
        "the user must send START from that phone to the sender's number"),
    (21611, Account, "the queue of the sender is full",
        "wait; use a Messaging Service with more numbers: Twilio's console, Messaging, Services"),
    (21612, Number, "Twilio has no route from this sender to that number",
        "check the number in the directory, or use a sender that reaches its country: Twilio's console, Messaging, Services, Sender Pool"),
    (21614, Number, "the phone number is not a mobile",
        "give the user a mobile number in the directory"),
    (21617, Account, "the text is longer than 1600 characters",
        "shorten messages.sms"),
    (21635, Number, "the phone number is a landline",
        "give the user a mobile number in the directory"),
    (21659, Account, "from_number is not a Twilio number, or a short code of another country",
        "use a number that is listed in Twilio's console, Phone Numbers, Active Numbers"),
    (21660, Account, "from_number belongs to another account",
        "use the credentials of the account (or subaccount) that owns from_number"),
    (21701, Account, "the Messaging Service does not exist",
        "check messaging_service_sid against Twilio's console, Messaging, Services"),
    (21702, Account, "the Messaging Service accepts no texts at the moment",
        "check the service in Twilio's console, Messaging, Services"),
    (21703, Account, "the Messaging Service has no sender for that number",
        "add one that reaches the country: Twilio's console, Messaging, Services, Sender Pool"),
    (21704, Account, "the Messaging Service has no sender at all",
        "add a number: Twilio's console, Messaging, Services, Sender Pool"),
    (21705, Account, "messaging_service_sid is not a Messaging Service",
        "check messaging_service_sid against Twilio's console, Messaging, Services"),
    (30001, Account, "the queue of the sender is full",
        "wait; use a Messaging Service with more numbers: Twilio's console, Messaging, Services"),
    (30002, Account, "the account is suspended",
        "see Twilio's console and the mails to the account's owner, then write to Twilio's support"),
    (30003, Account, "the phone is switched off or out of reach",
        "the user should switch it on and check reception, then request the code again"),
    (30004, Account, "the phone or its carrier blocks the sender",
        "unblock the sender's number on the phone, or use another sender"),
    (30005, Account, "the phone number is not in service",
        "correct the user's number in the directory"),
    (30006, Account, "the phone is a landline, or its carrier cannot be reached from this sender",
        "give the user a mobile number in the directory, or use another sender"),
    (30007, Account, "the carrier has filtered the text",
        "reword messages.sms plainly and register the sender: Twilio's console, Messaging, Regulatory Compliance"),
    (30008, Account, "the carrier gave no reason",
        "try again; if it persists, check Twilio's console, Monitor, Logs, Messaging"),
    (30032, Account, "the toll-free sender is not verified",
        "verify it: Twilio's console, Messaging, Regulatory Compliance, Toll-Free Verification"),
    (30034, Account, "the sender is not registered for A2P 10DLC (texts to the US)",
        "register brand and campaign and add the number to it: Twilio's console, Messaging, Regulatory Compliance"),
    (30410, Account, "the carrier did not answer Twilio in time",
        "try again; see https://status.twilio.com"),
    (30450, Account, "Twilio has blocked the text as SMS pumping",
        "check Twilio's console, Messaging, Settings, SMS Pumping Protection, and the limits of this module"),
    (63038, Account, "the account has reached its daily limit of texts",
        "wait for tomorrow, or ask Twilio's support for a higher daily limit"),
    (70051, Account, "the credentials have no permission for this account or service",
        "give the restricted API key the permission to send messages, or use a standard one: Twilio's console, API keys"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_printable() {
        assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
        for (code, _, what, remedy) in CODES {
            for text in [what, remedy] {
                assert!(!text.is_empty(), "{code}");
                assert!(text.chars().all(|c| matches!(c, ' '..='~')), "{code}");
                assert!(!text.ends_with('.'), "{code}");
            }
        }
    }

    /// The log truncates long values; the link must stay whole.
    #[test]
    fn the_page_of_every_code_fits_into_a_log_line() {
        let statuses = [(20003, 401), (20003, 403), (12345, 400)];
        let rows = CODES.iter().map(|row| (row.0, 400));
        for (code, status) in rows.chain(statuses) {
            let error = explain(FailureKind::Refused, status, Some(code));
            let page = format!("(https://www.twilio.com/docs/api/errors/{code})");
            assert!(error.remedy.ends_with(&page), "{}", error.remedy);
            let mut line = String::new();
            let detail = error.detail();
            protocol::logfmt::field(&mut line, "detail", detail.as_bytes());
            assert!(line.ends_with(&format!("{page}\"")), "{line}");
        }
    }

    #[test]
    fn the_codes_about_a_number_are_those_of_the_documentation() {
        let about: Vec<u32> = CODES
            .iter()
            .filter(|row| row.1 == Number)
            .map(|row| row.0)
            .collect();
        let decided = [
            21211, 21265, 21266, 21268, 21408, 21608, 21610, 21612, 21614, 21635,
        ];
        assert_eq!(about, decided);
        for code in 0..=99_999 {
            assert_eq!(is_about_the_number(code), decided.contains(&code), "{code}");
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sms.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (_, rest) = text
            .split_once("## Codes that refuse the phone number")
            .unwrap();
        let (section, _) = rest.split_once("\n## ").unwrap();
        let rows = section.lines().filter_map(|line| {
            let (code, _) = line.strip_prefix("| ")?.split_once(" |")?;
            code.parse().ok()
        });
        let documented: Vec<u32> = rows.collect();
        assert_eq!(documented, decided);
    }

    #[test]
    fn the_status_distinguishes_the_causes_of_20003() {
        for (status, what, remedy) in [
            (401, "are not accepted", "another region"),
            (
                403,
                "are accepted, but have no permission to send",
                "compliance profile",
            ),
            (
                400,
                "are not accepted, or have no permission to send",
                "permissions and region",
            ),
        ] {
            let error = explain(FailureKind::Refused, status, Some(20003));
            assert!(error.what.ends_with(what), "{error:?}");
            assert!(error.remedy.contains(remedy), "{}", error.remedy);
            assert_eq!(error.code, Some(20003));
        }
    }

    #[test]
    fn frequent_codes_have_texts_of_their_own() {
        for code in [
            20003, 20404, 20429, 21211, 21212, 21408, 21606, 21608, 21610, 21612, 21614, 21617,
            21703, 30003, 30004, 30005, 30006, 30007, 30008, 30034, 30450,
        ] {
            let error = explain(FailureKind::Refused, 400, Some(code));
            assert!(
                error.what.starts_with(&format!("Twilio error {code}: ")),
                "{error:?}"
            );
            assert_eq!(error.code, Some(code));
        }
    }

    #[test]
    fn a_status_alone_has_a_remedy() {
        for (status, what, remedy) in [
            (201, "dropped it", "Monitor, Logs"),
            (401, "HTTP 401", "twilio_token"),
            (403, "HTTP 403", "twilio_token"),
            (407, "HTTP 407", "the proxy demands a password"),
            (429, "HTTP 429", "a higher rate"),
            (404, "HTTP 404", "check twilio_sid, twilio.api_url"),
            (500, "HTTP 500", "status.twilio.com"),
            (599, "HTTP 599", "status.twilio.com"),
            (302, "HTTP 302", "this is not a response of Twilio"),
        ] {
            let error = explain(FailureKind::Refused, status, None);
            assert!(error.what.contains(what), "{error:?}");
            assert!(error.remedy.contains(remedy), "{}", error.remedy);
        }
    }

    #[test]
    fn the_remedy_for_an_unknown_code_is_its_page() {
        let error = explain(FailureKind::Refused, 400, Some(12345));
        assert_eq!(error.what, "Twilio error 12345 (HTTP 400)");
        assert_eq!(
            error.remedy,
            "see Twilio's page on it (https://www.twilio.com/docs/api/errors/12345)"
        );
    }
}
