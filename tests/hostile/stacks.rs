//! Who gets in by which stack, and with what. The rows are data, `tests/cases/stacks`; what must hold
//! in all of them is said here, and the stacks that we ship and document are taken from where they
//! stand.

mod before_us;
mod controls;
mod documents;
mod holes;
mod includers;
mod methods;
mod pairs;
mod people;
mod table;
mod visit;

use crate::Case;
use documents::Shown;
use lab::bench::Bench;
use people::PEOPLE;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use table::{Host, Stack};
use visit::{Cast, Seen};

pub const CASES: &[Case] = &[
    (
        "hostile::stacks::who_gets_in_with_what",
        who_gets_in_with_what,
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
        "hostile::stacks::a_stack_with_a_hole_lets_nobody_in",
        holes::a_stack_with_a_hole_lets_nobody_in,
    ),
    (
        "hostile::stacks::a_key_is_sshd_s_alone",
        methods::a_key_is_sshd_s_alone,
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
        "hostile::stacks::the_documented_commands_find_and_turn_them",
        includers::the_documented_commands_find_and_turn_them,
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

/// As many as make the machine work; each with people of his own.
const WORKERS: usize = 4;

/// Runs every row, and compares what was seen with what the table says.
fn who_gets_in_with_what(bench: &Bench) {
    let stacks = table::read();
    let documented = documented();
    let at_length = super::torture();
    let rows: Vec<(&Stack, Host)> = stacks
        .iter()
        .filter(|stack| at_length || !stack.like_others)
        .flat_map(|stack| stack.rows.keys().map(move |host| (stack, *host)))
        .collect();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (next, wrong, rows, documented) = (&next, &wrong, &rows, &documented);
            scope.spawn(move || {
                let cast = Cast::new(bench, worker);
                loop {
                    let row = next.fetch_add(1, Ordering::Relaxed);
                    let Some((stack, host)) = rows.get(row) else {
                        return;
                    };
                    let shown = documented.contains(&stack.text());
                    let complaints = visit(&cast, stack, *host, row, shown);
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

/// One row: everybody comes, one after the other.
fn visit(cast: &Cast, stack: &Stack, host: Host, row: usize, shown: bool) -> String {
    let seen: Vec<Seen> = PEOPLE
        .iter()
        .map(|person| cast.visit(stack, host, row, person))
        .collect();
    let mut complaints = judged(stack, host, &seen, shown);
    let said: Vec<String> = seen.iter().map(Seen::cell).collect();
    if said != stack.rows[&host] {
        complaints.push(format!("seen   {host}  {}", said.join(" ")));
        complaints.push(format!("wanted {host}  {}", stack.rows[&host].join(" ")));
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

/// What must hold whatever the table says.
fn judged(stack: &Stack, host: Host, seen: &[Seen], shown: bool) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut dangers = 0;
    for (person, seen) in PEOPLE.iter().zip(seen) {
        let danger = if seen.is_in && seen.factors < 2 {
            Some("gets in with less than two factors")
        } else if seen.sms > 0 && !seen.first {
            Some("makes us send an SMS without a first factor")
        } else {
            None
        };
        dangers += usize::from(danger.is_some());
        let name = if host == Host::Root {
            "root"
        } else {
            person.name
        };
        let exempt = stack.exempt.contains_key(name);
        if let Some(danger) = danger.filter(|_| !exempt && (shown || stack.warned.is_empty())) {
            complaints.push(format!("{host}: {} {danger}", person.name));
        }
        if exempt && danger.is_none() {
            complaints.push(format!("{host}: {} is exempted for nothing", person.name));
        }
        complaints.extend(
            seen.oddities
                .iter()
                .map(|odd| format!("{}: {odd}", person.name)),
        );
    }
    for name in stack.exempt.keys() {
        let person = PEOPLE.iter().find(|person| person.name == name);
        // Only whom the directory has nothing to say of, and root.
        if name != "root" && !person.is_some_and(people::Person::is_local) {
            complaints.push(format!("{name} cannot be exempted"));
        }
    }
    if shown && !stack.warned.is_empty() {
        complaints.push("a document shows it, and it is warned of".to_owned());
    }
    if !stack.warned.is_empty() && dangers == 0 {
        complaints.push("it is warned of for nothing".to_owned());
    }
    complaints
}

/// What the documents show, as the table writes it.
fn documented() -> BTreeSet<String> {
    documents::shown()
        .into_iter()
        .map(|shown| shown.text)
        .collect()
}

fn no_document_shows_a_stack_without_a_row(_: &Bench) {
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
        let row = row
            .unwrap_or_else(|| panic!("{file} shows this, and no row says who gets in:\n{text}"));
        assert!(
            row.warned.is_empty(),
            "{file} shows a stack that is warned of:\n{text}"
        );
        // What sshd has proved, and what it has not; who calls.
        let by_key = ["password=ssh", "password=auto"];
        let has = |words: [&str; 2]| words.iter().any(|word| text.contains(word));
        let by_caller = text.contains("pam_rootok.so") || text == "auth include su";
        let wanted: &[Host] = match (has(by_key), by_caller) {
            (true, _) => &[Host::Plain, Host::Key],
            (_, true) => &[Host::Caller, Host::Root],
            _ => &[Host::Plain],
        };
        for host in wanted {
            assert!(row.rows.contains_key(host), "{file}, {host}:\n{text}");
        }
        // What it includes is what we ship.
        for (name, lines) in &row.files {
            let sample = format!("pam.d/{name}");
            let sample = shown.iter().find(|shown| shown.file == sample);
            let sample =
                sample.unwrap_or_else(|| panic!("{file} includes {name}, which we do not ship"));
            assert_eq!(sample.text, lines.join("\n"), "{file} includes {name}");
        }
    }
}

/// Each dangerous row names the sentences that keep people from it.
fn the_documents_warn_of_what_is_dangerous(_: &Bench) {
    let stacks = table::read();
    let mut warned = 0;
    for stack in &stacks {
        let rows = stack.rows.values().flatten();
        let open = rows.clone().any(|cell| cell.starts_with('!'));
        assert!(
            !open || !stack.warned.is_empty() || !stack.exempt.is_empty(),
            "{} lets somebody in, and nothing warns of it",
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
                "{}: {file} does not say: {words}",
                stack.title
            );
        }
    }
    assert!(warned > 5, "only {warned} rows are warned of");
}
