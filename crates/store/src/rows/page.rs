//! Which rows a page has, whatever the engine.

use std::str::FromStr;

use engine::ports::PageQuery;
use protocol::request::Order;
use protocol::{ItemId, ThreadId};

/// Where a thread stands in the lists by time: when it was made, and its id.
pub(crate) type Place = (i64, String);

/// Where a thread stood that is gone, so that a list can be read on while its threads are deleted. Its id knows the
/// millisecond; the whole of it is taken in, so that nothing is passed over.
pub(crate) fn place_of_gone(id: &str, rounded_up: i64) -> Option<Place> {
    let milliseconds = ThreadId::from_str(id).ok()?.minted_at_milliseconds()?;
    Some(((milliseconds + rounded_up) * 1_000, String::new()))
}

/// Which side of a place a page is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Behind,
    Before,
}

/// What an item's id begins with that was made right after one that is gone, or in its millisecond: what is on the wanted
/// side of it begins there. Only ids of ours know a time.
pub(crate) fn border_of_gone(id: &str, side: Side) -> Option<String> {
    let minted_at = ItemId::from_str(id).ok()?.minted_at_milliseconds()?;
    let border = match side {
        Side::Behind => minted_at,
        Side::Before => minted_at + 1,
    };
    Some(format!("{}_{border:012x}", ItemId::PREFIX))
}

/// Asks for the key of the neighbour of an item that is gone, by its border, which is the parameter `border`: what is
/// wanted lies between that one and the end. `of_thread` is the condition that names the thread.
///
/// Items stand as they were put, which is nearly as they were made: a message that waited comes behind what was made
/// later. And an agent's items say no time. So the neighbour is the last that was made earlier among those that stand
/// before all that were made later, or the other way round. Rather is something told twice than passed over.
pub(crate) fn neighbour_of_gone(of_thread: &str, border: &str, side: Side) -> String {
    let prefix = ItemId::PREFIX;
    let earlier = format!("{of_thread} AND id > '{prefix}_' AND id < {border}");
    // The character after the underscore.
    let later = format!("{of_thread} AND id >= {border} AND id < '{prefix}`'");
    match side {
        Side::Behind => format!(
            "SELECT max(key) FROM items WHERE {earlier}
             AND key < coalesce((SELECT min(key) FROM items WHERE {later}), {})",
            i64::MAX
        ),
        Side::Before => format!(
            "SELECT min(key) FROM items WHERE {later}
             AND key > coalesce((SELECT max(key) FROM items WHERE {earlier}), -1)"
        ),
    }
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
