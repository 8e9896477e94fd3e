//! PAM files of other programs that include a service for which we ship a sample: they prompt for a code once
//! the sample is installed. The list for Debian is data (`tests/cases/stacks/includers.txt`).

use super::documents::{read, samples};
use crate::logins::steps::{LOCAL, Service};
use lab::Lab;
use lab::machine::User;
use lab::pamhost::{Answer, Message, PamHost, code};
use lab::process::{program, run};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const INCLUDERS: &str = include_str!("../../cases/stacks/includers.txt");
const DOCUMENT: &str = "docs/stacks.md";

/// A line of a PAM file of a package.
struct Includer {
    file: &'static str,
    line: &'static str,
}

impl Includer {
    /// The included service.
    fn included(&self) -> &'static str {
        self.line.split_whitespace().last().expect("a service")
    }

    fn is_auth(&self) -> bool {
        self.line.starts_with('@') || self.line.starts_with("auth")
    }
}

fn includers() -> Vec<Includer> {
    let lines = INCLUDERS.lines().filter(|line| !line.starts_with('#'));
    let includers: Vec<Includer> = lines
        .map(|line| {
            let mut words = line.splitn(4, ' ').skip(2);
            let (file, line) = (words.next(), words.next());
            Includer {
                file: file.expect("a file"),
                line: line.expect("a line"),
            }
        })
        .collect();
    assert!(includers.len() > 10, "{} lines", includers.len());
    includers
}

/// The files that include a service, except for the samples.
fn of(service: &str) -> BTreeSet<&'static str> {
    let samples = samples();
    let others = includers().into_iter();
    others
        .filter(|other| other.is_auth() && other.included() == service)
        .map(|other| other.file)
        .filter(|file| !samples.contains(&format!("pam.d/{file}")))
        .collect()
}

/// The command in the document that starts with these words.
fn command(start: &str) -> String {
    let text = read(DOCUMENT);
    let line = text.lines().find_map(|line| line.strip_prefix(start));
    format!(
        "{}{}",
        &start[2..],
        line.unwrap_or_else(|| panic!("{DOCUMENT} shows no {start}"))
    )
}

pub fn the_documents_name_the_services_that_include_a_sample(_: &Lab) {
    let document = read(DOCUMENT);
    let grep = command("$ grep");
    let mut named = 0;
    for sample in samples() {
        let name = sample.strip_prefix("pam.d/").expect("a sample");
        let service = name.split('-').next().expect("a service");
        let text = read(&sample);
        let included = of(service);
        if !included.is_empty() {
            assert!(
                text.contains(&grep),
                "{sample} does not contain the command"
            );
        }
        for file in included {
            let comment = text.lines().filter(|line| line.starts_with('#'));
            let words = comment.flat_map(|line| line.split([' ', ',', '.', '#']));
            assert!(
                words.into_iter().any(|word| word == file),
                "{sample}: {file}"
            );
            assert!(
                document.contains(&format!("`{file}`")),
                "{DOCUMENT}: {file}"
            );
            named += 1;
        }
    }
    assert!(named > 4, "only {named}");
}

pub fn the_documented_commands_find_and_change_them(lab: &Lab) {
    let folder = lab.folder("includers");
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for includer in includers() {
        let text = files.entry(includer.file).or_default();
        // The same line may be listed for several releases.
        if !text.lines().any(|line| line == includer.line) {
            text.push_str(includer.line);
            text.push('\n');
        }
    }
    for (file, text) in &files {
        lab.stack(&folder, file, text);
    }
    let shell = |command: &str, of: &str| {
        let command = command.replace("/etc/pam.d/i3lock", of);
        let command = command.replace("/etc/pam.d", folder.to_str().expect("a path"));
        let output = Command::new(program("sh")).args(["-c", &command]).output();
        String::from_utf8(output.expect("sh").stdout).expect("text")
    };
    let found = || -> BTreeSet<String> {
        let found = shell(&command("$ grep"), "");
        let name = |path: &str| path.rsplit('/').next().expect("a name").to_owned();
        found.lines().map(name).collect()
    };
    let expected: BTreeSet<String> = of("login").into_iter().map(str::to_owned).collect();
    assert_eq!(found(), expected);
    for file in &expected {
        let path = folder.join(file);
        shell(&command("# sed"), path.to_str().expect("a path"));
        let text = std::fs::read_to_string(&path).expect("a stack");
        let auth = text.lines().filter(|line| line.contains("auth "));
        assert_eq!(
            auth.collect::<Vec<_>>(),
            ["auth include common-auth"],
            "{file}"
        );
        let was = &files[file.as_str()];
        let rest = ["account include login", "session include login"];
        for line in rest.iter().filter(|_| was.starts_with('@')) {
            assert!(text.contains(line), "{file}: {text}");
        }
    }
    assert!(found().is_empty(), "{:?}", found());
}

/// A program that does not run as root, such as a screen locker.
pub fn a_screen_locker_opens_by_common_auth_and_not_by_the_sample(lab: &Lab) {
    let user = User::new("locker").password(LOCAL);
    let user = lab.machine().add(&user);
    let _login = Service::shipped(lab, "login");
    let password = |_: &Message| Answer::from(LOCAL);
    let locker = |service: &str, text: &str| {
        lab.machine().stack(service, text);
        let host = PamHost::new(service, None).user(&user.name).no_delay();
        host.run_as(lab.machine(), &user).run(password).codes()
    };
    let debian = includers()
        .into_iter()
        .find(|other| other.file == "i3lock")
        .expect("i3lock");
    let codes = locker("locker", debian.line);
    assert_eq!(codes, [code::SERVICE_ERR], "the sample grants access");
    let changed = lab.folder("locker").join("i3lock");
    lab::scratch::write(&changed, 0o644, debian.line);
    let sed = command("# sed").replace("/etc/pam.d/i3lock", changed.to_str().expect("a path"));
    run(Command::new(program("sh")).args(["-c", &sed]));
    let text = std::fs::read_to_string(&changed).expect("a stack");
    assert_eq!(locker("locker-changed", &text), [code::SUCCESS]);
}
