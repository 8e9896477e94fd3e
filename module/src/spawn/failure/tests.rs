//! The texts of failed steps. The system calls that fail are covered by tests of the installed module.

use super::*;

const PATH: &CStr = c"/opt/sms/helper";

fn text(failure: SpawnError) -> String {
    describe(failure, PATH).text()
}

#[test]
fn each_failed_step_has_a_text() {
    for (step, expected) in [
        (
            step::IDS,
            "local: could not take the effective ids of the host process: Perm",
        ),
        (
            step::SESSION,
            "local: could not create a session for the helper: Perm",
        ),
        (
            step::PROCESS,
            "local: could not create a process for the helper: Perm",
        ),
        (
            step::SOCKET,
            "local: could not move the helper's socket to descriptor 3: Perm",
        ),
        (step::RESOLVE, "helper: could not resolve /opt/sms: Perm"),
        (
            step::EXEC,
            "helper: could not execute /opt/sms/helper: Perm",
        ),
        (step::RELATIVE, "helper: helper= requires an absolute path"),
        (step::TOO_LONG, "helper: /opt/sms: path too long"),
        (step::NOT_A_DIRECTORY, "helper: /opt/sms is not a directory"),
        (step::NOT_A_FILE, "helper: /opt/sms is not a regular file"),
        (step::WRITABLE, "helper: /opt/sms can be written by others"),
        (200, "helper: the helper could not be started"),
    ] {
        let errno = libc::EACCES;
        let text = text(SpawnError {
            step,
            errno,
            resolved: 8,
        });
        assert!(text.starts_with(expected), "{text}");
    }
}

#[test]
fn the_owner_is_reported_for_every_uid() {
    for uid in [0, 1, 1000, u32::MAX] {
        let refusal = Refusal {
            at: 0,
            reason: Reason::Owner { uid },
        };
        let text = text(refused(&refusal));
        let expected = format!("helper: / belongs to uid {uid}, not to root");
        assert!(text.starts_with(&expected), "{text}");
    }
}
