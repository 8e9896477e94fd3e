//! The users of the demo, and the result of a login of each.

use lab::slapd::LdapUser;

/// A user with an account on the machine and an entry in the directory.
pub struct DemoUser {
    pub name: &'static str,
    pub password: &'static str,
    /// In the usual notation of directories.
    pub phone: &'static str,
    pub verified: bool,
    pub outcome: &'static str,
}

/// The numbers are reserved for fiction by Ofcom and the NANPA.
pub static USERS: [DemoUser; 3] = [
    DemoUser {
        name: "alice",
        password: "correct horse",
        phone: "+44 7700 900123",
        verified: true,
        outcome: "succeeds with the code from the phone",
    },
    DemoUser {
        name: "bob",
        password: "battery staple",
        phone: "+44 7700 900456",
        verified: false,
        outcome: "is refused: the number is not verified",
    },
    DemoUser {
        name: "carol",
        password: "paper clip",
        // The table of the fake Twilio: this number has sent STOP.
        phone: "+1 202 555 0116",
        verified: true,
        outcome: "is refused: the number has sent STOP to the sender",
    },
];

impl DemoUser {
    pub fn entry(&self) -> LdapUser {
        LdapUser::new(self.name)
            .password(self.password)
            .verified(if self.verified { "TRUE" } else { "FALSE" })
            .attr("mobile", self.phone)
    }

    pub fn e164(&self) -> String {
        self.phone.replace(' ', "")
    }
}
