//! One name for a cluster, and a node at each of its two addresses.

use super::IN;
use super::addresses::{FIRST, Ground, Kind, NAME, second};
use crate::module::{Seen, someone};
use lab::bench::Bench;
use lab::certs::Identity;
use lab::middle::{Fault, Middle};
use lab::redis::Redis;

/// What the client says behind its hello: TLS stands by then, and it is a node that fails.
const GREETING: usize = 2;

/// Silent, hanging up, speaking nonsense, or a node that says CLUSTERDOWN: at the next address there
/// is another one.
pub fn a_node_that_is_of_no_use_gives_way_to_the_next(bench: &Bench) {
    let ground = Ground::new();
    let who = someone(bench, "several-nodes");
    ground.slapd.add(&who.person);
    let node = || Redis::node(Some((&ground.certs, Identity::Good)));
    let (whole, down) = (node(), node());
    whole.take_all_slots();
    for (at_first, fault) in [
        (&whole, Fault::Silent),
        (&whole, Fault::Cut),
        (&whole, Fault::Garbage),
        (&down, Fault::None),
    ] {
        let what = format!("{fault:?}");
        let (second, port) = second(whole.tls_port());
        let first = Middle::at((FIRST, port).into(), at_first.tls_port(), GREETING, fault);
        let login = ground
            .login(bench, "several-nodes", &who, Kind::Ledger, port)
            .text("ledger.redis", &format!("rediss+cluster://{NAME}:{port}"));
        login.sees(&what, &IN, &Seen::granted());
        // Asked again, he would fail before TLS stands, and that is another case.
        assert_eq!((first.accepted(), second.accepted()), (1, 1), "{what}");
    }
}
