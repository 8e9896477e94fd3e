//! Helpers that end, time out, are of another version, or send malformed messages: each costs one login, and has
//! no other effect.

use crate::Case;
use crate::module::{Login, Say, Seen, someone};
use lab::Lab;
use lab::fake_helper;
use lab::pamhost::code;
use std::time::Duration;

pub const CASES: &[Case] = &[
    ("hostile::misbehaved::ended", ended),
    ("hostile::misbehaved::timed_out", timed_out),
    ("hostile::misbehaved::silent", silent),
    ("hostile::misbehaved::other_versions", other_versions),
    ("hostile::misbehaved::malformed", malformed),
    (
        "hostile::misbehaved::only_printable_characters_reach_the_screen",
        only_printable_characters_reach_the_screen,
    ),
    ("hostile::misbehaved::too_long", too_long),
    (
        "hostile::misbehaved::passed_descriptors_are_closed",
        passed_descriptors_are_closed,
    ),
    (
        "hostile::misbehaved::a_verdict_is_final",
        a_verdict_is_final,
    ),
];

const PROMPT: &str = ">Verification code: ";
pub const LOST: &str = "failed user=? stage=helper reason=helper";

/// The maximum duration of a row, with time for a loaded machine; a missing limit would take minutes.
pub const LONG: Duration = Duration::from_secs(14);

/// A script of the impostor, the texts on the screen, and the detail in the log.
type Row = (&'static str, &'static [&'static str], &'static str);

/// Each row ends in `PAM_SERVICE_ERR`, in time, with its log line and without a leak in the host; afterwards the
/// same service works with the real helper.
fn each(lab: &Lab, case: &'static str, rows: &[Row]) {
    let ann = someone(lab, case);
    let login = Login::new(lab, case).of(&ann).own_helper();
    for (part, screen, detail) in rows {
        fake_helper::install(lab.machine().host_program(), &login.helper(), part);
        let want = Seen::new(&[code::SERVICE_ERR], screen, &[LOST], 0);
        let seen = login.sees(part, &[Say::Text("123456")], &want);
        assert_eq!(login.newest_field("detail"), *detail, "{case}: {part}");
        assert!(
            seen.results[0].1 < LONG,
            "{case}: {part} took {:?}",
            seen.results[0].1
        );
    }
    let login = Login::new(lab, case).of(&ann);
    login.sees(
        "its own helper",
        &[Say::Password, Say::Code],
        &Seen::granted(),
    );
}

fn ended(lab: &Lab) {
    let left = "the helper ended without a verdict, exit code ";
    let (zero, seven) = (format!("{left}0"), format!("{left}7"));
    let killed = "the helper ended without a verdict, signal 9";
    let ended = "the helper ended without a verdict, signal 15";
    let (zero, seven): (&'static str, &'static str) = (zero.leak(), seven.leak());
    each(
        lab,
        "dead",
        &[
            ("exit 0", &[], zero),
            ("receive; exit 7", &[], seven),
            ("signal 9", &[], killed),
            ("receive; signal 15", &[], ended),
            ("receive; keep-alive 60000; signal 9", &[], killed),
            ("receive; prompt 60000; exit 7", &[PROMPT], seven),
            (
                "receive; prompt 60000; receive; signal 9",
                &[PROMPT],
                killed,
            ),
            // It closes its end of the socket, and continues to run.
            ("close", &[], killed),
            ("receive; prompt 60000; receive; close", &[PROMPT], killed),
            // A child of the helper keeps the socket open: the host does not wait for it.
            ("fork 20000", &[], zero),
            ("receive; keep-alive 60000; fork 20000", &[], zero),
        ],
    );
}

fn timed_out(lab: &Lab) {
    let late = "the helper timed out and was killed";
    each(
        lab,
        "late",
        &[
            ("keep-alive 200", &[], late),
            ("keep-alive 0", &[], late),
            ("receive; prompt 200", &[PROMPT], late),
            (
                "receive; keep-alive 60000; prompt 200; receive",
                &[PROMPT],
                late,
            ),
            ("receive; keep-alive 300; signal 19", &[], late),
            (
                "receive; show-error Wait.; keep-alive 300; sleep 60000; verdict success",
                &["!Wait."],
                late,
            ),
        ],
    );
}

/// The time limit for the first message is ten seconds.
fn silent(lab: &Lab) {
    let bob = someone(lab, "silent");
    let login = Login::new(lab, "silent").of(&bob).own_helper();
    fake_helper::install(lab.machine().host_program(), &login.helper(), "receive");
    let want = Seen::at_once(code::SERVICE_ERR, LOST);
    let seen = login.sees("silent", &[], &want);
    let took = seen.results[0].1;
    assert!(
        (Duration::from_secs(9)..Duration::from_secs(25)).contains(&took),
        "{took:?}"
    );
    assert_eq!(
        login.newest_field("detail"),
        "the helper timed out and was killed"
    );
}

fn other_versions(lab: &Lab) {
    let restart = "module and helper are of different versions: restart versions";
    each(
        lab,
        "versions",
        &[
            ("receive; version 2", &[], restart),
            ("receive; version 65535", &[], restart),
            ("receive; version 0", &[], restart),
            ("receive; version-mismatch", &[], restart),
            (
                "receive; prompt 60000; receive; version 2",
                &[PROMPT],
                restart,
            ),
            // Another version, and a kind that no version has.
            (
                "receive; bytes 02 00 ff 00 00 00 00 00 41 42 43",
                &[],
                restart,
            ),
        ],
    );
}

fn malformed(lab: &Lab) {
    let malformed = "malformed message from the helper";
    each(
        lab,
        "malformed",
        &[
            ("bytes 00", &[], malformed),
            ("bytes ff ff ff ff ff ff ff", &[], malformed),
            (
                "receive; size 300",
                &[],
                "module and helper are of different versions: restart malformed",
            ),
            // A truncated verdict; a verdict with extra bytes.
            ("receive; cut-verdict 1; exit 0", &[], malformed),
            ("receive; cut-verdict 4; signal 9", &[], malformed),
            ("receive; cut-verdict 5; exit 0", &[], malformed),
            ("receive; long-verdict 1", &[], malformed),
            // Kinds that only the module sends, and unknown kinds.
            ("bytes 01 00 01 00 e8 03 00 00", &[], malformed),
            (
                "bytes 01 00 02 00 e8 03 00 00 01 01 00 00 00 00",
                &[],
                malformed,
            ),
            ("bytes 01 00 00 00 e8 03 00 00", &[], malformed),
            // Verdicts with invalid codes: zero, the values of PAM_SUCCESS and PAM_IGNORE, a prompt style.
            (
                "bytes 01 00 13 00 e8 03 00 00 00 00 00 00 00",
                &[],
                malformed,
            ),
            (
                "bytes 01 00 13 00 e8 03 00 00 19 00 00 00 00",
                &[],
                malformed,
            ),
            (
                "bytes 01 00 13 00 e8 03 00 00 01 00 00 00 00",
                &[],
                malformed,
            ),
            (
                "bytes 01 00 13 00 e8 03 00 00 40 00 00 00 00",
                &[],
                malformed,
            ),
            // Counts with a length beyond the message, or above the limit.
            (
                "bytes 01 00 13 00 e8 03 00 00 41 01 00 00 00",
                &[],
                malformed,
            ),
            (
                "bytes 01 00 13 00 e8 03 00 00 41 ff ff ff ff",
                &[],
                malformed,
            ),
            // Prompts: with an unknown style, not UTF-8, with a length beyond the message.
            (
                "bytes 01 00 11 00 e8 03 00 00 00 01 00 00 00 3f",
                &[],
                malformed,
            ),
            (
                "bytes 01 00 11 00 e8 03 00 00 02 01 00 00 00 ff",
                &[],
                malformed,
            ),
            (
                "bytes 01 00 11 00 e8 03 00 00 02 ff 0f 00 00 3f",
                &[],
                malformed,
            ),
        ],
    );
}

/// Texts that a compromised helper sends to the terminal of the user.
fn only_printable_characters_reach_the_screen(lab: &Lab) {
    let ended = "the helper ended without a verdict, exit code 0";
    each(
        lab,
        "screen",
        &[
            (
                "receive; show-error \u{1b}[2JZoë\u{9b}31m\u{202e}desrever\u{2066}\u{200b}; exit 0",
                &["!?[2JZoë?31m?desrever??"],
                ended,
            ),
            // An error message of two lines, the second of which looks like our prompt.
            (
                "receive; bytes 01 00 12 00 e8 03 00 00 06 00 00 00 41 0d 0a 0a 42 3a; exit 0",
                &["!A???B:"],
                ended,
            ),
            // Prompts: hidden with a NUL in it, visible with an escape.
            (
                "receive; bytes 01 00 11 00 e8 03 00 00 02 02 00 00 00 00 3a; receive; exit 0",
                &["*?:"],
                ended,
            ),
            (
                "receive; bytes 01 00 11 00 e8 03 00 00 03 03 00 00 00 1b 63 3a; receive; exit 0",
                &[">?c:"],
                ended,
            ),
            // The password prompt.
            (
                "receive; bytes 01 00 11 00 e8 03 00 00 01 03 00 00 00 07 50 3a; receive; exit 0",
                &["*?P:"],
                ended,
            ),
        ],
    );
}

fn too_long(lab: &Lab) {
    let much = "message from the helper is too long";
    let most = protocol::MAX_FROM_HELPER;
    let (over, largest) = (
        format!("receive; size {}", most + 1).leak(),
        "receive; size 100000",
    );
    each(
        lab,
        "much",
        &[
            (over, &[], much),
            (largest, &[], much),
            ("flood", &[], much),
            (
                "receive; keep-alives",
                &[],
                "too many messages from the helper",
            ),
            ("empty", &[], "the helper ended without a verdict, signal 9"),
            (
                "receive; empty; verdict success",
                &[],
                "the helper ended without a verdict, signal 9",
            ),
        ],
    );
    // Endless prompts, all of which are answered.
    let cat = someone(lab, "nag-cat");
    let login = Login::new(lab, "nag").of(&cat).own_helper();
    fake_helper::install(
        lab.machine().host_program(),
        &login.helper(),
        "receive; prompts",
    );
    let answers = vec![Say::Text("y"); 300];
    let want = Seen::new(&[code::SERVICE_ERR], &[">? "; 256], &[LOST], 0);
    login.sees("questions", &answers, &want);
    assert_eq!(
        login.newest_field("detail"),
        "too many messages from the helper"
    );
}

/// Descriptors in a message (`SCM_RIGHTS`) would fill the table of the host, which `Login::sees` checks.
fn passed_descriptors_are_closed(lab: &Lab) {
    each(
        lab,
        "passed",
        &[
            (
                "descriptors 200; descriptors 200; exit 7",
                &[],
                "the helper ended without a verdict, exit code 7",
            ),
            (
                "receive; prompt 60000; descriptors 1; descriptors 250; sleep 300; signal 9",
                &[PROMPT],
                "the helper ended without a verdict, signal 9",
            ),
        ],
    );
    let dee = someone(lab, "passed-dee");
    let login = Login::new(lab, "passes").of(&dee).own_helper();
    fake_helper::install(
        lab.machine().host_program(),
        &login.helper(),
        "receive; descriptors 253; verdict auth-err",
    );
    login.sees(
        "a verdict beside",
        &[],
        &Seen::new(&[code::AUTH_ERR], &[], &[], 0),
    );
}

/// Nothing that a helper does after its verdict changes the verdict, and the helper is ended.
fn a_verdict_is_final(lab: &Lab) {
    let eve = someone(lab, "verdict-eve");
    let login = Login::new(lab, "verdict").of(&eve).own_helper();
    let denied = Seen::new(&[code::AUTH_ERR], &[], &[], 0);
    for part in [
        "verdict auth-err; exit 7",
        "receive; verdict auth-err; signal 9",
        "receive; verdict auth-err",
        "receive; verdict auth-err; signal 19",
        "receive; verdict auth-err; verdict success; flood",
        "receive; verdict auth-err; fork 20000",
    ] {
        fake_helper::install(lab.machine().host_program(), &login.helper(), part);
        let seen = login.sees(part, &[], &denied);
        assert!(seen.results[0].1 < LONG, "{part}");
    }
    // The sandbox cannot prevent this: a compromised helper can return a success.
    fake_helper::install(
        lab.machine().host_program(),
        &login.helper(),
        "receive; verdict success",
    );
    login.sees("taken over", &[], &Seen::new(&[code::SUCCESS], &[], &[], 0));
}
