//! The questions for lists, as they stand behind the `?` of an address.

use crate::hosted::parameter::{ParameterError, check_length, check_user};
use crate::request::Order;

/// The most entries of one page.
const MAX_LIMIT: u32 = 100;
/// How many entries a page has when nothing is said.
const DEFAULT_LIMIT: u32 = 20;
/// The longest cursor, in characters; ids are shorter.
const MAX_CURSOR: usize = crate::id::MAX_LENGTH;

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// At most this many entries, 0 to 100.
    pub limit: u32,
    pub order: Order,
    /// Entries that follow this one in the given order.
    pub after: Option<String>,
    /// Entries that precede this one in the given order; alone, the page right before it.
    pub before: Option<String>,
}

/// Which threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadQuery {
    pub list: ListQuery,
    /// Those of one user only.
    pub user: Option<String>,
}

/// Which items.
pub type ItemQuery = ListQuery;

impl Default for ListQuery {
    fn default() -> Self {
        Self {
            limit: DEFAULT_LIMIT,
            order: Order::default(),
            after: None,
            before: None,
        }
    }
}

impl ThreadQuery {
    /// Reads the pairs of a query string, decoded.
    pub fn parse<'text>(
        pairs: impl IntoIterator<Item = (impl AsRef<str> + 'text, impl AsRef<str> + 'text)>,
    ) -> Result<Self, ParameterError> {
        let mut user = None;
        let list = parse(pairs, |name, value| {
            if name != "user" {
                return Ok(false);
            }
            check_user("user", value)?;
            put(&mut user, "user", value.to_owned())?;
            Ok(true)
        })?;
        Ok(Self { list, user })
    }
}

impl ListQuery {
    /// Reads the pairs of a query string, decoded.
    pub fn parse<'text>(
        pairs: impl IntoIterator<Item = (impl AsRef<str> + 'text, impl AsRef<str> + 'text)>,
    ) -> Result<Self, ParameterError> {
        parse(pairs, |_, _| Ok(false))
    }
}

/// Reads what all lists take; `other` reads what only one of them takes, and says whether it did.
fn parse(
    pairs: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
    mut other: impl FnMut(&str, &str) -> Result<bool, ParameterError>,
) -> Result<ListQuery, ParameterError> {
    let (mut limit, mut order, mut after, mut before) = (None, None, None, None);
    for (name, value) in pairs {
        let (name, value) = (name.as_ref(), value.as_ref());
        match name {
            "limit" => put(&mut limit, name, read_limit(value)?)?,
            "order" => put(&mut order, name, read_order(value)?)?,
            "after" => put(&mut after, name, read_cursor(name, value)?)?,
            "before" => put(&mut before, name, read_cursor(name, value)?)?,
            _ if other(name, value)? => {}
            _ => return Err(ParameterError::unknown(name)),
        }
    }
    let usual = ListQuery::default();
    Ok(ListQuery {
        limit: limit.unwrap_or(usual.limit),
        order: order.unwrap_or(usual.order),
        after,
        before,
    })
}

fn put<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), ParameterError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ParameterError::repeated(name)),
    }
}

fn read_limit(text: &str) -> Result<u32, ParameterError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || digits.len() > 18 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParameterError::wrong_type(
            "limit",
            "an integer",
            "a string",
        ));
    }
    match text.parse::<i64>() {
        Ok(limit) if limit > i64::from(MAX_LIMIT) => {
            Err(ParameterError::too_large("limit", MAX_LIMIT, limit))
        }
        Ok(limit) => u32::try_from(limit).map_err(|_| ParameterError::too_small("limit", 0, limit)),
        Err(_) => Err(ParameterError::wrong_type(
            "limit",
            "an integer",
            "a string",
        )),
    }
}

fn read_order(text: &str) -> Result<Order, ParameterError> {
    match text {
        "asc" => Ok(Order::Asc),
        "desc" => Ok(Order::Desc),
        _ => Err(ParameterError::invalid_value(
            "order",
            "Supported values are: 'asc' and 'desc'.",
        )),
    }
}

fn read_cursor(name: &str, text: &str) -> Result<String, ParameterError> {
    check_length(name, text, &(1..=MAX_CURSOR))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads(pairs: &[(&str, &str)]) -> Result<ThreadQuery, ParameterError> {
        ThreadQuery::parse(pairs.iter().copied())
    }

    #[test]
    fn nothing_said_is_the_newest_twenty_of_everybody() {
        let query = threads(&[]).unwrap();
        assert_eq!((query.list.limit, query.list.order), (20, Order::Desc));
        assert_eq!((query.list.after, query.user), (None, None));
    }

    #[test]
    fn everything_said_is_taken() {
        let query = threads(&[
            ("limit", "0"),
            ("order", "asc"),
            ("after", "cthr_1"),
            ("before", "cthr_2"),
            ("user", "customer 7"),
        ])
        .unwrap();
        assert_eq!(
            query.list,
            ListQuery {
                limit: 0,
                order: Order::Asc,
                after: Some("cthr_1".to_owned()),
                before: Some("cthr_2".to_owned()),
            }
        );
        assert_eq!(query.user.as_deref(), Some("customer 7"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let long = "x".repeat(513);
        for (pairs, param, code, message) in [
            (
                &[("limit", "101")][..],
                "limit",
                "integer_above_max_value",
                "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
            ),
            (
                &[("limit", "-1")],
                "limit",
                "integer_below_min_value",
                "Expected a value >= 0",
            ),
            (&[("limit", "ten")], "limit", "invalid_type", "an integer"),
            (&[("limit", "")], "limit", "invalid_type", "an integer"),
            (&[("limit", "1.5")], "limit", "invalid_type", "an integer"),
            (
                &[("limit", "99999999999999999999999999")],
                "limit",
                "invalid_type",
                "an integer",
            ),
            (
                &[("order", "up")],
                "order",
                "invalid_value",
                "'asc' and 'desc'",
            ),
            (&[("user", "")], "user", "empty_string", "minimum length 1"),
            (&[("user", "a\nb")], "user", "invalid_value", "control"),
            (
                &[("user", &long)],
                "user",
                "string_above_max_length",
                "length 513",
            ),
            (&[("after", "")], "after", "empty_string", "empty"),
            (
                &[("before", &long)],
                "before",
                "string_above_max_length",
                "128",
            ),
            (
                &[("usr", "x")],
                "usr",
                "unknown_parameter",
                "Unknown parameter: 'usr'.",
            ),
            (
                &[("limit", "1"), ("limit", "2")],
                "limit",
                "duplicate_parameter",
                "once",
            ),
        ] {
            let error = threads(pairs).unwrap_err();
            assert_eq!(
                (error.param(), error.code()),
                (Some(param), code),
                "{error}"
            );
            assert!(error.to_string().contains(message), "{error}");
        }
        let error = ItemQuery::parse([("user", "x")]).unwrap_err();
        assert_eq!(error.code(), "unknown_parameter", "items have no user");
    }
}
