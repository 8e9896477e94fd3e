//! vsftpd waits for all of its children during a login and answers every hidden prompt with the password.
//! It cannot ask for a code, but it must not hang.

use super::steps::{self, PASSWORD, Service, TestUser, assert_logged};
use crate::Case;
use lab::Lab;
use lab::vsftpd::Vsftpd;
use std::time::Duration;

pub const CASES: &[Case] = &[(
    "logins::ftp::a_login_is_refused_and_does_not_hang",
    a_login_is_refused_and_does_not_hang,
)];

/// An upper bound for a login on a busy machine.
const LONG: Duration = Duration::from_secs(30);

fn a_login_is_refused_and_does_not_hang(lab: &Lab) {
    // vsftpd fails a visible prompt, and answers a hidden one with something that is not a code.
    for (echo, ends) in [
        ("true", "denied abandoned password"),
        ("false", "denied no-code password"),
    ] {
        let alice = TestUser::new(lab, &format!("ftp-{echo}"));
        let settings = steps::settings(lab).set("code.echo", echo);
        let config = steps::written(lab, &format!("ftp-{echo}"), &settings);
        let ours = lab.product().line(&config);
        let stack = format!("auth required {ours}\naccount required pam_permit.so\n");
        let _stack = Service::hold(lab, "vsftpd", &stack);
        let server = Vsftpd::start("vsftpd");
        // The second login shows that the server still works after the first.
        for password in [PASSWORD, "wrong"] {
            let reply = server.log_in(alice.name(), password, LONG);
            let refused = Some("530 Login incorrect.");
            assert_eq!(reply.as_deref(), refused, "{echo}, {password}");
        }
        assert_logged(lab, alice.name(), &["sent", ends, "denied wrong-password"]);
        assert_eq!(alice.sms(lab), 1, "{echo}");
    }
}
