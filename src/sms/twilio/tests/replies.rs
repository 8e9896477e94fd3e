//! Replies from files in `tests/cases/twilio`; the name of a file is the name of the case.
#![forbid(unsafe_code)]

use std::{fs, path::PathBuf, time::Duration};

use super::{outcome, send, settings};
use crate::{
    failure::FailureKind,
    test_support::net_server::{Behavior, FakeServer},
};

/// Reads a case: the expected outcome, and the reply, in which `\n` ends the header lines and `*` stands
/// for the length of the body.
fn case(path: &PathBuf) -> (String, Vec<u8>) {
    let text = fs::read_to_string(path).unwrap();
    let (expected, reply) = text.split_once('\n').unwrap();
    let reply = if reply.contains("chunked") {
        reply.replace('\n', "\r\n")
    } else {
        // The head ends with the last blank line before the body.
        match reply.rsplit_once("\n\n") {
            Some((head, body)) => {
                let head = head.replace('*', &body.len().to_string());
                format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n"))
            }
            None => reply.replace('\n', "\r\n"),
        }
    };
    (
        expected.strip_prefix("> ").unwrap().to_owned(),
        reply.into_bytes(),
    )
}

#[test]
fn every_reply_has_its_outcome() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/twilio");
    let mut cases: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() > 50);
    for path in cases {
        let (expected, reply) = case(&path);
        let server = FakeServer::new(None, vec![Behavior::Reply(reply)]);
        let result = send(
            &settings(server.address.port(), None),
            Duration::from_secs(5),
        );
        let name = path.file_name().unwrap();
        assert_eq!(outcome(&result), expected, "{name:?}: {result:?}");
        if let Err(error) = &result {
            // A refusal means that the text was not sent; an outage leaves it open.
            let is_open = error.failure.kind == FailureKind::Outage;
            assert_eq!(error.may_be_sent, is_open, "{name:?}");
        }
        // There is one request, whatever the reply.
        assert_eq!(server.finish().len(), 1, "{name:?}");
    }
}
