//! A panic in a service gives no outcome, and so no success: the helper ends without a verdict, and the
//! module returns `PAM_SERVICE_ERR`.
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::scenario::*;

/// A login that uses every service: a wrong code, a further SMS, the correct code.
fn scenario(panics: &'static str) -> Scenario {
    Scenario {
        user: b"known",
        panics,
        replies: vec![
            Reply::Text(PASSWORD),
            Reply::WrongCode,
            Reply::Text("r"),
            Reply::Code(0),
        ],
        ..Scenario::default()
    }
}

#[test]
fn a_panic_in_any_service_gives_no_outcome() {
    assert_eq!(run(scenario("")).pam, protocol::Code::Success);
    for call in [
        "password",
        "begin",
        "begin carrier",
        "find",
        "verify_password",
        "mark known",
        "record first factor",
        "admit",
        "take warning",
        "send",
        "sent",
        "code",
        "record attempt",
        "reserve",
        "record success",
    ] {
        let result = catch_unwind(AssertUnwindSafe(|| run(scenario(call)).pam));
        assert!(result.is_err(), "{call}: {result:?}");
    }
}
