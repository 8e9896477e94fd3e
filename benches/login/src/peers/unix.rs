//! The password of this machine, which costs what its hash costs (SHA-512 crypt, 5000 rounds).

use crate::contender::Contender;
use crate::ground::{Ground, PASSWORD};

pub fn password(ground: &Ground) -> Contender {
    let contender = Contender {
        name: "pam_unix",
        service: "unix",
        types: |_, _, _| PASSWORD.to_owned(),
        by_sms: false,
        slow: true,
    };
    ground.stack(&contender, "auth required pam_unix.so\n");
    contender
}
