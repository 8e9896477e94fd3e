//! What is true of whatever Redis says: for `make fuzz`, and in small for the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    reason = "a property panics where it does not hold"
)]

use std::time::Duration;

use super::{
    Account, Decision, Rejection, Rules,
    fault::{Asked, Fault},
    message::{Admitted, Said, Seen, Stands},
    resp::{Reply, command, reply},
};
use crate::{
    config::{Limits, Rule},
    id::LoginId,
    phone::Phone,
};

/// What a server says on the wire, what our scripts say, or the text of an error, by the first byte. Nothing
/// more is made of it than was asked, and nothing of it is repeated but one printable line.
pub fn redis(bytes: &[u8]) {
    match bytes.first() {
        Some(b'{' | b'[') => said(bytes),
        Some(b'+' | b'-' | b':' | b'$' | b'*') => {
            replied(bytes);
            let parts: Vec<&[u8]> = bytes.split(|byte| *byte == b' ').collect();
            let expected = Reply::List(
                parts
                    .iter()
                    .map(|part| Reply::Text(part.to_vec()))
                    .collect(),
            );
            let sent = command(&parts);
            assert!(sent.capacity() == sent.len());
            if parts.len() < 4096 {
                assert_eq!(reply(&sent), Ok(Some((expected, &b""[..]))));
            }
        }
        _ => failed(&String::from_utf8_lossy(bytes)),
    }
}

/// A reply is one whatever follows it, and its beginning is none yet.
fn replied(bytes: &[u8]) {
    let Ok(Some((first, rest))) = reply(bytes) else {
        return;
    };
    let used = bytes.len().saturating_sub(rest.len());
    let whole = bytes.get(..used).unwrap_or_default();
    assert_eq!(reply(whole), Ok(Some((first, &b""[..]))));
    for end in [
        0,
        1,
        used / 3,
        used / 2,
        used.saturating_sub(2),
        used.saturating_sub(1),
    ] {
        if end < used {
            assert_eq!(reply(whole.get(..end).unwrap_or_default()), Ok(None));
        }
    }
}

/// Answers of our scripts, or of whoever answers for them.
fn said(bytes: &[u8]) {
    let number = |text| Phone::parse(text, None).ok();
    let numbers: Vec<Phone> = ["+12025550142", "+447700900123"]
        .into_iter()
        .filter_map(number)
        .collect();
    let Some(phone) = numbers.first().cloned() else {
        return assert!(!numbers.is_empty());
    };
    let who = Account {
        login: LoginId([1, 2, 3, 4]),
        dn: "uid=alice,dc=example,dc=org".to_owned(),
        name: "alice".to_owned(),
        phone,
        allowed: true,
        numbers,
        password_changed: String::new(),
        origin_key: None,
        segments: 1,
    };
    let limits = limits();
    let rules = Rules {
        limits: &limits,
        remember: None,
        new_phone: Duration::ZERO,
        is_fallback: false,
    };
    let admitted = serde_json::from_slice::<Admitted>(bytes);
    if let Some(Ok(admission)) = admitted.ok().map(|it| it.read(7, &who, rules)) {
        assert!(
            admission
                .new_numbers
                .iter()
                .all(|new| who.numbers.contains(new))
        );
        match admission.decision {
            Decision::Reserved(slot) => assert_eq!(slot.number, 7),
            Decision::Rejected(Rejection::Limited { rule, .. }) => {
                assert!(limits.sms.contains(&rule) || limits.sms_total == Some(rule));
            }
            Decision::Rejected(_) | Decision::Remembered { .. } => {}
        }
    }
    if let Ok(said) = serde_json::from_slice::<Said>(bytes) {
        // One answer is an answer to one question.
        let meanings = [
            said.slot(1).is_some(),
            said.tried().is_some(),
            said.refusal(rules).is_ok(),
        ];
        assert!(
            meanings.into_iter().filter(|is| *is).count() <= 1,
            "{said:?}"
        );
    }
    let stands = serde_json::from_slice::<Stands>(bytes);
    if let Some(Ok(standing)) = stands.ok().map(Stands::read) {
        for rule in &limits.sms {
            assert!(standing.wait(*rule) <= rule.within);
        }
    }
    let _ = serde_json::from_slice::<Seen>(bytes).map(Seen::read);
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
        allowed_prefixes: Vec::new(),
    }
}

/// An error's text.
fn failed(text: &str) {
    for asked in [Asked::Login, Asked::Database, Asked::Other] {
        let error = Fault::answered("192.0.2.1:6379", asked, text).error;
        let told = error.what;
        assert!(
            told.chars().all(|letter| matches!(letter, ' '..='~')),
            "{told:?}"
        );
        assert!(told.len() <= 200 && !error.remedy.is_empty(), "{told}");
        if let Some((before, arguments)) = text.split_once(", with args beginning with: ") {
            let is_new = arguments.len() > 3 && !before.contains(arguments);
            assert!(!is_new || !told.contains(arguments), "{told}");
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
