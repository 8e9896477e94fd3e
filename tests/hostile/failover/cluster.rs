//! One host name for a cluster, with a node at each of its two addresses.

use super::IN;
use super::addresses::{FIRST, Kind, NAME, Servers, second};
use crate::module::{Seen, someone};
use lab::Lab;
use lab::certs::Identity;
use lab::fault_proxy::{Fault, FaultProxy};
use lab::redis::Redis;

/// The client's first message after its ClientHello: TLS is established, and the node fails.
const GREETING: usize = 2;

/// If the node at the first address is silent, closes the connection, sends garbage or reports CLUSTERDOWN,
/// the login uses the node at the next address.
pub fn an_unusable_node_fails_over(lab: &Lab) {
    let servers = Servers::new();
    let who = someone(lab, "several-nodes");
    servers.slapd.add(&who.person);
    let node = || Redis::node(Some((&servers.certs, Identity::Good)));
    let (whole, down) = (node(), node());
    whole.take_all_slots();
    for (at_first, fault) in [
        (&whole, Fault::Silent),
        (&whole, Fault::Close),
        (&whole, Fault::Garbage),
        (&down, Fault::None),
    ] {
        let what = format!("{fault:?}");
        let (second, port) = second(whole.tls_port());
        let first = FaultProxy::at((FIRST, port).into(), at_first.tls_port(), GREETING, fault);
        let login = servers
            .login(lab, "several-nodes", &who, Kind::Ledger, port)
            .text("ledger.redis", &format!("rediss+cluster://{NAME}:{port}"));
        login.sees(&what, &IN, &Seen::granted());
        // A second attempt would fail before TLS is established, which is another case.
        assert_eq!((first.accepted(), second.accepted()), (1, 1), "{what}");
    }
}
