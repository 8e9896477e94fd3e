//! Different hosts: they ignore or reap children, run as ordinary users, with a hostile environment or
//! without a system log.

use super::ledger::with_ledger;
use super::login::{ASKS, Login, NOT_SENT, PASSWORD, SENT, Say, Seen, Someone, someone};
use crate::Case;
use lab::Lab;
use lab::listeners::{Behavior, Listener};
use lab::machine::User;
use lab::pamhost::{Style, code};
use lab::process::program;
use rustix::process::{Pid, Resource};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "module::hosts::children_may_be_ignored_or_reaped",
        children_may_be_ignored_or_reaped,
    ),
    (
        "module::hosts::no_child_is_seen_by_the_host",
        no_child_is_seen_by_the_host,
    ),
    (
        "module::hosts::an_ordinary_user_may_be_the_host",
        an_ordinary_user_may_be_the_host,
    ),
    (
        "module::hosts::a_helper_with_the_set_user_id_bit_refuses",
        a_helper_with_the_set_user_id_bit_refuses,
    ),
    (
        "module::hosts::a_helper_with_at_secure_and_equal_ids_logs_in",
        a_helper_with_at_secure_and_equal_ids_logs_in,
    ),
    (
        "module::hosts::the_environment_is_not_used",
        the_environment_is_not_used,
    ),
    (
        "module::hosts::low_limits_do_not_reach_the_helper",
        low_limits_do_not_reach_the_helper,
    ),
    (
        "module::hosts::a_login_needs_no_system_log",
        a_login_needs_no_system_log,
    ),
    (
        "module::hosts::a_killed_host_leaves_no_helper",
        a_killed_host_leaves_no_helper,
    ),
];

const IN: [Say; 2] = [Say::Password, Say::Code];

fn children_may_be_ignored_or_reaped(lab: &Lab) {
    let abe = someone(lab, "child-abe");
    for how in ["ignore", "no-wait", "reap"] {
        each_end(lab, "child", &abe, |login| {
            login.host(|host| host.sigchld(how))
        });
    }
}

/// A host with children of its own counts their SIGCHLDs, and a host that waits for all of them (`wait(-1)`) at
/// the prompt, as vsftpd does, would wait for ever. PID 1 and subreapers inherit the children of their
/// children.
fn no_child_is_seen_by_the_host(lab: &Lab) {
    let ann = someone(lab, "unseen-ann");
    for how in ["count", "wait"] {
        each_end(lab, "unseen", &ann, |login| {
            login.host(|host| host.sigchld(how))
        });
        each_end(lab, "unseen", &ann, |login| {
            login.host(|host| host.sigchld(how).with_property("subreaper"))
        });
        if lab.machine_error().is_none() {
            each_end(lab, "unseen", &ann, |login| {
                login.host(|host| host.sigchld(how)).first_process()
            });
        }
    }
}

/// A granted, a denied and an abandoned login, and one without a helper: none of them leaves or shows a child.
fn each_end<'b>(
    lab: &'b Lab,
    case: &'static str,
    who: &Someone,
    hosted: impl Fn(Login<'b>) -> Login<'b>,
) {
    let login = || hosted(Login::new(lab, case).of(who));
    let sees = |login: Login, what: &str, says: &[Say], want: &Seen| {
        let seen = login.sees(what, says, want);
        let [children] = &seen.notes[..] else {
            panic!("{case}, {what}: {seen:?}");
        };
        assert_eq!(children["none"], true, "{case}, {what}: {children}");
        assert_eq!(children["signals"], 0, "{case}, {what}: {children}");
        assert_eq!(children["reaped"], 0, "{case}, {what}: {children}");
    };
    sees(login(), "granted", &IN, &Seen::granted());
    let wrong = Seen::refused(code::AUTH_ERR, "denied reason=wrong-password");
    sees(login(), "denied", &[Say::Text("wrong")], &wrong);
    let abandoned = Seen::new(
        &[code::CONV_ERR],
        &[ASKS, SENT],
        &["sent", "denied first=password reason=abandoned"],
        1,
    );
    sees(
        login(),
        "abandoned",
        &[Say::Password, Say::HangUp],
        &abandoned,
    );
    let line = "failed user=? stage=helper reason=helper";
    let module = lab.product().module();
    let missing = login().line(format!("{} helper=/nowhere/helper", module.display()));
    let at_once = Seen::at_once(code::SERVICE_ERR, line);
    sees(missing, "no helper", &IN, &at_once);
}

fn an_ordinary_user_may_be_the_host(lab: &Lab) {
    if lab.machine_error().is_some() {
        return; // Then all hosts here are ordinary users'.
    }
    let account = lab.machine().add(&User::new("host-bea"));
    let other = lab.machine().add(&User::new("host-cal"));
    let bea = someone(lab, "host-bea");
    let own = lab.folder("ordinary-ledger");
    std::os::unix::fs::chown(&own, Some(account.uid), None).expect("root may chown");
    let own = own.join("ledger");
    let login = |owner| {
        Login::new(lab, "ordinary")
            .of(&bea)
            .text("ledger.path", own.to_str().expect("a path"))
            .owner(owner)
            .tag("host")
            .host(|host| host.run_as(lab.machine(), &account))
    };
    login(account.uid).sees("the host's own settings", &IN, &Seen::granted());
    let line = "failed stage=settings reason=bad-settings";
    let refused = Seen::at_once(code::SERVICE_ERR, line);
    login(other.uid).sees("another user's settings", &IN, &refused);
    login(0).sees("root's settings, which the user cannot read", &IN, &refused);
}

/// A login whose host is an ordinary user with a helper of their own.
fn ordinary<'b>(lab: &'b Lab, case: &'static str, name: &'static str) -> Login<'b> {
    let account = lab.machine().add(&User::new(name));
    let user = someone(lab, name);
    let ledger = lab.folder(&format!("{case}-ledger"));
    std::os::unix::fs::chown(&ledger, Some(account.uid), None).expect("root may chown");
    let ledger = ledger.join("ledger");
    Login::new(lab, case)
        .of(&user)
        .text("ledger.path", ledger.to_str().expect("a path"))
        .owner(account.uid)
        .tag("host")
        .host(|host| host.run_as(lab.machine(), &account))
        .own_helper()
}

/// A mistaken chmod gives nothing to a user who may start the helper: it detects that it has more rights than
/// its host process, and exits.
fn a_helper_with_the_set_user_id_bit_refuses(lab: &Lab) {
    if lab.machine_error().is_some() {
        return; // Only root can give it root's rights.
    }
    let login = ordinary(lab, "set-id", "host-dov");
    login.sees("without the bit", &IN, &Seen::granted());
    lab::scratch::set_mode(&login.helper(), 0o4755);
    let line = "failed user=? stage=helper reason=local";
    login.sees("with it", &IN, &Seen::at_once(code::SERVICE_ERR, line));
    lab::scratch::set_mode(&login.helper(), 0o755);
    login.sees("without it again", &IN, &Seen::granted());
}

/// `AT_SECURE` is set by an SELinux or AppArmor transition too, and by a file capability, which is
/// what this machine can give the helper: the ids stay those of the host process.
fn a_helper_with_at_secure_and_equal_ids_logs_in(lab: &Lab) {
    if lab.machine_error().is_some() {
        return; // Only root can give a capability to a file.
    }
    let login = ordinary(lab, "at-secure", "host-eda");
    // struct vfs_cap_data of linux/capability.h: revision 2 with the effective bit, then
    // CAP_NET_BIND_SERVICE as permitted, and nothing else.
    let mut capability = [0_u8; 20];
    capability[0] = 1;
    capability[3] = 2;
    capability[5] = 4;
    let (name, flags) = ("security.capability", rustix::fs::XattrFlags::empty());
    rustix::fs::setxattr(login.helper(), name, &capability, flags).expect("a file capability");
    let mut secure = false;
    let (transcript, seen) = login.run_with(2, |message| {
        for helper in login.helpers() {
            secure |= at_secure(helper);
        }
        match message.style {
            Style::Hidden => PASSWORD.into(),
            _ => login.arrived().last().expect("an SMS").code().into(),
        }
    });
    assert!(secure, "the helper ran without AT_SECURE");
    assert_eq!(transcript.codes(), [code::SUCCESS], "{transcript:?}");
    assert_eq!(seen, Seen::granted());
}

/// Whether the kernel has set `AT_SECURE` (23) for this process (proc_pid_auxv(5)).
fn at_secure(process: Pid) -> bool {
    const WORD: usize = size_of::<usize>();
    let auxv = std::fs::read(format!("/proc/{}/auxv", process.as_raw_nonzero()));
    let auxv = auxv.expect("root may read it");
    let word = |bytes: &[u8]| usize::from_ne_bytes(bytes.try_into().expect("a word"));
    auxv.chunks_exact(2 * WORD)
        .any(|pair| word(&pair[..WORD]) == 23 && word(&pair[WORD..]) != 0)
}

fn the_environment_is_not_used(lab: &Lab) {
    let dot = someone(lab, "env-dot");
    let attacker = Listener::start(Behavior::Closes);
    let proxy = format!("http://127.0.0.1:{}", attacker.port());
    let ca = lab.certs().ca().display().to_string();
    let other = lab.certs().other_ca().display().to_string();
    let variables = |ca: &str| {
        [
            ("SSL_CERT_FILE", ca),
            ("SSL_CERT_DIR", "/nowhere"),
            ("CURL_CA_BUNDLE", ca),
            ("LDAPTLS_CACERT", ca),
            ("LDAPURI", "ldap://127.0.0.1:1"),
            ("HTTPS_PROXY", &proxy),
            ("https_proxy", &proxy),
            ("http_proxy", &proxy),
            ("ALL_PROXY", &proxy),
            ("NO_PROXY", ""),
            ("HOSTALIASES", "/nowhere"),
            ("RES_OPTIONS", "attempts:99"),
            ("TZ", "/etc/shadow"),
            ("RUST_BACKTRACE", "full"),
            ("RUST_LOG", "trace"),
            ("MALLOC_CHECK_", "7"),
            ("SSLKEYLOGFILE", "/tmp/keys"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
    };
    let hosted = |ca: &str, drop: Option<&str>| {
        let mut login = Login::new(lab, "env").of(&dot);
        for (name, value) in variables(ca) {
            login = login.host(|host| host.env(name, &value));
        }
        match drop {
            Some(key) => login.change(|settings| settings.without(key)),
            None => login,
        }
    };
    hosted(&other, None).sees("another CA", &IN, &Seen::granted());
    // A CA that only the environment names is not trusted.
    let line = "failed stage=twilio reason=refused";
    let untrusted = Seen::new(&[code::SERVICE_ERR], &[ASKS, NOT_SENT], &[line], 0);
    hosted(&ca, Some("twilio.ca_file")).sees("Twilio", &IN, &untrusted);
    let line = "failed user=? stage=directory reason=refused";
    let untrusted = Seen::refused(code::SERVICE_ERR, line);
    hosted(&ca, Some("ldap.ca_file")).sees("directory", &IN, &untrusted);
    assert_eq!(attacker.accepted(), 0);
}

fn low_limits_do_not_reach_the_helper(lab: &Lab) {
    let eli = someone(lab, "limit-eli");
    let login = || Login::new(lab, "limit").of(&eli);
    // With RLIMIT_FSIZE 0 no ledger can be created; an existing one continues to work.
    login().sees("before", &IN, &Seen::granted());
    for (what, resource, value) in [
        ("file size", Resource::Fsize, 0),
        ("core", Resource::Core, 0),
        ("locked memory", Resource::Memlock, 0),
        ("messages", Resource::Msgqueue, 0),
        ("pending signals", Resource::Sigpending, 0),
    ] {
        let limited = login().host(|host| host.limit(resource, value));
        limited.sees(what, &IN, &Seen::granted());
    }
    let soft = login().host(|host| host.soft_limit(Resource::Nofile, 8));
    soft.sees("descriptors, soft", &IN, &Seen::granted());
    // Where the hard one is too low: `hostile::neighbour::few_free_descriptors`.
}

fn a_login_needs_no_system_log(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let fay = someone(lab, "log-fay");
    // Lines that are lost are counted in the ledger, for the next login that has one.
    let login = with_ledger(lab, "log", &fay);
    let unheard = login.folder.join("unheard");
    // A log without a reader accepts some lines, and then no more.
    let socket = UnixDatagram::bind(&unheard).expect("a socket");
    let filler = UnixDatagram::unbound().expect("a socket");
    filler.set_nonblocking(true).expect("not blocking");
    while filler.send_to(b"<86>full", &unheard).is_ok() {}
    let (unshare, sh) = (program("unshare"), program("sh"));
    let (unshare, sh) = (unshare.display().to_string(), sh.display().to_string());
    let silent = |codes, screen: &[&str], sms| Seen::new(codes, screen, &[], sms);
    for (what, log) in [
        ("none", "/dev/null"),
        ("full", &*unheard.display().to_string()),
    ] {
        let mount = program("mount").display().to_string();
        let script = format!("{mount} --bind {log} /dev/log && exec \"$@\"");
        // The machine is private already, and in a chroot `/` is no mount whose propagation
        // could be changed.
        let (apart, unchanged) = ("--mount", "--propagation=unchanged");
        let login = with_ledger(lab, "log", &fay)
            .host(|host| host.through(&[&unshare, apart, unchanged, &sh, "-c", &script, "sh"]));
        let started = Instant::now();
        login.sees(what, &IN, &silent(&[code::SUCCESS], &[ASKS, SENT], 1));
        login.sees(
            what,
            &[Say::Text("wrong")],
            &silent(&[code::AUTH_ERR], &[ASKS], 0),
        );
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
    }
    drop(socket);
}

fn a_killed_host_leaves_no_helper(lab: &Lab) {
    if lab.machine_error().is_some() {
        return; // Root alone sees which process is whose helper.
    }
    let gus = someone(lab, "gone-gus");
    let login = Login::new(lab, "gone").of(&gus).own_helper();
    let abandoned = &["sent", "denied first=password reason=abandoned"];
    let rows = [
        (
            &[Say::Die][..],
            Seen::new(&[], &[ASKS], &["denied user=? reason=cancelled"], 0),
        ),
        (
            &[Say::Password, Say::Die],
            Seen::new(&[], &[ASKS, SENT], abandoned, 1),
        ),
    ];
    for (says, want) in rows {
        login.sees("killed", says, &want);
        let until = Instant::now() + Duration::from_secs(5);
        while !login.helpers().is_empty() {
            assert!(Instant::now() < until, "the helper is still there");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
