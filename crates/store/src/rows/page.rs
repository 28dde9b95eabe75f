//! Which rows a page has, whatever the engine.

use std::str::FromStr;

use engine::ports::PageQuery;
use protocol::ThreadId;
use protocol::request::Order;

/// Where a thread stands in the lists by time: when it was made, and its id.
pub(crate) type Place = (i64, String);

/// Where a thread stood that is gone, so that a list can be read on while its threads are deleted. Its id knows the
/// millisecond; the whole of it is taken in, so that nothing is passed over.
pub(crate) fn place_of_gone(id: &str, rounded_up: i64) -> Option<Place> {
    let milliseconds = ThreadId::from_str(id).ok()?.minted_at_milliseconds()?;
    Some(((milliseconds + rounded_up) * 1_000, String::new()))
}

/// What comes before and after in an order, by time.
pub(crate) fn low_and_high<T>(order: Order, after: T, before: T) -> (T, T) {
    match order {
        Order::Asc => (after, before),
        Order::Desc => (before, after),
    }
}

/// In which order the rows are read: a page right before a place is read away from that place.
pub(crate) fn travels(query: &PageQuery) -> Order {
    match (query.order, query.is_backwards()) {
        (order, false) => order,
        (Order::Asc, true) => Order::Desc,
        (Order::Desc, true) => Order::Asc,
    }
}
