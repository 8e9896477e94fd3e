//! This host's ledger on a disk that is full or read-only.

use super::ledger::{folder, with_ledger};
use super::login::{Login, NOT_SENT, Say, Seen, someone};
use crate::Case;
use lab::Lab;
use lab::pamhost::code;
use std::path::Path;
use std::process::Command;

pub const CASES: &[Case] = &[
    (
        "module::disk::full_before_the_first_use",
        full_before_the_first_use,
    ),
    ("module::disk::full_later", full_later),
    ("module::disk::read_only", read_only),
];

const PASSWORD_AND_CODE: &[Say] = &[Say::Password, Say::Code];

/// Mounts a tmpfs of this size where the ledger will be, in the tests' private machine.
fn mount_disk(login: &Login, size: &str) {
    let path = folder(login);
    std::fs::create_dir(&path).expect("a folder");
    mount(
        &[
            "-t",
            "tmpfs",
            "-o",
            &format!("size={size},mode=0700"),
            "lab",
        ],
        &path,
    );
}

fn mount(options: &[&str], path: &Path) {
    let status = Command::new("mount").args(options).arg(path).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "mount {options:?}"
    );
}

/// Fills the disk to the last byte.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path.join("filler")).expect("a file");
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
}

/// Checks that a login with the right password is refused before any SMS is sent, and that its log line
/// contains the path of the ledger.
fn check_refused(login: &Login, what: &str) {
    let line = "failed stage=ledger reason=local";
    login.sees(
        what,
        &[Say::Password],
        &Seen::unsent(code::SERVICE_ERR, NOT_SENT, line),
    );
    let line = login.newest_line();
    let path = folder(login);
    assert!(
        line.contains(path.to_str().expect("a path")),
        "{what}: {line}"
    );
}

fn full_before_the_first_use(lab: &Lab) {
    if lab.machine_error().is_some() {
        return; // Mounts need a private machine.
    }
    let alice = someone(lab, "full-first");
    let login = with_ledger(lab, "full-first", &alice);
    mount_disk(&login, "64k");
    fill(&folder(&login));
    check_refused(&login, "a full disk");
    std::fs::remove_file(folder(&login).join("filler")).expect("the filler");
    login.sees("with free space again", PASSWORD_AND_CODE, &Seen::granted());
    let left: Vec<_> = std::fs::read_dir(folder(&login))
        .expect("the folder")
        .flatten()
        .collect();
    let others = left.iter().filter(|entry| entry.file_name() != "prefetch");
    assert_eq!(others.count(), 1, "{left:?}");
}

/// A known user's login needs no free space; a new user's does.
fn full_later(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let bob = someone(lab, "full-later");
    let login = with_ledger(lab, "full-later", &bob).set("limits.failures", "2");
    mount_disk(&login, "1m");
    login.sees("with free space", PASSWORD_AND_CODE, &Seen::granted());
    fill(&folder(&login));
    login.sees(
        "a known user, on a full disk",
        PASSWORD_AND_CODE,
        &Seen::granted(),
    );
    let lock = &[Say::Password, Say::WrongCode, Say::WrongCode];
    let (_, seen) = login.run(lock, 2);
    assert_eq!(seen.log()[1], "denied first=password reason=locked");
    let mut new_user = None;
    for serial in 0..40 {
        let carol = someone(
            lab,
            Box::leak(format!("full-new-{serial}").into_boxed_str()),
        );
        let login = with_ledger(lab, "full-later", &carol);
        let (_, seen) = login.run(PASSWORD_AND_CODE, 1);
        if seen.codes() != [code::SUCCESS] {
            new_user = Some(login);
            break;
        }
    }
    check_refused(
        &new_user.expect("a user that the full disk cannot store"),
        "a new user, on a full disk",
    );
    let (_, seen) = login.run(&[Say::Password], 1);
    assert_eq!(
        seen.log(),
        ["denied first=password reason=locked"],
        "the lock remains"
    );
}

fn read_only(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let dora = someone(lab, "read-only");
    let login = with_ledger(lab, "read-only", &dora);
    mount_disk(&login, "1m");
    login.sees("writable", PASSWORD_AND_CODE, &Seen::granted());
    mount(&["-o", "remount,ro"], &folder(&login));
    check_refused(&login, "read-only");
    mount(&["-o", "remount,rw"], &folder(&login));
    login.sees("writable again", PASSWORD_AND_CODE, &Seen::granted());
}
