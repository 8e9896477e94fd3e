//! A login writes nothing anywhere but in the ledger: neither the host, whoever has started it, nor the
//! helper, as root or as its own user.

use super::trap::{Folders, Trap, list};
use crate::Case;
use crate::module::login::{Login, PASSWORD, known};
use lab::bench::Bench;
use lab::pamhost::{Answer, At, Message, Style, code};
use lab::process::program;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub const CASES: &[Case] = &[(
    "hostile::written::is_the_ledger_and_nothing_else",
    is_the_ledger_and_nothing_else,
)];

/// Where programs leave things. For this host all of it is empty and its own.
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

/// The default one's, and the name of a file of its.
const LEDGER: &str = "/var/lib/pam_sms_otp";

/// What says that a machine lacks a wall: once a start of the machine.
const MARKS: &str = "/run/pam_sms_otp.no-";

fn is_the_ledger_and_nothing_else(bench: &Bench) {
    let Some(ann) = known(bench, "written") else {
        return;
    };
    let account = bench.world().add(&lab::world::User::new("written-caller"));
    let trap = Trap::set(bench);
    let folders = Folders::new(bench, "written-trap", account.uid);
    let login = Login::new(bench, "written").of(&ann).tag("host");
    let login = login.change(|settings| settings.without("ledger.path"));
    let through = own_folders(bench.world().scratch().path(), &login.folder);
    let words: Vec<&str> = through.iter().map(String::as_str).collect();
    let login = login.host(|host| {
        let host = host.copied(bench.world()).setuid_for(&account).wipes();
        let set = trap.environment(&folders);
        let set = set.iter().filter_map(|variable| variable.split_once('='));
        // A host that is set-id has none of the loader's; and ours begins a thread of its own.
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
    let person = |message: &Message| match message.style {
        Style::Hidden => PASSWORD.into(),
        _ => login.arrived()[arrived..]
            .last()
            .map_or(Answer::HangUp, |sms| sms.code().into()),
    };
    let (transcript, _) = login.run_watched(2, person, watch);
    assert_eq!(transcript.codes(), [code::SUCCESS]);
    assert!(trap.is_empty(), "{:?}", trap.caught());
    let (_, before) = &seen[0];
    // The folder, the ledger, and an empty file whose bytes are locked.
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
    // It would have been seen.
    let (_, after) = seen.last().expect("the end");
    assert!(
        after.iter().any(|path| path.starts_with(LEDGER)),
        "{after:#?}"
    );
}

/// A command line that gives what it runs folders of its own in the place of all these, and a copy of
/// `/etc`; of what was in them there is the lab's part.
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

/// What is in these folders, `/etc` and the case's own as that process sees them, whose ever it is; and
/// the names in the root folder.
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

/// Other cases come and go there.
fn is_lab(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"lab-"))
}
