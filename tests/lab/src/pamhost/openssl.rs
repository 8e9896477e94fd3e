//! A host that uses OpenSSL: it is in the middle of a handshake, and draws random bytes.

use std::ffi::{CStr, c_char, c_int, c_long, c_uchar, c_void};

type Object = *mut c_void;

/// Client and server in one process, connected by a BIO pair.
pub struct Handshake {
    client: Object,
    server: Object,
}

/// Loads OpenSSL's library as a plug-in of the host would, and returns a function.
fn symbol<F: Copy>(name: &CStr) -> F {
    const { assert!(size_of::<F>() == size_of::<Object>()) };
    // SAFETY: loading runs the library's constructors; the names are C strings.
    let found = unsafe {
        let library = libc::dlopen(c"libssl.so.3".as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL);
        assert!(!library.is_null(), "libssl.so.3 does not load");
        libc::dlsym(library, name.as_ptr())
    };
    assert!(!found.is_null(), "{name:?} is not in OpenSSL");
    // SAFETY: the callers use the type from OpenSSL's headers; both are one pointer.
    unsafe { std::mem::transmute_copy(&found) }
}

impl Handshake {
    /// Starts a handshake: the client has sent its first message, and the server has not read it.
    pub fn begin() -> Self {
        let handshake = Self::new();
        assert_eq!(
            step(handshake.client, c"SSL_do_handshake"),
            -1,
            "it has to wait"
        );
        handshake
    }

    /// Uses an anonymous cipher suite, which needs no certificate.
    fn new() -> Self {
        let method: extern "C" fn() -> Object = symbol(c"TLS_method");
        let context: extern "C" fn(Object) -> Object = symbol(c"SSL_CTX_new");
        let ciphers: extern "C" fn(Object, *const c_char) -> c_int =
            symbol(c"SSL_CTX_set_cipher_list");
        let control: extern "C" fn(Object, c_int, c_long, Object) -> c_long =
            symbol(c"SSL_CTX_ctrl");
        let ssl: extern "C" fn(Object) -> Object = symbol(c"SSL_new");
        let pair: extern "C" fn(*mut Object, usize, *mut Object, usize) -> c_int =
            symbol(c"BIO_new_bio_pair");
        let lay: extern "C" fn(Object, Object, Object) = symbol(c"SSL_set_bio");
        let connect: extern "C" fn(Object) = symbol(c"SSL_set_connect_state");
        let accept: extern "C" fn(Object) = symbol(c"SSL_set_accept_state");
        let context = context(method());
        assert_eq!(
            ciphers(context, c"AECDH-AES128-SHA:@SECLEVEL=0".as_ptr()),
            1
        );
        // SSL_CTRL_SET_MAX_PROTO_VERSION, TLS 1.2.
        assert_eq!(control(context, 124, 0x0303, std::ptr::null_mut()), 1);
        let (mut one, mut other) = (std::ptr::null_mut(), std::ptr::null_mut());
        assert_eq!(pair(&raw mut one, 0, &raw mut other, 0), 1);
        let (client, server) = (ssl(context), ssl(context));
        lay(client, one, one);
        lay(server, other, other);
        connect(client);
        accept(server);
        Self { client, server }
    }

    /// Completes the handshake, transfers a byte, and draws random bytes. Returns the TLS version.
    pub fn end(self) -> String {
        for _ in 0..10 {
            step(self.server, c"SSL_do_handshake");
            if step(self.client, c"SSL_do_handshake") == 1
                && step(self.server, c"SSL_do_handshake") == 1
            {
                break;
            }
        }
        let write: extern "C" fn(Object, *const c_uchar, c_int) -> c_int = symbol(c"SSL_write");
        let read: extern "C" fn(Object, *mut c_uchar, c_int) -> c_int = symbol(c"SSL_read");
        let random: extern "C" fn(*mut c_uchar, c_int) -> c_int = symbol(c"RAND_bytes");
        let version: extern "C" fn(Object) -> *const c_char = symbol(c"SSL_get_version");
        let mut byte = 0;
        let sent = SENT;
        assert_eq!(write(self.client, &raw const sent, 1), 1, "a byte goes out");
        assert_eq!(read(self.server, &raw mut byte, 1), 1, "and comes in");
        assert_eq!(byte, SENT);
        let mut drawn = [[0_u8; 16]; 2];
        for bytes in &mut drawn {
            assert_eq!(random(bytes.as_mut_ptr(), 16), 1);
        }
        assert_ne!(drawn[0], drawn[1]);
        // SAFETY: a static C string of OpenSSL.
        unsafe { CStr::from_ptr(version(self.client)) }
            .to_string_lossy()
            .into_owned()
    }
}

const SENT: c_uchar = 42;

fn step(ssl: Object, name: &CStr) -> c_int {
    let act: extern "C" fn(Object) -> c_int = symbol(name);
    act(ssl)
}
