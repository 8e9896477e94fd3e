//! Replies as data: `tests/cases/twilio`, the file's name is the case.
#![forbid(unsafe_code)]

use std::{fs, path::PathBuf, time::Duration};

use super::{outcome, send, settings};
use crate::{
    failure::FailureKind,
    net::stage::{Act, Stage},
};

/// A case: what is expected, and the reply, in which `\n` ends header lines and `*` is the length.
fn case(path: &PathBuf) -> (String, Vec<u8>) {
    let text = fs::read_to_string(path).unwrap();
    let (expected, reply) = text.split_once('\n').unwrap();
    let reply = if reply.contains("chunked") {
        reply.replace('\n', "\r\n")
    } else {
        // The head that ends with the last blank line before the body.
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
        let stage = Stage::new(None, vec![Act::Say(reply)]);
        let result = send(&settings(stage.at.port(), None), Duration::from_secs(5));
        let name = path.file_name().unwrap();
        assert_eq!(outcome(&result), expected, "{name:?}: {result:?}");
        if let Err(error) = &result {
            // Whoever answers with a refusal has not sent it; whoever is not himself may have.
            let unsure = error.failure.kind == FailureKind::Outage;
            assert_eq!(error.may_be_sent, unsure, "{name:?}");
        }
        // Whatever came back, it was asked once.
        assert_eq!(stage.end().len(), 1, "{name:?}");
    }
}
