//! The lab: everything a login needs and a test must not take from the machine it runs on.
//!
//! | room | what it is |
//! | --- | --- |
//! | [`bench`] | what the cases of one run share |
//! | [`product`] | what is under test |
//! | [`settings`] | settings files that work, to be spoiled |
//! | [`scratch`] | a folder that is gone afterwards |
//! | [`interrupt`] | a tidy end on Ctrl-C |
//! | [`process`] | a server we started, stopped by its own pid |
//! | [`processes`] | processes of others, as `/proc` shows them |
//! | [`certs`] | a scratch CA, good certificates and hostile ones |
//! | [`slapd`] | a real slapd with scratch state, and the people in it |
//! | [`redis`] | real Redis servers with scratch state |
//! | [`twilio`] | the Twilio stand-in, and the phones its SMS arrive on |
//! | [`world`] | a private machine: our accounts, PAM stacks, terminals |
//! | [`log`] | what was logged on it |
//! | [`pty`] | a terminal with a program on it |
//! | [`pamhost`] | a PAM application that does as it is told |
//! | [`impostor`] | a helper that misbehaves on the wire |
//! | [`driven`] | the real helper, whose host is the test |
//! | [`tracer`] | what makes one of a login's system calls fail |
//! | [`sshd`] | a real sshd and the real ssh |
//! | [`vsftpd`] | a real vsftpd |
//! | [`listeners`] | ports that answer wrongly, or never |
//! | [`middle`] | somebody in between, who spoils one turn of a talk |
//! | [`table`] | what a bench has measured, as text |
//! | [`machine`] | what it has measured it on |
//!
//! Test code may panic: a broken lab is a failed test, and the message says which part broke.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::panic,
    clippy::return_self_not_must_use,
    clippy::unwrap_used
)]

pub mod bench;
pub mod certs;
pub mod driven;
pub mod impostor;
pub mod interrupt;
pub mod ldap;
pub mod listeners;
pub mod log;
pub mod machine;
mod marks;
pub mod memory;
pub mod middle;
pub mod nameserver;
pub mod openssl_server;
pub mod pamhost;
pub mod ports;
pub mod process;
pub mod processes;
pub mod product;
pub mod pty;
pub mod redis;
pub mod samples;
pub mod scratch;
pub mod settings;
pub mod slapd;
pub mod sshd;
pub mod table;
pub mod tracer;
pub mod twilio;
pub mod vsftpd;
pub mod world;
