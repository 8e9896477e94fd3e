//! Logins that are granted, for each source of the password.

use super::login::{ASKS, GRANTED, Login, PASSWORD, SENT, Say, Seen, someone};
use crate::Case;
use lab::Lab;
use lab::machine::User;
use lab::pamhost::{Step, code};

pub const CASES: &[Case] = &[
    (
        "module::happy::password_and_code_open",
        password_and_code_open,
    ),
    (
        "module::happy::a_password_left_by_another_module_is_used",
        a_password_left_by_another_module_is_used,
    ),
    (
        "module::happy::use_first_pass_never_prompts",
        use_first_pass_never_prompts,
    ),
    (
        "module::happy::the_password_is_left_for_the_next_module",
        the_password_is_left_for_the_next_module,
    ),
    (
        "module::happy::ssh_and_stack_provide_the_first_factor",
        ssh_and_stack_provide_the_first_factor,
    ),
    (
        "module::happy::the_more_specific_source_wins",
        the_more_specific_source_wins,
    ),
    (
        "module::happy::the_other_hooks_return_ignore",
        the_other_hooks_return_ignore,
    ),
    (
        "module::happy::debug_logs_steps_and_no_secret",
        debug_logs_steps_and_no_secret,
    ),
];

/// `pam_unix` asks first; it has no such user and leaves what was typed.
const AFTER_UNIX: &str = "auth optional pam_unix.so nodelay\nauth required {}\n";

fn password_and_code_open(lab: &Lab) {
    let anna = someone(lab, "happy-anna");
    let login = Login::new(lab, "happy").of(&anna);
    for code in [Say::Code, Say::SpacedCode] {
        login.sees("in", &[Say::Password, code], &Seen::granted());
    }
    assert_eq!(lab.slapd().binds(&anna.person.dn()), 2);
    assert_eq!(login.requests(), 2);
    for argument in ["try_first_pass", "password=ldap"] {
        let login = Login::new(lab, "happy").of(&anna).arguments(argument);
        login.sees(argument, &[Say::Password, Say::Code], &Seen::granted());
    }
    let codes: Vec<String> = login.arrived().iter().map(lab::twilio::Sms::code).collect();
    assert_eq!(codes.len(), 4);
    assert!(
        codes.iter().any(|code| *code != codes[0]),
        "one code for all"
    );
}

fn debug_logs_steps_and_no_secret(lab: &Lab) {
    let dora = someone(lab, "debug-dora");
    let login = Login::new(lab, "debug").of(&dora).arguments("debug");
    let (seen, _) = login.run(&[Say::Password, Say::Code], 3);
    assert_eq!(seen.codes(), [code::SUCCESS]);
    if lab.machine_error().is_none() {
        let log = lab.machine().log();
        let lines = log.lines_with(&["pam_sms_otp(debug:auth): debug"]);
        assert!(!lines.is_empty());
    }
}

fn a_password_left_by_another_module_is_used(lab: &Lab) {
    let ben = someone(lab, "left-ben");
    for arguments in ["", "try_first_pass", "use_first_pass"] {
        let login = Login::new(lab, "left")
            .of(&ben)
            .arguments(arguments)
            .stack(AFTER_UNIX);
        let before = lab.slapd().binds(&ben.person.dn());
        // The one prompt is pam_unix's.
        login.sees(arguments, &[Say::Password, Say::Code], &Seen::granted());
        let wrong = Seen::refused(code::AUTH_ERR, "denied reason=wrong-password");
        login.sees("not asked again", &[Say::Text("wrong")], &wrong);
        assert_eq!(lab.slapd().binds(&ben.person.dn()), before + 2);
    }
}

fn use_first_pass_never_prompts(lab: &Lab) {
    let cleo = someone(lab, "none-left-cleo");
    let login = Login::new(lab, "none-left")
        .of(&cleo)
        .arguments("use_first_pass");
    let refused = Seen::at_once(code::AUTH_ERR, "denied reason=wrong-password");
    login.sees("nothing was left", &[Say::Password, Say::Code], &refused);
    assert_eq!(lab.slapd().binds(&cleo.person.dn()), 0);
}

fn the_password_is_left_for_the_next_module(lab: &Lab) {
    let dan = someone(lab, "leaves-dan");
    let login = Login::new(lab, "leaves").of(&dan);
    let kept = login.folder.join("kept");
    let script = login.folder.join("keep");
    let text = format!("#!/bin/sh\n/usr/bin/tr -d '\\0' > {}\n", kept.display());
    lab::scratch::write(&script, 0o755, text);
    let line = format!(
        "{}\nauth required pam_exec.so expose_authtok {}",
        login.product_line(),
        script.display()
    );
    login
        .line(line)
        .sees("in", &[Say::Password, Say::Code], &Seen::granted());
    let left = std::fs::read_to_string(&kept).expect("what pam_exec was handed");
    assert_eq!(left, PASSWORD);

    if lab.machine_error().is_some() {
        return;
    }
    // The same in a stack for local accounts.
    lab.machine()
        .add(&User::new("leaves-eva").password(PASSWORD));
    let eva = someone(lab, "leaves-eva");
    let login = Login::new(lab, "leaves-unix")
        .of(&eva)
        .stack("auth required {}\nauth required pam_unix.so use_first_pass\n");
    login.sees("in", &[Say::Password, Say::Code], &Seen::granted());
}

fn ssh_and_stack_provide_the_first_factor(lab: &Lab) {
    let fay = someone(lab, "first-fay");
    let none = Seen::at_once(code::AUTH_ERR, "denied user=? reason=no-first-factor");
    let key = "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA\n";
    let name = "SSH_AUTH_INFO_0=";
    let long = |bytes: usize| format!("{name}publickey {}\n", "x".repeat(bytes - 11));
    let (longest, too_long) = (long(64 * 1024), long(64 * 1024 + 1));
    let refused = Seen::at_once(
        code::SERVICE_ERR,
        "failed user=? stage=helper reason=helper",
    );
    let rows: &[(&str, Option<&str>, &Seen)] = &[
        ("ssh", Some(key), &Seen::granted_by_code()),
        ("ssh", Some(&longest), &Seen::granted_by_code()),
        ("ssh", Some(&too_long), &refused),
        (
            "ssh",
            Some("SSH_AUTH_INFO_0=password\n"),
            &Seen::granted_by_code(),
        ),
        (
            "ssh",
            Some("SSH_AUTH_INFO_0=hostbased\n"),
            &Seen::granted_by_code(),
        ),
        (
            "ssh",
            Some("SSH_AUTH_INFO_0=gssapi-with-mic x\n"),
            &Seen::granted_by_code(),
        ),
        ("ssh", None, &none),
        ("ssh", Some("SSH_AUTH_INFO_0="), &none),
        ("ssh", Some("SSH_AUTH_INFO_0=keyboard-interactive\n"), &none),
        ("ssh", Some("SSH_AUTH_INFO_0=publickeys x\n"), &none),
        ("auto", Some(key), &Seen::granted_by_code()),
        ("auto", None, &Seen::granted()),
        (
            "auto",
            Some("SSH_AUTH_INFO_0=keyboard-interactive\n"),
            &Seen::granted(),
        ),
        ("stack", None, &Seen::granted_by_code()),
    ];
    for (source, ssh_auth_info, want) in rows {
        let login = Login::new(lab, "first")
            .of(&fay)
            .text("password.source", source)
            .host(|host| match ssh_auth_info {
                Some(ssh_auth_info) => host.pam_env(ssh_auth_info),
                None => host,
            });
        let asked = want != &&Seen::granted_by_code();
        let says = [Say::Password, Say::Code];
        login.sees(
            &format!(
                "{source} {:?}",
                ssh_auth_info.map(|ssh_auth_info| &ssh_auth_info[..ssh_auth_info.len().min(60)])
            ),
            &says[usize::from(!asked)..],
            want,
        );
    }
    // The host's own environment is not used.
    let login = Login::new(lab, "first")
        .of(&fay)
        .text("password.source", "ssh")
        .host(|host| host.env("SSH_AUTH_INFO_0", "publickey ssh-ed25519 AAAA"));
    login.sees("environment", &[], &none);
}

fn the_more_specific_source_wins(lab: &Lab) {
    let gus = someone(lab, "nearer-gus");
    let own = "service.nearer.password.source";
    // [password], [service.nearer], the argument; whether a password is asked for.
    let rows = [
        ("ldap", None, "", true),
        ("stack", None, "", false),
        ("ldap", Some("stack"), "", false),
        ("stack", Some("ldap"), "", true),
        ("ldap", Some("ldap"), "password=stack", false),
        ("stack", Some("stack"), "password=ldap", true),
        ("stack", None, "password=auto", true),
        ("ssh", Some("ssh"), "password=stack", false),
    ];
    for (all, service, argument, asks) in rows {
        let mut login = Login::new(lab, "nearer")
            .of(&gus)
            .text("password.source", all)
            .text("service.other.password.source", "ssh")
            .arguments(argument);
        if let Some(service) = service {
            login = login.text(own, service);
        }
        let what = format!("{all} {service:?} {argument}");
        if asks {
            login.sees(&what, &[Say::Password, Say::Code], &Seen::granted());
        } else {
            login.sees(&what, &[Say::Code], &Seen::granted_by_code());
        }
    }
}

fn the_other_hooks_return_ignore(lab: &Lab) {
    let ida = someone(lab, "hooks-ida");
    let all = "auth required {}\naccount required {}\nsession required {}\npassword required {}\n";
    let steps = [
        Step::Authenticate,
        Step::Credentials,
        Step::Account,
        Step::OpenSession,
        Step::CloseSession,
        Step::ChangePassword,
    ];
    // libpam refuses a stack in which every module returns PAM_IGNORE (PAM_PERM_DENIED).
    let denied = 6;
    let mut codes = vec![code::SUCCESS, code::SUCCESS];
    codes.extend([denied; 4]);
    let login = Login::new(lab, "hooks")
        .of(&ida)
        .stack(all)
        .host(|host| host.steps(&steps));
    login.sees(
        "alone",
        &[Say::Password, Say::Code],
        &Seen::new(&codes, &[ASKS, SENT], GRANTED, 1),
    );
    // Beside a module that decides, ours changes nothing.
    let beside = "auth required {}\naccount required {}\naccount required pam_permit.so\n\
                  session required {}\nsession required pam_permit.so\n\
                  password required {}\npassword required pam_permit.so\n";
    let login = Login::new(lab, "hooks")
        .of(&ida)
        .stack(beside)
        .host(|host| host.steps(&steps));
    login.sees(
        "beside pam_permit",
        &[Say::Password, Say::Code],
        &Seen::new(&[code::SUCCESS; 6], &[ASKS, SENT], GRANTED, 1),
    );
}
