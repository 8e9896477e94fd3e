//! The local password; its hash takes nearly all the time (SHA-512 crypt, 5000 rounds).

use crate::contender::Contender;
use crate::testbed::{PASSWORD, Testbed};

pub fn password(testbed: &Testbed) -> Contender {
    let contender = Contender {
        name: "pam_unix",
        service: "unix",
        answer: |_, _, _| PASSWORD.to_owned(),
        by_sms: false,
        slow: true,
    };
    testbed.stack(contender.service, "auth required pam_unix.so\n");
    contender
}
