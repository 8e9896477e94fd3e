//! Files have at most 400 lines, functions at most 60.

use super::sources;
use crate::Case;
use lab::Lab;

pub const CASES: &[Case] = &[
    ("drift::limits::files_are_short", files_are_short),
    ("drift::limits::functions_are_short", functions_are_short),
    (
        "drift::limits::functions_are_measured",
        functions_are_measured,
    ),
];

const MAX_FILE: usize = 400;
const MAX_FUNCTION: usize = 60;

/// Files that are still longer.
const LONG_FILES: &[&str] = &[
    "src/ledger/redis/fault.rs",
    "src/ledger/model.rs",
    "src/ledger.rs",
    "src/ledger/conform.rs",
    "src/ledger/fallback/tests.rs",
    "tests/hostile/sandbox.rs",
    "tests/lab/src/pamhost.rs",
    "tests/module/ledger.rs",
];

/// Functions that are still longer. Most are tables of cases.
const LONG_FUNCTIONS: &[&str] = &[
    "tests/module/texts.rs: every_text_can_be_changed",
    "tests/lab/src/fake_helper.rs: main",
    "tests/hostile/written.rs: only_the_ledger_is_written",
    "src/ledger/redis/properties.rs: script_reply",
    "src/directory/properties/entry.rs: check_entry",
    "src/directory/validate/tests.rs: shapes_on_which_the_library_would_panic_do_not_pass",
    "src/ledger/file/tests.rs: a_new_number_is_known_once_it_is_told",
    "src/ledger/redis/fault.rs: outages_and_refusals",
    "src/ledger/redis/properties.rs: said",
    "src/sys/sandbox/seccomp/tests.rs: arguments_are_checked",
    "tests/hostile/exhausted.rs: each",
    "tests/hostile/faults/carrier.rs: reaching",
    "tests/hostile/faults/carrier.rs: posting",
    "tests/hostile/faults/directory.rs: securing",
    "tests/hostile/faults/directory.rs: exchanging",
    "tests/hostile/intermediate.rs: the_hook_returns_whatever_is_done_to_it",
    "tests/hostile/memory.rs: the_host_holds_one_password_and_nothing_else",
    "tests/hostile/misbehaved.rs: malformed",
    "tests/hostile/refused.rs: tls_failures_have_a_text_and_a_remedy",
    "tests/hostile/sandbox.rs: a_failed_layer_refuses_the_login",
    "tests/hostile/sandbox.rs: each_layer_denies",
    "tests/hostile/sandbox/confined.rs: raw",
    "tests/hostile/stacks/methods.rs: try_visit",
    "tests/hostile/untrusted_text/places.rs: from_the_directory",
    "tests/hostile/untrusted_text/places.rs: from_other_servers",
    "tests/lab/src/pamhost.rs: run_watched",
    "tests/lab/src/pamhost/snapshot.rs: take",
    "tests/lab/src/slapd/tests.rs: binds_searches_policies_and_scripted_answers",
    "tests/lab/src/twilio/server.rs: handle",
    "tests/module/arguments.rs: settings_that_others_could_write_are_refused",
    "tests/module/arguments.rs: a_helper_that_others_could_write_is_refused",
    "tests/module/details.rs: the_log_names_attribute_and_reason_but_no_value",
    "tests/module/directory.rs: the_log_names_why_the_service_account_cannot_bind",
    "tests/module/happy.rs: ssh_and_stack_provide_the_first_factor",
    "tests/module/password.rs: each_bind_result_has_its_outcome",
    "tests/module/prompt.rs: an_empty_answer_sends_the_same_code_again",
    "tests/module/prompt.rs: input_that_is_not_a_code_is_not_a_try",
    "tests/module/repeated.rs: an_outage_after_a_code_prompt_is_a_service_error",
    "tests/module/shared_ledger.rs: hosts_share_one_count",
    "tests/support/net_server.rs: serve",
    "src/directory/properties/entry.rs: check_entry",
    "src/directory/validate/tests.rs: shapes_on_which_the_library_would_panic_do_not_pass",
    "src/ledger/file/tests.rs: a_new_number_is_known_once_it_is_told",
    "src/ledger/redis/fault.rs: outages_and_refusals",
    "src/ledger/redis/properties.rs: said",
    "src/sys/sandbox/seccomp/tests.rs: arguments_are_checked",
    "tests/hostile/exhausted.rs: each",
    "tests/hostile/faults/carrier.rs: reaching",
    "tests/hostile/faults/carrier.rs: posting",
    "tests/hostile/faults/directory.rs: securing",
    "tests/hostile/faults/directory.rs: exchanging",
    "tests/hostile/intermediate.rs: the_hook_returns_whatever_is_done_to_it",
    "tests/hostile/memory.rs: the_host_holds_one_password_and_nothing_else",
    "tests/hostile/misbehaved.rs: malformed",
    "tests/hostile/refused.rs: tls_failures_have_a_text_and_a_remedy",
    "tests/hostile/sandbox.rs: a_failed_layer_refuses_the_login",
    "tests/hostile/sandbox.rs: each_layer_denies",
    "tests/hostile/sandbox/confined.rs: raw",
    "tests/hostile/stacks/methods.rs: try_visit",
    "tests/hostile/untrusted_text/places.rs: from_the_directory",
    "tests/hostile/untrusted_text/places.rs: from_other_servers",
    "tests/lab/src/pamhost.rs: run_watched",
    "tests/lab/src/pamhost/snapshot.rs: take",
    "tests/lab/src/slapd/tests.rs: binds_searches_policies_and_scripted_answers",
    "tests/lab/src/twilio/server.rs: handle",
    "tests/module/arguments.rs: settings_that_others_could_write_are_refused",
    "tests/module/arguments.rs: a_helper_that_others_could_write_is_refused",
    "tests/module/details.rs: the_log_names_attribute_and_reason_but_no_value",
    "tests/module/directory.rs: the_log_names_why_the_service_account_cannot_bind",
    "tests/module/happy.rs: ssh_and_stack_provide_the_first_factor",
    "tests/module/password.rs: each_bind_result_has_its_outcome",
    "tests/module/prompt.rs: an_empty_answer_sends_the_same_code_again",
    "tests/module/prompt.rs: input_that_is_not_a_code_is_not_a_try",
    "tests/module/repeated.rs: an_outage_after_a_code_prompt_is_a_service_error",
    "tests/module/shared_ledger.rs: hosts_share_one_count",
    "tests/support/net_server.rs: serve",
];

const FOLDERS: &[&str] = &[
    "src",
    "module",
    "protocol",
    "safe-path",
    "tests",
    "benches",
    "fuzz",
];

/// Every Rust file, and its text.
fn files() -> impl Iterator<Item = (String, String)> {
    FOLDERS.iter().flat_map(|folder| sources(folder))
}

fn files_are_short(_: &Lab) {
    let long: Vec<String> = files()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(path, lines)| *lines > MAX_FILE && !LONG_FILES.contains(&path.as_str()))
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "over {MAX_FILE} lines: {long:#?}");
}

fn functions_are_short(_: &Lab) {
    let long: Vec<String> = files()
        .flat_map(|(path, text)| {
            let functions = functions(&text).into_iter();
            let named = functions.map(|(name, lines)| (format!("{path}: {name}"), lines));
            named.collect::<Vec<_>>()
        })
        .filter(|(name, lines)| *lines > MAX_FUNCTION && !LONG_FUNCTIONS.contains(&name.as_str()))
        .map(|(function, lines)| format!("{function}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "over {MAX_FUNCTION} lines: {long:#?}");
}

/// Returns each function with its number of lines, from `fn` to the closing brace, which rustfmt puts below
/// the first letter of the signature.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let rest = &lines[at..];
        let signature = rest
            .iter()
            .position(|line| line.ends_with(['{', ';', '}']))
            .unwrap_or_default();
        let mut length = signature + 1;
        if rest[signature].ends_with('{') {
            let indent = &line[..line.len() - line.trim_start().len()];
            let closing = format!("{indent}}}");
            let end = rest.iter().position(|line| *line == closing);
            length = end.map_or(length, |end| end + 1);
        }
        found.push((name, length));
    }
    found
}

/// The name of the function that begins on this line.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let is_word = |word: &str| {
        matches!(
            word,
            "pub" | "const" | "async" | "unsafe" | "extern" | "\"C\""
        ) || word.starts_with("pub(")
            || word.ends_with(')') && before.contains("pub(in ")
    };
    if !before.split_whitespace().all(is_word) {
        return None;
    }
    let end = after.find(['(', '<'])?;
    Some(&after[..end])
}

fn functions_are_measured(_: &Lab) {
    let text = "\
impl A {
    pub(crate) const fn one(&self) -> u8 {
        if x {
            1
        }
    }

    fn two(
        a: u8,
    ) -> u8 {
        a
    }

    fn three() {}
}

trait B {
    fn four(&self);
    fn five(
        &self,
    );
}
// the fn (word) in a comment
";
    let expected = [
        ("one", 5),
        ("two", 5),
        ("three", 1),
        ("four", 1),
        ("five", 3),
    ];
    assert_eq!(functions(text), expected);
}
