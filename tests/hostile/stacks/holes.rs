//! Stacks with a hole: a module, or a file that is included, is not there. Half a stack lets nobody in.

use crate::module::login::{Login, someone};
use lab::bench::Bench;
use lab::pamhost::{Answer, code};

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
    for stack in HOLES {
        let login = Login::new(bench, "holes").of(&who).stack(stack);
        let transcript = login.transcript(|_| Answer::HangUp);
        let codes = transcript.codes();
        assert!(
            !codes.is_empty() && !codes.contains(&code::SUCCESS),
            "{codes:?}:\n{stack}"
        );
        assert!(login.arrived().is_empty(), "{stack}");
    }
    // And what stands in the holes would.
    let permit = Login::new(bench, "holes").of(&who);
    let permit = permit.stack("auth required pam_permit.so\n");
    let transcript = permit.transcript(|_| Answer::HangUp);
    assert_eq!(transcript.codes(), [code::SUCCESS]);
}
