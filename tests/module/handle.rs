//! Several calls on one PAM handle, as sudo and login make them.

use super::login::{
    ASKS, GUESSES, Login, NO_CODE, NOT_SENT, PASSWORD, SENT, STOPPED, Say, Seen, TOO_MANY,
    copy_program, someone,
};
use crate::Case;
use lab::Lab;
use lab::listeners::Refused;
use lab::pamhost::{Step, code};
use lab::slapd::LdapUser;
use lab::twilio::Case as Answers;
use lab::twilio::cases::RetryAfter;
use std::path::Path;
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "module::handle::exhausted_tries_are_remembered",
        exhausted_tries_are_remembered,
    ),
    (
        "module::handle::an_outage_is_remembered",
        an_outage_is_remembered,
    ),
    (
        "module::handle::each_name_has_its_own_history",
        each_name_has_its_own_history,
    ),
    (
        "module::handle::a_name_that_changes_during_the_login_is_refused",
        a_name_that_changes_during_the_login_is_refused,
    ),
    (
        "module::handle::tries_and_answers_add_up",
        tries_and_answers_add_up,
    ),
    ("module::handle::sms_add_up", sms_add_up),
    ("module::handle::waiting_adds_up", waiting_adds_up),
    (
        "module::handle::a_helper_without_a_verdict_is_remembered",
        a_helper_without_a_verdict_is_remembered,
    ),
    (
        "module::handle::a_program_that_is_not_a_helper_is_an_error",
        a_program_that_is_not_a_helper_is_an_error,
    ),
];

use Say::{Code, CodeOfAnother, HangUp, Password, PasswordOfAnother, Text, WrongCode};

const ASK: Step = Step::Authenticate;
const TWO_LEFT: &str = ">Wrong code, 2 tries left. Verification code: ";
const ONE_LEFT: &str = ">Wrong code, 1 try left. Verification code: ";
const NOT_A_CODE: &str = ">That is not a 6-digit code. Verification code: ";
const WRONG_CODE: &str = "denied first=password reason=wrong-code";
const ABANDONED: &str = "denied first=password reason=abandoned";
/// A remembered result starts no helper.
const AT_ONCE: Duration = Duration::from_millis(500);

fn exhausted_tries_are_remembered(lab: &Lab) {
    let al = someone(lab, "used-al");
    let steps = [ASK, ASK, Step::Restart, ASK];
    let login = Login::new(lab, "used")
        .of(&al)
        .host(|host| host.steps(&steps));
    let seen = login.sees(
        "the second is not asked, a new handle is",
        &[Password, WrongCode, WrongCode, WrongCode, Password, Code],
        &Seen::new(
            &[code::MAXTRIES, code::MAXTRIES, code::SUCCESS],
            &[
                ASKS, SENT, TWO_LEFT, ONE_LEFT, TOO_MANY, ASKS, SENT, GUESSES,
            ],
            &["sent", WRONG_CODE, "sent", "granted"],
            2,
        ),
    );
    assert!(seen.results[1].1 < AT_ONCE);
}

fn an_outage_is_remembered(lab: &Lab) {
    let bo = someone(lab, "outage-bo");
    let dead = Refused::new();
    let login = || {
        Login::new(lab, "outage")
            .of(&bo)
            .host(|host| host.steps(&[ASK, ASK, ASK]))
    };
    let codes = [code::AUTHINFO_UNAVAIL; 3];
    let directory = login().set(
        "ldap.uris",
        &format!("[\"ldaps://127.0.0.1:{}\"]", dead.port()),
    );
    let line = "failed user=? stage=directory reason=outage";
    let seen = directory.sees(
        "directory",
        &[Password],
        &Seen::new(&codes, &[ASKS], &[line], 0),
    );
    assert!(seen.results[1].1 < AT_ONCE && seen.results[2].1 < AT_ONCE);
    let twilio = login().text(
        "twilio.api_url",
        &format!("https://127.0.0.1:{}", dead.port()),
    );
    let line = "failed stage=twilio reason=outage";
    twilio.sees(
        "twilio",
        &[Password],
        &Seen::new(&codes, &[ASKS, NOT_SENT], &[line], 0),
    );
    // A local failure is tried again.
    let ours = login().text("ldap.bind_password", "wrong");
    let line = "failed user=? stage=directory reason=refused";
    ours.sees(
        "ours",
        &[Password, Password, Password],
        &Seen::new(&[code::SERVICE_ERR; 3], &[ASKS; 3], &[line; 3], 0),
    );
}

fn each_name_has_its_own_history(lab: &Lab) {
    let cy = someone(lab, "past-cy");
    // The two share a phone.
    let di = LdapUser::new("past-di")
        .password(PASSWORD)
        .phone(&cy.number);
    lab.slapd().add(&di);
    let name = |name: &str| Step::User(name.to_owned());
    let steps = [
        ASK,
        name("past-di"),
        ASK,
        name("past-cy"),
        ASK,
        name("past-unknown"),
        ASK,
    ];
    let login = Login::new(lab, "past")
        .of(&cy)
        .host(|host| host.steps(&steps));
    login.sees(
        "login with another name",
        &[
            Password, WrongCode, WrongCode, WrongCode, Password, Code, Password,
        ],
        &Seen::new(
            &[
                code::MAXTRIES,
                code::SUCCESS,
                code::MAXTRIES,
                code::USER_UNKNOWN,
            ],
            &[ASKS, SENT, TWO_LEFT, ONE_LEFT, TOO_MANY, ASKS, SENT, ASKS],
            &[
                "sent",
                WRONG_CODE,
                "sent user=past-di",
                "granted user=past-di",
                "denied user=? reason=no-such-user",
            ],
            2,
        ),
    );
}

/// CVE-2024-9313: one user authenticates, and another user is admitted.
fn a_name_that_changes_during_the_login_is_refused(lab: &Lab) {
    let jo = someone(lab, "renamed-jo");
    let kit = LdapUser::new("renamed-kit")
        .password(PASSWORD)
        .phone(&jo.number);
    lab.slapd().add(&kit);
    let login = || Login::new(lab, "renamed").of(&jo);
    let line = "failed user=? stage=helper reason=helper";
    let after_the_sms = Seen::new(&[code::SERVICE_ERR], &[ASKS, SENT], &["sent", line], 1);
    let before_it = Seen::new(&[code::SERVICE_ERR], &[ASKS], &[line], 0);
    for another in ["renamed-kit", "root", "", "renamed-jo "] {
        let at_the_code = [Password, CodeOfAnother(another)];
        login().sees("while the code is typed", &at_the_code, &after_the_sms);
        let at_the_password = [PasswordOfAnother(another), Code];
        login().sees("while the password is typed", &at_the_password, &before_it);
    }
    // Set to the same value, nothing has changed.
    let same = Seen::new(&[code::SUCCESS], &[ASKS, SENT], &["sent", "granted"], 1);
    login().sees("the same", &[Password, CodeOfAnother("renamed-jo")], &same);
}

fn tries_and_answers_add_up(lab: &Lab) {
    let ed = someone(lab, "counts-ed");
    let login = Login::new(lab, "counts")
        .of(&ed)
        .host(|host| host.steps(&[ASK, ASK]));
    login.sees(
        "two wrong, then one left",
        &[Password, WrongCode, WrongCode, HangUp, Password, WrongCode],
        &Seen::new(
            &[code::CONV_ERR, code::MAXTRIES],
            &[ASKS, SENT, TWO_LEFT, ONE_LEFT, ASKS, SENT, TOO_MANY],
            &["sent", ABANDONED, "sent", WRONG_CODE],
            2,
        ),
    );
    login.sees(
        "a wrong password takes nothing back",
        &[Password, WrongCode, HangUp, Text("wrong")],
        &Seen::new(
            &[code::CONV_ERR, code::AUTH_ERR],
            &[ASKS, SENT, TWO_LEFT, ASKS],
            &["sent", ABANDONED, "denied reason=wrong-password"],
            1,
        ),
    );
    login.sees(
        "inputs that are not a code",
        &[Password, Text("x"), Text("y"), HangUp, Password, Text("z")],
        &Seen::new(
            &[code::CONV_ERR, code::MAXTRIES],
            &[ASKS, SENT, NOT_A_CODE, NOT_A_CODE, ASKS, SENT, NO_CODE],
            &[
                "sent",
                ABANDONED,
                "sent",
                "denied first=password reason=no-code",
            ],
            2,
        ),
    );
}

fn sms_add_up(lab: &Lab) {
    let flo = someone(lab, "sms-flo");
    let login = Login::new(lab, "sms")
        .of(&flo)
        .host(|host| host.steps(&[ASK, ASK, ASK, ASK, ASK]));
    let limited = "denied first=password reason=limited";
    let seen = login.sees(
        "one and two resends",
        &[
            Password, HangUp, Password, HangUp, Password, HangUp, Password,
        ],
        &Seen::new(
            &[
                code::CONV_ERR,
                code::CONV_ERR,
                code::CONV_ERR,
                code::MAXTRIES,
                code::MAXTRIES,
            ],
            &[ASKS, SENT, ASKS, SENT, ASKS, SENT, ASKS, NOT_SENT],
            &[
                "sent", ABANDONED, "sent", ABANDONED, "sent", ABANDONED, limited,
            ],
            3,
        ),
    );
    assert!(seen.results[4].1 < AT_ONCE);
    // A success clears the counts of its name.
    let again = Login::new(lab, "sms")
        .of(&flo)
        .set("code.resends", "1")
        .host(|host| host.steps(&[ASK, ASK, ASK]));
    again.sees(
        "sudo and sudo and sudo",
        &[Password, Code, Password, Code, Password, Code],
        &Seen::new(
            &[code::SUCCESS; 3],
            &[ASKS, SENT, ASKS, SENT, ASKS, SENT],
            &["sent", "granted", "sent", "granted", "sent", "granted"],
            3,
        ),
    );
    let refused = Answers::Refused {
        http: 400,
        code: 21610,
    };
    lab.twilio().on(&flo.number, &[refused]);
    let line = "failed stage=twilio reason=number-refused error=21610";
    let seen = again.sees(
        "refused",
        &[Password, Password, Password],
        &Seen::new(&[code::MAXTRIES; 3], &[ASKS, STOPPED], &[line], 0),
    );
    assert!(seen.results[1].1 < AT_ONCE);
}

fn waiting_adds_up(lab: &Lab) {
    let gil = someone(lab, "waits-gil");
    let busy = Answers::Busy(RetryAfter::Text("3"));
    lab.twilio()
        .on(&gil.number, &[busy, Answers::Sent, busy, Answers::Sent]);
    let login = Login::new(lab, "waits")
        .of(&gil)
        .text("deadline", "5s")
        .host(|host| host.steps(&[ASK, ASK]));
    // There is time for Twilio's Retry-After once, and not twice.
    login.sees(
        "three seconds of five",
        &[Password, HangUp, Password],
        &Seen::new(
            &[code::CONV_ERR, code::MAXTRIES],
            &[ASKS, SENT, ASKS, NOT_SENT],
            &[
                "sent",
                ABANDONED,
                "failed stage=twilio reason=limited error=20429",
            ],
            1,
        ),
    );
    assert_eq!(login.requests(), 3);
}

fn a_helper_without_a_verdict_is_remembered(lab: &Lab) {
    if lab.machine_error().is_some() {
        return; // Root alone sees which process is whose helper.
    }
    let hal = someone(lab, "killed-hal");
    let login = Login::new(lab, "killed")
        .of(&hal)
        .own_helper()
        .host(|host| host.steps(&[ASK, ASK, Step::Restart, ASK]));
    let line = "failed user=? stage=helper reason=helper";
    let seen = login.sees(
        "killed",
        &[Say::KilledHelper, Password, Code],
        &Seen::new(
            &[code::SERVICE_ERR, code::SERVICE_ERR, code::SUCCESS],
            &[ASKS, ASKS, SENT],
            &[line, line, "sent", "granted"],
            1,
        ),
    );
    assert!(seen.results[1].1 < AT_ONCE);
    assert!(login.helpers().is_empty());
}

fn a_program_that_is_not_a_helper_is_an_error(lab: &Lab) {
    let ivy = someone(lab, "none-ivy");
    let login = Login::new(lab, "none")
        .of(&ivy)
        .own_helper()
        .host(|host| host.steps(&[ASK, ASK]));
    let line = "failed user=? stage=helper reason=helper";
    let want = Seen::new(&[code::SERVICE_ERR; 2], &[], &[line; 2], 0);
    for program in ["/bin/true", "/bin/false"] {
        copy_program(Path::new(program), &login.helper());
        login.sees(program, &[Password, Code], &want);
    }
}
