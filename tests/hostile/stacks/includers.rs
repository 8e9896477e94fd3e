//! PAM files of other programs that include a service for which we ship a sample: they ask for a code
//! as soon as the sample is in place. Which ones Debian has is data, `tests/cases/stacks/includers.txt`.

use super::documents::{read, samples};
use crate::logins::steps::{LOCAL, Service};
use lab::bench::Bench;
use lab::pamhost::{Answer, Message, PamHost, code};
use lab::process::{program, run};
use lab::world::User;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const INCLUDERS: &str = include_str!("../../cases/stacks/includers.txt");
const PAPER: &str = "docs/stacks.md";

/// A line of a file of some package.
struct Includer {
    file: &'static str,
    line: &'static str,
}

impl Includer {
    /// The service whose file is read.
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

/// The files that include a service, other than those that are samples themselves.
fn of(service: &str) -> BTreeSet<&'static str> {
    let samples = samples();
    let others = includers().into_iter();
    others
        .filter(|other| other.is_auth() && other.included() == service)
        .map(|other| other.file)
        .filter(|file| !samples.contains(&format!("pam.d/{file}")))
        .collect()
}

/// The command of the paper that begins so.
fn command(start: &str) -> String {
    let text = read(PAPER);
    let line = text.lines().find_map(|line| line.strip_prefix(start));
    format!(
        "{}{}",
        &start[2..],
        line.unwrap_or_else(|| panic!("{PAPER} shows no {start}"))
    )
}

pub fn the_documents_name_the_services_that_include_a_sample(_: &Bench) {
    let paper = read(PAPER);
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
                "{sample} does not say how to find them"
            );
        }
        for file in included {
            let comment = text.lines().filter(|line| line.starts_with('#'));
            let says = comment.flat_map(|line| line.split([' ', ',', '.', '#']));
            assert!(
                says.into_iter().any(|word| word == file),
                "{sample}: {file}"
            );
            assert!(paper.contains(&format!("`{file}`")), "{PAPER}: {file}");
            named += 1;
        }
    }
    assert!(named > 4, "only {named}");
}

pub fn the_documented_commands_find_and_turn_them(bench: &Bench) {
    let folder = bench.folder("includers");
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for includer in includers() {
        let text = files.entry(includer.file).or_default();
        // The releases agree, or one has a file more.
        if !text.lines().any(|line| line == includer.line) {
            text.push_str(includer.line);
            text.push('\n');
        }
    }
    for (file, text) in &files {
        bench.stack(&folder, file, text);
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
    let wanted: BTreeSet<String> = of("login").into_iter().map(str::to_owned).collect();
    assert_eq!(found(), wanted);
    for file in &wanted {
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

/// A program that is not root, as screen lockers are.
pub fn a_screen_locker_opens_by_common_auth_and_not_by_the_sample(bench: &Bench) {
    let user = User::new("locker").password(LOCAL);
    let user = bench.world().add(&user);
    let _login = Service::shipped(bench, "login");
    let password = |_: &Message| Answer::from(LOCAL);
    let locker = |service: &str, text: &str| {
        bench.world().stack(service, text);
        let host = PamHost::new(service, None).user(&user.name).no_delay();
        host.run_as(bench.world(), &user).run(password).codes()
    };
    let debian = includers()
        .into_iter()
        .find(|other| other.file == "i3lock")
        .expect("i3lock");
    let codes = locker("locker", debian.line);
    assert_eq!(codes, [code::SERVICE_ERR], "it opens by the sample");
    let turned = bench.folder("locker").join("i3lock");
    lab::scratch::write(&turned, 0o644, debian.line);
    let sed = command("# sed").replace("/etc/pam.d/i3lock", turned.to_str().expect("a path"));
    run(Command::new(program("sh")).args(["-c", &sed]));
    let text = std::fs::read_to_string(&turned).expect("a stack");
    assert_eq!(locker("locker-turned", &text), [code::SUCCESS]);
}
