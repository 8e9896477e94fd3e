//! Incomplete stacks: a module or an included file is missing. Such a stack refuses every login.

use crate::module::login::{Login, someone};
use lab::Lab;
use lab::pamhost::{Answer, code};
use std::time::{Duration, Instant};

/// The stacks, with `{}` for our line; all other lines would grant access.
const STACKS: [&str; 8] = [
    "auth required /nowhere/pam_sms_otp.so\nauth required pam_permit.so\n",
    "-auth required /nowhere/pam_sms_otp.so\nauth required pam_permit.so\n",
    "auth requisite /nowhere/pam_sms_otp.so\nauth sufficient pam_permit.so\n",
    "auth required pam_nowhere.so\nauth required {}\nauth required pam_permit.so\n",
    "auth include nowhere\nauth required pam_permit.so\n",
    "auth substack nowhere\nauth required pam_permit.so\n",
    "@include nowhere\nauth required pam_permit.so\n",
    "auth required pam_permit.so\nauth include nowhere\nauth required {}\n",
];

pub fn an_incomplete_stack_refuses(lab: &Lab) {
    let who = someone(lab, "incomplete");
    let log = lab.machine().log();
    // The errors that libpam logs for a missing file.
    let named = || {
        let mut lines = log.lines_that_begin("PAM ");
        lines.retain(|line| line.severity <= 3 && line.message.contains("nowhere"));
        lines.len()
    };
    for stack in STACKS {
        let before = named();
        let login = Login::new(lab, "incomplete").of(&who).stack(stack);
        let transcript = login.transcript(|_| Answer::ConvErr);
        let codes = transcript.codes();
        assert!(
            !codes.is_empty() && !codes.contains(&code::SUCCESS),
            "{codes:?}:\n{stack}"
        );
        assert!(login.arrived().is_empty(), "{stack}");
        // A minus sign before a line suppresses the error.
        let until = Instant::now() + Duration::from_secs(10);
        while !stack.starts_with('-') && named() == before {
            assert!(
                Instant::now() < until,
                "no error for the missing file:\n{stack}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    // Control: without the missing part, access is granted.
    let permit = Login::new(lab, "incomplete").of(&who);
    let permit = permit.stack("auth required pam_permit.so\n");
    let transcript = permit.transcript(|_| Answer::ConvErr);
    assert_eq!(transcript.codes(), [code::SUCCESS]);
}
