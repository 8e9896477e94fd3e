//! LDAP result codes (RFC 4511 appendix A).
#![forbid(unsafe_code)]

pub const SUCCESS: u32 = 0;
pub const OPERATIONS_ERROR: u32 = 1;
pub const TIME_LIMIT_EXCEEDED: u32 = 3;
pub const SIZE_LIMIT_EXCEEDED: u32 = 4;
pub const AUTH_METHOD_NOT_SUPPORTED: u32 = 7;
pub const STRONGER_AUTH_REQUIRED: u32 = 8;
pub const REFERRAL: u32 = 10;
pub const CONFIDENTIALITY_REQUIRED: u32 = 13;
pub const CONSTRAINT_VIOLATION: u32 = 19;
pub const NO_SUCH_OBJECT: u32 = 32;
pub const INVALID_DN_SYNTAX: u32 = 34;
pub const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
pub const INVALID_CREDENTIALS: u32 = 49;
pub const INSUFFICIENT_ACCESS_RIGHTS: u32 = 50;
pub const BUSY: u32 = 51;
pub const UNAVAILABLE: u32 = 52;
pub const UNWILLING_TO_PERFORM: u32 = 53;

/// Whether the server cannot answer at present, so that another one may be tried.
pub const fn is_outage(code: u32) -> bool {
    matches!(code, BUSY | UNAVAILABLE | TIME_LIMIT_EXCEEDED)
}

/// Returns the code's name in the RFC, with its number.
pub fn name(code: u32) -> String {
    let name = match code {
        SUCCESS => "success",
        OPERATIONS_ERROR => "operationsError",
        2 => "protocolError",
        TIME_LIMIT_EXCEEDED => "timeLimitExceeded",
        SIZE_LIMIT_EXCEEDED => "sizeLimitExceeded",
        AUTH_METHOD_NOT_SUPPORTED => "authMethodNotSupported",
        STRONGER_AUTH_REQUIRED => "strongerAuthRequired",
        REFERRAL => "referral",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        CONFIDENTIALITY_REQUIRED => "confidentialityRequired",
        14 => "saslBindInProgress",
        CONSTRAINT_VIOLATION => "constraintViolation",
        NO_SUCH_OBJECT => "noSuchObject",
        INVALID_DN_SYNTAX => "invalidDNSyntax",
        INAPPROPRIATE_AUTHENTICATION => "inappropriateAuthentication",
        INVALID_CREDENTIALS => "invalidCredentials",
        INSUFFICIENT_ACCESS_RIGHTS => "insufficientAccessRights",
        BUSY => "busy",
        UNAVAILABLE => "unavailable",
        UNWILLING_TO_PERFORM => "unwillingToPerform",
        80 => "other",
        _ => return format!("result {code}"),
    };
    format!("{name} ({code})")
}

/// Describes a result by its code and the server's text, which has to be sanitized already.
pub fn describe(code: u32, text: &str) -> String {
    if text.is_empty() {
        name(code)
    } else {
        format!("{}: {text}", name(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4511 section 4.1.9.
    #[test]
    fn codes_have_the_names_of_the_rfc() {
        for (code, expected) in [
            (0, "success"),
            (1, "operationsError"),
            (2, "protocolError"),
            (3, "timeLimitExceeded"),
            (4, "sizeLimitExceeded"),
            (7, "authMethodNotSupported"),
            (8, "strongerAuthRequired"),
            (10, "referral"),
            (11, "adminLimitExceeded"),
            (12, "unavailableCriticalExtension"),
            (13, "confidentialityRequired"),
            (14, "saslBindInProgress"),
            (19, "constraintViolation"),
            (32, "noSuchObject"),
            (34, "invalidDNSyntax"),
            (48, "inappropriateAuthentication"),
            (49, "invalidCredentials"),
            (50, "insufficientAccessRights"),
            (51, "busy"),
            (52, "unavailable"),
            (53, "unwillingToPerform"),
            (80, "other"),
        ] {
            assert_eq!(name(code), format!("{expected} ({code})"));
        }
        assert_eq!(name(123), "result 123");
    }
}
