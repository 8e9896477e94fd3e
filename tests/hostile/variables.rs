//! The module reads no environment variable, and imports no function that would.

use crate::Case;
use crate::module::{Login, Say, Seen, someone};
use lab::Lab;
use lab::pamhost::code;
use lab::process::{found, program, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const CASES: &[Case] = &[
    (
        "hostile::variables::the_module_reads_none",
        the_module_reads_none,
    ),
    (
        "hostile::variables::the_module_imports_no_such_function",
        the_module_imports_no_such_function,
    ),
];

/// A library that records each getenv call: the file of the caller, and the variable. It makes one call at its
/// start, to show that it works.
const LISTENER: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void note(const char *name, void *caller) {
    Dl_info info;
    char line[1024];
    const char *who = dladdr(caller, &info) && info.dli_fname ? info.dli_fname : "?";
    int length = snprintf(line, sizeof line, "%s %s\n", who, name);
    int fd = open(OUT, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && length > 0 && write(fd, line, length) != length) _exit(99);
    if (fd >= 0) close(fd);
}

char *getenv(const char *name) {
    char *(*real)(const char *) = dlsym(RTLD_NEXT, "getenv");
    note(name, __builtin_return_address(0));
    return real(name);
}

char *secure_getenv(const char *name) {
    char *(*real)(const char *) = dlsym(RTLD_NEXT, "secure_getenv");
    note(name, __builtin_return_address(0));
    return real(name);
}

__attribute__((constructor)) static void begin(void) {
    char *volatile (*ask)(const char *) = (void *)dlsym(RTLD_DEFAULT, "getenv");
    ask("BEGIN");
}
"#;

/// Compiles it, and returns the library and its output file.
fn recorder(folder: &Path) -> (PathBuf, PathBuf) {
    let [source, library, out] =
        ["listener.c", "listener.so", "asked"].map(|name| folder.join(name));
    fs::write(&source, LISTENER).expect("a source");
    let mut cc = Command::new(found(&["cc", "gcc", "clang"]));
    cc.args(["-shared", "-fPIC", "-O0", "-o"])
        .arg(&library)
        .arg(&source);
    run(cc.arg(format!("-DOUT=\"{}\"", out.display())).arg("-ldl"));
    (library, out)
}

fn the_module_reads_none(lab: &Lab) {
    let una = someone(lab, "asks-una");
    let (library, out) = recorder(&lab.folder("asks"));
    let login = || {
        let library = library.display().to_string();
        Login::new(lab, "asks").of(&una).host(|host| {
            let host = host
                .env("LD_PRELOAD", &library)
                .env("RUST_BACKTRACE", "full");
            host.env("RUST_MIN_STACK", "1").env("TZ", "UTC")
        })
    };
    let module = lab.product().module();
    login().sees("in", &[Say::Password, Say::Code], &Seen::granted());
    let wrong = Seen::refused(code::AUTH_ERR, "denied reason=wrong-password");
    login().sees("wrong", &[Say::Text("wrong")], &wrong);
    // Logins for which the module itself writes the log line.
    let typo = login().arguments("typo");
    let line = "failed user=? stage=helper reason=bad-settings";
    typo.sees("a typo", &[], &Seen::at_once(code::SERVICE_ERR, line));
    let missing = login().line(format!("{} helper=/nowhere/helper", module.display()));
    let line = "failed user=? stage=helper reason=helper";
    missing.sees("no helper", &[], &Seen::at_once(code::SERVICE_ERR, line));

    let asked = fs::read_to_string(&out).expect("it was listened");
    let by = |file: &Path| {
        let head = format!("{} ", file.display());
        asked.lines().filter(|line| line.starts_with(&head)).count()
    };
    assert_eq!(by(&library), 4, "once in each host: {asked}");
    assert_eq!(by(&module), 0, "{asked}");
}

/// The imports. `getenv` belongs to the panic message of the standard library, which our hook replaces.
fn the_module_imports_no_such_function(lab: &Lab) {
    let mut nm = Command::new(program("nm"));
    let imports = run(nm
        .args(["-D", "--undefined-only"])
        .arg(lab.product().module()));
    let names: Vec<&str> = imports
        .lines()
        .filter_map(|line| line.split_whitespace().last()?.split('@').next())
        .collect();
    assert!(names.contains(&"pam_get_user"), "{imports}");
    for name in [
        "environ",
        "__environ",
        "secure_getenv",
        "setenv",
        "putenv",
        "unsetenv",
        "clearenv",
        "tzset",
        "localtime",
        "localtime_r",
        "mktime",
        "setlocale",
        "newlocale",
        "bindtextdomain",
        "gettext",
        "dgettext",
        "dcgettext",
        "getaddrinfo",
        "gethostbyname",
        "res_init",
        "iconv_open",
        "tmpfile",
        "mkstemp",
        "tempnam",
        "system",
        "popen",
        "execvp",
        "execlp",
        "posix_spawnp",
        "dlopen",
        "wordexp",
        "getopt",
        "strftime",
        "openlog",
        "connect",
    ] {
        assert!(!names.contains(&name), "the module calls {name}");
    }
}
