//! TLS servers and proxies that refuse the client, for each of the three kinds of server: the reason is
//! `refused`, never an outage, and the log line contains the cause and a remedy.

use crate::Case;
use crate::module::{ASKS, Login, NOT_SENT, Say, Seen, Someone, someone, with_ledger};
use lab::Lab;
use lab::certs::{Identity, ServerCert};
use lab::listeners::Listener;
use lab::openssl_server::{OpensslServer, self_signed};
use lab::pamhost::code;
use lab::scratch::Scratch;
use std::path::Path;
use std::thread;

pub const CASES: &[Case] = &[
    (
        "hostile::refused::tls_failures_have_a_text_and_a_remedy",
        tls_failures_have_a_text_and_a_remedy,
    ),
    (
        "hostile::refused::refusals_of_a_proxy_have_a_text_and_a_remedy",
        refusals_of_a_proxy_have_a_text_and_a_remedy,
    ),
];

const IN: [Say; 2] = [Say::Password, Say::Code];
const KEY: &str = "obviously-fake-key-of-the-lab-0123456789";

#[derive(Clone, Copy, Debug)]
enum Kind {
    Directory,
    Carrier,
    Ledger,
}

/// A login whose server of this kind is at a port.
fn login_at<'b>(
    lab: &'b Lab,
    case: &'static str,
    who: &Someone,
    kind: Kind,
    port: u16,
    ca: &Path,
) -> Login<'b> {
    let login = with_ledger(lab, case, who);
    let ca = ca.display().to_string();
    match kind {
        Kind::Directory => login
            .set("ldap.uris", &format!("[\"ldaps://127.0.0.1:{port}\"]"))
            .text("ldap.ca_file", &ca),
        Kind::Carrier => login
            .text("twilio.api_url", &format!("https://127.0.0.1:{port}"))
            .text("twilio.ca_file", &ca),
        Kind::Ledger => {
            let key = login.folder.join("key");
            lab::scratch::write(&key, 0o600, KEY);
            login
                .text("ledger.redis", &format!("rediss://127.0.0.1:{port}"))
                .text("ledger.key_file", key.to_str().expect("a path"))
                .text("ledger.ca_file", &ca)
        }
    }
}

fn refused(kind: Kind) -> Seen {
    let (line, screen): (_, &[&str]) = match kind {
        Kind::Directory => ("failed user=? stage=directory reason=refused", &[ASKS]),
        Kind::Carrier => ("failed stage=twilio reason=refused", &[ASKS, NOT_SENT]),
        Kind::Ledger => ("failed stage=ledger reason=refused", &[ASKS, NOT_SENT]),
    };
    Seen::new(&[code::SERVICE_ERR], screen, &[line], 0)
}

/// A server's certificate, the CA of the client, the server's options, and parts of cause and remedy in the log.
type Row<'r> = (&'r ServerCert, &'r Path, &'r [&'r str], [&'r str; 2]);

fn tls_failures_have_a_text_and_a_remedy(lab: &Lab) {
    let (good, ca) = (lab.certs().server(Identity::Good), lab.certs().ca());
    let folder = Scratch::new("sha1");
    let sha1 = self_signed(&folder, &["-newkey", "rsa:2048", "-sha1"]);
    let ca_folder = Scratch::new("a-cas");
    let mut ca_certificate = self_signed(&ca_folder, &["-newkey", "rsa:2048"]);
    ca_certificate.cert = lab::openssl_server::self_signed_ca(&ca_folder, &ca_certificate.key);
    let expired = lab.certs().server(Identity::Expired);
    let other = lab.certs().server(Identity::WrongName);
    let weak: &[&str] = &["-cipher", "DEFAULT:@SECLEVEL=0"];
    let rows: &[Row] = &[
        (
            &good,
            &ca,
            &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
            [
                "the server supports neither TLS 1.2 nor TLS 1.3",
                "enable TLS 1.2",
            ],
        ),
        (
            &good,
            &ca,
            &["-groups", "P-521"],
            [
                "the server accepts no cipher suite of this client",
                "enable ECDHE",
            ],
        ),
        (
            &good,
            &ca,
            &["-tls1_3", "-Verify", "1"],
            [
                "the server requires a client certificate",
                "accept clients without",
            ],
        ),
        (
            &sha1,
            &sha1.cert,
            weak,
            ["an unsupported signature algorithm", "SHA-256"],
        ),
        (
            &ca_certificate,
            &ca_certificate.cert,
            &[],
            ["is a CA certificate", "needs CA:FALSE"],
        ),
        (&expired, &ca, &[], ["has expired", "renew"]),
        (
            &other,
            &ca,
            &[],
            ["is for another name", "use a name of the certificate"],
        ),
    ];
    thread::scope(|scope| {
        for (kind, case) in [
            (Kind::Directory, "refused-ldap"),
            (Kind::Carrier, "refused-sms"),
            (Kind::Ledger, "refused-redis"),
        ] {
            scope.spawn(move || {
                let who = someone(lab, case);
                for (certificate, ca, options, texts) in rows {
                    let server = OpensslServer::start(certificate, options);
                    let login = login_at(lab, case, &who, kind, server.port(), ca);
                    login.sees(&format!("{kind:?} {options:?}"), &IN, &refused(kind));
                    let detail = login.newest_field("detail");
                    for text in texts {
                        assert!(detail.contains(text), "{kind:?} {options:?}: {detail}");
                    }
                }
            });
        }
    });
}

fn refusals_of_a_proxy_have_a_text_and_a_remedy(lab: &Lab) {
    let who = someone(lab, "refused-proxy");
    for (answer, texts) in [
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            ["the proxy forbids this destination (403)", "allow CONNECT"],
        ),
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            [
                "the proxy requires authentication (407)",
                "without authentication",
            ],
        ),
    ] {
        let proxy = Listener::replying_with(answer.into());
        let url = format!("http://127.0.0.1:{}", proxy.port());
        let login = with_ledger(lab, "refused-proxy", &who).text("twilio.proxy", &url);
        login.sees(answer, &IN, &refused(Kind::Carrier));
        let detail = login.newest_field("detail");
        for text in texts {
            assert!(detail.contains(text), "{detail}");
        }
    }
}
