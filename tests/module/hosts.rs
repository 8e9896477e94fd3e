//! Hosts of every kind: they ignore or reap children, are ordinary users, come with a hostile
//! environment or without a system log.

use super::login::{ASKS, Login, NOT_SENT, SENT, Say, Seen, someone};
use crate::Case;
use lab::bench::Bench;
use lab::listeners::{Listener, Manner};
use lab::pamhost::code;
use lab::process::program;
use lab::world::User;
use rustix::process::Resource;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "module::hosts::children_may_be_ignored_or_reaped",
        children_may_be_ignored_or_reaped,
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
        "module::hosts::the_environment_counts_for_nothing",
        the_environment_counts_for_nothing,
    ),
    (
        "module::hosts::low_limits_are_the_host_s_own",
        low_limits_are_the_host_s_own,
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

fn children_may_be_ignored_or_reaped(bench: &Bench) {
    let abe = someone(bench, "child-abe");
    for how in ["ignore", "reap"] {
        let login = Login::new(bench, "child")
            .of(&abe)
            .host(|host| host.sigchld(how));
        login.sees(how, &IN, &Seen::granted());
        let wrong = Seen::refused(code::AUTH_ERR, "denied reason=wrong-password");
        login.sees(how, &[Say::Text("wrong")], &wrong);
        let hung = Seen::new(
            &[code::CONV_ERR],
            &[ASKS, SENT],
            &["sent", "denied first=password reason=abandoned"],
            1,
        );
        login.sees(how, &[Say::Password, Say::HangUp], &hung);
        let line = "failed user=? stage=helper reason=helper";
        let missing = login.line(format!(
            "{} helper=/nowhere/helper",
            bench.product().module().display()
        ));
        missing.sees(how, &IN, &Seen::at_once(code::SERVICE_ERR, line));
    }
}

fn an_ordinary_user_may_be_the_host(bench: &Bench) {
    if bench.without_world().is_some() {
        return; // Then all hosts here are ordinary users'.
    }
    let account = bench.world().add(&User::new("host-bea"));
    let other = bench.world().add(&User::new("host-cal"));
    let bea = someone(bench, "host-bea");
    let own = bench.folder("ordinary-ledger");
    std::os::unix::fs::chown(&own, Some(account.uid), None).expect("root may chown");
    let own = own.join("ledger");
    let login = |owner| {
        Login::new(bench, "ordinary")
            .of(&bea)
            .text("ledger.path", own.to_str().expect("a path"))
            .owner(owner)
            .tag("host")
            .host(|host| host.run_as(bench.world(), &account))
    };
    login(account.uid).sees("his own settings", &IN, &Seen::granted());
    let line = "failed stage=settings reason=bad-settings";
    let refused = Seen::at_once(code::SERVICE_ERR, line);
    login(other.uid).sees("somebody else's settings", &IN, &refused);
    login(0).sees("root's settings, which he cannot read", &IN, &refused);
}

/// Somebody who may start it himself gains nothing by a slip of chmod's: it sees that it has more
/// rights than its host, and goes.
fn a_helper_with_the_set_user_id_bit_refuses(bench: &Bench) {
    if bench.without_world().is_some() {
        return; // Then nobody here can give it root's.
    }
    let account = bench.world().add(&User::new("host-dov"));
    let dov = someone(bench, "host-dov");
    let own = bench.folder("set-id-ledger");
    std::os::unix::fs::chown(&own, Some(account.uid), None).expect("root may chown");
    let own = own.join("ledger");
    let login = Login::new(bench, "set-id")
        .of(&dov)
        .text("ledger.path", own.to_str().expect("a path"))
        .owner(account.uid)
        .tag("host")
        .host(|host| host.run_as(bench.world(), &account))
        .own_helper();
    login.sees("without the bit", &IN, &Seen::granted());
    lab::scratch::set_mode(&login.helper(), 0o4755);
    let line = "failed user=? stage=helper reason=local";
    login.sees("with it", &IN, &Seen::at_once(code::SERVICE_ERR, line));
    lab::scratch::set_mode(&login.helper(), 0o755);
    login.sees("without it again", &IN, &Seen::granted());
}

fn the_environment_counts_for_nothing(bench: &Bench) {
    let dot = someone(bench, "env-dot");
    let attacker = Listener::start(Manner::Closes);
    let proxy = format!("http://127.0.0.1:{}", attacker.port());
    let ca = bench.certs().ca().display().to_string();
    let other = bench.certs().other_ca().display().to_string();
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
        let mut login = Login::new(bench, "env").of(&dot);
        for (name, value) in variables(ca) {
            login = login.host(|host| host.env(name, &value));
        }
        match drop {
            Some(key) => login.change(|settings| settings.without(key)),
            None => login,
        }
    };
    hosted(&other, None).sees("another CA", &IN, &Seen::granted());
    // A CA that only the environment names is not believed.
    let line = "failed stage=twilio reason=refused";
    let untrusted = Seen::new(&[code::SERVICE_ERR], &[ASKS, NOT_SENT], &[line], 0);
    hosted(&ca, Some("twilio.ca_file")).sees("Twilio", &IN, &untrusted);
    let line = "failed user=? stage=directory reason=refused";
    let untrusted = Seen::refused(code::SERVICE_ERR, line);
    hosted(&ca, Some("ldap.ca_file")).sees("directory", &IN, &untrusted);
    assert_eq!(attacker.taken(), 0);
}

fn low_limits_are_the_host_s_own(bench: &Bench) {
    let eli = someone(bench, "limit-eli");
    let login = || Login::new(bench, "limit").of(&eli);
    // Who may write no file cannot begin a ledger; what is there already, everybody goes on with.
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
    // Where the hard one is too low: `hostile::neighbour::hardly_a_descriptor_left`.
}

fn a_login_needs_no_system_log(bench: &Bench) {
    if bench.without_world().is_some() {
        return;
    }
    let fay = someone(bench, "log-fay");
    let login = Login::new(bench, "log").of(&fay);
    let unheard = login.folder.join("unheard");
    // A log that nobody reads takes so many lines, and then no more.
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
        let login = Login::new(bench, "log")
            .of(&fay)
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

fn a_killed_host_leaves_no_helper(bench: &Bench) {
    if bench.without_world().is_some() {
        return; // Root alone sees which process is whose helper.
    }
    let gus = someone(bench, "gone-gus");
    let login = Login::new(bench, "gone").of(&gus).own_helper();
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
