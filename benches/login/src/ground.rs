//! What all contenders stand on: the same directory, the same people, the same phones, one folder of
//! PAM stacks.

use crate::contender::Contender;
use crate::peers::google;
use crate::road::{FAR, Road};
use lab::bench::Bench;
use lab::settings::Settings;
use lab::slapd::Person;
use lab::world::User;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// Everybody's password.
pub const PASSWORD: &str = "correct horse, battery";

/// How many people the directory knows.
pub const IN_DIRECTORY: usize = 100_000;

/// Somebody who logs in. Nobody does so twice at once.
#[derive(Clone, Debug)]
pub struct Who {
    pub name: String,
    /// E.164.
    pub number: String,
}

pub struct Ground {
    bench: Bench,
    road: Road,
    folder: PathBuf,
    host: PathBuf,
    people: Mutex<Vec<Who>>,
}

impl Ground {
    /// First thing in `main`.
    pub fn enter() -> Result<Self, String> {
        let host = lab::process::this_program().with_file_name("bench-host");
        let bench = Bench::set_up();
        if let Some(why) = bench.without_world() {
            return Err(why.to_owned());
        }
        let road = Road::lay()?;
        bench.more_names(&[FAR]);
        eprintln!("a directory with {IN_DIRECTORY} people");
        bench.many_people(&directory());
        let folder = bench.folder("logins");
        // libpam logs that there is none, each time.
        bench.stack(&folder, "other", "auth required pam_deny.so\n");
        Ok(Self {
            bench,
            road,
            folder,
            host,
            people: Mutex::default(),
        })
    }

    pub fn bench(&self) -> &Bench {
        &self.bench
    }

    /// What lies between a login and the servers.
    pub fn road(&self) -> &Road {
        &self.road
    }

    /// Where a server on loopback is reached over the road: an address, or a URL with one.
    pub fn far(near: &str) -> String {
        near.replace("127.0.0.1", FAR)
    }

    /// Of the stacks, and of what else contenders keep.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn host_program(&self) -> &Path {
        &self.host
    }

    /// Makes a contender's stack.
    pub fn stack(&self, contender: &Contender, text: &str) {
        self.bench.stack(&self.folder, contender.service, text);
    }

    /// The product's settings, for the servers as they stand at the end of the road.
    pub fn settings(&self) -> Settings {
        let directory = self.ldap_url();
        self.bench
            .settings()
            .set("ldap.uris", &format!("[\"{directory}\"]"))
            .text("twilio.api_url", &self.twilio_url())
            .set("limits.sms", "[\"1000/1h\"]")
            .text("ldap.timeout", "20s")
            .text("twilio.timeout", "20s")
    }

    /// The directory, at the end of the road.
    pub fn ldap_url(&self) -> String {
        Self::far(&self.bench.slapd().ldaps())
    }

    /// Twilio, at the end of the road.
    pub fn twilio_url(&self) -> String {
        Self::far(&self.bench.twilio().url())
    }

    /// The first so many of the people, known to this machine (with the same password), the
    /// directory and their phones.
    pub fn people(&self, count: usize) -> Vec<Who> {
        let mut people = self.all();
        while people.len() < count {
            let who = who(people.len());
            let account = User::new(&who.name).password(PASSWORD);
            google::enrol(&self.bench.world().add(&account));
            people.push(who);
        }
        people.iter().take(count).cloned().collect()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Who>> {
        self.people.lock().expect("the people")
    }
}

/// Of every thousand people, each has a phone of his own: Ofcom keeps no more numbers for tests.
fn who(serial: usize) -> Who {
    Who {
        name: format!("u{serial:05}"),
        number: format!("+447700900{:03}", serial % 1000),
    }
}

/// Everybody's entry.
fn directory() -> String {
    (0..IN_DIRECTORY)
        .map(|serial| {
            let Who { name, number } = who(serial);
            Person::new(&name).password(PASSWORD).phone(&number).ldif()
        })
        .collect()
}
