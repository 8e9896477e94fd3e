//! A login writes only to the ledger: this holds for the host, with each kind of caller, and for the helper, as
//! root or as its own user.

use super::trap::{Folders, Trap, list};
use crate::Case;
use crate::module::login::{Login, PASSWORD, known};
use lab::Lab;
use lab::pamhost::{Answer, At, Message, Style, code};
use lab::process::program;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub const CASES: &[Case] = &[(
    "hostile::written::only_the_ledger_is_written",
    only_the_ledger_is_written,
)];

/// Directories in which programs create files. They are empty and private for this host.
const FOLDERS: [&str; 10] = [
    "/tmp",
    "/var/tmp",
    "/dev/shm",
    "/run",
    "/var/lib",
    "/var/cache",
    "/var/spool",
    "/var/log",
    "/root",
    "/home",
];

/// The directory of the default ledger.
const LEDGER: &str = "/var/lib/pam_sms_otp";

/// The markers for missing layers of the sandbox, one per boot.
const MARKS: &str = "/run/pam_sms_otp.no-";

fn only_the_ledger_is_written(lab: &Lab) {
    let Some(ann) = known(lab, "written") else {
        return;
    };
    let account = lab
        .machine()
        .add(&lab::machine::User::new("written-caller"));
    let trap = Trap::set(lab);
    let folders = Folders::new(lab, "written-trap", account.uid);
    let login = Login::new(lab, "written").of(&ann).tag("host");
    let login = login.change(|settings| settings.without("ledger.path"));
    let through = own_folders(lab.machine().scratch().path(), &login.folder);
    let words: Vec<&str> = through.iter().map(String::as_str).collect();
    let login = login.host(|host| {
        let host = host
            .copied(lab.machine())
            .setuid_for(&account)
            .without_copies();
        let set = trap.environment(&folders);
        let set = set.iter().filter_map(|variable| variable.split_once('='));
        // The loader ignores its variables in a set-user-ID host, and our host starts a thread.
        let set = set.filter(|(name, _)| !name.starts_with("LD_") && *name != "RUST_MIN_STACK");
        set.fold(host.through(&words), |host, (name, value)| {
            host.env(name, value)
        })
    });
    let mut seen: Vec<(String, BTreeSet<String>)> = Vec::new();
    let watch = |at: At, pid: u32| {
        let found = everything(pid, &login.folder);
        seen.push((
            format!("{at:?}"),
            found.union(&folders.listing()).cloned().collect(),
        ));
    };
    let arrived = login.arrived().len();
    let user = |message: &Message| match message.style {
        Style::Hidden => PASSWORD.into(),
        _ => login.arrived()[arrived..]
            .last()
            .map_or(Answer::ConvErr, |sms| sms.code().into()),
    };
    let (transcript, _) = login.run_watched(2, user, watch);
    assert_eq!(transcript.codes(), [code::SUCCESS]);
    assert!(trap.is_empty(), "{:?}", trap.caught());
    let (_, before) = &seen[0];
    // The directory, the ledger, and an empty file whose bytes are locked.
    for (at, found) in &seen {
        let new: Vec<_> = found
            .difference(before)
            .filter(|path| !path.starts_with(MARKS))
            .collect();
        let ledger = [format!("{LEDGER}/ledger"), LEDGER.to_owned()];
        let is_ledger = |path: &str| ledger.iter().any(|own| path.starts_with(own));
        assert!(new.iter().all(|path| is_ledger(path)), "{at}: {new:#?}");
        assert!(new.len() <= 3, "{at}: {new:#?}");
    }
    // Control: another file is detected.
    let (_, after) = seen.last().expect("the end");
    assert!(
        after.iter().any(|path| path.starts_with(LEDGER)),
        "{after:#?}"
    );
}

/// A command line that gives a program private directories instead of all these, and a copy of `/etc`; they
/// contain only the files of the lab.
fn own_folders(lab: &Path, case: &Path) -> Vec<String> {
    let [unshare, sh, mount, cp, mkdir] =
        ["unshare", "sh", "mount", "cp", "mkdir"].map(|name| program(name).display().to_string());
    let etc = case.join("etc");
    let (lab, etc) = (lab.display(), etc.display());
    let over = FOLDERS
        .map(|folder| format!("if [ -d {folder} ]; then {mount} -t tmpfs lab {folder}; fi\n"));
    let over = over.concat();
    let script = format!(
        "set -e\n{mkdir} {etc}\n{cp} -a /etc/. {etc}\n{mount} --bind {etc} /etc\ncd {lab}\n{over}\
         {mkdir} -p {lab}\n{mount} -c --bind . {lab}\ncd /\nexec \"$@\""
    );
    let apart = ["--mount", "--propagation=unchanged"].map(str::to_owned);
    [
        &[unshare][..],
        &apart,
        &[sh, "-c".to_owned(), script, "sh".to_owned()],
    ]
    .concat()
}

/// The files in these directories, `/etc` and the directory of the case, as that process sees them, and the names
/// in the root directory.
fn everything(pid: u32, case: &Path) -> BTreeSet<String> {
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    let mut found = BTreeSet::new();
    let names = std::fs::read_dir(&root).expect("its root").flatten();
    found.extend(names.map(|entry| format!("/{}", entry.file_name().to_string_lossy())));
    let inside = |path: &Path| root.join(path.strip_prefix("/").expect("a whole path"));
    let case = inside(case);
    for folder in FOLDERS.map(Path::new).iter().chain([&Path::new("/etc")]) {
        list(&inside(folder), &mut found, None, &|path| is_lab(path));
    }
    list(&case, &mut found, None, &|_| false);
    let root = root.display().to_string();
    let outside = |path: &String| path.strip_prefix(&root).unwrap_or(path).to_owned();
    found.iter().map(outside).collect()
}

/// The directories of other cases, which change.
fn is_lab(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"lab-"))
}
