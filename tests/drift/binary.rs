//! What a host loads: few crates, few symbols, nothing that can be rewritten.

use super::repository;
use crate::Case;
use lab::Lab;
use lab::process::run;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

pub const CASES: &[Case] = &[
    (
        "drift::binary::the_module_depends_on_little",
        the_module_depends_on_little,
    ),
    ("drift::binary::it_is_small", it_is_small),
    (
        "drift::binary::the_module_exports_hooks_only",
        the_module_exports_hooks_only,
    ),
    (
        "drift::binary::the_module_is_hardened",
        the_module_is_hardened,
    ),
    (
        "drift::binary::the_module_needs_few_libraries",
        the_module_needs_few_libraries,
    ),
];

fn the_module_depends_on_little(_: &Lab) {
    let Some(cargo) = std::env::var_os("CARGO") else {
        eprintln!("cargo is not at hand: its tree was not looked at");
        return;
    };
    let tree = run(Command::new(cargo)
        .args([
            "tree",
            "-p",
            "pam_sms_otp",
            "-e",
            "normal",
            "--prefix",
            "none",
        ])
        .args(["--offline", "--locked"])
        .current_dir(repository()));
    let crates: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(crates.contains(&"pam_sms_otp"), "{tree}");
    let never = [
        "async-io",
        "hyper",
        "ldap3",
        "native-tls",
        "openssl",
        "reqwest",
        "ring",
        "rustls",
        "serde",
        "serde_json",
        "sms-otp",
        "smol",
        "tokio",
        "toml",
        "ureq",
    ];
    for name in never {
        assert!(!crates.contains(&name), "the module loads {name}:\n{tree}");
    }
    let beside: BTreeSet<&str> = crates
        .into_iter()
        .filter(|name| !["pam_sms_otp", "protocol", "safe-path"].contains(name) && !name.is_empty())
        .collect();
    assert!(beside.len() <= 5, "the module loads much:\n{tree}");
}

/// In bytes: 350 KB are loaded into every sshd and sudo, 5 MB are read at each login. The oldest Rust
/// makes more of the same module.
fn it_is_small(lab: &Lab) {
    let product = lab.product();
    let compilers = tool("readelf", &["-p", ".comment"], &product.module());
    let oldest = compilers.contains("rustc version 1.85.");
    let module = if oldest { 400 << 10 } else { 350 << 10 };
    for (program, most) in [(product.module(), module), (product.helper(), 5 << 20)] {
        let size = std::fs::metadata(&program).expect("the release").len();
        assert!(size <= most, "{}: {size} bytes", program.display());
    }
}

/// A tool of binutils, which linking requires.
fn tool(name: &str, arguments: &[&str], file: &Path) -> String {
    run(Command::new(name)
        .args(arguments)
        .arg(file)
        .env("LC_ALL", "C"))
}

fn the_module_exports_hooks_only(lab: &Lab) {
    let module = lab.product().module();
    let symbols = tool("nm", &["-D", "--defined-only"], &module);
    let mut names: Vec<&str> = symbols
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    names.sort_unstable();
    let hooks = [
        "pam_sm_acct_mgmt",
        "pam_sm_authenticate",
        "pam_sm_chauthtok",
        "pam_sm_close_session",
        "pam_sm_open_session",
        "pam_sm_setcred",
    ];
    assert_eq!(names, hooks);
}

fn the_module_is_hardened(lab: &Lab) {
    let module = lab.product().module();
    let dynamic = tool("readelf", &["-W", "-d", "-l"], &module);
    assert!(dynamic.contains("GNU_RELRO"), "{dynamic}");
    assert!(dynamic.contains("NOW"), "not bound at once: {dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
    for word in ["RPATH", "RUNPATH", "TEXTREL"] {
        assert!(!dynamic.contains(word), "{word}: {dynamic}");
    }
    let stack = dynamic.lines().find(|line| line.contains("GNU_STACK"));
    let stack = stack.expect("a GNU_STACK");
    assert!(stack.contains(" RW ") && !stack.contains("RWE"), "{stack}");
    for program in [lab.product().helper(), lab.product().command()] {
        let dynamic = tool("readelf", &["-W", "-d", "-l"], &program);
        assert!(
            dynamic.contains("GNU_RELRO") && dynamic.contains("NOW"),
            "{dynamic}"
        );
        assert!(!dynamic.contains("RWE"), "{dynamic}");
    }
}

fn the_module_needs_few_libraries(lab: &Lab) {
    let module = lab.product().module();
    let dynamic = tool("readelf", &["-W", "-d"], &module);
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    for line in needed {
        let name = line.split(['[', ']']).nth(1).expect("a library's name");
        let known = ["libpam.so.", "libc.so.", "libgcc_s.so.", "ld-linux"];
        assert!(
            known.iter().any(|known| name.starts_with(known)),
            "the module loads {name}"
        );
    }
}
