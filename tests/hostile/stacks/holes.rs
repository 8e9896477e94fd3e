//! Stacks with a hole: a module, or a file that is included, is not there. Half a stack lets nobody in.

use crate::module::login::{Login, someone};
use lab::bench::Bench;
use lab::pamhost::{Answer, code};
use std::time::{Duration, Instant};

/// What libpam finds, `{}` being our line; everything else in it would let anybody in.
const HOLES: [&str; 8] = [
    "auth required /nowhere/pam_sms_otp.so\nauth required pam_permit.so\n",
    "-auth required /nowhere/pam_sms_otp.so\nauth required pam_permit.so\n",
    "auth requisite /nowhere/pam_sms_otp.so\nauth sufficient pam_permit.so\n",
    "auth required pam_nowhere.so\nauth required {}\nauth required pam_permit.so\n",
    "auth include nowhere\nauth required pam_permit.so\n",
    "auth substack nowhere\nauth required pam_permit.so\n",
    "@include nowhere\nauth required pam_permit.so\n",
    "auth required pam_permit.so\nauth include nowhere\nauth required {}\n",
];

pub fn a_stack_with_a_hole_lets_nobody_in(bench: &Bench) {
    let who = someone(bench, "holes");
    let log = bench.world().log();
    // What libpam itself says of what is not there.
    let named = || {
        let mut lines = log.lines_that_begin("PAM ");
        lines.retain(|line| line.severity <= 3 && line.message.contains("nowhere"));
        lines.len()
    };
    for stack in HOLES {
        let before = named();
        let login = Login::new(bench, "holes").of(&who).stack(stack);
        let transcript = login.transcript(|_| Answer::HangUp);
        let codes = transcript.codes();
        assert!(
            !codes.is_empty() && !codes.contains(&code::SUCCESS),
            "{codes:?}:\n{stack}"
        );
        assert!(login.arrived().is_empty(), "{stack}");
        // The sign before a line is there to keep it quiet.
        let until = Instant::now() + Duration::from_secs(10);
        while !stack.starts_with('-') && named() == before {
            assert!(
                Instant::now() < until,
                "it is not said what is missing:\n{stack}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    // And what stands in the holes would.
    let permit = Login::new(bench, "holes").of(&who);
    let permit = permit.stack("auth required pam_permit.so\n");
    let transcript = permit.transcript(|_| Answer::HangUp);
    assert_eq!(transcript.codes(), [code::SUCCESS]);
}
