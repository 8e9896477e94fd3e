use super::*;

const REQUEST: Request<'static> = Request {
    login: [0x7f, 0x3a, 0x9c, 0x21],
    caller: 1000,
    pid: 4321,
    debug: true,
    silent: false,
    source: Some(Source::Auto),
    tag: b"sshd",
    config: b"/etc/security/sms_otp.toml",
    service: b"sshd",
    user: b"alice",
    rhost: b"192.0.2.7",
    ruser: b"bob",
    ssh_auth_info: b"publickey ssh-ed25519 AAAA\n",
    counts: b"\x01\x02",
};

fn helpers() -> Vec<FromHelper<'static>> {
    vec![
        FromHelper::KeepAlive,
        FromHelper::Prompt(Style::Password, "Password: "),
        FromHelper::ShowError("Too many wrong codes."),
        FromHelper::ShowInfo("Your password has expired."),
        FromHelper::Verdict(Verdict {
            code: Code::MaxTries,
            counts: b"abc",
        }),
        FromHelper::VersionMismatch,
        FromHelper::SpawnError(SpawnError {
            step: 3,
            errno: 13,
            resolved: 9,
        }),
    ]
}

fn answers() -> [Answer<'static>; 4] {
    [
        Answer::Text {
            prompted: true,
            text: b"not a real password",
        },
        Answer::Disconnected,
        Answer::Missing,
        Answer::TooLong,
    ]
}

#[test]
fn messages_decode_to_what_was_encoded() {
    assert_eq!(Request::decode(&REQUEST.encode()), Ok(REQUEST));
    for message in helpers() {
        assert_eq!(
            FromHelper::decode(&message.encode(77)).map(|(_, decoded)| decoded),
            Ok(message)
        );
    }
    for answer in answers() {
        assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    }
}

#[test]
fn the_time_limit_is_encoded() {
    assert_eq!(
        FromHelper::decode(&FromHelper::KeepAlive.encode(1234)),
        Ok((1234, FromHelper::KeepAlive))
    );
}

#[test]
fn truncated_and_extended_messages_do_not_decode() {
    let request = REQUEST.encode();
    for length in 0..request.len() {
        assert_eq!(Request::decode(&request[..length]), Err(DecodeError));
    }
    for answer in answers() {
        let mut encoded = answer.encode();
        for length in 0..encoded.len() {
            assert_eq!(Answer::decode(&encoded[..length]), Err(DecodeError));
        }
        encoded.push(0);
        assert_eq!(Answer::decode(&encoded), Err(DecodeError));
    }
    for message in helpers() {
        let mut encoded = message.encode(0);
        for length in 0..encoded.len() {
            assert_eq!(FromHelper::decode(&encoded[..length]), Err(DecodeError));
        }
        encoded.push(0);
        if message != FromHelper::VersionMismatch {
            assert_eq!(FromHelper::decode(&encoded), Err(DecodeError));
        }
    }
}

/// Every byte set to every value: nothing panics, and no damaged message is taken for a success.
#[test]
fn no_single_damaged_byte_makes_a_success_or_a_panic() {
    for message in helpers() {
        let encoded = message.encode(5);
        for at in 0..encoded.len() {
            for value in 0..=u8::MAX {
                let mut damaged = encoded.clone();
                damaged[at] = value;
                let decoded = FromHelper::decode(&damaged);
                // The code itself is the one byte that decides; it is not guarded by a checksum.
                let is_code = matches!(message, FromHelper::Verdict(_)) && at == 8;
                if let Ok((_, FromHelper::Verdict(verdict))) = decoded {
                    assert!(verdict.code != Code::Success || is_code);
                }
            }
        }
    }
}

#[test]
fn wrong_lengths_do_not_decode() {
    let mut message = FromHelper::ShowError("hello").encode(0);
    message[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(FromHelper::decode(&message), Err(DecodeError));
    let long = "x".repeat(MAX_TEXT + 1);
    assert_eq!(
        FromHelper::decode(&FromHelper::ShowError(&long).encode(0)),
        Err(DecodeError)
    );
}

#[test]
fn a_text_that_is_not_utf8_does_not_decode() {
    let mut message = FromHelper::ShowError("hello").encode(0);
    message[12] = 0xff;
    assert_eq!(FromHelper::decode(&message), Err(DecodeError));
}

#[test]
fn other_versions_are_refused_and_recognized() {
    let mut keep_alive = FromHelper::KeepAlive.encode(0);
    keep_alive[..2].copy_from_slice(&(VERSION + 1).to_le_bytes());
    assert_eq!(FromHelper::decode(&keep_alive), Err(DecodeError));
    assert_eq!(
        Header::decode(&keep_alive).map(|header| header.version),
        Ok(VERSION + 1)
    );
    let mut mismatch = FromHelper::VersionMismatch.encode(0);
    mismatch[..2].copy_from_slice(&(VERSION + 7).to_le_bytes());
    assert_eq!(
        FromHelper::decode(&mismatch),
        Ok((0, FromHelper::VersionMismatch))
    );
    assert!(!is_supported(0) && is_supported(VERSION) && !is_supported(VERSION + 1));
}

#[test]
fn the_largest_request_fits() {
    let name = vec![b'x'; limits::MAX_NAME];
    let request = Request {
        config: &vec![b'/'; limits::MAX_PATH],
        service: &[b's'; limits::MAX_SERVICE],
        tag: &[b't'; limits::MAX_SERVICE],
        user: &name,
        rhost: &name,
        ruser: &name,
        ssh_auth_info: &vec![b'k'; limits::MAX_SSH_AUTH_INFO],
        counts: &[0; MAX_COUNTS],
        ..REQUEST
    };
    let encoded = request.encode();
    assert!(encoded.len() <= MAX_MESSAGE);
    assert_eq!(Request::decode(&encoded), Ok(request));
}

#[test]
fn log_values_stay_within_their_quotes() {
    let encoded = |value: &[u8]| {
        let mut line = String::new();
        logfmt::field(&mut line, "user", value);
        line
    };
    assert_eq!(encoded(b"alice@example.org"), " user=alice@example.org");
    assert_eq!(encoded(b"+1*******42"), " user=+1*******42");
    assert_eq!(encoded(b"?"), " user=?");
    assert_eq!(encoded(b""), " user=\"\"");
    assert_eq!(encoded(b"a b=c"), " user=\"a b=c\"");
    assert_eq!(
        encoded(b"x\" granted user=\"root\n\x1b[2J\\"),
        r#" user="x\" granted user=\"root\x0a\x1b[2J\\""#
    );
    assert_eq!(encoded("ä".as_bytes()), r#" user="\xc3\xa4""#);
    let long = encoded(&[b'a'; 10_000]);
    assert!(long.len() < 450 && long.ends_with("...\""));
}

/// A running sshd may still use an old module with a newer helper, so the bytes of version 1 stay the
/// same. If they change, [`VERSION`] changes, and the test of the old version stays beside the new one.
#[test]
fn version_one_is_these_bytes() {
    assert_eq!(VERSION, 1);
    let hex = |bytes: &[u8]| -> String {
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits
            .filter_map(|digit| char::from_digit(digit.into(), 16))
            .collect()
    };
    assert_eq!(
        hex(&REQUEST.encode()),
        "01000100000000007f3a9c21e8030000e110000001000304000000737368641a0000002f6574632f73656375726974792f736d735f6f74702e746f6d6c040000007373686405000000616c696365090000003139322e302e322e3703000000626f621b0000007075626c69636b6579207373682d6564323535313920414141410a020000000102"
    );
    let encoded: Vec<String> = helpers()
        .iter()
        .map(|encoded| hex(&encoded.encode(77)))
        .collect();
    assert_eq!(
        encoded,
        [
            "010010004d000000",
            "010011004d000000010a00000050617373776f72643a20",
            "010012004d00000015000000546f6f206d616e792077726f6e6720636f6465732e",
            "010016004d0000001a000000596f75722070617373776f72642068617320657870697265642e",
            "010013004d0000004403000000616263",
            "010014004d000000",
            "0100150000000000030d0000000900"
        ]
    );
    let answered: Vec<String> = answers()
        .iter()
        .map(|answer| hex(&answer.encode()))
        .collect();
    assert_eq!(
        answered,
        [
            "01000200000000000101130000006e6f742061207265616c2070617373776f7264",
            "0100020000000000020100000000",
            "0100020000000000030000000000",
            "0100020000000000040100000000"
        ]
    );
}
