//! The places where untrusted text can occur, and the result of a login with it.

use super::{Environment, Login, Observed, VALUES, Value, fake_ldap, is_logged_as};
use lab::Lab;
use lab::fake_ldap::Script;
use lab::listeners::Listener;
use lab::pamhost::code;
use lab::twilio::Case as Reply;
use serde_json::json;

/// Values without a NUL.
fn c_strings() -> impl Iterator<Item = &'static Value> {
    VALUES.iter().filter(|value| !value.has_nul())
}

fn granted(what: &str, observed: &Observed) {
    assert_eq!(
        observed.codes,
        [code::SUCCESS],
        "{what}: {:?}",
        observed.events
    );
    assert_eq!(observed.names(), ["sent", "granted"], "{what}");
    assert_eq!(
        (observed.screen.len(), observed.sms.len()),
        (2, 1),
        "{what}"
    );
}

/// Checks the texts that the user sees, with these values of user, rhost and service.
fn check_texts(what: &str, observed: &Observed, user: &str, rhost: &str, service: &str) {
    let names = format!("{user}|{rhost}|{service}");
    let ascii: String = names
        .chars()
        .map(|c| if c.is_ascii() { c } else { '?' })
        .collect();
    assert_eq!(observed.screen[0], format!("{ascii} Password:"), "{what}");
    assert!(
        observed.screen[1].ends_with(&format!(". {ascii} Verification code:")),
        "{what}: {:?}",
        observed.screen
    );
    let sms = &observed.sms[0];
    assert_eq!(sms.body, format!("{} {names}.", &sms.body[..6]), "{what}");
    assert_eq!(sms.code(), sms.body[..6], "{what}");
}

pub fn from_the_host(lab: &Lab) {
    let environment = Environment::new(lab, "untrusted-host");
    for value in c_strings() {
        let what = format!("{} as user", value.what);
        let login = environment
            .login()
            .host(|host| host.bytes("user", value.bytes));
        user(&environment, &what, value, &login);

        let what = format!("{} as rhost", value.what);
        let login = environment
            .login()
            .host(|host| host.bytes("rhost", value.bytes));
        let observed = environment.run(&what, &login, 2);
        granted(&what, &observed);
        let text = value.text();
        let logged = is_logged_as(text.as_bytes(), observed.field("rhost"));
        assert!(logged, "{what}: {:?}", observed.events);
        check_texts(
            &what,
            &observed,
            "untrusted",
            &value.filled(),
            environment.case,
        );

        let what = format!("{} as ruser", value.what);
        let login = environment
            .login()
            .host(|host| host.bytes("ruser", value.bytes));
        granted(&what, &environment.run(&what, &login, 2));

        // It is not a proof, so the password is asked for.
        let what = format!("{} as SSH_AUTH_INFO_0", value.what);
        let assignment = [b"SSH_AUTH_INFO_0=", value.bytes].concat();
        let login = environment
            .login()
            .arguments("password=auto")
            .host(|host| host.bytes("pam_env", &assignment));
        granted(&what, &environment.run(&what, &login, 2));

        let what = format!("{} where there is no helper", value.what);
        let both = |host: lab::pamhost::PamHost| {
            host.bytes("user", value.bytes).bytes("rhost", value.bytes)
        };
        let login = environment
            .login()
            .arguments("helper=/nowhere/helper")
            .host(both);
        let observed = environment.run(&what, &login, 1);
        assert_eq!(observed.codes, [code::SERVICE_ERR], "{what}");
        assert_eq!(observed.field("user"), Some(&b"?"[..]), "{what}");
        let logged = is_logged_as(value.bytes, observed.field("rhost"));
        assert!(logged, "{what}: {:?}", observed.events);
    }
    for value in c_strings().filter(|value| value.bytes.len() < 200) {
        service(&environment, value);
    }
}

/// The entry is searched for by exactly this name, or not at all.
fn user(environment: &Environment, what: &str, value: &Value, login: &Login) {
    let is_name = std::str::from_utf8(value.bytes).is_ok() && value.bytes.len() <= 256;
    if !is_name {
        let observed = environment.run(what, login, 1);
        assert_eq!(observed.codes, [code::USER_UNKNOWN], "{what}");
        assert_eq!(observed.field("user"), Some(&b"?"[..]), "{what}");
        assert_eq!(observed.ldap_requests.len(), 0, "{what}");
        return;
    }
    let observed = environment.run(what, login, 2);
    granted(what, &observed);
    assert_eq!(observed.field("user"), Some(value.bytes), "{what}");
    check_texts(what, &observed, &value.filled(), "", environment.case);
    let filter = fake_ldap::both(&[
        fake_ldap::equals("objectClass", b"person"),
        fake_ldap::equals("uid", value.bytes),
    ]);
    let searches: Vec<_> = observed
        .ldap_requests
        .iter()
        .filter(|request| request[0] == 0x63)
        .collect();
    assert_eq!(searches.len(), 1, "{what}");
    assert!(fake_ldap::searches_for(searches[0], &filter), "{what}");
}

/// The service name is chosen by the host's caller; libpam converts it to lower case.
fn service(environment: &Environment, value: &Value) {
    let what = format!("{} as service", value.what);
    let name = value.bytes.to_ascii_lowercase();
    let login = environment.login();
    login.set_up();
    let stack = std::fs::read(login.folder.join(environment.case)).expect("the stack");
    let path = std::os::unix::ffi::OsStrExt::from_bytes(&name[..]);
    let path: &std::ffi::OsStr = path;
    std::fs::write(login.folder.join(path), stack).expect("a stack of that name");
    let login = login.host(|host| host.bytes("service", value.bytes));
    let observed = environment.run(&what, &login, 2);
    granted(&what, &observed);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    let text = value.text().to_ascii_lowercase();
    let clean: String = text
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    assert_eq!(observed.events[0].service, clean, "{what}");
    let filled = value.filled().to_ascii_lowercase();
    check_texts(&what, &observed, "untrusted", "", &filled);
}

pub fn from_the_directory(lab: &Lab) {
    let environment = Environment::new(lab, "untrusted-directory");
    let number = environment.number.as_bytes();
    let bound = VALUES
        .iter()
        .filter(|value| distinguished_name(&environment, value));
    assert!(bound.count() > VALUES.len() / 2);
    for value in VALUES {
        let bytes = value.bytes;
        for (what, attribute, held, reason) in [
            ("as number", 1, bytes.to_vec(), "no-number"),
            ("behind it", 1, [number, bytes].concat(), "no-number"),
            ("as verified", 0, bytes.to_vec(), "not-verified"),
        ] {
            let what = format!("{} {what}", value.what);
            let mut script = environment.script();
            script.attributes[attribute].1 = vec![held];
            environment.ldap.set_script(script);
            let observed = environment.run(&what, &environment.login(), 1);
            refused(&what, &observed, code::MAXTRIES, reason);
        }
        // The code decides the outcome, the text does not. A text that is not UTF-8 is
        // not LDAP (RFC 4511 §4.1.2).
        let is_text = std::str::from_utf8(bytes).is_ok();
        let well = || (0, Vec::new());
        let ldap_result = |result| (result, bytes.to_vec());
        for (what, bind, search, pam, reason) in [
            (
                "a bind's 80",
                ldap_result(80),
                well(),
                code::SERVICE_ERR,
                "refused",
            ),
            (
                "a bind's 19",
                ldap_result(19),
                well(),
                code::AUTH_ERR,
                "directory-locked",
            ),
            (
                "a search's 80",
                well(),
                ldap_result(80),
                code::SERVICE_ERR,
                "refused",
            ),
        ] {
            let what = format!("{} in {what}", value.what);
            environment.ldap.set_script(Script {
                bind,
                search,
                ..environment.script()
            });
            let observed = environment.run(&what, &environment.login(), 1);
            if is_text {
                refused(&what, &observed, pam, reason);
            } else {
                refused(&what, &observed, code::AUTHINFO_UNAVAIL, "outage");
            }
            assert_eq!(observed.screen.len(), 1, "{what}: {:?}", observed.screen);
        }
    }
}

/// The bind uses exactly this DN, or there is no bind because it is not a DN. Returns which.
fn distinguished_name(environment: &Environment, value: &Value) -> bool {
    let what = format!("{} as DN", value.what);
    let dn = [b"uid=", value.bytes].concat();
    environment.ldap.set_script(Script {
        dn: dn.clone(),
        ..environment.script()
    });
    let observed = environment.run_any(&what, &environment.login());
    let binds: Vec<_> = observed
        .ldap_requests
        .iter()
        .filter(|request| fake_ldap::binds(request))
        .collect();
    if observed.codes == [code::SUCCESS] {
        granted(&what, &observed);
        assert_eq!(binds.len(), 2, "{what}");
        let whole = fake_ldap::text(&dn);
        let same = binds[1].windows(whole.len()).any(|part| part == whole);
        assert!(same, "{what}");
        return true;
    }
    assert_eq!(
        observed.names(),
        ["failed"],
        "{what}: {:?}",
        observed.events
    );
    refused(&what, &observed, code::AUTHINFO_UNAVAIL, "outage");
    assert_eq!(observed.field("stage"), Some(&b"directory"[..]), "{what}");
    assert_eq!(binds.len(), 1, "{what}");
    false
}

fn refused(what: &str, observed: &Observed, pam: i32, reason: &str) {
    assert_eq!(observed.codes, [pam], "{what}: {:?}", observed.events);
    assert_eq!(observed.field("reason"), Some(reason.as_bytes()), "{what}");
    assert_eq!(observed.sms.len(), 0, "{what}");
}

pub fn from_other_servers(lab: &Lab) {
    let environment = Environment::new(lab, "untrusted-servers");
    let leaked = |body: serde_json::Value| -> &'static str { body.to_string().leak() };
    for value in VALUES {
        let text = value.text();
        let what = format!("{} in Twilio's error", value.what);
        let body = json!({ "code": 21211, "message": text, "more_info": text, "status": 400 });
        let body = leaked(body);
        reply_with(lab, &environment, 400, body);
        let observed = environment.run(&what, &environment.login(), 1);
        refused(&what, &observed, code::MAXTRIES, "number-refused");
        assert_eq!(observed.field("error"), Some(&b"21211"[..]), "{what}");

        let what = format!("{} as Twilio's error", value.what);
        let body = leaked(json!({ "code": text, "status": text }));
        reply_with(lab, &environment, 400, body);
        let observed = environment.run(&what, &environment.login(), 1);
        refused(&what, &observed, code::SERVICE_ERR, "refused");

        let what = format!("{} as Twilio's sid", value.what);
        let body = leaked(json!({ "sid": text, "status": text, "error_code": text }));
        reply_with(lab, &environment, 201, body);
        let observed = environment.run(&what, &environment.login(), 2);
        granted(&what, &observed);
        assert_eq!(observed.events[0].field("sid"), Some(&b"?"[..]), "{what}");
        lab.twilio().on(&environment.number, &[Reply::Sent]);

        let what = format!("{} in a proxy's response", value.what);
        for start in ["HTTP/1.1 502 ", ""] {
            let answer = [start.as_bytes(), value.bytes, b"\r\n\r\n"].concat();
            let proxy = Listener::replying_with(answer);
            let proxy = format!("http://127.0.0.1:{}", proxy.port());
            let login = environment.login().text("twilio.proxy", &proxy);
            let observed = environment.run(&what, &login, 1);
            refused(&what, &observed, code::AUTHINFO_UNAVAIL, "outage");
        }

        let what = format!("{} in Redis' error", value.what);
        let redis = Listener::replying_with([b"-ERR ", value.bytes, b"\r\n"].concat());
        let login = environment.login();
        let key = login.folder.join("key");
        lab::scratch::write(&key, 0o600, "obviously-fake-key-of-the-lab-0123456789");
        let login = login
            .text(
                "ledger.redis",
                &format!("redis://127.0.0.1:{}", redis.port()),
            )
            .text("ledger.key_file", key.to_str().expect("a path"))
            .text("ledger.unreachable", "deny");
        let observed = environment.run(&what, &login, 1);
        // A line that ends in LF alone is malformed; after CR and LF another reply begins.
        let end = value.bytes.iter().position(|byte| *byte == b'\n');
        let is_malformed = end.is_some_and(|end| !value.bytes[..end].ends_with(b"\r"));
        let (pam, reason) = if is_malformed {
            (code::AUTHINFO_UNAVAIL, "outage")
        } else {
            (code::SERVICE_ERR, "refused")
        };
        refused(&what, &observed, pam, reason);
        assert_eq!(observed.field("stage"), Some(&b"ledger"[..]), "{what}");
        assert!(redis.accepted() > 0, "{what}");
    }
}

fn reply_with(lab: &Lab, environment: &Environment, http: u16, body: &'static str) {
    let reply = Reply::Literal {
        http,
        header: None,
        body,
    };
    lab.twilio().on(&environment.number, &[reply]);
}
