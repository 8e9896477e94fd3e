//! The servers, users, phones and PAM stacks that all contenders share.

use crate::network::{FAR, Network};
use crate::totp;
use lab::Lab;
use lab::machine::User;
use lab::settings::Settings;
use lab::slapd::LdapUser;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// The password of all users.
pub const PASSWORD: &str = "correct horse, battery";

/// The number of entries in the directory.
pub const IN_DIRECTORY: usize = 100_000;

/// A user who logs in, at most once at a time.
#[derive(Clone, Debug)]
pub struct TestUser {
    pub name: String,
    /// E.164.
    pub number: String,
}

pub struct Testbed {
    lab: Lab,
    network: Network,
    folder: PathBuf,
    host: PathBuf,
    users: Mutex<Vec<TestUser>>,
}

impl Testbed {
    /// Sets up the servers and the network. Has to run first in `main`, while there is one thread.
    pub fn enter() -> Result<Self, String> {
        let host = lab::process::this_program().with_file_name("bench-host");
        let lab = Lab::set_up();
        if let Some(reason) = lab.machine_error() {
            return Err(reason.to_owned());
        }
        let network = Network::enter()?;
        lab.more_names(&[FAR]);
        eprintln!("creating a directory with {IN_DIRECTORY} entries");
        lab.add_entries(&directory());
        let folder = lab.folder("logins");
        // Without this file libpam logs an error at each login.
        lab.stack(&folder, "other", "auth required pam_deny.so\n");
        Ok(Self {
            lab,
            network,
            folder,
            host,
            users: Mutex::default(),
        })
    }

    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The emulated network between a login and the servers.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Replaces the loopback address in a text by the address behind the emulated network.
    pub fn far(near: &str) -> String {
        near.replace("127.0.0.1", FAR)
    }

    /// The directory of the stacks and of the contenders' other files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn host_program(&self) -> &Path {
        &self.host
    }

    /// Creates the stack of a PAM service.
    pub fn stack(&self, service: &str, text: &str) {
        self.lab.stack(&self.folder, service, text);
    }

    /// The product's settings, for the servers behind the emulated network.
    pub fn settings(&self) -> Settings {
        let directory = self.ldap_url();
        self.lab
            .settings()
            .set("ldap.uris", &format!("[\"{directory}\"]"))
            .text("twilio.api_url", &self.twilio_url())
            .set("limits.sms", "[\"1000/1h\"]")
            .text("ldap.timeout", "20s")
            .text("twilio.timeout", "20s")
    }

    /// The directory's URL behind the emulated network.
    pub fn ldap_url(&self) -> String {
        Self::far(&self.lab.slapd().ldaps())
    }

    /// Twilio's URL behind the emulated network.
    pub fn twilio_url(&self) -> String {
        Self::far(&self.lab.twilio().url())
    }

    /// Returns the first users of the directory, and creates their local accounts with the same
    /// password and a TOTP secret.
    pub fn users(&self, count: usize) -> Vec<TestUser> {
        let mut users = self.all();
        while users.len() < count {
            let user = test_user(users.len());
            let account = User::new(&user.name).password(PASSWORD);
            totp::enrol(&self.lab.machine().add(&account));
            users.push(user);
        }
        users.iter().take(count).cloned().collect()
    }

    fn all(&self) -> MutexGuard<'_, Vec<TestUser>> {
        self.users.lock().expect("the lock of the users")
    }
}

/// Returns a user of the directory. Phone numbers repeat after a thousand: Ofcom reserves no more for
/// fiction.
fn test_user(serial: usize) -> TestUser {
    TestUser {
        name: format!("u{serial:05}"),
        number: format!("+447700900{:03}", serial % 1000),
    }
}

/// Returns the LDIF of all entries.
fn directory() -> String {
    (0..IN_DIRECTORY)
        .map(|serial| {
            let TestUser { name, number } = test_user(serial);
            LdapUser::new(&name)
                .password(PASSWORD)
                .phone(&number)
                .ldif()
        })
        .collect()
}
