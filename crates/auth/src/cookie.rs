//! The `Cookie` header, taken apart (RFC 6265bis §4.2.1).

/// Every name and value in the lines of a request's `Cookie` headers, as they came: a name may come
/// more than once, and which of its values counts is for the reader to decide.
pub fn pairs<'line>(
    lines: impl IntoIterator<Item = &'line str>,
) -> impl Iterator<Item = (&'line str, &'line str)> {
    lines
        .into_iter()
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}
