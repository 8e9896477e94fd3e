//! Keys that are set once: before the first section, in `[twilio]`, `[ldap]` and `[ledger]`.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::{Located, Row, Sample, Scope, Section, or_default, section, store};
use crate::{
    config::{
        ApiUrl, Grace, LdapUri, Proxy, Redis, Sender, Unreachable,
        address::{LdapAddresses, RedisAddress},
        filter::Filter,
        value_types::{
            CaFile, DurationIn, Flag, Invalid, KeyFile, SecretFile, Timeout, TokenFile, ValueType,
            ldap::{Attribute, Attributes, Base, BindDn, Domains, PlainNumbers},
            ledger::{Directory, RedisUser},
            secret::Token,
            twilio::{FromNumber, Sid},
        },
    },
    phone::{Plain, Region},
    secret::Secret,
};

section! {
    /// Before the first section.
    global top "": TopKeys => Top {}
    resolved {}
    fields {
        /// How long the user waits for the module in one login, added up.
        ///
        /// The time runs from the start to the first prompt, and from each answer to the next prompt or
        /// to the end. Time in which the user types does not count. Work in the background while the
        /// user types has the same limit separately.
        deadline: DurationIn<1_000, 120_000> = "30s";
    }
}

section! {
    /// The Twilio account and the sender of the SMS.
    ///
    /// Required are `twilio.twilio_sid`, exactly one of `twilio.twilio_token_file`,
    /// `twilio.twilio_token` and an API key with its secret, and exactly one of `twilio.from_number`
    /// and `twilio.messaging_service_sid`.
    global twilio "twilio.": TwilioKeys => Twilio {
        account_sid: String,
        auth_user: String,
        auth_secret: Secret,
        sender: Sender,
        ca_file: Option<Arc<[u8]>>,
        proxy: Option<Proxy>,
    }
    resolved {
        /// The account SID.
        twilio_sid: Sid<'A', 'C'>, set "AC00000000000000000000000000000000";
        /// A file with the auth token of the account. It is read at each login, so the token can be
        /// changed at any time.
        twilio_token_file: TokenFile, set "/etc/security/sms_otp.token";
        /// The auth token itself, if only root can read this file.
        twilio_token: Token, example "00000000000000000000000000000000";
        /// The SID of an API key, which can be revoked on its own, in place of the account's token.
        api_key_sid: Sid<'S', 'K'>, example "SK00000000000000000000000000000000";
        /// A file with the secret of the API key.
        api_key_secret_file: TokenFile, example "/etc/security/sms_otp.token";
        /// The secret of the API key itself, if only root can read this file.
        api_key_secret: Token, example "00000000000000000000000000000000";
        /// The sender of the SMS: a phone number of the account (+ and digits), a short code, or an
        /// alphanumeric sender ID such as "ACME".
        from_number: FromNumber, set "+15005550006";
        /// The SID of a Messaging Service, which chooses the sender, in place of `twilio.from_number`.
        messaging_service_sid: Sid<'M', 'G'>, example "MG00000000000000000000000000000000";
    }
    fields {
        /// The time limit for each step of a request: connecting, TLS, and one answer.
        ///
        /// The lookup of Twilio's name has a separate limit, described at `ldap.timeout`.
        timeout: Timeout = "10s";
        /// Whether to connect to Twilio while the user types the password, so that the SMS is sent
        /// sooner.
        ///
        /// This is done only for names that this host knows, and by at most 16 logins of this host at
        /// a time. No request is sent before the first factor is verified. The connection is closed
        /// if the user does not answer within 15 seconds. A connection that was closed or became too
        /// old meanwhile is replaced before the request is sent; the request is sent once. With
        /// false, the connection is made when there is an SMS to send.
        preconnect: Flag = true;
        /// The address of Twilio's API. http:// is allowed for loopback hosts only.
        api_url: ApiUrl = "https://api.twilio.com";
    }
    resolved {
        /// CA certificates (PEM) that verify Twilio's certificate, in place of the system's.
        ca_file: CaFile, example "/etc/security/sms_otp-ca.pem";
        /// An HTTP proxy (CONNECT). Proxy variables in the environment are never read.
        proxy: Proxy, example "http://proxy.example.org:3128";
    }
    fields {}
}

section! {
    /// The LDAP directory: its servers, the service account, and how users are found.
    global ldap "ldap.": LdapKeys =>
    #[cfg_attr(test, derive(Clone))]
    Ldap {
        uris: Vec<LdapUri>,
        ca_file: Option<Arc<[u8]>>,
        bind: Option<(String, Secret)>,
        base: String,
        plain_numbers: Plain,
    }
    resolved {
        /// The servers, tried in this order. Required.
        ///
        /// ldap:// without `ldap.start_tls` is allowed only on loopback ports below 1024 (and below
        /// net.ipv4.ip_unprivileged_port_start): on any other port, a local user could listen while the
        /// server is down, and would receive the passwords. ldapi:// with a socket in a directory that
        /// only root can write has no such port. The path of an ldapi:// socket is written with %2F
        /// for each slash: ldapi://%2Frun%2Fslapd%2Fldapi.
        ///
        /// If a name has several addresses, each is tried, as with Twilio and Redis. localhost is
        /// 127.0.0.1, here and in every other server address; for IPv6, write [::1]. A password that
        /// was sent to one server is sent to no other.
        uris: LdapAddresses, set ["ldaps://ldap1.example.org", "ldaps://ldap2.example.org"];
        /// Whether TLS is started on ldap:// connections before anything else is sent.
        start_tls: Flag = false;
        /// CA certificates (PEM) that verify the certificates of the directory servers, in place of the
        /// system's.
        ca_file: CaFile, example "/etc/security/sms_otp-ca.pem";
    }
    fields {
        /// The time limit for each step at one server: connecting, TLS, and each of its answers.
        ///
        /// The lookup of the server's name may take 10 s more, but at most a third of what is left of
        /// `deadline`; after that the server counts as unreachable. (The C library queries the second
        /// name server only after 5 s.) The names of all servers are looked up at the same time, and a
        /// server whose name is resolved does not wait for the others.
        timeout: Timeout = "5s";
    }
    resolved {
        /// The service account (bind DN) for searches. Without it, the search is anonymous.
        bind_dn: BindDn, set "cn=pam,dc=example,dc=org";
        /// A file with the password of the service account. This or `ldap.bind_password` is required
        /// with `ldap.bind_dn`.
        bind_password_file: SecretFile, set "/etc/security/sms_otp.ldap";
        /// The password of the service account itself, if only root can read this file.
        bind_password: Secret, example "secret";
        /// The base DN below which users are searched for. Required.
        base: Base, set "ou=people,dc=example,dc=org";
    }
    fields {
        /// The search filter; {user} is the login name, escaped. It must find exactly one entry.
        ///
        /// {user} is used once in a comparison, which names its attribute. The other values of these
        /// attributes are looked up as names of system users, see `policy.min_uid`: the account of
        /// `ldap.bind_dn` must be allowed to read them.
        filter: Filter = "(&(objectClass=person)(uid={user}))";
        /// The attribute that shows whether the phone number is verified: TRUE, or the verified numbers
        /// themselves.
        ///
        /// If it contains TRUE (in any case), the number is the first valid one of
        /// `ldap.phone_attributes`. If it contains phone numbers and nothing else, the number is one of
        /// those. Anything else is not verified. Of several numbers in one attribute, the lowest in
        /// text order is used.
        verified_attribute: Attribute = "phoneNumberVerified";
        /// The attributes that contain the phone number, in this order.
        phone_attributes: Attributes = ["mobile", "telephoneNumber"];
    }
    resolved {
        /// The country of numbers that are written without a country code. Without it, such numbers are
        /// refused.
        default_region: Region, example "US";
        /// How numbers without + are read: "national" as in `ldap.default_region`, "international" as
        /// digits that begin with their country code.
        ///
        /// With "international", a value of digits alone that does not begin with 0 begins with its
        /// country code, as Gluu Casa stores numbers; with spaces, brackets or dashes it has no country
        /// code and is refused. Use it only where every such number has its country code: a number of
        /// another kind may be read as a number abroad. "international" and `ldap.default_region`
        /// exclude each other.
        plain_numbers: PlainNumbers = "national";
    }
    fields {
        /// Domains that are removed from login names before the search: with example.org and EXAMPLE,
        /// alice@example.org and EXAMPLE\alice are searched for as alice.
        ///
        /// The last @domain or the first DOMAIN\ is removed, once, in any case, and the limits of alice
        /// apply. Other domains remain part of the name. `All domains in this list must mean the one
        /// domain that this directory contains`: otherwise users of another domain log in as those of
        /// the same name here. `policy.min_uid` is checked for the name with and without its domain.
        /// The log, PAM_USER and `policy.remember` keep the name as it was typed.
        strip_domains: Domains = empty, example ["example.org", "EXAMPLE"];
        /// What happens if a password has expired and the directory still allows some logins with it
        /// (grace logins of a password policy): "allow" shows how many are left, "deny" refuses.
        ///
        /// A refusal is logged with reason=password-expired. Each bind uses one grace login, even if
        /// the login fails afterwards. If the directory also requires a password change, the login is
        /// refused. Active Directory has no grace logins.
        grace: Grace = "allow";
        /// Whether binds request the reasons of the directory's password policy: expired, must be
        /// changed, locked. Set it to false for a server that crashes on unknown controls (ldapjs
        /// 3.0.7).
        ///
        /// The request is a control (draft-behera-ldap-password-policy). Without it, most directories
        /// report such a password as a wrong one, and grace logins are not shown; Active Directory
        /// gives its reasons in any case.
        password_policy: Flag = true;
    }
}

section! {
    /// Where sent SMS, wrong codes and remembered logins are stored: in a directory of this host, or in
    /// one Redis or Valkey that several hosts share.
    ///
    /// The setup of the server and its ACL is described in
    /// /usr/share/doc/pam-sms-otp/docs/ledger.md.
    global ledger "ledger.": LedgerKeys => Ledger { redis: Option<Redis>, }
    resolved {}
    fields {
        /// The directory in which this host stores its ledger.
        path: Directory = "/var/lib/pam_sms_otp";
    }
    resolved {
        /// One ledger for several hosts, in Redis or Valkey: one server or several, Sentinels, a cluster, or
        /// a local socket.
        ///
        /// ```text
        /// rediss://HOST[:PORT][/DB]
        /// rediss+sentinel://HOST[:PORT],HOST[:PORT]/MASTER[:PORT,PORT][/DB]
        /// rediss+cluster://HOST[:PORT],HOST[:PORT]
        /// redis+unix:///PATH
        /// ```
        ///
        /// Of several servers in the first form, the master is used. The second form names Sentinels,
        /// the name of the master, and the ports that masters may have. The third names nodes of a
        /// cluster: at least one for each port that its nodes use. The port is 6379, that of Sentinels
        /// 26379, and the database 0, unless the address names another. User and password are not part
        /// of the address.
        ///
        /// redis://, redis+sentinel:// and redis+cluster://, without TLS, are allowed for loopback
        /// hosts only. There, any local user can listen on a port above 1023 while the server is down,
        /// and would receive the password: use redis+unix:// instead.
        ///
        /// The socket and the directories above it must be owned by root (or by the effective user of
        /// the host process), or the socket and the last directory by one user with a uid below 1000,
        /// the server's; others must not be able to write to any of the directories. The helper connects
        /// as the user pam_sms_otp, which must be allowed to enter the directory and to write to the
        /// socket (with Redis' unixsocketperm).
        redis: RedisAddress, example "rediss://ledger.example.org";
        /// A file with one line of at least 32 characters, the same on all hosts: the key with which
        /// names and phone numbers are hashed. Required with `ledger.redis`.
        ///
        /// They are hashed before they leave the host. A host with another key counts for itself.
        key_file: KeyFile, example "/etc/security/sms_otp.key";
        /// The ACL user. Without it, the server's default user. Requires `ledger.redis_password_file`.
        ///
        /// On the server it needs these rights:
        ///
        /// ```text
        /// resetchannels ~pam_sms_otp:{otp}:* -@all
        /// +evalsha +eval +role +time +hget +hgetall +hset +hdel +hincrby +hkeys
        /// +zadd +zrem +zrange +zscore +zremrangebyscore +persist +pexpire
        /// ```
        ///
        /// With Sentinels also +wait, in a cluster +wait and +asking, for another database than 0
        /// +select. Without +evalsha, each login sends 20 KB more.
        redis_user: RedisUser, example "sms_otp";
        /// A file with the password of Redis. Without it, none is sent.
        redis_password_file: SecretFile, example "/etc/security/sms_otp.redis";
        /// CA certificates (PEM) that verify the certificates of the Redis servers, in place of the
        /// system's.
        ca_file: CaFile, example "/etc/security/sms_otp-ca.pem";
        /// The time limit for reaching the shared ledger (connecting, TLS, authentication, and the query
        /// to the Sentinels), for all servers together; each answer may then take as long again.
        ///
        /// Each server of `ledger.redis` gets its share of the time that is left: set a longer limit
        /// if they are far away. The lookup of a server's name is not part of it; it has the same limit
        /// of its own as with `ldap.timeout`.
        timeout: Timeout = "2s";
        /// What happens while the shared ledger is unreachable: "local" counts on this host, in
        /// `ledger.path`; "deny" refuses all logins.
        unreachable: Unreachable = "local";
    }
    fields {}
}
