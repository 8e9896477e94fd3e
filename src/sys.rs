//! System calls: the process, its sandbox, NSS, local time. No decisions. `unsafe` is allowed only here and
//! in the module.

mod heap;
mod machine;
mod nss;
mod process;
mod sandbox;
mod set_id;
mod shared;

pub use heap::ZeroizingAllocator;
pub(crate) use machine::{boot_id, host_name, log_time, random, terminal_session};
pub use nss::{Nss, user};
pub use process::set_limits;
pub(crate) use process::{exit_now, init_process, is_root, module_socket};
pub use sandbox::Sandbox;
pub(crate) use shared::write_mapped;
pub use shared::{try_lock, unlock};

// Links the unwinder statically, where the C compiler is GCC's: loading libgcc_s.so.1 takes each process a
// tenth of a millisecond.
// SAFETY: declares no symbol.
#[cfg(target_env = "gnu")]
#[link(name = "gcc_eh")]
unsafe extern "C" {}
