use super::{FILE, Memory, load};

/// Loads settings with these addresses, and returns the ports.
fn ports(ldap: &str, twilio: &str, ledger: &str) -> Vec<u16> {
    let text = format!(
        "[twilio]\ntwilio_sid = \"AC00000000000000000000000000000000\"\n\
         twilio_token_file = \"/etc/security/sms_otp.token\"\nfrom_number = \"+15005550006\"\n{twilio}\n\
         [ldap]\nuris = [{ldap}]\nbind_dn = \"cn=pam,dc=example,dc=org\"\n\
         bind_password_file = \"/etc/security/sms_otp.ldap\"\nbase = \"ou=people,dc=example,dc=org\"\n\
         [ledger]\n{ledger}\n"
    );
    let settings = load(&Memory::with(&text, 0o600), FILE, "sshd", None);
    settings
        .unwrap_or_else(|error| panic!("{error}:\n{text}"))
        .ports()
}

#[test]
fn only_ports_of_servers_are_allowed() {
    let directory = "\"ldaps://ldap1.example.org\"";
    let shared =
        |redis: &str| format!("redis = \"{redis}\"\nkey_file = \"/etc/security/sms_otp.key\"");
    for (ldap, twilio, ledger, expected) in [
        (directory, "", "", &[443, 636][..]),
        ("\"ldap://127.0.0.1\"", "", "", &[389, 443]),
        (
            "\"ldaps://a.example.org:7636\", \"ldaps://b.example.org\"",
            "",
            "",
            &[443, 636, 7636],
        ),
        ("\"ldapi://%2Frun%2Fslapd%2Fldapi\"", "", "", &[443]),
        (
            directory,
            "api_url = \"https://api.example.org:8443\"",
            "",
            &[636, 8443],
        ),
        // The proxy stands for Twilio's port.
        (
            directory,
            "proxy = \"http://proxy.example.org:3128\"",
            "",
            &[636, 3128],
        ),
        (
            directory,
            "",
            &shared("rediss://cache.example.org"),
            &[443, 636, 6379],
        ),
        (
            directory,
            "",
            &shared("rediss+sentinel://s1.example.org:26380,s2.example.org/logins:6390,6391"),
            &[443, 636, 6390, 6391, 26379, 26380],
        ),
        (
            directory,
            "",
            &shared("rediss+cluster://c1.example.org:7001,c2.example.org:7002"),
            &[443, 636, 7001, 7002],
        ),
    ] {
        assert_eq!(
            ports(ldap, twilio, ledger),
            expected,
            "{ldap} {twilio} {ledger}"
        );
    }
}
