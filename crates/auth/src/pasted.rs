//! What comes along when somebody copies a key: quotes, the scheme of a header, the name of a variable.

/// What is around a key that is no part of it, in words that say what to do. Nothing of the text is in them.
pub fn wrapping(text: &str) -> Option<&'static str> {
    let text = text.trim();
    let is_quoted = |quote: char| {
        text.strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
            .is_some()
    };
    if is_quoted('"') || is_quoted('\'') {
        return Some(
            "stands in quotes: give it without them (a shell takes them away, and an env file or `docker run --env-file` does \
             not)",
        );
    }
    let scheme = text.split_once(' ').map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer")) {
        return Some(
            "begins with the word Bearer, which belongs to the header: give what stands behind it",
        );
    }
    is_assignment(text).then_some(
        "begins with the name of a variable and `=`, as a line of an env file does: give what stands behind it",
    )
}

/// `OPENAI_API_KEY=sk-…`, as people name variables. Base64 has its `=` at the end.
fn is_assignment(text: &str) -> bool {
    let text = text.strip_prefix("export ").unwrap_or(text);
    let Some((name, value)) = text.split_once('=') else {
        return false;
    };
    let is_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(is_name)
        && value.trim_matches('=').len() >= 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_a_key_is_told_from_the_key() {
        for (text, word) in [
            ("\"sk-abc\"", "quotes"),
            ("'sk-abc'", "quotes"),
            ("Bearer sk-abc", "Bearer"),
            ("bearer sk-abc", "Bearer"),
            ("OPENAI_API_KEY=sk-abcdef", "variable"),
            ("export KEY=sk-abcdef", "variable"),
        ] {
            let told = wrapping(text).unwrap_or_else(|| panic!("{text}"));
            assert!(told.contains(word) && !told.contains("sk-abc"), "{told}");
        }
        for text in [
            "sk-abc",
            "My API Key",
            "\"sk-abc",
            "'",
            "bearer",
            "ABCDEFGHIJKLMNOP==",
            "a=sk-abcdef",
            "kV2tq0YxHc5ZrJmWb8Lg3NfSd7PuTa1Ke9RwXo4CQ6E=",
        ] {
            assert_eq!(wrapping(text), None, "{text}");
        }
    }
}
