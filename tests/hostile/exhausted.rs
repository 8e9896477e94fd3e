//! A host process without memory: each allocation of the module fails, alone or with all later ones. The login
//! is refused, or the host process ends; no login is granted.

use crate::Case;
use crate::module::login::{Login, PASSWORD, someone};
use lab::Lab;
use lab::pamhost::{Answer, Message, Step, code};
use lab::twilio::wrong_code;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const CASES: &[Case] = &[(
    "hostile::exhausted::each_allocation_fails",
    each_allocation_fails,
)];

/// More allocations than any login makes; a higher count is an error of this test.
const MOST: u32 = 2000;

/// How malloc fails.
#[derive(Clone, Copy, Debug)]
struct Way {
    case: &'static str,
    /// All later allocations fail too.
    for_ever: bool,
    /// Allocations of libpam and libc fail too, not only those of the module.
    everybody: bool,
    /// Whether the right code is typed.
    right: bool,
    /// The size of SSH_AUTH_INFO_0.
    long: usize,
}

const WAYS: [Way; 5] = [
    Way {
        case: "long",
        for_ever: true,
        everybody: false,
        right: true,
        long: 60_000,
    },
    Way {
        case: "once",
        for_ever: false,
        everybody: false,
        right: true,
        long: 0,
    },
    Way {
        case: "for-ever",
        for_ever: true,
        everybody: false,
        right: true,
        long: 0,
    },
    Way {
        case: "once-wrong",
        for_ever: false,
        everybody: false,
        right: false,
        long: 0,
    },
    Way {
        case: "everybody",
        for_ever: false,
        everybody: true,
        right: false,
        long: 0,
    },
];

fn each_allocation_fails(lab: &Lab) {
    let folder = lab.folder("exhausted");
    let shim = compiled(&folder);
    std::thread::scope(|scope| {
        for way in WAYS {
            let (folder, shim) = (&folder, &shim);
            scope.spawn(move || each(lab, folder, shim, way));
        }
    });
}

/// Compiles the library that replaces malloc in the host.
fn compiled(folder: &Path) -> PathBuf {
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/hostile/exhausted/malloc.c"
    );
    let shim = folder.join("malloc.so");
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]);
    lab::process::run(gcc.arg(&shim).arg(source));
    shim
}

fn each(lab: &Lab, folder: &Path, shim: &Path, way: Way) {
    let case = way.case;
    let zoe = someone(lab, case);
    let sign = folder.join(case);
    for at in 1..MOST {
        let login = Login::new(lab, case).of(&zoe).host(|host| {
            let environment = format!(
                "SSH_AUTH_INFO_0=password\npublickey {}",
                "a".repeat(way.long)
            );
            let host = host
                .pam_env(&environment)
                .steps(&[Step::Credentials, Step::Authenticate])
                .with_property("marked")
                .no_delay()
                .env("LD_PRELOAD", &shim.display().to_string())
                .env("MALLOC_FAILS_AT", &at.to_string())
                .env("MALLOC_SIGN", &sign.display().to_string());
            let host = if way.for_ever {
                host.env("MALLOC_FAILS_FOR_EVER", "1")
            } else {
                host
            };
            if way.everybody {
                host.env("MALLOC_FAILS_EVERYBODY", "1")
            } else {
                host
            }
        });
        let login = login.set("code.tries", "1").set("limits.failures", "100");
        let arrived = login.arrived().len();
        let user = |message: &Message| answer(&login, message, arrived, way.right);
        let seen = login.transcript(user);
        let code = seen.results.get(1).map(|(code, _)| *code);
        let want = if way.right {
            code::SUCCESS
        } else {
            code::MAXTRIES
        };
        let what = format!("{way:?}, allocation {at}: {code:?}, {:?}", seen.killed_by);
        if std::fs::remove_file(&sign).is_err() {
            // The login made fewer allocations.
            assert_eq!((code, seen.killed_by), (Some(want), None), "{what}");
            assert!(at > 20, "{what}");
            println!("{way:?}: {} allocations", at - 1);
            return;
        }
        if at == 1 && code == Some(want) && !way.for_ever {
            // Allocations of the binding before our hook.
            continue;
        }
        // The standard library aborts the process after a failed allocation.
        if let Some(signal) = seen.killed_by {
            assert_eq!(signal, Signal::ABORT.as_raw(), "{what}");
        } else {
            let granted = [Some(code::SUCCESS), Some(code::IGNORE), None];
            assert!(!granted.contains(&code), "{what}");
        }
    }
    panic!("{way:?}: more than {MOST} allocations");
}

fn answer(login: &Login, message: &Message, arrived: usize, right: bool) -> Answer {
    if message.text.starts_with("Password") {
        return PASSWORD.into();
    }
    let sms = login.arrived();
    match sms.get(arrived..).and_then(<[_]>::last) {
        None => Answer::ConvErr,
        Some(sms) if right => sms.code().into(),
        Some(sms) => wrong_code(&sms.code()).into(),
    }
}
