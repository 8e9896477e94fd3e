//! pam_faillock and pam_access before our line: no SMS is sent to a user that they refuse.

use super::documents::{Shown, shown};
use crate::module::login::{Login, PASSWORD, Say, Someone, known};
use lab::Lab;
use lab::pamhost::{PamHost, Style, code};

/// The stack in docs/stacks.md with both modules and this argument.
fn documented(argument: &str) -> String {
    let stacks = shown().into_iter();
    let mut stacks = stacks.filter(|stack| stack.file == "docs/stacks.md");
    let stack = stacks.find(|Shown { text, .. }| {
        [argument, "pam_access.so", "pam_faillock.so preauth"]
            .iter()
            .all(|words| text.contains(words))
    });
    let text = stack.expect("a stack in docs/stacks.md").text;
    format!("{text}\n")
}

fn login<'b>(lab: &'b Lab, case: &'static str, who: &Someone, stack: &str) -> Login<'b> {
    let stack = stack.replace("pam_sms_otp.so", "{}");
    let login = Login::new(lab, case).of(who).rhost("192.0.2.7");
    login.host(PamHost::no_delay).stack(stack.leak())
}

pub fn no_sms_to_users_who_are_refused_anyway(lab: &Lab) {
    let locked = known(lab, "before-locked").expect("a private machine");
    let barred = known(lab, "before-barred").expect("a private machine");
    let access = lab.folder("before-us").join("access.conf");
    lab::scratch::write(&access, 0o644, "-:before-barred:ALL\n");
    let with_rule = |stack: &str| {
        let with = format!("pam_access.so accessfile={}", access.display());
        stack.replace("pam_access.so", &with)
    };
    for name in [&locked, &barred] {
        lab.machine().password(name.person.uid(), PASSWORD);
    }
    for argument in ["password=ldap", "password=stack"] {
        let stack = documented(argument);
        // Before the lock the right password is accepted; three wrong ones lock.
        let faillock = login(lab, "before-us-faillock", &locked, &stack);
        let (transcript, seen) = faillock.run(&[Say::Password, Say::Code], 2);
        assert_eq!((transcript.codes(), seen.sms()), (vec![code::SUCCESS], 1));
        for _ in 0..3 {
            let (transcript, _) = faillock.run(&[Say::Text("wrong")], 0);
            assert_eq!(transcript.codes(), [code::AUTH_ERR]);
        }
        let (transcript, seen) = faillock.run(&[Say::Password, Say::Code], 0);
        assert_ne!(transcript.codes(), [code::SUCCESS]);
        assert_eq!(seen.sms(), 0, "an SMS to a locked user");
        let is_prompt = |style: Style| matches!(style, Style::Hidden | Style::Shown);
        let mut styles = transcript.messages.iter().map(|message| message.style);
        assert!(!styles.any(is_prompt), "{:?}", transcript.texts());
        let _ = std::fs::remove_file("/run/faillock/before-locked");

        let access_login = login(lab, "before-us-access", &barred, &with_rule(&stack));
        let (transcript, seen) = access_login.run(&[Say::Password, Say::Code], 0);
        assert_eq!(transcript.codes(), [code::PERM_DENIED]);
        assert_eq!(seen.sms(), 0, "an SMS to a barred user");
    }
    // The documents warn of "required" for preauth, as in many examples.
    let late = "auth required pam_faillock.so preauth\n\
                auth [success=1 default=bad] pam_unix.so\n\
                auth [default=die] pam_faillock.so authfail\n\
                auth required pam_sms_otp.so password=stack\n";
    let faillock = login(lab, "before-us-late", &locked, late);
    for _ in 0..3 {
        faillock.run(&[Say::Text("wrong")], 0);
    }
    let (transcript, seen) = faillock.run(&[Say::Password, Say::Code], 0);
    assert_ne!(transcript.codes(), [code::SUCCESS]);
    assert_eq!(seen.sms(), 1, "the warning is wrong");
}
