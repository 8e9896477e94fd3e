//! The test laboratory: the servers, accounts and tools that a login needs, independent of the machine that
//! runs the tests.
//!
//! | module | content |
//! | --- | --- |
//! | [`Lab`] | the shared parts of a run |
//! | [`product`] | the files under test |
//! | [`settings`] | settings files |
//! | [`scratch`] | temporary directories |
//! | [`interrupt`] | cleanup at SIGINT |
//! | [`process`] | child processes: servers and tools |
//! | [`processes`] | all processes, from `/proc` |
//! | [`certs`] | a test CA, valid and invalid certificates |
//! | [`slapd`] | a real slapd and its users |
//! | [`redis`] | real Redis servers |
//! | [`twilio`] | a fake Twilio and its phones |
//! | [`machine`] | a mount namespace with accounts and PAM stacks |
//! | [`log`] | its log |
//! | [`pty`] | a terminal with a program |
//! | [`pamhost`] | a PAM application |
//! | [`fake_helper`] | a fake helper with wrong messages |
//! | [`helper_process`] | a real helper whose host is the test |
//! | [`tracer`] | a tracer that makes a system call fail |
//! | [`sshd`] | a real sshd and the real ssh |
//! | [`vsftpd`] | a real vsftpd |
//! | [`listeners`] | ports that refuse, or send garbage or nothing |
//! | [`fault_proxy`] | a TCP proxy that injects a fault |
//! | [`table`] | tables of results |
//! | [`system_info`] | facts about the machine of a measurement |
//!
//! Test code may panic: the message names the part that failed.
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

pub mod certs;
pub mod fake_helper;
pub mod fake_ldap;
pub mod fault_proxy;
pub mod helper_process;
pub mod interrupt;
pub mod listeners;
pub mod log;
pub mod machine;
mod marker_files;
pub mod memory;
pub mod nameserver;
pub mod openssl_server;
pub mod pamhost;
pub mod ports;
pub mod process;
pub mod processes;
pub mod product;
pub mod pty;
pub mod redis;
pub mod scratch;
pub mod settings;
mod shared;
pub mod slapd;
pub mod sshd;
pub mod statistics;
pub mod system_info;
pub mod table;
pub mod tracer;
pub mod twilio;
pub mod vsftpd;

pub use shared::Lab;
