//! What is told of a copy that did not become the helper. Its system calls are the real runs' business.

use super::*;

const PATH: &CStr = c"/opt/sms/helper";

fn told(why: SpawnError) -> String {
    describe(why, PATH).told()
}

#[test]
fn each_step_that_failed_has_its_words() {
    for (step, says) in [
        (
            step::IDS,
            "local: could not take the host's effective ids: Perm",
        ),
        (step::SESSION, "local: no session for the helper: Perm"),
        (step::PROCESS, "local: no process for the helper: Perm"),
        (step::WIRE, "local: no place for the wire: Perm"),
        (step::LOOK, "helper: cannot look at /opt/sms: Perm"),
        (
            step::EXEC,
            "helper: /opt/sms/helper cannot be executed: Perm",
        ),
        (step::RELATIVE, "helper: helper= wants an absolute path"),
        (step::TOO_LONG, "helper: /opt/sms has too long a path"),
        (step::NOT_A_FOLDER, "helper: /opt/sms is not a folder"),
        (step::NOT_A_FILE, "helper: /opt/sms is not a file"),
        (step::WRITABLE, "helper: /opt/sms can be written by others"),
        (200, "helper: the helper could not be started"),
    ] {
        let errno = libc::EACCES;
        let told = told(SpawnError {
            step,
            errno,
            resolved: 8,
        });
        assert!(told.starts_with(says), "{told}");
    }
}

#[test]
fn whose_it_is_is_told_whatever_his_number_is() {
    for uid in [0, 1, 1000, u32::MAX] {
        let refusal = safe_path::Refusal {
            at: 0,
            reason: Reason::Owner { uid },
        };
        let told = told(distrusted(&refusal));
        let says = format!("helper: / belongs to uid {uid}, not to root");
        assert!(told.starts_with(&says), "{told}");
    }
}
