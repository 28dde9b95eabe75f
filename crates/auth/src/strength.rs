//! How hard a key is to guess that somebody else made.
//!
//! Nobody can tell how a text came about; what can be told is how many there are that look like it.
//! The estimate errs on the low side: what words, runs and repetitions add counts as little as they
//! would cost somebody who tries those first.

use std::collections::HashSet;

/// What a key that opens a whole project must have, in bits.
pub(crate) const ENOUGH_BITS: u32 = 128;

/// Tenths of a bit that a letter of a word adds; English has 1 to 1.5 bits a letter.
const WORD_LETTER: u32 = 15;
/// From this length on, letters with vowels among them are a word.
const WORD_LENGTH: usize = 5;
/// Equal or consecutive characters beyond this many are a run, and add nothing.
const RUN_LENGTH: usize = 3;
/// What was there before in pieces of this length adds nothing.
const REPEATED_LENGTH: usize = 4;

/// What was counted in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strength {
    /// Bits that somebody has to guess, at least.
    pub(crate) bits: u32,
    /// Characters of the key in all.
    pub(crate) characters: usize,
    /// Characters among them that count fully.
    pub(crate) unpredictable: usize,
}

/// Estimates a key of printable ASCII characters.
pub(crate) fn estimate(key: &str) -> Strength {
    let secret = behind_mark(key).as_bytes();
    let each = tenths_of_a_bit(secret);
    let is_word = words(secret, each == HEX);
    let mut seen = HashSet::new();
    let mut run = 1;
    let mut tenths = 0;
    let mut unpredictable = 0;
    for (index, &byte) in secret.iter().enumerate() {
        let goes_on = index >= 2 && is_run(&secret[index - 2..=index]);
        run = if goes_on { run + 1 } else { 2 };
        let begin = (index + 1).checked_sub(REPEATED_LENGTH);
        let is_repeated = begin.is_some_and(|begin| !seen.insert(&secret[begin..=index]));
        let counts = byte.is_ascii_alphanumeric() && run <= RUN_LENGTH && !is_repeated;
        match (counts, is_word[index]) {
            (false, _) => {}
            (true, true) => tenths += WORD_LETTER.min(each),
            (true, false) => {
                tenths += each;
                unpredictable += 1;
            }
        }
    }
    let bits = if is_uuid(key) {
        UUID_BITS.min(tenths / 10)
    } else {
        tenths / 10
    };
    Strength {
        bits,
        characters: key.len(),
        unpredictable,
    }
}

/// What of a UUID is chance, at most.
const UUID_BITS: u32 = 122;
/// A hexadecimal digit.
const HEX: u32 = 40;

/// What one character adds, by how many different ones the whole key seems to choose from.
fn tenths_of_a_bit(secret: &[u8]) -> u32 {
    let has = |is_one: fn(&u8) -> bool| secret.iter().any(is_one);
    let (lower, upper) = (has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase));
    let digits = has(u8::is_ascii_digit);
    let is_hex = secret
        .iter()
        .all(|byte| byte.is_ascii_hexdigit() || !byte.is_ascii_alphanumeric());
    match (digits, lower, upper) {
        (true, false, false) => 33,
        (true, true, true) => 59,
        (true, ..) if is_hex => HEX,
        (true, ..) => 50,
        // Without a digit it is taken for words, however they are written.
        (false, ..) => WORD_LETTER,
    }
}

/// What stands behind the marks that makers put before their keys: `sk-proj-`, `key_live_`.
fn behind_mark(key: &str) -> &str {
    let mut rest = key;
    while let Some((mark, behind)) = rest.split_once(['-', '_'])
        && mark.len() <= 8
        && mark.bytes().all(|byte| byte.is_ascii_lowercase())
        && !behind.is_empty()
    {
        rest = behind;
    }
    rest
}

/// Whether three characters are equal, or follow one another up or down.
fn is_run(three: &[u8]) -> bool {
    let [first, second, third] = *three else {
        return false;
    };
    let step = i16::from(second) - i16::from(first);
    step.abs() <= 1 && i16::from(third) - i16::from(second) == step
}

/// Which characters belong to something that reads like a word: letters of one case, the first one
/// perhaps a capital, with a vowel in four at least. Hexadecimal digits are no letters.
fn words(secret: &[u8], is_hex: bool) -> Vec<bool> {
    let mut is_word = vec![false; secret.len()];
    let mut begin = 0;
    while begin < secret.len() {
        let mut end = begin + 1;
        if secret[begin].is_ascii_alphabetic() && !is_hex {
            let is_lower = secret.get(end).is_some_and(u8::is_ascii_lowercase);
            while secret.get(end).is_some_and(|byte| {
                byte.is_ascii_alphabetic() && byte.is_ascii_lowercase() == is_lower
            }) {
                end += 1;
            }
        }
        let letters = &secret[begin..end];
        let vowels = letters
            .iter()
            .filter(|byte| b"aeiouy".contains(&byte.to_ascii_lowercase()));
        if letters.len() >= WORD_LENGTH && vowels.count() * 4 >= letters.len() {
            is_word[begin..end].fill(true);
        }
        begin = end;
    }
    is_word
}

/// The 36 characters of RFC 9562.
fn is_uuid(key: &str) -> bool {
    key.len() == 36
        && key.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_keys_that_could_be_guessed_are_told_from_those_that_could_not() {
        for good in [
            // openssl rand -hex 16, -hex 32, -base64 32
            "9f86d081884c7d659a2feaa0c55ad015",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "kV2tq0YxHc5ZrJmWb8Lg3NfSd7PuTa1Ke9RwXo4CQ6E=",
            // The shapes of other makers.
            "sk-proj-T3vB9kQx7LmZ2pRw8HnYc5JdF1sG6aKe4UoXi0Mt",
            "sk-ant-api03-xK7pQ2mW9vR4tY6uB1nC8zL5jH3gF0dS-aE2rT9yU4iO7pA1s",
            "hf_kPzQxWvRtYmNbLcDjFgHsKa7PqW3e9rT2yU",
        ] {
            let strength = estimate(good);
            assert!(strength.bits >= ENOUGH_BITS, "{good}: {strength:?}");
        }
        for weak in [
            "changeme",
            "My API Key",
            "sk-proj-made-elsewhere-0123456789",
            "sk-proj-0123456789abcdef0123456789",
            "CorrectHorseBatteryStaple2024!",
            "correct-horse-battery-staple-correct-horse-battery-staple-correct",
            "the-quick-brown-fox-jumps-over-the-lazy-dog-and-runs-away-2024",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "A1b2A1b2A1b2A1b2A1b2A1b2A1b2A1b2A1b2A1b2",
            "0123456789012345678901234567890123456789",
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
            "1764374400",
            // Unguessable, but 122 bits are not 128; and other versions hold the time.
            "3f1b6c1e-8d2a-4e57-9b0c-5a7d1e2f3a4b",
        ] {
            let strength = estimate(weak);
            assert!(strength.bits < ENOUGH_BITS, "{weak}: {strength:?}");
        }
    }

    #[test]
    fn the_marks_of_makers_count_nothing() {
        let secret = "T3vB9kQx7LmZ2pRw8HnYc5";
        let bits = estimate(secret).bits;
        assert_eq!(estimate(&format!("sk-proj-{secret}")).bits, bits);
        assert_eq!(estimate(&format!("key_live_{secret}")).bits, bits);
    }
}
