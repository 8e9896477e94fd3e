//! Evaluates a request as Twilio does, and selects the response.
#![forbid(unsafe_code)]

use super::account::Account;
use super::cases::{self, Case};
use super::description::{self, NoOperation, Operation, Violation};
use super::http::{self, Request};
use super::phone::Sms;
use super::replies;
use serde_json::Value;

/// The response.
#[derive(Debug)]
pub enum Answer {
    /// This status and body.
    Plain(u16, Value),
    /// The request is valid: the response depends on the case of the number.
    Message(Sms),
}

type Fields = [(String, String)];

/// Evaluates a request. `sent` finds a message by its sid, `serial` is used for the sid of a new one.
pub fn evaluate(
    account: &Account,
    request: &Request,
    serial: u64,
    sent: impl Fn(&str) -> Option<Sms>,
) -> Answer {
    let operation = match description::operation(&request.method, &request.path) {
        Ok(operation) => operation,
        Err(NoOperation::Path) => return refuse(404, 20404),
        Err(NoOperation::Method) => return refuse(405, 20004),
    };
    if operation.needs_credentials()
        && !account.is_authenticated_by(request.header("authorization"))
    {
        return refuse(401, 20003);
    }
    let parameters = &operation.parameters;
    let sid = parameters.get("AccountSid").or(parameters.get("Sid"));
    if sid != Some(&account.sid) {
        return refuse(404, 20404);
    }
    if request.method == "POST" {
        create(account, request, &operation, serial)
    } else {
        fetch(account, request, &operation, sent)
    }
}

fn fetch(
    account: &Account,
    request: &Request,
    operation: &Operation,
    sent: impl Fn(&str) -> Option<Sms>,
) -> Answer {
    let Some(fields) = http::form(&request.query) else {
        return refuse(400, 20001);
    };
    if !operation.check_query(&fields).is_empty() {
        return refuse(400, 20001);
    }
    let wanted = field(&fields, "PhoneNumber");
    let body = match operation.template.rsplit('/').next() {
        Some("IncomingPhoneNumbers.json") => {
            replies::incoming_numbers(account, &request.query, wanted)
        }
        Some("OutgoingCallerIds.json") => replies::caller_ids(account, &request.query, wanted),
        _ if operation.parameters.contains_key("AccountSid") => {
            let Some(sms) = sent(&operation.parameters["Sid"]) else {
                return refuse(404, 20404);
            };
            let case = cases::of(&sms.to).unwrap_or(Case::Sent);
            let mut message = replies::message(account, &sms, case);
            if message["status"] == "queued" {
                message["status"] = "delivered".into();
            }
            message
        }
        _ => replies::account(account),
    };
    Answer::Plain(200, body)
}

fn create(account: &Account, request: &Request, operation: &Operation, serial: u64) -> Answer {
    // Twilio accepts forms only; its error for another type is not documented.
    let form = request.header("content-type").is_some_and(|kind| {
        kind.split(';').next().map(str::trim) == Some("application/x-www-form-urlencoded")
    });
    if !form {
        return refuse(415, 20001);
    }
    let fields = std::str::from_utf8(&request.body).ok().and_then(http::form);
    let Some(fields) = fields else {
        return refuse(400, 20001);
    };
    let (to, from) = (field(&fields, "To"), field(&fields, "From"));
    let error = |code| {
        let error = replies::error(400, code, to.unwrap_or_default(), from.unwrap_or_default());
        Answer::Plain(400, error)
    };
    if let Some(violation) = operation.check_form(&fields).first() {
        return error(code_of(violation));
    }
    let (Some(to), Some(body)) = (to, field(&fields, "Body")) else {
        return error(21604);
    };
    // To the sender itself, to a channel or to a short code: the product must never do that.
    if !to.starts_with('+') || Some(to) == from {
        return error(21211);
    }
    let service = field(&fields, "MessagingServiceSid");
    if from.is_some_and(|from| from != account.from) {
        return error(21606);
    }
    if service.is_some_and(|service| service != account.service) {
        return error(21701);
    }
    if body.chars().count() > 1600 {
        return error(21617);
    }
    let validity = field(&fields, "ValidityPeriod").and_then(|seconds| seconds.parse().ok());
    // The range is in the text of the description only.
    if validity.is_some_and(|seconds| !(1..=36_000).contains(&seconds)) {
        return error(20001);
    }
    if account.status != "active" {
        return refuse(403, 20005);
    }
    if account.kind == "Trial" && !account.caller_ids.iter().any(|number| number == to) {
        return error(21608);
    }
    Answer::Message(Sms {
        sid: format!("SM{serial:032x}"),
        to: to.to_owned(),
        from: from.map(str::to_owned),
        service: service.map(str::to_owned),
        body: body.to_owned(),
        validity,
    })
}

/// Returns Twilio's error code for an invalid field; 20001 if there is no specific one.
fn code_of(violation: &Violation) -> u32 {
    match violation {
        Violation::Missing(name) if name == "To" => 21604,
        Violation::Malformed(name) if name == "To" => 21211,
        Violation::Malformed(name) if name == "From" => 21212,
        Violation::Malformed(name) if name == "MessagingServiceSid" => 21701,
        Violation::NoneOf(names) if names.iter().any(|name| name == "From") => 21603,
        Violation::NoneOf(names) if names.iter().any(|name| name == "Body") => 21602,
        _ => 20001,
    }
}

fn refuse(http: u16, code: u32) -> Answer {
    Answer::Plain(http, replies::error(http, code, "", ""))
}

fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}
