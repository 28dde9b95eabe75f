//! Regular expressions that every provider reads alike.
//!
//! JSON Schema has those of JavaScript. Providers compile them as Python's, Rust's or Go's, or make a grammar of them, and
//! refuse the whole question for one that they cannot compile: a look ahead, a class of Unicode, a `[` inside `[…]`.

use std::str::Chars;

/// The longest expression that is offered, in bytes.
const MAX_BYTES: usize = 1_000;
/// The highest number of repetitions; grammars have each of them written out.
const MAX_REPETITIONS: u32 = 1_000;
/// As deep a group may lie inside others.
const MAX_DEPTH: usize = 20;
/// What means something else where it is not escaped.
const ESCAPED: &str = r"^$\.*+?()[]{}|/";

/// Whether an expression means the same everywhere.
pub(super) fn is_common(pattern: &str) -> bool {
    pattern.len() <= MAX_BYTES && Reader(pattern.chars()).alternatives(0).is_some()
}

/// What is left to be read. What is not understood is `None`.
struct Reader<'a>(Chars<'a>);

/// What stands for a character.
enum Meant {
    One(char),
    /// Any of several.
    Any,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.0.clone().next()
    }

    fn skip(&mut self, prefix: &str) -> bool {
        let rest = self.0.as_str().strip_prefix(prefix);
        if let Some(rest) = rest {
            self.0 = rest.chars();
        }
        rest.is_some()
    }

    /// Reads to the end of a group, or of everything.
    fn alternatives(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        // Whether there is something in front that can be repeated.
        let mut is_repeatable = false;
        while let Some(character) = self.0.next() {
            is_repeatable = match character {
                '(' => {
                    if self.peek() == Some('?') && !self.skip("?:") {
                        return None;
                    }
                    self.alternatives(depth + 1)?;
                    true
                }
                ')' => return (depth > 0).then_some(()),
                '[' => {
                    self.class()?;
                    true
                }
                '\\' => {
                    self.escape("")?;
                    true
                }
                '*' | '+' | '?' | '{' => {
                    if !is_repeatable || (character == '{' && !self.repetitions()) {
                        return None;
                    }
                    self.skip("?");
                    false
                }
                ']' | '}' => return None,
                '|' | '^' | '$' => false,
                _ => true,
            };
        }
        (depth == 0).then_some(())
    }

    /// What an escape stands for. JavaScript lets nothing be escaped that means itself, where it is told to be strict.
    fn escape(&mut self, others: &str) -> Option<Meant> {
        let character = self.0.next()?;
        match character {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => Some(Meant::Any),
            'n' => Some(Meant::One('\n')),
            'r' => Some(Meant::One('\r')),
            't' => Some(Meant::One('\t')),
            _ if ESCAPED.contains(character) || others.contains(character) => {
                Some(Meant::One(character))
            }
            _ => None,
        }
    }

    fn class(&mut self) -> Option<()> {
        self.skip("^");
        let mut is_empty = true;
        loop {
            let first = match self.0.next()? {
                ']' => return (!is_empty).then_some(()),
                character => self.of_class(character)?,
            };
            is_empty = false;
            // A `-` at the end is one.
            let after = self.0.as_str().strip_prefix('-');
            if after.is_some_and(|after| !after.starts_with(']')) {
                self.0.next();
                let last = self.0.next().filter(|last| *last != '-')?;
                let last = self.of_class(last)?;
                match (first, last) {
                    (Meant::One(first), Meant::One(last)) if first <= last => {}
                    _ => return None,
                }
            }
        }
    }

    /// A character of a class.
    fn of_class(&mut self, character: char) -> Option<Meant> {
        match character {
            '\\' => self.escape("-"),
            // Rust has classes inside of classes, and `&&`, `--` and `~~` between them.
            '[' => None,
            '&' | '-' | '~' if self.peek() == Some(character) => None,
            other => Some(Meant::One(other)),
        }
    }

    /// `3}`, `3,}` or `3,5}`.
    fn repetitions(&mut self) -> bool {
        let Some((inner, rest)) = self.0.as_str().split_once('}') else {
            return false;
        };
        self.0 = rest.chars();
        let (least, most) = inner.split_once(',').unwrap_or((inner, inner));
        let number = |text: &str| {
            let number = text.parse().ok().filter(|_| !text.starts_with('+'));
            number.filter(|number: &u32| *number <= MAX_REPETITIONS)
        };
        match (number(least), number(most)) {
            (Some(least), Some(most)) => least <= most,
            (Some(_), None) => most.is_empty(),
            (None, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_only_some_can_compile_is_not_common() {
        for pattern in [
            "",
            "^a",
            r"^\d{4}-\d{2}-\d{2}$",
            r"^[a-zA-Z0-9._%+\-]+@[a-z0-9.-]+\.[a-z]{2,}$",
            r"^(?:a|b)*?c$",
            r"^\+?[1-9]\d{1,14}$",
            r"^[-a\d][\-_]",
            r"^https?:\/\/",
            r"^[^\s\]]+$",
            "^(pages|blocks)$",
            "ä+",
        ] {
            assert!(is_common(pattern), "{pattern}");
        }
        for pattern in [
            "^(?!undefined$|null$)",
            r"^(?!\.)(?!.*\.\.)[a-z]+$",
            "(?<=a)b",
            "(?<year>[0-9]{4})",
            "(?P<year>[0-9]{4})",
            "(?i)abc",
            r"^\p{L}+$",
            r"^(.)\1$",
            r"\u0041",
            r"\Z",
            r"a\",
            "^[a-z+\\-=[\\]{}|]*$",
            "[]a]",
            "[^]",
            "[a--b]",
            "[!--]",
            "[z-a]",
            r"[\d-z]",
            r"\_",
            "(a",
            "a)",
            "*a",
            "a**",
            "a++",
            "a{2",
            "a{,2}",
            "a{3,2}",
            "a{100000}",
            "a{1}{2}",
            "{a}",
            "^*",
        ] {
            assert!(!is_common(pattern), "{pattern}");
        }
        assert!(!is_common(&"(".repeat(500)));
        assert!(!is_common(&"a".repeat(1_001)));
    }

    proptest! {
        #[test]
        fn no_expression_is_too_odd(pattern in r"[ab\\dpé()\[\]{}?*+|^$,:!&~0-9-]{0,40}") {
            let is_common = is_common(&pattern);
            let is_closed = pattern.matches('(').count() >= pattern.matches(')').count();
            prop_assert!(!is_common || is_closed || pattern.contains('\\') || pattern.contains('['), "{}", pattern);
        }
    }
}
