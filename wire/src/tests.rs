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
        FromHelper::Working,
        FromHelper::Ask(Style::Password, "Password: "),
        FromHelper::Tell("Too many wrong codes."),
        FromHelper::Inform("Your password has expired."),
        FromHelper::Verdict(Verdict {
            code: Code::MaxTries,
            counts: b"abc",
        }),
        FromHelper::Unspoken,
        FromHelper::Stillborn(Stillborn {
            step: 3,
            errno: 13,
            walked: 9,
        }),
    ]
}

fn answers() -> [Answer<'static>; 4] {
    [
        Answer::Said {
            asked: true,
            words: b"not a real password",
        },
        Answer::HungUp,
        Answer::Missing,
        Answer::TooLong,
    ]
}

#[test]
fn what_is_written_is_read() {
    assert_eq!(Request::read(&REQUEST.write()), Ok(REQUEST));
    for message in helpers() {
        assert_eq!(
            FromHelper::read(&message.write(77)).map(|(_, read)| read),
            Ok(message)
        );
    }
    for answer in answers() {
        assert_eq!(Answer::read(&answer.write()), Ok(answer));
    }
}

#[test]
fn the_time_limit_travels() {
    assert_eq!(
        FromHelper::read(&FromHelper::Working.write(1234)),
        Ok((1234, FromHelper::Working))
    );
}

#[test]
fn every_cut_and_every_surplus_is_nonsense() {
    let request = REQUEST.write();
    for length in 0..request.len() {
        assert_eq!(Request::read(&request[..length]), Err(Nonsense));
    }
    for answer in answers() {
        let mut written = answer.write();
        for length in 0..written.len() {
            assert_eq!(Answer::read(&written[..length]), Err(Nonsense));
        }
        written.push(0);
        assert_eq!(Answer::read(&written), Err(Nonsense));
    }
    for message in helpers() {
        let mut written = message.write(0);
        for length in 0..written.len() {
            assert_eq!(FromHelper::read(&written[..length]), Err(Nonsense));
        }
        written.push(0);
        if message != FromHelper::Unspoken {
            assert_eq!(FromHelper::read(&written), Err(Nonsense));
        }
    }
}

/// Every byte set to every value: nothing panics, and no damaged message is taken for a success.
#[test]
fn no_single_damaged_byte_makes_a_success_or_a_panic() {
    for message in helpers() {
        let written = message.write(5);
        for at in 0..written.len() {
            for value in 0..=u8::MAX {
                let mut damaged = written.clone();
                damaged[at] = value;
                let read = FromHelper::read(&damaged);
                // The code itself is the one byte that decides; it is not guarded by a checksum.
                let is_code = matches!(message, FromHelper::Verdict(_)) && at == 8;
                if let Ok((_, FromHelper::Verdict(verdict))) = read {
                    assert!(verdict.code != Code::Success || is_code);
                }
            }
        }
    }
}

#[test]
fn lengths_that_lie_are_nonsense() {
    let mut tell = FromHelper::Tell("hello").write(0);
    tell[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(FromHelper::read(&tell), Err(Nonsense));
    let long = "x".repeat(MAX_TEXT + 1);
    assert_eq!(
        FromHelper::read(&FromHelper::Tell(&long).write(0)),
        Err(Nonsense)
    );
}

#[test]
fn a_text_that_is_not_utf8_is_nonsense() {
    let mut tell = FromHelper::Tell("hello").write(0);
    tell[12] = 0xff;
    assert_eq!(FromHelper::read(&tell), Err(Nonsense));
}

#[test]
fn other_versions_are_refused_and_still_recognised() {
    let mut working = FromHelper::Working.write(0);
    working[..2].copy_from_slice(&(VERSION + 1).to_le_bytes());
    assert_eq!(FromHelper::read(&working), Err(Nonsense));
    assert_eq!(
        Header::read(&working).map(|header| header.version),
        Ok(VERSION + 1)
    );
    let mut unspoken = FromHelper::Unspoken.write(0);
    unspoken[..2].copy_from_slice(&(VERSION + 7).to_le_bytes());
    assert_eq!(FromHelper::read(&unspoken), Ok((0, FromHelper::Unspoken)));
    assert!(!speaks(0) && speaks(VERSION) && !speaks(VERSION + 1));
}

#[test]
fn the_largest_request_fits() {
    let name = vec![b'x'; most::NAME];
    let request = Request {
        config: &vec![b'/'; most::PATH],
        service: &[b's'; most::SERVICE],
        tag: &[b't'; most::SERVICE],
        user: &name,
        rhost: &name,
        ruser: &name,
        ssh_auth_info: &vec![b'k'; most::SSH_AUTH_INFO],
        counts: &[0; MAX_COUNTS],
        ..REQUEST
    };
    let written = request.write();
    assert!(written.len() <= MAX_MESSAGE);
    assert_eq!(Request::read(&written), Ok(request));
}

#[test]
fn log_values_cannot_leave_their_quotes() {
    let written = |value: &[u8]| {
        let mut line = String::new();
        logfmt::field(&mut line, "user", value);
        line
    };
    assert_eq!(written(b"alice@example.org"), " user=alice@example.org");
    assert_eq!(written(b"+1*******42"), " user=+1*******42");
    assert_eq!(written(b"?"), " user=?");
    assert_eq!(written(b""), " user=\"\"");
    assert_eq!(written(b"a b=c"), " user=\"a b=c\"");
    assert_eq!(
        written(b"x\" granted user=\"root\n\x1b[2J\\"),
        r#" user="x\" granted user=\"root\x0a\x1b[2J\\""#
    );
    assert_eq!(written("ä".as_bytes()), r#" user="\xc3\xa4""#);
    let long = written(&[b'a'; 10_000]);
    assert!(long.len() < 450 && long.ends_with("...\""));
}

/// A module that an old sshd still has mapped meets a newer helper: what version 1 was stays readable,
/// byte by byte. Where these change, [`VERSION`] does, and what was before is kept beside them.
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
        hex(&REQUEST.write()),
        "01000100000000007f3a9c21e8030000e110000001000304000000737368641a0000002f6574632f73656375726974792f736d735f6f74702e746f6d6c040000007373686405000000616c696365090000003139322e302e322e3703000000626f621b0000007075626c69636b6579207373682d6564323535313920414141410a020000000102"
    );
    let said: Vec<String> = helpers().iter().map(|said| hex(&said.write(77))).collect();
    assert_eq!(
        said,
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
        .map(|answer| hex(&answer.write()))
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
