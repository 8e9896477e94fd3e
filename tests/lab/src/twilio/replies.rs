//! Bodies of Twilio's responses, and the texts of its errors.
#![forbid(unsafe_code)]

use super::account::Account;
use super::cases::Case;
use super::phone::Sms;
use serde_json::{Value, json};
use std::time::SystemTime;

/// Returns an error with Twilio's text, which may contain `to` and `from`.
pub fn error(http: u16, code: u32, to: &str, from: &str) -> Value {
    let message = match code {
        20003 if http == 403 => "Permission denied".to_owned(),
        20003 => "Authenticate".to_owned(),
        20004 => "Method not allowed".to_owned(),
        20005 => "Account is not active".to_owned(),
        20404 => "The requested resource was not found".to_owned(),
        20429 => "Too Many Requests".to_owned(),
        20500 => "An internal server error has occurred".to_owned(),
        21211 => format!("Invalid 'To' Phone Number: {to}"),
        21212 => format!("Invalid 'From' Number (caller ID): {from}"),
        21408 => format!(
            "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {to}"
        ),
        21602 => "Message body is required.".to_owned(),
        21603 => "A 'From' phone number is required.".to_owned(),
        21604 => "A 'To' phone number is required.".to_owned(),
        21606 => format!(
            "The 'From' phone number provided ({from}) is not a valid message-capable Twilio phone number for this destination."
        ),
        21608 => format!(
            "The number {to} is unverified. Trial accounts cannot send messages to unverified numbers; verify {to} at twilio.com/user/account/phone-numbers/verified, or purchase a Twilio number to send messages to unverified numbers"
        ),
        21610 => "Attempt to send to unsubscribed recipient".to_owned(),
        21612 => format!(
            "The 'To' phone number: {to}, is not currently reachable using the 'From' phone number: {from} via SMS."
        ),
        21614 => format!("'To' number: {to}, is not a valid mobile number"),
        21617 => "The concatenated message body exceeds the 1600 character limit".to_owned(),
        21635 => "'To' number cannot be a landline".to_owned(),
        21701 => "The Messaging Service does not exist".to_owned(),
        21703 => "The Messaging Service does not have a phone number available to send a message"
            .to_owned(),
        30034 => "Message from an Unregistered Number".to_owned(),
        30450 => "Message delivery blocked to protect against SMS pumping fraud".to_owned(),
        _ => "The request could not be processed".to_owned(),
    };
    json!({
        "code": code,
        "message": message,
        "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
        "status": http,
    })
}

/// Returns a Message resource, as in a 201 and in a request for its status.
pub fn message(account: &Account, sms: &Sms, case: Case) -> Value {
    let (status, error_code) = match case {
        Case::Dropped { status, error_code } => (status, error_code),
        _ => ("queued", None),
    };
    let path = format!("/2010-04-01/Accounts/{}/Messages/{}", account.sid, sms.sid);
    let now = rfc2822(SystemTime::now());
    json!({
        "account_sid": account.sid,
        "api_version": "2010-04-01",
        "body": sms.body,
        "date_created": now,
        "date_sent": null,
        "date_updated": now,
        "direction": "outbound-api",
        "error_code": error_code,
        "error_message": null,
        "from": sms.from,
        "messaging_service_sid": sms.service,
        "num_media": "0",
        "num_segments": segments(&sms.body).to_string(),
        "price": null,
        "price_unit": null,
        "sid": sms.sid,
        "status": status,
        "subresource_uris": { "media": format!("{path}/Media.json") },
        "to": sms.to,
        "uri": format!("{path}.json"),
    })
}

/// Returns the Account resource, without the token that the real one contains.
pub fn account(account: &Account) -> Value {
    let uri = format!("/2010-04-01/Accounts/{}", account.sid);
    json!({
        "auth_token": "",
        "date_created": "Thu, 30 Jul 2015 20:00:00 +0000",
        "date_updated": "Thu, 30 Jul 2015 20:00:00 +0000",
        "friendly_name": "lab",
        "owner_account_sid": account.sid,
        "sid": account.sid,
        "status": account.status,
        "subresource_uris": { "messages": format!("{uri}/Messages.json") },
        "type": account.kind,
        "uri": format!("{uri}.json"),
    })
}

/// Returns the account's own numbers, or those that match.
pub fn incoming_numbers(account: &Account, query: &str, wanted: Option<&str>) -> Value {
    let found = wanted.is_none_or(|wanted| wanted == account.from);
    let number = json!({
        "account_sid": account.sid,
        "address_requirements": "none",
        "address_sid": null,
        "api_version": "2010-04-01",
        "beta": false,
        "bundle_sid": null,
        "capabilities": {
            "fax": false, "mms": false, "sms": account.from_sends_sms, "voice": true
        },
        "date_created": "Thu, 30 Jul 2015 23:19:04 +0000",
        "date_updated": "Thu, 30 Jul 2015 23:19:04 +0000",
        "emergency_address_sid": null,
        "emergency_address_status": "unregistered",
        "emergency_status": "Inactive",
        "friendly_name": "lab",
        "identity_sid": null,
        "origin": "twilio",
        "phone_number": account.from,
        "sid": "PN00feed0000feed0000feed0000feed00",
        "sms_application_sid": null,
        "sms_fallback_method": "POST",
        "sms_fallback_url": "",
        "sms_method": "POST",
        "sms_url": "",
        "status": "in-use",
        "status_callback": "",
        "status_callback_method": "POST",
        "trunk_sid": null,
        "type": "local",
        "uri": format!(
            "/2010-04-01/Accounts/{}/IncomingPhoneNumbers/PN00feed0000feed0000feed0000feed00.json",
            account.sid
        ),
        "voice_application_sid": null,
        "voice_caller_id_lookup": false,
        "voice_fallback_method": "POST",
        "voice_fallback_url": null,
        "voice_method": "POST",
        "voice_receive_mode": "voice",
        "voice_url": null,
    });
    let numbers = if found { vec![number] } else { Vec::new() };
    page(
        account,
        "IncomingPhoneNumbers",
        "incoming_phone_numbers",
        query,
        numbers,
    )
}

/// Returns the numbers that a trial account may send to, or those that match.
pub fn caller_ids(account: &Account, query: &str, wanted: Option<&str>) -> Value {
    let numbers = account
        .caller_ids
        .iter()
        .filter(|number| wanted.is_none_or(|wanted| wanted == number.as_str()))
        .enumerate()
        .map(|(index, number)| {
            let sid = format!("PN{:032x}", index + 1);
            json!({
                "account_sid": account.sid,
                "date_created": "Fri, 21 Aug 2009 00:11:24 +0000",
                "date_updated": "Fri, 21 Aug 2009 00:11:24 +0000",
                "friendly_name": "lab",
                "phone_number": number,
                "sid": sid,
                "uri": format!("/2010-04-01/Accounts/{}/OutgoingCallerIds/{sid}.json", account.sid),
            })
        })
        .collect();
    page(
        account,
        "OutgoingCallerIds",
        "outgoing_caller_ids",
        query,
        numbers,
    )
}

fn page(account: &Account, name: &str, key: &str, query: &str, items: Vec<Value>) -> Value {
    let uri = format!("/2010-04-01/Accounts/{}/{name}.json", account.sid);
    let mut page = json!({
        "end": items.len().saturating_sub(1),
        "first_page_uri": format!("{uri}?{query}"),
        "next_page_uri": null,
        "page": 0,
        "page_size": 50,
        "previous_page_uri": null,
        "start": 0,
        "uri": format!("{uri}?{query}"),
    });
    page[key] = Value::Array(items);
    page
}

/// Formats a date as in Twilio's resources: RFC 2822 with a numeric zone.
fn rfc2822(time: SystemTime) -> String {
    httpdate::fmt_http_date(time).replace("GMT", "+0000")
}

/// Returns the number of billed segments: 160 or 153 GSM-7 characters each, 70 or 67 UCS-2 units.
pub fn segments(body: &str) -> usize {
    let extended = |c: char| "^{}\\[~]|€\u{c}".contains(c);
    let (length, one, many) = if body.chars().all(|c| gsm7(c) || extended(c)) {
        let doubled = body.chars().filter(|&c| extended(c)).count();
        (body.chars().count() + doubled, 160, 153)
    } else {
        (body.encode_utf16().count(), 70, 67)
    };
    if length <= one {
        1
    } else {
        length.div_ceil(many)
    }
}

/// The default alphabet of 3GPP TS 23.038 §6.2.1.
fn gsm7(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || " \n\r@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà".contains(c)
}
