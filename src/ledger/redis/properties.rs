//! Properties of all bytes that Redis may send, for `make fuzz` and the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    reason = "a property panics if it is violated"
)]

use std::time::Duration;

use super::{
    Account, Decision, Rejection, Rules,
    fault::{CommandKind, Fault},
    resp::{Reply, decode, encode_command},
    script_reply::{AdmitReply, ScriptReply, StatusReply, SummaryReply},
};
use crate::{
    config::{Limits, Rule},
    id::LoginId,
    phone::Phone,
};

/// Checks bytes as a RESP reply, as a script's reply, or as the text of an error, by the first byte. A result
/// refers to the request only, and an error is one printable line.
pub fn redis(bytes: &[u8]) {
    match bytes.first() {
        Some(b'{' | b'[') => script_reply(bytes),
        Some(b'+' | b'-' | b':' | b'$' | b'*') => {
            resp_reply(bytes);
            let parts: Vec<&[u8]> = bytes.split(|byte| *byte == b' ').collect();
            let expected = Reply::List(
                parts
                    .iter()
                    .map(|part| Reply::Text(part.to_vec()))
                    .collect(),
            );
            let encoded = encode_command(&parts);
            assert!(encoded.capacity() == encoded.len());
            if parts.len() < 4096 {
                assert_eq!(decode(&encoded), Ok(Some((expected, &b""[..]))));
            }
        }
        _ => error_text(&String::from_utf8_lossy(bytes)),
    }
}

/// A reply does not depend on the bytes after it, and each prefix of it is incomplete.
fn resp_reply(bytes: &[u8]) {
    let Ok(Some((first, rest))) = decode(bytes) else {
        return;
    };
    let used = bytes.len().saturating_sub(rest.len());
    let whole = bytes.get(..used).unwrap_or_default();
    assert_eq!(decode(whole), Ok(Some((first, &b""[..]))));
    for end in [
        0,
        1,
        used / 3,
        used / 2,
        used.saturating_sub(2),
        used.saturating_sub(1),
    ] {
        if end < used {
            assert_eq!(decode(whole.get(..end).unwrap_or_default()), Ok(None));
        }
    }
}

/// A reply of a script, or a forged one.
fn script_reply(bytes: &[u8]) {
    let Some(account) = account() else {
        return;
    };
    let limits = limits();
    let rules = Rules {
        limits: &limits,
        remember: None,
        new_phone: Duration::ZERO,
        is_fallback: false,
    };
    let reply = serde_json::from_slice::<AdmitReply>(bytes);
    if let Some(Ok(admission)) = reply.ok().map(|it| it.into_admission(7, &account, rules)) {
        assert!(
            admission
                .new_numbers
                .iter()
                .all(|new| account.numbers.contains(new))
        );
        match admission.decision {
            Decision::Reserved(reservation) => assert_eq!(reservation.number, 7),
            Decision::Rejected(Rejection::Limited { rule, .. }) => {
                assert!(limits.sms.contains(&rule) || limits.sms_total == Some(rule));
            }
            Decision::Rejected(_) | Decision::Remembered { .. } => {}
        }
    }
    if let Ok(reply) = serde_json::from_slice::<ScriptReply>(bytes) {
        // A reply has a meaning for one kind of request only.
        let meanings = [
            reply.reservation(1).is_some(),
            reply.attempt().is_some(),
            reply.rejection(rules).is_ok(),
        ];
        assert!(
            meanings.into_iter().filter(|is| *is).count() <= 1,
            "{reply:?}"
        );
    }
    let reply = serde_json::from_slice::<StatusReply>(bytes);
    if let Some(Ok(status)) = reply.ok().map(StatusReply::into_status) {
        for rule in &limits.sms {
            assert!(status.wait(*rule) <= rule.within);
        }
    }
    let _ = serde_json::from_slice::<SummaryReply>(bytes).map(SummaryReply::into_summary);
}

/// Returns the account of the request; its numbers are valid, so it is always `Some`.
fn account() -> Option<Account> {
    let number = |text| Phone::parse(text, None).ok();
    let numbers: Vec<Phone> = ["+12025550142", "+447700900123"]
        .into_iter()
        .filter_map(number)
        .collect();
    let phone = numbers.first().cloned();
    assert!(phone.is_some(), "no valid number");
    Some(Account {
        login: LoginId([1, 2, 3, 4]),
        dn: "uid=alice,dc=example,dc=org".to_owned(),
        name: "alice".to_owned(),
        phone: phone?,
        allowed: true,
        numbers,
        password_changed: String::new(),
        origin_key: None,
        segments: 1,
    })
}

fn limits() -> Limits {
    let rule = |most, minutes: u64| Rule {
        most,
        within: Duration::from_secs(minutes.saturating_mul(60)),
    };
    Limits {
        sms: vec![rule(5, 15), rule(20, 1440)],
        sms_total: Some(rule(1000, 60)),
        pause: Duration::from_secs(30),
        failures: 5,
        lock: Duration::from_secs(900),
        disable_after: 100,
        ..Limits::defaults()
    }
}

/// The text of an error.
fn error_text(text: &str) {
    for kind in [CommandKind::Auth, CommandKind::Select, CommandKind::Other] {
        let failure = Fault::from_reply("192.0.2.1:6379", kind, text).failure;
        let (what, remedy) = (failure.what, failure.remedy);
        assert!(
            what.chars().all(|letter| matches!(letter, ' '..='~')),
            "{what:?}"
        );
        assert!(what.len() <= 200 && !remedy.is_empty(), "{what}");
        if let Some((before, arguments)) = text.split_once(", with args beginning with: ") {
            let is_new = arguments.len() > 3 && !before.contains(arguments);
            assert!(!is_new || !what.contains(arguments), "{what}");
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn redis() {
        crate::mutation::check("redis", super::redis);
    }
}
