//! Shares, places and who makes room, on a paused clock.

use axum::body::Body as AnyBody;
use futures::{FutureExt, channel::mpsc, poll};

use super::*;

/// A server's connections, and the token that would stop it.
struct Door {
    connections: Connections,
    stop: CancellationToken,
}

impl Door {
    fn new(in_all: usize, per_address: u32) -> Self {
        let limits = ConnectionLimits {
            in_all,
            per_address,
        };
        let proxies = vec!["10.0.0.0/8".parse().unwrap()];
        Self {
            connections: Connections::new(limits, proxies),
            stop: CancellationToken::new(),
        }
    }

    async fn enter(&self, address: &str) -> Option<Place> {
        let peer = SocketAddr::new(address.parse().unwrap(), 50_000);
        self.connections.enter(peer, &self.stop).await
    }

    /// A connection that gets a place of its own at once.
    fn seat(&self, address: &str) -> Place {
        let place = self
            .enter(address)
            .now_or_never()
            .expect("it need not wait");
        let place = place.expect("there is a place");
        assert!(!place.is_overflow(), "{address} has room");
        place
    }

    fn is_empty(&self) -> bool {
        let open = self.connections.0.open();
        open.seats.is_empty() && open.connections.0.is_empty() && open.requests.0.is_empty()
    }
}

fn request(forwarded: Option<&str>) -> Request<()> {
    let mut request = Request::new(());
    if let Some(address) = forwarded {
        let headers = request.headers_mut();
        headers.insert("x-forwarded-for", address.parse().unwrap());
    }
    request
}

fn is_full(request: &Request<()>) -> bool {
    request.extensions().get::<AddressIsFull>().is_some()
}

#[tokio::test(start_paused = true)]
async fn whoever_waited_longest_for_a_client_makes_room() {
    let door = Door::new(3, 0);
    let mut places = Vec::new();
    for number in 1..=3 {
        places.push(door.seat(&format!("192.0.2.{number}")));
        tokio::time::advance(GRACE).await;
    }
    // The first has sent a request since, so the second is the one that was silent for longest.
    drop(places[0].begin(&mut request(None)));
    tokio::time::advance(GRACE).await;
    let mut next = Box::pin(door.enter("192.0.2.4"));
    assert!(poll!(&mut next).is_pending());
    let given_up: Vec<bool> = places.iter().map(Place::is_given_up).collect();
    assert_eq!(given_up, [false, true, false]);
    assert!(places[1].leave().now_or_never().is_some(), "it is told");
    assert!(places[0].leave().now_or_never().is_none());
    drop(places.remove(1));
    assert!(next.await.is_some());
    drop(places);
    assert!(door.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_connection_at_work_and_one_that_has_just_come_are_left_alone() {
    let door = Door::new(2, 0);
    let (busy, fresh) = (door.seat("192.0.2.1"), door.seat("192.0.2.2"));
    let at_work = busy.begin(&mut request(None));
    let mut next = Box::pin(door.enter("192.0.2.3"));
    assert!(poll!(&mut next).is_pending());
    assert!(!busy.is_given_up() && !fresh.is_given_up());
    // Once its grace is over, the one that says nothing goes; the other one never.
    tokio::time::advance(Duration::from_hours(1)).await;
    assert!(poll!(&mut next).is_pending());
    assert!(!busy.is_given_up() && fresh.is_given_up());
    drop(fresh);
    let third = next.await.unwrap();
    let third_at_work = third.begin(&mut request(None));
    let mut next = Box::pin(door.enter("192.0.2.4"));
    tokio::time::advance(Duration::from_hours(1)).await;
    assert!(poll!(&mut next).is_pending());
    assert!(!busy.is_given_up() && !third.is_given_up());
    // The answer is sent: the connection is idle from now on.
    drop((at_work, third_at_work));
    tokio::time::advance(GRACE).await;
    assert!(poll!(&mut next).is_pending());
    assert!(busy.is_given_up() || third.is_given_up());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_makes_room_and_one_that_goes_on_does_not() {
    let door = Door::new(1, 0);
    let place = door.seat("192.0.2.1");
    let at_work = place.begin(&mut request(None));
    let (send, receive) = mpsc::unbounded::<Result<&str, std::io::Error>>();
    let mut body = at_work.arriving(AnyBody::from_stream(receive));
    let mut read = async || {
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        frame.now_or_never()
    };
    let mut next = Box::pin(door.enter("192.0.2.2"));
    for _ in 0..10 {
        assert!(read().await.is_none(), "it waits");
        tokio::time::advance(BODY_GRACE / 2).await;
        assert!(poll!(&mut next).is_pending());
        assert!(!place.is_given_up());
        send.unbounded_send(Ok("bytes")).unwrap();
        assert!(read().await.is_some(), "they came");
    }
    assert!(read().await.is_none());
    tokio::time::advance(BODY_GRACE).await;
    assert!(poll!(&mut next).is_pending());
    assert!(place.is_given_up());
}

#[tokio::test(start_paused = true)]
async fn an_address_that_has_its_share_shuts_out_nobody_else() {
    let door = Door::new(1_000, 2);
    let places = [door.seat("192.0.2.1"), door.seat("192.0.2.1")];
    let work = places
        .each_ref()
        .map(|place| place.begin(&mut request(None)));
    let mut overflow = Vec::new();
    for _ in 0..OVERFLOW {
        let place = door.enter("192.0.2.1").await.unwrap();
        assert!(place.is_overflow());
        let mut asked = request(None);
        place.begin(&mut asked);
        assert!(is_full(&asked));
        overflow.push(place);
    }
    assert!(door.enter("192.0.2.1").await.is_none());
    let other = door.seat("192.0.2.2");
    let mut asked = request(None);
    other.begin(&mut asked);
    assert!(!is_full(&asked));
    // One of them has its answer and says nothing more: it makes room for its own address.
    drop(work);
    tokio::time::advance(GRACE).await;
    let third = door.seat("192.0.2.1");
    assert_eq!(places.iter().filter(|place| place.is_given_up()).count(), 1);
    assert!(!other.is_given_up());
    drop((places, overflow, third, other));
    assert!(door.is_empty());
}

#[tokio::test(start_paused = true)]
async fn ipv6_counts_by_network_and_with_more_room_by_site() {
    let door = Door::new(1_000, 2);
    let mut places = Vec::new();
    for network in 0..4 {
        for host in 1..=2 {
            let place = door.seat(&format!("2001:db8:1:{network}::{host}"));
            places.push((place.begin(&mut request(None)), place));
        }
        let third = door.enter(&format!("2001:db8:1:{network}::3")).await;
        assert!(third.unwrap().is_overflow(), "{network}");
    }
    let site = door.enter("2001:db8:1:ffff::1").await.unwrap();
    assert!(site.is_overflow(), "the site has its share");
    door.seat("2001:db8:2::1");
}

#[tokio::test(start_paused = true)]
async fn a_trusted_proxy_has_no_share_and_its_clients_count_by_requests() {
    let door = Door::new(1_000, 2);
    let mut places = Vec::new();
    for _ in 0..10 {
        places.push(door.seat("10.0.0.1"));
    }
    let begin = |number: usize, client: Option<&str>| {
        let mut asked = request(client);
        let at_work = places[number].begin(&mut asked);
        (at_work, is_full(&asked))
    };
    let (first, is_first_full) = begin(0, Some("203.0.113.7:1"));
    let (second, is_second_full) = begin(1, Some("203.0.113.7:2"));
    let (third, is_third_full) = begin(2, Some("203.0.113.7:3"));
    assert_eq!(
        (is_first_full, is_second_full, is_third_full),
        (false, false, true)
    );
    assert!(!begin(3, Some("203.0.113.8")).1, "another client");
    assert!(!begin(4, None).1, "the proxy itself");
    drop(third);
    assert!(
        begin(5, Some("203.0.113.7")).1,
        "what was refused never counted"
    );
    drop(second);
    assert!(!begin(6, Some("203.0.113.7")).1, "an answer makes room");
    drop(first);
    drop(places);
    assert!(door.is_empty());
}
