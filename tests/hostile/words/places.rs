//! Where a stranger's words can stand, and how a login ends that has them there.

use super::{Login, Stage, Told, VALUES, Value, is_logged_as, ldap};
use lab::bench::Bench;
use lab::ldap::Script;
use lab::listeners::Listener;
use lab::pamhost::code;
use lab::twilio::Case as Reply;
use serde_json::json;

/// Those that a C string can hold.
fn c_strings() -> impl Iterator<Item = &'static Value> {
    VALUES.iter().filter(|value| !value.has_nul())
}

fn granted(what: &str, told: &Told) {
    assert_eq!(told.codes, [code::SUCCESS], "{what}: {:?}", told.events);
    assert_eq!(told.names(), ["sent", "granted"], "{what}");
    assert_eq!((told.screen.len(), told.sms.len()), (2, 1), "{what}");
}

/// What the person reads, with these in the places of user, rhost and service.
fn reads(what: &str, told: &Told, user: &str, rhost: &str, service: &str) {
    let names = format!("{user}|{rhost}|{service}");
    let ascii: String = names
        .chars()
        .map(|c| if c.is_ascii() { c } else { '?' })
        .collect();
    assert_eq!(told.screen[0], format!("{ascii} Password:"), "{what}");
    assert!(
        told.screen[1].ends_with(&format!(". {ascii} Verification code:")),
        "{what}: {:?}",
        told.screen
    );
    let sms = &told.sms[0];
    assert_eq!(sms.body, format!("{} {names}.", &sms.body[..6]), "{what}");
    assert_eq!(sms.code(), sms.body[..6], "{what}");
}

pub fn of_the_host(bench: &Bench) {
    let stage = Stage::new(bench, "words-host");
    for value in c_strings() {
        let what = format!("{} as user", value.what);
        let login = stage.login().host(|host| host.bytes("user", value.bytes));
        user(&stage, &what, value, &login);

        let what = format!("{} as rhost", value.what);
        let login = stage.login().host(|host| host.bytes("rhost", value.bytes));
        let told = stage.run(&what, &login, 2);
        granted(&what, &told);
        let text = value.text();
        let logged = is_logged_as(text.as_bytes(), told.field("rhost"));
        assert!(logged, "{what}: {:?}", told.events);
        reads(&what, &told, "words", &value.filled(), stage.case);

        let what = format!("{} as ruser", value.what);
        let login = stage.login().host(|host| host.bytes("ruser", value.bytes));
        granted(&what, &stage.run(&what, &login, 2));

        // It proves nothing, so the password is asked for.
        let what = format!("{} as SSH_AUTH_INFO_0", value.what);
        let assignment = [b"SSH_AUTH_INFO_0=", value.bytes].concat();
        let login = stage
            .login()
            .arguments("password=auto")
            .host(|host| host.bytes("pam_env", &assignment));
        granted(&what, &stage.run(&what, &login, 2));

        let what = format!("{} where there is no helper", value.what);
        let both = |host: lab::pamhost::PamHost| {
            host.bytes("user", value.bytes).bytes("rhost", value.bytes)
        };
        let login = stage.login().arguments("helper=/nowhere/helper").host(both);
        let told = stage.run(&what, &login, 1);
        assert_eq!(told.codes, [code::SERVICE_ERR], "{what}");
        assert_eq!(told.field("user"), Some(&b"?"[..]), "{what}");
        let logged = is_logged_as(value.bytes, told.field("rhost"));
        assert!(logged, "{what}: {:?}", told.events);
    }
    for value in c_strings().filter(|value| value.bytes.len() < 200) {
        service(&stage, value);
    }
}

/// Found by exactly this name, or not looked for.
fn user(stage: &Stage, what: &str, value: &Value, login: &Login) {
    let is_name = std::str::from_utf8(value.bytes).is_ok() && value.bytes.len() <= 256;
    if !is_name {
        let told = stage.run(what, login, 1);
        assert_eq!(told.codes, [code::USER_UNKNOWN], "{what}");
        assert_eq!(told.field("user"), Some(&b"?"[..]), "{what}");
        assert_eq!(told.asked.len(), 0, "{what}");
        return;
    }
    let told = stage.run(what, login, 2);
    granted(what, &told);
    assert_eq!(told.field("user"), Some(value.bytes), "{what}");
    reads(what, &told, &value.filled(), "", stage.case);
    let filter = ldap::both(&[
        ldap::equals("objectClass", b"person"),
        ldap::equals("uid", value.bytes),
    ]);
    let searches: Vec<_> = told.asked.iter().filter(|asked| asked[0] == 0x63).collect();
    assert_eq!(searches.len(), 1, "{what}");
    assert!(ldap::searches_for(searches[0], &filter), "{what}");
}

/// A service's name comes from whoever starts the host; libpam writes it small.
fn service(stage: &Stage, value: &Value) {
    let what = format!("{} as service", value.what);
    let name = value.bytes.to_ascii_lowercase();
    let login = stage.login();
    login.set_up();
    let stack = std::fs::read(login.folder.join(stage.case)).expect("the stack");
    let path = std::os::unix::ffi::OsStrExt::from_bytes(&name[..]);
    let path: &std::ffi::OsStr = path;
    std::fs::write(login.folder.join(path), stack).expect("a stack of that name");
    let login = login.host(|host| host.bytes("service", value.bytes));
    let told = stage.run(&what, &login, 2);
    granted(&what, &told);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    let text = value.text().to_ascii_lowercase();
    let clean: String = text
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    assert_eq!(told.events[0].service, clean, "{what}");
    let filled = value.filled().to_ascii_lowercase();
    reads(&what, &told, "words", "", &filled);
}

pub fn of_the_directory(bench: &Bench) {
    let stage = Stage::new(bench, "words-directory");
    let number = stage.number.as_bytes();
    let bound = VALUES
        .iter()
        .filter(|value| distinguished_name(&stage, value));
    assert!(bound.count() > VALUES.len() / 2);
    for value in VALUES {
        let bytes = value.bytes;
        for (what, attribute, held, reason) in [
            ("as number", 1, bytes.to_vec(), "no-number"),
            ("behind it", 1, [number, bytes].concat(), "no-number"),
            ("as verified", 0, bytes.to_vec(), "not-verified"),
        ] {
            let what = format!("{} {what}", value.what);
            let mut script = stage.script();
            script.attributes[attribute].1 = vec![held];
            stage.ldap.set_script(script);
            let told = stage.run(&what, &stage.login(), 1);
            refused(&what, &told, code::MAXTRIES, reason);
        }
        // The result's number says what happened; the words are the directory's. What is not UTF-8 is
        // not LDAP (RFC 4511 §4.1.2).
        let is_text = std::str::from_utf8(bytes).is_ok();
        let well = || (0, Vec::new());
        let says = |result| (result, bytes.to_vec());
        for (what, bind, search, pam, reason) in [
            (
                "a bind's 80",
                says(80),
                well(),
                code::SERVICE_ERR,
                "refused",
            ),
            (
                "a bind's 19",
                says(19),
                well(),
                code::AUTH_ERR,
                "directory-locked",
            ),
            (
                "a search's 80",
                well(),
                says(80),
                code::SERVICE_ERR,
                "refused",
            ),
        ] {
            let what = format!("{} in {what}", value.what);
            stage.ldap.set_script(Script {
                bind,
                search,
                ..stage.script()
            });
            let told = stage.run(&what, &stage.login(), 1);
            if is_text {
                refused(&what, &told, pam, reason);
            } else {
                refused(&what, &told, code::AUTHINFO_UNAVAIL, "outage");
            }
            assert_eq!(told.screen.len(), 1, "{what}: {:?}", told.screen);
        }
    }
}

/// It is bound as, to the byte, or not at all where it is no name. Says which.
fn distinguished_name(stage: &Stage, value: &Value) -> bool {
    let what = format!("{} as DN", value.what);
    let dn = [b"uid=", value.bytes].concat();
    stage.ldap.set_script(Script {
        dn: dn.clone(),
        ..stage.script()
    });
    let told = stage.run_any(&what, &stage.login());
    let binds: Vec<_> = told
        .asked
        .iter()
        .filter(|asked| ldap::binds(asked))
        .collect();
    if told.codes == [code::SUCCESS] {
        granted(&what, &told);
        assert_eq!(binds.len(), 2, "{what}");
        let whole = ldap::text(&dn);
        let same = binds[1].windows(whole.len()).any(|part| part == whole);
        assert!(same, "{what}");
        return true;
    }
    assert_eq!(told.names(), ["failed"], "{what}: {:?}", told.events);
    refused(&what, &told, code::AUTHINFO_UNAVAIL, "outage");
    assert_eq!(told.field("stage"), Some(&b"directory"[..]), "{what}");
    assert_eq!(binds.len(), 1, "{what}");
    false
}

fn refused(what: &str, told: &Told, pam: i32, reason: &str) {
    assert_eq!(told.codes, [pam], "{what}: {:?}", told.events);
    assert_eq!(told.field("reason"), Some(reason.as_bytes()), "{what}");
    assert_eq!(told.sms.len(), 0, "{what}");
}

pub fn of_other_servers(bench: &Bench) {
    let stage = Stage::new(bench, "words-servers");
    let leaked = |body: serde_json::Value| -> &'static str { body.to_string().leak() };
    for value in VALUES {
        let text = value.text();
        let what = format!("{} in Twilio's error", value.what);
        let body = json!({ "code": 21211, "message": text, "more_info": text, "status": 400 });
        let body = leaked(body);
        answers(bench, &stage, 400, body);
        let told = stage.run(&what, &stage.login(), 1);
        refused(&what, &told, code::MAXTRIES, "number-refused");
        assert_eq!(told.field("error"), Some(&b"21211"[..]), "{what}");

        let what = format!("{} as Twilio's error", value.what);
        let body = leaked(json!({ "code": text, "status": text }));
        answers(bench, &stage, 400, body);
        let told = stage.run(&what, &stage.login(), 1);
        refused(&what, &told, code::SERVICE_ERR, "refused");

        let what = format!("{} as Twilio's sid", value.what);
        let body = leaked(json!({ "sid": text, "status": text, "error_code": text }));
        answers(bench, &stage, 201, body);
        let told = stage.run(&what, &stage.login(), 2);
        granted(&what, &told);
        assert_eq!(told.events[0].field("sid"), Some(&b"?"[..]), "{what}");
        bench.twilio().on(&stage.number, &[Reply::Sent]);

        let what = format!("{} in a proxy's answer", value.what);
        for start in ["HTTP/1.1 502 ", ""] {
            let answer = [start.as_bytes(), value.bytes, b"\r\n\r\n"].concat();
            let proxy = Listener::replying_with(answer);
            let proxy = format!("http://127.0.0.1:{}", proxy.port());
            let login = stage.login().text("twilio.proxy", &proxy);
            let told = stage.run(&what, &login, 1);
            refused(&what, &told, code::AUTHINFO_UNAVAIL, "outage");
        }

        let what = format!("{} in Redis' error", value.what);
        let redis = Listener::replying_with([b"-ERR ", value.bytes, b"\r\n"].concat());
        let login = stage.login();
        let key = login.folder.join("key");
        lab::scratch::write(&key, 0o600, "obviously-fake-key-of-the-lab-0123456789");
        let login = login
            .text(
                "ledger.redis",
                &format!("redis://127.0.0.1:{}", redis.port()),
            )
            .text("ledger.key_file", key.to_str().expect("a path"))
            .text("ledger.unreachable", "deny");
        let told = stage.run(&what, &login, 1);
        // What ends in LF alone is not its protocol; behind CR and LF something else begins.
        let end = value.bytes.iter().position(|byte| *byte == b'\n');
        let spoils = end.is_some_and(|end| !value.bytes[..end].ends_with(b"\r"));
        let (pam, reason) = if spoils {
            (code::AUTHINFO_UNAVAIL, "outage")
        } else {
            (code::SERVICE_ERR, "refused")
        };
        refused(&what, &told, pam, reason);
        assert_eq!(told.field("stage"), Some(&b"ledger"[..]), "{what}");
        assert!(redis.accepted() > 0, "{what}");
    }
}

fn answers(bench: &Bench, stage: &Stage, http: u16, body: &'static str) {
    let reply = Reply::Literal {
        http,
        header: None,
        body,
    };
    bench.twilio().on(&stage.number, &[reply]);
}
