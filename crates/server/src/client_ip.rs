//! Which address a request comes from, as far as limits are concerned.
//!
//! A forwarded address is believed only when it was written by a trusted hop: the list in
//! `X-Forwarded-For` is read from the right, and the first address that is not a trusted proxy is
//! the client. Reading it from the left would let every client choose its own address.
//! Addresses are then made canonical: an IPv4-mapped IPv6 address is the IPv4 address, and IPv6
//! counts by its /64, because one subscriber has at least that many addresses to change between.
//! Whoever has many /64s has them side by side, so limits count the /48 as well, with more room.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use http::{HeaderMap, Version};
use ipnet::IpNet;

/// At most this many hops are read; a longer list counts as the last of them.
const MAX_HOPS: usize = 32;
/// How many times as much a /48 may do as one /64 in it.
pub(crate) const SITE_FACTOR: u32 = 4;

/// The canonical address limits are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientIp(IpAddr);

/// An IPv6 /48: what a site is assigned as a rule (RFC 6177), which holds 65,536 blocks that count as
/// one client each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Site(Ipv6Addr);

/// See [`ClientIp::network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    Address(ClientIp),
    Site(Site),
}

impl ClientIp {
    /// The other end of a connection.
    pub(crate) fn of_peer(peer: IpAddr) -> Self {
        Self(canonical(peer))
    }

    /// The client behind a connection from `peer`, given whom we trust to name another.
    pub(crate) fn find(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Self {
        let mut client = peer.to_canonical();
        let hops = headers
            .get_all("x-forwarded-for")
            .iter()
            .rev()
            // A line that is no text is one hop that nobody can read.
            .flat_map(|value| value.to_str().unwrap_or("unreadable").rsplit(','))
            .map(str::trim)
            // An empty place in a list is no element of it (RFC 9110 §5.6.1.2).
            .filter(|hop| !hop.is_empty())
            .take(MAX_HOPS);
        for hop in hops {
            if !is_trusted(client, trusted_proxies) {
                break;
            }
            match read_hop(hop) {
                Some(address) => client = address.to_canonical(),
                None => break,
            }
        }
        Self(canonical(client))
    }

    /// The widest block that one client may have all of.
    pub(crate) fn network(self) -> Network {
        self.site().map_or(Network::Address(self), Network::Site)
    }

    /// The address that stands for the client; for IPv6, the first of its /64.
    pub(crate) fn address(self) -> IpAddr {
        self.0
    }

    /// The site that an IPv6 address belongs to.
    pub(crate) fn site(self) -> Option<Site> {
        match self.0 {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(Site(prefix(address, 3))),
        }
    }
}

/// Whether the request was sent on this machine: by its address, and with no sign of a proxy, behind
/// which everybody seems to be here.
pub(crate) fn is_on_this_machine(peer: IpAddr, version: Version, headers: &HeaderMap) -> bool {
    peer.to_canonical().is_loopback() && !is_passed_on(version, headers)
}

/// Whether a proxy passed the request on: it says so by a header, or speaks HTTP/1.0, which no browser
/// does and nginx's bare `proxy_pass` did for twenty years.
pub(crate) fn is_passed_on(version: Version, headers: &HeaderMap) -> bool {
    let is_of_proxy = |name: &str| {
        matches!(
            name,
            "forwarded"
                | "via"
                | "x-real-ip"
                | "x-client-ip"
                | "true-client-ip"
                | "cf-connecting-ip"
        ) || name.starts_with("x-forwarded-")
    };
    version < Version::HTTP_11 || headers.keys().any(|name| is_of_proxy(name.as_str()))
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

/// Whether this is one of the proxies whose word about their clients is taken.
pub(crate) fn is_trusted(address: IpAddr, trusted_proxies: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted_proxies.iter().any(|block| block.contains(&address))
}

/// One element of the list, as proxies write it: an address, with or without a port (Azure, IIS), in
/// brackets when it is IPv6 (AWS), with or without a zone.
fn read_hop(hop: &str) -> Option<IpAddr> {
    let is_port = |text: &str| text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let host = if let Some(rest) = hop.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        if !after.is_empty() && !after.strip_prefix(':').is_some_and(is_port) {
            return None;
        }
        host
    } else {
        match hop.split_once(':') {
            // One colon: a port. More of them belong to an IPv6 address.
            Some((host, port)) if !port.contains(':') => {
                if !is_port(port) {
                    return None;
                }
                host
            }
            _ => hop,
        }
    };
    let host = host.split_once('%').map_or(host, |(host, _zone)| host);
    host.parse().ok()
}

fn canonical(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(prefix(address, 4)),
    }
}

/// The first of the eight segments, and zeros.
fn prefix(address: Ipv6Addr, segments: usize) -> Ipv6Addr {
    let mut kept = [0; 8];
    kept[..segments].copy_from_slice(&address.segments()[..segments]);
    Ipv6Addr::from(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            let value = http::HeaderValue::from_bytes(line.as_bytes()).unwrap();
            headers.append("x-forwarded-for", value);
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
    fn r01_a_forwarded_address_is_read_as_its_senders_write_it() {
        for (sender, forwarded, expected) in [
            ("nginx, HAProxy, AWS", &["203.0.113.7"][..], "203.0.113.7"),
            (
                "nginx behind nginx",
                &["203.0.113.7, 10.0.0.2"],
                "203.0.113.7",
            ),
            ("no spaces", &["203.0.113.7,10.0.0.2"], "203.0.113.7"),
            ("a tab", &["203.0.113.7,\t10.0.0.2"], "203.0.113.7"),
            (
                "HAProxy, a line each",
                &["203.0.113.7", "10.0.0.2"],
                "203.0.113.7",
            ),
            ("Azure, IIS", &["203.0.113.7:50123"], "203.0.113.7"),
            (
                "Azure twice",
                &["203.0.113.7:50123, 10.0.0.2:443"],
                "203.0.113.7",
            ),
            ("IPv6", &["2001:db8:1:2::7"], "2001:db8:1:2::/64"),
            (
                "IPv6 in brackets",
                &["[2001:db8:1:2::7]"],
                "2001:db8:1:2::/64",
            ),
            (
                "AWS, with the port",
                &["[2001:db8:1:2::7]:50123"],
                "2001:db8:1:2::/64",
            ),
            (
                "mapped, with the port",
                &["[::ffff:203.0.113.7]:50123"],
                "203.0.113.7",
            ),
            ("a zone", &["fe80::7%eth0"], "fe80::/64"),
            ("empty places", &["203.0.113.7, , 10.0.0.2,"], "203.0.113.7"),
            ("an empty line", &["203.0.113.7", ""], "203.0.113.7"),
            // What cannot be read is not passed over: what stands before it is anybody's word.
            ("squid", &["203.0.113.7, unknown"], "10.0.0.1"),
            ("obfuscated", &["203.0.113.7, _hidden"], "10.0.0.1"),
            ("no text", &["203.0.113.7", "\u{e9}"], "10.0.0.1"),
            ("no port", &["203.0.113.7:http"], "10.0.0.1"),
            ("no end", &["[2001:db8::7"], "10.0.0.1"),
            ("more than an address", &["[2001:db8::7]x"], "10.0.0.1"),
            ("a name", &["client.example:443"], "10.0.0.1"),
        ] {
            let found = find("10.0.0.1", forwarded, &["10.0.0.0/8"]);
            assert_eq!(found, expected, "{sender}: {forwarded:?}");
        }
    }

    #[test]
    fn whoever_comes_through_a_proxy_is_not_on_this_machine() {
        let plain = HeaderMap::new();
        for (peer, is_here) in [
            ("127.0.0.1", true),
            ("127.8.8.8", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("203.0.113.9", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(
                is_on_this_machine(peer.parse().unwrap(), Version::HTTP_11, &plain),
                is_here,
                "{peer}"
            );
        }
        for name in [
            "forwarded",
            "via",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-real-ip",
            "cf-connecting-ip",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, "something".parse().unwrap());
            assert!(
                !is_on_this_machine("127.0.0.1".parse().unwrap(), Version::HTTP_11, &headers),
                "{name}"
            );
        }
        let here = "127.0.0.1".parse().unwrap();
        assert!(!is_on_this_machine(here, Version::HTTP_10, &plain));
    }

    #[test]
    fn r01_a_site_is_a_48_and_ipv4_has_none() {
        let site = |text: &str| ClientIp::of_peer(text.parse().unwrap()).site();
        assert_eq!(site("2001:db8:1:2::7"), site("2001:db8:1:ffff::8"));
        assert_ne!(site("2001:db8:1:2::7"), site("2001:db8:2:2::7"));
        assert_eq!(site("203.0.113.7"), None);
        assert_eq!(site("::ffff:203.0.113.7"), None);
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
