//! What is kept between the calls on one PAM handle: the pause between two SMS, and that a code prompt
//! was shown; and in which hosts an outage is returned as one.

use super::login::{ASKS, LATER, Login, NOT_SENT, SENT, Say, Seen, someone, with_outage};
use crate::Case;
use lab::Lab;
use lab::machine::User;
use lab::pamhost::{Step, code};
use std::time::Duration;

pub const CASES: &[Case] = &[
    ("module::repeated::the_pause_is_kept", the_pause_is_kept),
    (
        "module::repeated::an_outage_after_a_code_prompt_is_a_service_error",
        an_outage_after_a_code_prompt_is_a_service_error,
    ),
    (
        "module::repeated::an_outage_in_a_setuid_host_is_a_service_error",
        an_outage_in_a_setuid_host_is_a_service_error,
    ),
];

use Say::{HangUp, Password, Text};

const ASK: Step = Step::Authenticate;
const ABANDONED: &str = "denied first=password reason=abandoned";
const LIMITED: &str = "denied first=password reason=limited";
const OUTAGE: &str = "failed stage=directory reason=outage";
/// A remembered result starts no helper.
const AT_ONCE: Duration = Duration::from_millis(500);

fn name(name: &str) -> Step {
    Step::User(name.to_owned())
}

fn the_pause_is_kept(lab: &Lab) {
    let al = someone(lab, "pause-al");
    let login = Login::new(lab, "pause")
        .of(&al)
        .text("limits.pause", "60s")
        .host(|host| host.steps(&[ASK, ASK, ASK]));
    let seen = login.sees(
        "each further call is a login of its own, without an SMS",
        &[Password, HangUp, Password, Text("wrong")],
        &Seen::new(
            &[code::CONV_ERR, code::MAXTRIES, code::AUTH_ERR],
            &[ASKS, SENT, ASKS, LATER, ASKS],
            &["sent", ABANDONED, LIMITED, "denied reason=wrong-password"],
            1,
        ),
    );
    assert_eq!(login.requests(), 1);
    let texts = seen.texts();
    let wait = texts.iter().find_map(|text| {
        let (_, wait) = text.split_once("Try again in ")?;
        wait.split_once(" s. (login ")?.0.parse::<u32>().ok()
    });
    assert!(
        wait.is_some_and(|wait| (40..=60).contains(&wait)),
        "{texts:?}"
    );
}

fn an_outage_after_a_code_prompt_is_a_service_error(lab: &Lab) {
    let cy = someone(lab, "shown-cy");
    with_outage(lab, "shown-down");
    let down = "shown-down";
    // The history belongs to the handle, for all names; a new handle has none.
    let steps = [
        name(down),
        ASK,
        name("shown-cy"),
        ASK,
        name(down),
        ASK,
        name("shown-cy"),
        Step::Restart,
        name(down),
        ASK,
    ];
    let login = Login::new(lab, "shown")
        .of(&cy)
        .host(|host| host.steps(&steps));
    let line = "failed user=shown-down stage=directory reason=outage";
    let seen = login.sees(
        "directory",
        &[Password, Password, HangUp, Password],
        &Seen::new(
            &[
                code::AUTHINFO_UNAVAIL,
                code::CONV_ERR,
                code::SERVICE_ERR,
                code::AUTHINFO_UNAVAIL,
            ],
            &[ASKS, ASKS, SENT, ASKS],
            &[line, "sent", ABANDONED, line],
            1,
        ),
    );
    assert!(seen.results[2].1 < AT_ONCE, "it is remembered");
    // Within one call: the code expires while Twilio cannot be reached.
    let twilio = "failed stage=twilio reason=outage";
    let gone = Login::new(lab, "shown")
        .of(&cy)
        .lifetime(5)
        .host(|host| host.steps(&[ASK, ASK]));
    let answers = [
        lab::twilio::Case::Sent,
        lab::twilio::Case::Refused {
            http: 500,
            code: 20500,
        },
    ];
    lab.twilio().on(&cy.number, &answers);
    gone.sees(
        "Twilio",
        &[Password, Say::CodeAfter(6)],
        &Seen::new(
            &[code::SERVICE_ERR; 2],
            &[ASKS, SENT, NOT_SENT],
            &["sent", &format!("{twilio} error=20500")],
            1,
        ),
    );
}

fn an_outage_in_a_setuid_host_is_a_service_error(lab: &Lab) {
    if lab.machine_error().is_some() {
        return; // Then no host here has another user's rights.
    }
    let caller = lab.machine().add(&User::new("setuid-dee"));
    let login = |case: &'static str, refuse_after: &str| {
        with_outage(lab, case);
        Login::new(lab, case)
            .user(case)
            .text("password.refuse_after", refuse_after)
            .host(|host| host.steps(&[ASK, ASK]))
    };
    let want = |code| Seen::new(&[code; 2], &[ASKS], &[OUTAGE], 0);
    let own = login("setuid-own", "0s");
    own.sees(
        "its own user's host",
        &[Password],
        &want(code::AUTHINFO_UNAVAIL),
    );
    let other = login("setuid-other", "2s").host(|host| host.setuid_for(&caller));
    let seen = other.sees("another user's", &[Password], &want(code::SERVICE_ERR));
    // It is delayed and remembered like an outage.
    assert!(seen.results[0].1 >= Duration::from_millis(1500));
    assert!(seen.results[1].1 < AT_ONCE);
}
