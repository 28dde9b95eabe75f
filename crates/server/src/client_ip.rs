//! Which address a request comes from, as far as limits are concerned.
//!
//! A forwarded address is believed only when it was written by a trusted hop: the list in
//! `X-Forwarded-For` is read from the right, and the first address that is not a trusted proxy is
//! the client. Reading it from the left would let every client choose its own address.
//! Addresses are then made canonical: an IPv4-mapped IPv6 address is the IPv4 address, and IPv6
//! counts by its /64, because one subscriber has at least that many addresses to change between.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use http::HeaderMap;
use ipnet::IpNet;

/// At most this many hops are read; a longer list counts as the last of them.
const MAX_HOPS: usize = 32;

/// The canonical address limits are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientIp(IpAddr);

impl ClientIp {
    /// The client behind a connection from `peer`, given whom we trust to name another.
    pub(crate) fn find(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Self {
        let mut client = peer.to_canonical();
        let hops = headers
            .get_all("x-forwarded-for")
            .iter()
            .rev()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|line| line.rsplit(','))
            .take(MAX_HOPS);
        for hop in hops {
            if !is_trusted(client, trusted_proxies) {
                break;
            }
            match hop.trim().parse::<IpAddr>() {
                Ok(address) => client = address.to_canonical(),
                Err(_) => break,
            }
        }
        Self(canonical(client))
    }
}

/// Whether a request was forwarded by somebody who is not trusted: by a proxy that the configuration forgot, or by
/// nobody, when a client made the header up.
pub(crate) fn is_forwarded_by_stranger(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted_proxies: &[IpNet],
) -> bool {
    headers.contains_key("x-forwarded-for") && !is_trusted(peer.to_canonical(), trusted_proxies)
}

/// As the audit log has it: an IPv6 address is written as the block that it counts as.
impl fmt::Display for ClientIp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(formatter),
            IpAddr::V6(address) => write!(formatter, "{address}/64"),
        }
    }
}

fn is_trusted(address: IpAddr, trusted_proxies: &[IpNet]) -> bool {
    trusted_proxies.iter().any(|block| block.contains(&address))
}

fn canonical(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|block| block.parse().unwrap()).collect();
        ClientIp::find(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn r01_only_trusted_hops_may_name_another_address() {
        let proxies = &["10.0.0.0/8", "fd00::/8"];
        for (peer, forwarded, expected) in [
            ("203.0.113.9", &[][..], "203.0.113.9"),
            ("203.0.113.9", &["1.2.3.4"], "203.0.113.9"),
            ("10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6", "1.2.3.4", "10.0.0.2"], "1.2.3.4"),
            ("10.0.0.1", &["rubbish"], "10.0.0.1"),
            ("10.0.0.1", &["1.2.3.4, rubbish"], "10.0.0.1"),
            ("::ffff:10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
        ] {
            assert_eq!(
                find(peer, forwarded, proxies),
                expected,
                "{peer} {forwarded:?}"
            );
        }
    }

    #[test]
    fn r01_addresses_are_canonical() {
        assert_eq!(find("::ffff:198.51.100.7", &[], &[]), "198.51.100.7");
        assert_eq!(find("2001:db8:1:2:3:4:5:6", &[], &[]), "2001:db8:1:2::/64");
        assert_eq!(
            find("2001:db8:1:2:3:4:5:6", &[], &[]),
            find("2001:db8:1:2:ffff::1", &[], &[])
        );
    }
}
