//! Twilio's error codes: what each means here, and what to do about it. Our own words throughout.
#![forbid(unsafe_code)]

use crate::sms::{Error, Kind};

/// Codes that are about the phone, not about us.
const NUMBER: [u32; 6] = [21211, 21408, 21608, 21610, 21612, 21614];

/// Whether Twilio refuses this number, as against us.
pub(super) fn is_about_the_number(code: u32) -> bool {
    NUMBER.contains(&code)
}

/// Puts an HTTP status and a code (if there is one) into words.
pub(super) fn explain(kind: Kind, status: u16, code: Option<u32>) -> Error {
    let Some(code) = code else {
        let what = match status {
            201 => "Twilio took the text and dropped it without an error code".to_owned(),
            _ => format!("Twilio answers HTTP {status} without an error code"),
        };
        return Error::new(kind, None, what, for_status(status));
    };
    match CODES.binary_search_by_key(&code, |row| row.0) {
        Ok(at) => {
            let (_, what, remedy) = CODES.get(at).copied().unwrap_or_default();
            Error::new(
                kind,
                Some(code),
                format!("Twilio error {code}: {what}"),
                remedy,
            )
        }
        Err(_) => Error::new(
            kind,
            Some(code),
            format!("Twilio error {code} (HTTP {status})"),
            format!("see https://www.twilio.com/docs/api/errors/{code}"),
        ),
    }
}

/// What to do when there is only a status.
const fn for_status(status: u16) -> &'static str {
    match status {
        201 => "look the message up in Twilio's console under Monitor, Logs, Messaging",
        401 | 403 => {
            "check twilio_sid, and twilio_token or the API key (Twilio's console, Account Info)"
        }
        407 => {
            "the proxy wants a password, which twilio.proxy cannot give: allow this machine there"
        }
        429 => "wait; if it happens often, ask Twilio for a higher rate or use a Messaging Service",
        500..=599 => "wait; Twilio's own state is at https://status.twilio.com",
        400..=499 => "check twilio_sid, and that twilio.api_url and twilio.proxy lead to Twilio",
        _ => {
            "check that twilio.api_url and twilio.proxy lead to Twilio: this is not how it answers"
        }
    }
}

/// Code, meaning, remedy; ascending.
/// (<https://www.twilio.com/docs/api/errors>; a page for each code below it.)
#[rustfmt::skip]
const CODES: [(u32, &str, &str); 46] = [
    (10001, "the account is not active",
        "pay or reactivate it: Twilio's console, Billing"),
    (10002, "the trial account does not allow this",
        "upgrade the account: Twilio's console, Billing, Upgrade"),
    (20003, "the credentials are not accepted",
        "check twilio_sid and twilio_token against Twilio's console, Account Info; an API key needs api_key_sid and api_key_secret, and test credentials are not the live ones"),
    (20005, "the account is not active",
        "pay or reactivate it: Twilio's console, Billing"),
    (20008, "test credentials cannot do this",
        "use the live credentials: Twilio's console, Account Info"),
    (20404, "there is no such account at this address",
        "check twilio_sid against Twilio's console, Account Info, and that api_url has no path"),
    (20429, "too many requests at once",
        "wait; if it happens often, ask Twilio for a higher limit or send through a Messaging Service"),
    (20500, "Twilio has a fault of its own",
        "wait; Twilio's own state is at https://status.twilio.com"),
    (20503, "Twilio is not available at the moment",
        "wait; Twilio's own state is at https://status.twilio.com"),
    (21211, "the phone number is not a valid one",
        "correct the person's number in the directory; it needs its country code or the right default_region"),
    (21212, "from_number is not a valid number",
        "set from_number to + and digits, as listed in Twilio's console, Phone Numbers, Active Numbers"),
    (21263, "the phone number cannot be sent to",
        "give the person a mobile number in the directory"),
    (21265, "the phone number is a short code",
        "give the person a mobile number in the directory"),
    (21266, "the phone number is from_number itself",
        "correct the person's number in the directory, or from_number"),
    (21408, "the account may not send to that country",
        "tick the country in Twilio's console, Messaging, Settings, Geo Permissions"),
    (21601, "from_number cannot send SMS",
        "use a number with the SMS capability: Twilio's console, Phone Numbers, Active Numbers"),
    (21602, "the text is empty",
        "set messages.sms to a text with {code} in it"),
    (21603, "the sender is missing",
        "set from_number or messaging_service_sid"),
    (21606, "from_number is not this account's, or cannot send SMS to that country",
        "use a number with the SMS capability that this account owns: Twilio's console, Phone Numbers, Active Numbers"),
    (21608, "a trial account sends to verified numbers only, and this is none",
        "verify the number in Twilio's console, Phone Numbers, Verified Caller IDs, or upgrade the account and have its compliance profile approved"),
    (21610, "the person has sent STOP to this sender",
        "the person must send START from that phone to the sender's number"),
    (21611, "the sender has too many texts waiting",
        "wait; use a Messaging Service with more numbers: Twilio's console, Messaging, Services"),
    (21612, "Twilio has no way from this sender to that number",
        "check the number in the directory, or use a sender that reaches its country: Twilio's console, Messaging, Services, Sender Pool"),
    (21614, "the phone number is not a mobile",
        "give the person a mobile number in the directory"),
    (21617, "the text is longer than 1600 characters",
        "shorten messages.sms"),
    (21635, "the phone number is a landline",
        "give the person a mobile number in the directory"),
    (21659, "from_number is not a Twilio number, or a short code of another country",
        "use a number that is listed in Twilio's console, Phone Numbers, Active Numbers"),
    (21660, "from_number belongs to another account",
        "use the credentials of the account (or subaccount) that owns from_number"),
    (21701, "the Messaging Service does not exist",
        "check messaging_service_sid against Twilio's console, Messaging, Services"),
    (21702, "the Messaging Service takes no texts at the moment",
        "look at the service in Twilio's console, Messaging, Services"),
    (21703, "the Messaging Service has no sender for that number",
        "add one that reaches the country: Twilio's console, Messaging, Services, Sender Pool"),
    (21704, "the Messaging Service has no sender at all",
        "add a number: Twilio's console, Messaging, Services, Sender Pool"),
    (21705, "messaging_service_sid is not a Messaging Service",
        "check messaging_service_sid against Twilio's console, Messaging, Services"),
    (30001, "the queue of the sender is full",
        "wait; use a Messaging Service with more numbers: Twilio's console, Messaging, Services"),
    (30002, "the account is suspended",
        "see Twilio's console and the mails to the account's owner, then write to Twilio's support"),
    (30003, "the phone is switched off or out of reach",
        "the person should switch it on and check reception, then ask for the code again"),
    (30004, "the phone or its carrier blocks the sender",
        "the person should unblock the sender's number, or use another sender"),
    (30005, "the phone number is not in service",
        "correct the person's number in the directory"),
    (30006, "the phone is a landline, or its carrier cannot be reached from this sender",
        "give the person a mobile number in the directory, or use another sender"),
    (30007, "the carrier has filtered the text out",
        "reword messages.sms plainly and register the sender: Twilio's console, Messaging, Regulatory Compliance"),
    (30008, "the carrier gives no reason",
        "try again; if it lasts, look at Twilio's console, Monitor, Logs, Messaging"),
    (30032, "the toll-free sender is not verified",
        "verify it: Twilio's console, Messaging, Regulatory Compliance, Toll-Free Verification"),
    (30034, "the sender is not registered for A2P 10DLC (texts to the US)",
        "register brand and campaign and add the number to it: Twilio's console, Messaging, Regulatory Compliance"),
    (30410, "the carrier did not answer Twilio in time",
        "try again; Twilio's own state is at https://status.twilio.com"),
    (30450, "Twilio has blocked the text as SMS pumping",
        "look at Twilio's console, Messaging, Settings, SMS Pumping Protection, and at the limits for who may ask for codes"),
    (63038, "the account has used up its texts of the day",
        "wait for tomorrow, or ask Twilio's support for a higher daily limit"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_searched_and_shown() {
        assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
        for (code, what, remedy) in CODES {
            for text in [what, remedy] {
                assert!(!text.is_empty(), "{code}");
                assert!(text.chars().all(|c| matches!(c, ' '..='~')), "{code}");
                assert!(!text.ends_with('.'), "{code}");
            }
        }
    }

    #[test]
    fn codes_that_administrators_meet_have_their_own_words() {
        for code in [
            20003, 20404, 20429, 21211, 21212, 21408, 21606, 21608, 21610, 21612, 21614, 21617,
            21703, 30003, 30004, 30005, 30006, 30007, 30008, 30034, 30450,
        ] {
            let error = explain(Kind::Refused, 400, Some(code));
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("Twilio error {code}: ")),
                "{error}"
            );
            assert_eq!(error.code, Some(code));
        }
    }

    #[test]
    fn a_status_alone_says_where_to_look() {
        for (status, what, remedy) in [
            (201, "dropped it", "Monitor, Logs"),
            (401, "HTTP 401", "twilio_token"),
            (403, "HTTP 403", "twilio_token"),
            (407, "HTTP 407", "the proxy wants a password"),
            (429, "HTTP 429", "a higher rate"),
            (404, "HTTP 404", "check twilio_sid, and that"),
            (500, "HTTP 500", "status.twilio.com"),
            (599, "HTTP 599", "status.twilio.com"),
            (302, "HTTP 302", "this is not how it answers"),
        ] {
            let error = explain(Kind::Refused, status, None);
            assert!(error.to_string().contains(what), "{error}");
            assert!(error.remedy().contains(remedy), "{}", error.remedy());
        }
    }

    #[test]
    fn an_unknown_code_leads_to_twilios_page() {
        let error = explain(Kind::Refused, 400, Some(12345));
        assert_eq!(error.to_string(), "Twilio error 12345 (HTTP 400)");
        assert_eq!(
            error.remedy(),
            "see https://www.twilio.com/docs/api/errors/12345"
        );
    }
}
