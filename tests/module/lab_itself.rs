//! The test's PAM host behaves as hosts do: checked with stacks of libpam's own modules.

use crate::Case;
use lab::Lab;
use lab::pamhost::{Answer, PamHost, SILENT, Step, Style, code};

pub const CASES: &[Case] = &[
    ("module::lab_itself::codes_are_returned", codes_are_returned),
    (
        "module::lab_itself::every_step_is_taken",
        every_step_is_taken,
    ),
    (
        "module::lab_itself::the_conversation_is_recorded",
        the_conversation_is_recorded,
    ),
    (
        "module::lab_itself::leftovers_are_detected",
        leftovers_are_detected,
    ),
];

fn codes_are_returned(lab: &Lab) {
    let folder = lab.folder("codes");
    for (module, wanted) in [
        ("pam_permit.so", code::SUCCESS),
        ("pam_deny.so", code::AUTH_ERR),
    ] {
        lab.stack(&folder, "one", &format!("auth required {module}\n"));
        let seen = PamHost::new("one", Some(&folder))
            .user("not-here")
            .run_with(&[]);
        assert_eq!(seen.codes(), [wanted], "{module}");
        assert_eq!(seen.before.changes(&seen.after), Vec::<String>::new());
        assert_eq!(seen.stray, "");
    }
}

fn every_step_is_taken(lab: &Lab) {
    let folder = lab.folder("steps");
    let lines = ["auth", "account", "session", "password"]
        .map(|kind| format!("{kind} required pam_permit.so\n"));
    lab.stack(&folder, "all", &lines.concat());
    let steps = [
        Step::Authenticate,
        Step::User("another-user".to_owned()),
        Step::Authenticate,
        Step::Credentials,
        Step::Account,
        Step::OpenSession,
        Step::CloseSession,
    ];
    let host = PamHost::new("all", Some(&folder))
        .user("first-user")
        .steps(&steps);
    let seen = host.clone().run_with(&[]);
    assert_eq!(seen.codes(), [code::SUCCESS; 6]);
    assert_eq!(seen.user.as_deref(), Some("another-user"));
    let again = [Step::Authenticate, Step::Restart, Step::Authenticate];
    assert_eq!(host.steps(&again).run_with(&[]).codes(), [code::SUCCESS; 2]);
}

fn the_conversation_is_recorded(lab: &Lab) {
    let folder = lab.folder("conversation");
    // pam_unix asks for a password for unknown users, too; pam_echo shows a text.
    lab.stack(&folder, "asks", "auth required pam_unix.so\n");
    let said = folder.join("text");
    lab::scratch::write(&said, 0o644, "hello\n");
    lab.stack(
        &folder,
        "says",
        &format!("auth optional pam_echo.so file={}\n", said.display()),
    );

    let host = PamHost::new("asks", Some(&folder)).user("not-here");
    for answer in [
        Answer::from("x"),
        Answer::Bytes(vec![0xff; 3000]),
        Answer::Null,
    ] {
        let seen = host.run_with(std::slice::from_ref(&answer));
        assert_eq!(seen.messages[0].style, Style::Hidden);
        assert_eq!(seen.texts()[0], "Password: ");
        assert_ne!(seen.codes(), [code::SUCCESS], "{answer:?}");
    }
    assert_eq!(host.run_with(&[Answer::ConvErr]).messages.len(), 1);
    assert_eq!(host.run_with(&[Answer::KillHost]).killed_by, Some(9));

    let says = PamHost::new("says", Some(&folder)).user("not-here");
    assert_eq!(says.run_with(&[]).texts(), ["hello"]);
    assert!(says.flags(SILENT).run_with(&[]).texts().is_empty());
}

fn leftovers_are_detected(lab: &Lab) {
    let folder = lab.folder("left");
    lab.stack(&folder, "env", "auth required pam_permit.so\n");
    let host = PamHost::new("env", Some(&folder))
        .user("not-here")
        .env("MARK", "1");
    let seen = host.run_with(&[]);
    assert_eq!(seen.before.fact("variable MARK"), Some("1"));
    assert_eq!(seen.before.fact("Threads"), Some("1"));
    let reaping = host.sigchld("reap").run_with(&[]);
    assert_ne!(
        reaping.before.changes(&seen.after),
        Vec::<String>::new(),
        "a handler is a change"
    );
}
