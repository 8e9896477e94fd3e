#![forbid(unsafe_code)]

use super::*;

fn fault_of(text: &str) -> Fault {
    Fault::from_reply("192.0.2.1:6379", CommandKind::Other, text)
}

#[test]
fn outages() {
    for text in [
        "LOADING Redis is loading the dataset in memory",
        "BUSY Redis is busy running a script.",
        "CLUSTERDOWN The cluster is down",
        "MISCONF Redis is configured to save RDB snapshots",
        "MOVED 1 ?:6379",
        "MOVED 1",
        "MOVED 1 192.0.2.9:70000",
    ] {
        let fault = fault_of(text);
        assert!(is_outage(&fault.failure), "{fault:?}");
        assert_eq!(fault.advice, RetryAdvice::DoNotRetry, "{text}");
    }
    assert_eq!(
        fault_of("READONLY You can't write").advice,
        RetryAdvice::Reconnect
    );
}

#[test]
fn scripts_by_hash() {
    for (text, always) in [
        ("NOSCRIPT No matching script. Please use EVAL.", false),
        (
            "NOPERM this user has no permissions to run the 'evalsha' command",
            true,
        ),
        (
            "NOPERM User x has no permissions to run the 'evalsha' command",
            true,
        ),
        (
            "ERR unknown command 'EVALSHA', with args beginning with: 'e0'",
            true,
        ),
    ] {
        assert_eq!(
            fault_of(text).advice,
            RetryAdvice::SendScript { always },
            "{text}"
        );
    }
}

#[test]
fn refusals() {
    for (text, expected) in [
        ("NOAUTH Authentication required.", CREDENTIALS),
        ("NOPERM this user has no permissions", PERMISSIONS),
        (
            "NOPERM User x has no permissions to run the 'eval' command",
            PERMISSIONS,
        ),
        ("NOPERM No permissions to access a key", PERMISSIONS),
        (
            "ERR The user executing the script can't run this",
            PERMISSIONS,
        ),
        (
            "ERR ACL failure in script: User x has no permissions",
            PERMISSIONS,
        ),
        ("OOM command not allowed when used memory", MEMORY),
        (
            "ERR -OOM command not allowed when used memory, in script",
            MEMORY,
        ),
        ("OOM", MEMORY),
        ("DENIED Redis is running in protected mode", PROTECTED),
        ("ERR unknown command 'EVAL'", SERVER),
        ("ERR max number of clients reached", FULL),
        ("WRONGTYPE Operation against a key", SERVER),
        ("", SERVER),
    ] {
        let fault = fault_of(text);
        assert_eq!(fault.failure.kind, FailureKind::Refused, "{fault:?}");
        assert_eq!(fault.advice, RetryAdvice::DoNotRetry, "{text}");
        assert_eq!(fault.failure.remedy, expected, "{text}");
    }
}

#[test]
fn the_next_address_may_be_another_server() {
    for (fault, is_outage) in [
        (Fault::no_retry(outage("")), true),
        (fault_of("NOAUTH"), false),
    ] {
        assert_eq!(net::AttemptError::is_outage(&fault), is_outage);
        assert!(!net::AttemptError::is_final(&fault));
    }
}

#[test]
fn redirections() {
    let moved = |host: &str, port| RetryAdvice::Moved(host.to_owned(), port);
    assert_eq!(
        fault_of("MOVED 1 192.0.2.9:7").advice,
        moved("192.0.2.9", 7)
    );
    assert_eq!(
        fault_of("MOVED 1 2001:db8::9:7").advice,
        moved("2001:db8::9", 7)
    );
    assert_eq!(fault_of("MOVED 1 :7").advice, moved("192.0.2.1", 7));
    let several = Fault::from_reply(
        "r.example.org:1 (2001:db8::9)",
        CommandKind::Other,
        "MOVED 1 :7",
    );
    assert_eq!(several.advice, moved("r.example.org", 7));
    let v6 = Fault::from_reply("[::1]:6379", CommandKind::Other, "MOVED 1 :7");
    assert_eq!(v6.advice, moved("::1", 7));
    let ask = fault_of("ASK 1 node.example.org:7").advice;
    assert_eq!(ask, RetryAdvice::Ask("node.example.org".to_owned(), 7));
}

#[test]
fn texts_are_printable_and_contain_no_password() {
    let text = "ERR unknown command 'AUTH', with args beginning with: 'pam' 'hunter2' ";
    let fault = Fault::from_reply("x:1", CommandKind::Auth, text);
    assert_eq!(fault.failure.what, "x:1: authentication failed (ERR)");
    assert_eq!(
        fault_of(text).failure.what,
        "192.0.2.1:6379: ERR unknown command 'AUTH'"
    );
    let evil = fault_of(&format!("ERR \u{1b}]0;x\u{7}\n{}", "y".repeat(900)));
    let what = evil.failure.what;
    assert!(what.len() == 200 && what.chars().all(|c| matches!(c, ' '..='~')));
}
