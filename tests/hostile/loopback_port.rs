//! A directory without TLS on a port that a local user can bind: while its server is down, that user could
//! receive the passwords.

use crate::Case;
use crate::module::{Login, Say, Seen, someone};
use lab::Lab;
use lab::listeners::{Behavior, Listener};
use lab::pamhost::code;
use lab::process::program;
use std::net::TcpListener;

pub const CASES: &[Case] = &[
    (
        "hostile::loopback_port::a_port_that_a_local_user_may_bind_is_refused",
        a_port_that_a_local_user_may_bind_is_refused,
    ),
    (
        "hostile::loopback_port::the_limit_is_that_of_the_kernel",
        the_limit_is_that_of_the_kernel,
    ),
];

fn bad_settings() -> Seen {
    let line = "failed user=? stage=settings reason=bad-settings";
    Seen::at_once(code::SERVICE_ERR, line)
}

fn a_port_that_a_local_user_may_bind_is_refused(lab: &Lab) {
    let who = someone(lab, "port-taken");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port that any user may bind");
    let port = listener.local_addr().expect("the port's address").port();
    let login = |uri: String| {
        let login = Login::new(lab, "port-taken").of(&who);
        login.set("ldap.uris", &format!("[{uri:?}]"))
    };
    let high = login(format!("ldap://127.0.0.1:{port}"));
    high.sees("a high port", &[Say::Password], &bad_settings());
    let detail = high.newest_field("detail");
    assert!(detail.contains("below 1024"), "{detail}");
    listener.set_nonblocking(true).expect("a listener");
    assert!(listener.accept().is_err(), "a connection to the port");
    let low = login(lab.slapd().ldap());
    low.sees("a low port", &[Say::Password, Say::Code], &Seen::granted());
}

fn the_limit_is_that_of_the_kernel(lab: &Lab) {
    let start = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    if std::fs::OpenOptions::new().write(true).open(start).is_err() {
        println!("NOT TRIED: /proc/sys cannot be written here");
        return;
    }
    let who = someone(lab, "port-lowered");
    let directory = Listener::start(Behavior::Closes);
    let lower = format!("echo {} >{start} && exec \"$@\"", directory.port());
    let (unshare, sh) = (program("unshare"), program("sh"));
    let (unshare, sh) = (unshare.display().to_string(), sh.display().to_string());
    let login = Login::new(lab, "port-lowered")
        .of(&who)
        .set(
            "ldap.uris",
            &format!("[\"ldap://127.0.0.1:{}\"]", directory.port()),
        )
        .host(|host| host.through(&[&unshare, "--net", &sh, "-c", &lower, "sh"]));
    login.sees("lowered", &[Say::Password], &bad_settings());
    let detail = login.newest_field("detail");
    let below = format!("below {} only", directory.port());
    assert!(detail.contains(&below), "{detail}");
}
