//! map
pub mod config;
pub mod deadline;
pub mod directory;
pub mod net;
pub mod phone;
pub mod secret;
pub mod sms;
pub mod verdict;
