//! Which user is granted access by which stack, and with which factors. The rows are data
//! (`tests/cases/stacks`); the properties that hold for all rows are checked here. The shipped and
//! documented stacks are read from their files.

mod before_us;
mod controls;
mod documents;
mod includers;
mod incomplete;
mod methods;
mod pairs;
mod table;
mod visit;
mod visitors;

use crate::Case;
use documents::Shown;
use lab::Lab;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use table::{Host, Stack};
use visit::{Seen, Users};
use visitors::VISITORS;

pub const CASES: &[Case] = &[
    (
        "hostile::stacks::who_is_granted_with_what",
        who_is_granted_with_what,
    ),
    (
        "hostile::stacks::no_document_shows_a_stack_without_a_row",
        no_document_shows_a_stack_without_a_row,
    ),
    (
        "hostile::stacks::the_documents_warn_of_what_is_dangerous",
        the_documents_warn_of_what_is_dangerous,
    ),
    (
        "hostile::stacks::each_code_under_each_control",
        controls::each_code_under_each_control,
    ),
    (
        "hostile::stacks::an_incomplete_stack_refuses",
        incomplete::an_incomplete_stack_refuses,
    ),
    (
        "hostile::stacks::sshd_does_not_ask_pam_about_keys",
        methods::sshd_does_not_ask_pam_about_keys,
    ),
    (
        "hostile::stacks::services_that_come_in_pairs_have_both_samples",
        pairs::services_that_come_in_pairs_have_both_samples,
    ),
    (
        "hostile::stacks::the_documents_name_the_services_that_include_a_sample",
        includers::the_documents_name_the_services_that_include_a_sample,
    ),
    (
        "hostile::stacks::the_documented_commands_find_and_change_them",
        includers::the_documented_commands_find_and_change_them,
    ),
    (
        "hostile::stacks::a_screen_locker_opens_by_common_auth_and_not_by_the_sample",
        includers::a_screen_locker_opens_by_common_auth_and_not_by_the_sample,
    ),
    (
        "hostile::stacks::no_sms_to_users_who_are_refused_anyway",
        before_us::no_sms_to_users_who_are_refused_anyway,
    ),
    (
        "hostile::stacks::the_documents_name_the_methods",
        methods::the_documents_name_the_methods,
    ),
];

/// The number of threads; each has users of its own.
const WORKERS: usize = 4;

/// Runs every row, and compares the results with the table.
fn who_is_granted_with_what(lab: &Lab) {
    let stacks = table::read();
    let documented = documented();
    let is_long = super::torture();
    let rows: Vec<(&Stack, Host)> = stacks
        .iter()
        .filter(|stack| is_long || !stack.like_others)
        .flat_map(|stack| stack.rows.keys().map(move |host| (stack, *host)))
        .collect();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (next, wrong, rows, documented) = (&next, &wrong, &rows, &documented);
            scope.spawn(move || {
                let users = Users::new(lab, worker);
                loop {
                    let row = next.fetch_add(1, Ordering::Relaxed);
                    let Some((stack, host)) = rows.get(row) else {
                        return;
                    };
                    let shown = documented.contains(&stack.text());
                    let complaints = visit(&users, stack, *host, row, shown);
                    if !complaints.is_empty() {
                        wrong.lock().expect("them").insert(row, complaints);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("them");
    let wrong: Vec<String> = wrong.into_values().collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Runs one row: all visitors, one after the other.
fn visit(users: &Users, stack: &Stack, host: Host, row: usize, shown: bool) -> String {
    let seen: Vec<Seen> = VISITORS
        .iter()
        .map(|visitor| users.visit(stack, host, row, visitor))
        .collect();
    let mut complaints = check(stack, host, &seen, shown);
    let found: Vec<String> = seen.iter().map(Seen::cell).collect();
    if found != stack.rows[&host] {
        complaints.push(format!("found    {host}  {}", found.join(" ")));
        complaints.push(format!("expected {host}  {}", stack.rows[&host].join(" ")));
    }
    if complaints.is_empty() {
        return String::new();
    }
    format!(
        "== {}\n{}\n{}\n",
        stack.title,
        stack.text(),
        complaints.join("\n")
    )
}

/// Checks the properties that hold for every row.
fn check(stack: &Stack, host: Host, seen: &[Seen], shown: bool) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut dangers = 0;
    for (visitor, seen) in VISITORS.iter().zip(seen) {
        let danger = if seen.is_in && seen.factors < 2 {
            Some("is granted access with less than two factors")
        } else if seen.sms > 0 && !seen.first {
            Some("triggers an SMS without a first factor")
        } else {
            None
        };
        dangers += usize::from(danger.is_some());
        let name = if host == Host::Root {
            "root"
        } else {
            visitor.name
        };
        let exempt = stack.exempt.contains_key(name);
        if let Some(danger) = danger.filter(|_| !exempt && (shown || stack.warned.is_empty())) {
            complaints.push(format!("{host}: {} {danger}", visitor.name));
        }
        if exempt && danger.is_none() {
            complaints.push(format!("{host}: {} is exempt without need", visitor.name));
        }
        complaints.extend(
            seen.oddities
                .iter()
                .map(|odd| format!("{}: {odd}", visitor.name)),
        );
    }
    for name in stack.exempt.keys() {
        let visitor = VISITORS.iter().find(|visitor| visitor.name == name);
        // Only users without a directory entry, and root.
        if name != "root" && !visitor.is_some_and(visitors::Visitor::is_local) {
            complaints.push(format!("{name} cannot be exempted"));
        }
    }
    if shown && !stack.warned.is_empty() {
        complaints.push("a document shows it, and documents warn of it".to_owned());
    }
    if !stack.warned.is_empty() && dangers == 0 {
        complaints.push("documents warn of it without need".to_owned());
    }
    complaints
}

/// The stacks in the documents, in the format of the table.
fn documented() -> BTreeSet<String> {
    documents::shown()
        .into_iter()
        .map(|shown| shown.text)
        .collect()
}

fn no_document_shows_a_stack_without_a_row(_: &Lab) {
    let shown = documents::shown();
    let from: BTreeSet<&str> = shown.iter().map(|one| one.file.as_str()).collect();
    for file in ["README.md", "man/pam_sms_otp.8"] {
        assert!(from.contains(file), "{file} shows no stack");
    }
    for file in documents::samples() {
        assert!(from.contains(file.as_str()), "{file} shows no stack");
    }
    let stacks = table::read();
    for Shown { file, text } in &shown {
        let row = stacks.iter().find(|stack| stack.text() == *text);
        let row = row.unwrap_or_else(|| {
            panic!("{file} shows this, and the table has no row for it:\n{text}")
        });
        assert!(
            row.warned.is_empty(),
            "{file} shows a stack that documents warn of:\n{text}"
        );
        // The hosts: with and without a key that sshd has verified; the callers.
        let by_key = ["password=ssh", "password=auto"];
        let has = |words: [&str; 2]| words.iter().any(|word| text.contains(word));
        let by_caller = text.contains("pam_rootok.so") || text == "auth include su";
        let expected: &[Host] = match (has(by_key), by_caller) {
            (true, _) => &[Host::Plain, Host::Key],
            (_, true) => &[Host::Caller, Host::Root],
            _ => &[Host::Plain],
        };
        for host in expected {
            assert!(row.rows.contains_key(host), "{file}, {host}:\n{text}");
        }
        // The included files are shipped samples.
        for (name, lines) in &row.files {
            let sample = format!("pam.d/{name}");
            let sample = shown.iter().find(|shown| shown.file == sample);
            let sample =
                sample.unwrap_or_else(|| panic!("{file} includes {name}, which we do not ship"));
            assert_eq!(sample.text, lines.join("\n"), "{file} includes {name}");
        }
    }
}

/// Each dangerous row contains the warnings of the documents.
fn the_documents_warn_of_what_is_dangerous(_: &Lab) {
    let stacks = table::read();
    let mut warned = 0;
    for stack in &stacks {
        let rows = stack.rows.values().flatten();
        let open = rows.clone().any(|cell| cell.starts_with('!'));
        assert!(
            !open || !stack.warned.is_empty() || !stack.exempt.is_empty(),
            "{} is dangerous, and no document warns of it",
            stack.title
        );
        if stack.warned.is_empty() {
            continue;
        }
        warned += 1;
        for file in ["README.md", "man/pam_sms_otp.8"] {
            let words = stack.warned.get(file);
            let words = words.unwrap_or_else(|| panic!("{}: {file} does not warn", stack.title));
            assert!(
                documents::prose(file).contains(words.as_str()),
                "{}: {file} does not contain: {words}",
                stack.title
            );
        }
    }
    assert!(warned > 5, "only {warned} warnings");
}
