//! Origins: what is accepted is exactly what a browser would send, and local only where it is.
#![no_main]

use auth::Origin;
use libfuzzer_sys::fuzz_target;
use url::{Host, Url};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(origin) = Origin::parse(text) else {
        return;
    };
    assert_eq!(origin.as_str(), text);
    let url = Url::parse(text).expect("accepted origins are URLs");
    assert_eq!(url.origin().ascii_serialization(), text);
    let is_local = match url.host().expect("accepted origins have a host") {
        Host::Domain(name) => name.rsplit('.').next() == Some("localhost"),
        Host::Ipv4(address) => address.octets()[0] == 127,
        Host::Ipv6(address) => address.segments() == [0, 0, 0, 0, 0, 0, 0, 1],
    };
    assert_eq!(origin.is_local(), is_local);
});
