//! Whoever takes part may panic: then there is no outcome, and so no success that anybody could make one
//! of. The helper ends without a verdict, which the module answers with `PAM_SERVICE_ERR`.
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::stage::*;

/// A login in which everybody has his turn: a wrong code, a further SMS, the right code.
fn told(panics: &'static str) -> Told {
    Told {
        user: b"known",
        panics,
        script: vec![Do::Say(PASSWORD), Do::WrongCode, Do::Say("r"), Do::Code(0)],
        ..Told::default()
    }
}

#[test]
fn a_panic_of_anybody_s_is_no_outcome() {
    assert_eq!(tell(told("")).pam, protocol::Code::Success);
    for who in [
        "password",
        "begin",
        "begin carrier",
        "find",
        "prove",
        "known",
        "proved",
        "admit",
        "take warning",
        "send",
        "sent",
        "code",
        "record attempt",
        "reserve",
        "record success",
    ] {
        let ended = catch_unwind(AssertUnwindSafe(|| tell(told(who)).pam));
        assert!(ended.is_err(), "{who}: {ended:?}");
    }
}
