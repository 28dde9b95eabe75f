//! A quick look at what is stored, for whoever looks for words: is it worth reading?
//!
//! There is no index. One over everybody's texts would answer for everybody before it can be asked about one owner, takes
//! as much room again, knows no words of two letters, of which Chinese and Japanese have many, and keeps what was deleted
//! until it is merged. An owner's own rows are looked through instead, newest first, for a bounded time
//! (docs/decisions/0036).

/// A pattern for `LIKE … ESCAPE '^'` that holds of every stored form in which a word may stand, and of few others.
///
/// The word is in lower case, and `LIKE` takes ASCII letters for one another whatever their case. What may be written
/// otherwise in JSON, or in another case, is left open.
pub(crate) fn pattern(word: &str) -> String {
    let mut pattern = String::from("%");
    for letter in word.chars() {
        let has_case = |letter: char| !letter.to_uppercase().eq([letter]);
        match letter {
            '%' | '_' | '^' => pattern.extend(['^', letter]),
            // JSON has other ways to write these.
            '"' | '\\' => pattern.push('%'),
            letter if letter.is_control() => pattern.push('%'),
            // Of these there are more than two: the Turkish ones, and the sign for Kelvin.
            'i' | 'k' => pattern.push('_'),
            letter if !letter.is_ascii() && has_case(letter) => pattern.push('_'),
            letter => pattern.push(letter),
        }
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_written_otherwise_is_left_open() {
        assert_eq!(pattern("refund"), "%refund%");
        assert_eq!(pattern("100%_^"), "%100^%^_^^%");
        assert_eq!(pattern("say\"\\"), "%say%%%");
        assert_eq!(pattern("école"), "%_cole%");
        assert_eq!(pattern("東京"), "%東京%");
        assert_eq!(pattern("istanbul"), "%_stanbul%");
    }
}
