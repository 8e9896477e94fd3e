//! Keys that may differ by service: `[password]`, `[code]`, `[policy]` and `[limits]`.
#![forbid(unsafe_code)]

use super::{Located, Row, Sample, Scope, Section, or_default, section, store};
use crate::config::{
    Source, Subject,
    value_types::{
        Digits, DurationIn, Flag, IntIn, Invalid, ValueType,
        ledger::{MONTH, NewPhone, Prefixes, Rate, Rates},
    },
};

section! {
    /// The first factor.
    per_service password "password.": PasswordKeys => Password {}
    resolved {}
    fields {
        /// Where the first factor comes from. The argument password= of the PAM line overrides this.
        ///
        /// ```text
        /// "ldap"   the module prompts for the password and verifies it in the directory
        /// "ssh"    sshd has verified a key, certificate, Kerberos ticket or password
        /// "auto"   "ssh" if sshd has verified one, otherwise "ldap"
        /// "stack"  an earlier PAM module has verified it, and the PAM stack ends before
        ///          this module if it has not
        /// ```
        source: Source = "ldap";
        /// The time from Enter to a refusal before the first factor is verified, so that the time does not
        /// depend on the reason. 0s disables the delay.
        ///
        /// Each delay differs by up to a quarter. If the work took longer, the refusal is returned at
        /// the next multiple.
        refuse_after: DurationIn<0, 10_000> = "2s";
    }
}

section! {
    /// The one-time code.
    per_service code "code.": CodeKeys => Code {}
    resolved {}
    fields {
        /// The number of digits.
        digits: Digits = 6;
        /// How long a code is valid (NIST SP 800-63B allows at most 10 minutes).
        lifetime: DurationIn<5_000, 600_000> = "5m";
        /// The number of wrong codes that ends a login.
        tries: IntIn<1, 10> = 3;
        /// The number of SMS in one login after the first.
        resends: IntIn<0, 10> = 2;
        /// Whether the code is shown while it is typed. A code is of no use once it was typed.
        echo: Flag = true;
    }
}

section! {
    /// Who is authenticated by the directory, and which logins need a code.
    per_service policy "policy.": PolicyKeys => Policy {}
    resolved {}
    fields {
        /// Names of system users with a lower uid, or with 65534, are never authenticated: an entry "root"
        /// in the directory must not become root.
        ///
        /// The typed name is looked up before the search, with and without its domain. After it, the
        /// other names in the attributes that `ldap.filter` compares with {user} are looked up as they
        /// are: if one of them is such a user, or if there are more than eight, the login is refused.
        min_uid: IntIn<1, { u32::MAX }> = 1000;
        /// Whose phone receives the code: "user" is the user who logs in, "caller" the user who calls su or
        /// sudo. "caller" requires password.source = "stack".
        ///
        /// The caller is the real uid of the calling process.
        subject: Subject = "user";
        /// How long a user who has entered a code needs no new one: for the same user, target user, service
        /// and origin. Without it, each login needs a code.
        ///
        /// The origin is the first of these that is available: the SSH key that was used; the address
        /// in PAM_RHOST, if it is an address and not a name; for a login on this host, the session:
        /// the caller (PAM_RUSER, or the uid), this boot, the ID of the session, and the time at which
        /// its leader was started. If none is available, nothing is remembered.
        ///
        /// The first factor is still required. A lock, a new phone number or a changed password ends
        /// it at once; a password change is detected if the directory shows it in pwdChangedTime,
        /// pwdLastSet, krbLastPwdChange, sambaPwdLastSet or shadowLastChange. Such a login is logged as
        /// skipped, with reason=remembered; with password.source = "stack", the module returns
        /// PAM_IGNORE.
        remember: DurationIn<1_000, MONTH>, example "15m";
        /// What happens with a phone number that the directory did not contain at the last granted login of
        /// its user: "allow", or how long it waits before codes are sent to it.
        ///
        /// An attacker who can write to the directory could replace the number with their own; the wait
        /// gives the user time to notice. The first numbers of a user who is not in the ledger yet do not
        /// wait. Each new number is logged as phone-changed, whatever is set here, and begins to wait
        /// then. It is logged again if that login ended before the ledger had stored it, or if the
        /// system log did not accept the line: on a machine without a system log, a new number waits
        /// for ever. A login for which the directory no longer contains the waiting number ends its
        /// wait; if the number returns, it is new again.
        new_phone: NewPhone = "allow";
    }
}

section! {
    /// Limits for each user and each phone, over all hosts that share a ledger.
    ///
    /// A rule is NUMBER/DURATION: at most that many in any period of that length. Nothing counts before the
    /// first factor is verified. A user is an entry of the directory, in whichever form the name was typed.
    per_service limits "limits.": LimitsKeys =>
    #[derive(Clone, PartialEq, Eq)]
    Limits {}
    resolved {}
    fields {
        /// The number of SMS to each user, and to each phone: one to eight rules, all of which apply.
        ///
        /// An SMS is counted before it is sent, and uncounted if Twilio has certainly rejected it.
        sms: Rates = ["5/15m", "20/1d"];
        /// The number of SMS of the whole ledger. It limits SMS pumping (fraud with numbers that earn money
        /// for each SMS).
        ///
        /// Once it is reached, no user gets a code: set it well above the usual number.
        sms_total: Rate<1_000_000>, example "500/1d";
        /// The minimum time between two SMS of one login.
        ///
        /// A further call on the same PAM handle belongs to the same login.
        pause: DurationIn<0, 300_000> = "30s";
        /// The number of wrong codes since the last success that locks the user.
        ///
        /// All logins of the user count, and only a success resets the count. While the user is locked,
        /// no code is sent to them or accepted from them.
        failures: IntIn<1, 100> = 10;
        /// How long the lock lasts. Each further wrong code doubles it, up to one day.
        lock: DurationIn<1_000, 86_400_000> = "15m";
        /// The number of wrong codes since the last success after which only "sms-otp unlock USER" ends the
        /// lock. (NIST SP 800-63B allows at most 100.)
        ///
        /// If it is lower than `limits.failures`, it applies first.
        disable_after: IntIn<1, 100> = 100;
        /// How phone numbers must begin to receive codes. Without it, all numbers may.
        ///
        /// Others are refused with reason=prefix.
        allowed_prefixes: Prefixes = empty, example ["+1", "+44"];
    }
}
