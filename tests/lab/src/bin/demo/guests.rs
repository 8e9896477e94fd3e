//! Who can try to log in, and what should become of it.

use lab::slapd::Person;

/// Somebody with an account on the machine and an entry in the directory.
pub struct Guest {
    pub name: &'static str,
    pub password: &'static str,
    /// As people write it into directories.
    pub phone: &'static str,
    pub verified: bool,
    pub outcome: &'static str,
}

/// The numbers are free for fiction (Ofcom's and the NANPA's), and nobody's.
pub static GUESTS: [Guest; 3] = [
    Guest {
        name: "alice",
        password: "correct horse",
        phone: "+44 7700 900123",
        verified: true,
        outcome: "gets in with the code from her phone",
    },
    Guest {
        name: "bob",
        password: "battery staple",
        phone: "+44 7700 900456",
        verified: false,
        outcome: "is refused: nobody has verified his number",
    },
    Guest {
        name: "carol",
        password: "paper clip",
        // The stand-in's table: this one has sent STOP.
        phone: "+1 202 555 0116",
        verified: true,
        outcome: "is refused: she has sent STOP, Twilio will not write to her",
    },
];

impl Guest {
    pub fn person(&self) -> Person {
        Person::new(self.name)
            .password(self.password)
            .verified(if self.verified { "TRUE" } else { "FALSE" })
            .attr("mobile", self.phone)
    }

    pub fn e164(&self) -> String {
        self.phone.replace(' ', "")
    }
}
