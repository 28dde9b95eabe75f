//! What a person looks for in their own threads: which text is looked through, and what counts as found.
//!
//! Words are found inside of words, so that it works in languages that are written without spaces, and whatever their
//! case is. Only what the person can read is looked through: titles, questions and answers.

use protocol::{ThreadItem, item::UserContent};

/// How much an excerpt shows before the first word that was found, in characters.
const BEFORE: usize = 40;
/// How much it shows from there on.
const FROM_THERE: usize = 120;

/// The words that are looked for. All of them have to be in one text, in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// At least one; none is empty.
    words: Vec<String>,
}

impl Wanted {
    /// Takes what a person typed apart, at white space; `None` where there is nothing else.
    pub fn parse(query: &str) -> Option<Self> {
        let words: Vec<String> = query.split_whitespace().map(fold).collect();
        (!words.is_empty()).then_some(Self { words })
    }

    /// The longest word, in lower case: whoever has an index, or a quick look at stored text, asks for this one.
    pub fn longest(&self) -> &str {
        let length = |word: &&String| word.chars().count();
        self.words
            .iter()
            .max_by_key(length)
            .map_or("", String::as_str)
    }

    /// Whether a title holds the words.
    pub fn is_in(&self, title: &str) -> bool {
        let folded = fold(title);
        self.words.iter().all(|word| folded.contains(word))
    }

    /// What stands around the words in a message, where it holds them.
    pub fn find(&self, item: &ThreadItem) -> Option<String> {
        let text = match item {
            ThreadItem::UserMessage(message) => {
                joined(message.content.iter().map(UserContent::text))
            }
            ThreadItem::AssistantMessage(message) => {
                joined(message.content.iter().map(|part| part.text.as_str()))
            }
            _ => return None,
        };
        self.is_in(&text).then(|| self.excerpt(&text))
    }

    /// The text around the first word that stands in it, in one line.
    fn excerpt(&self, text: &str) -> String {
        let line = joined(text.split_whitespace());
        let folded = fold(&line);
        let first = self.words.iter().filter_map(|word| folded.find(word)).min();
        let place = folded
            .get(..first.unwrap_or_default())
            .map_or(0, |before| before.chars().count());
        let start = place.saturating_sub(BEFORE);
        let mut letters = line.chars().skip(start);
        let shown: String = letters.by_ref().take(place - start + FROM_THERE).collect();
        let before = if start > 0 { "…" } else { "" };
        let after = if letters.next().is_some() { "…" } else { "" };
        format!("{before}{shown}{after}")
    }
}

fn joined<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.collect::<Vec<_>>().join(" ")
}

/// The text without differences of case.
fn fold(text: &str) -> String {
    text.chars().map(folded).collect()
}

/// One letter for one. (`str::to_lowercase` writes a Greek sigma by what stands around it, and a Turkish İ as two letters.)
fn folded(letter: char) -> char {
    match letter {
        'İ' | 'ı' => 'i',
        'ς' => 'σ',
        letter => letter.to_lowercase().next().unwrap_or(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(query: &str, text: &str) -> bool {
        Wanted::parse(query).unwrap().is_in(text)
    }

    #[test]
    fn words_are_found_in_any_order_and_case_and_inside_of_words() {
        assert!(finds("REFUND order", "Where is my order? I want a refund."));
        assert!(finds("fund", "refunds"));
        assert!(!finds("refund invoice", "I want a refund."));
        assert!(finds("東京", "来週、東京都へ行きます"));
        assert!(finds("ホテル 東京", "東京のホテル"));
        assert!(finds("straße", "STRAßE"));
        assert!(finds("ÉCOLE", "une école"));
        assert!(finds("οδος", "ΟΔΟΣ"));
        assert!(finds("istanbul", "İSTANBUL"));
        assert!(finds("ISPARTA", "ısparta"));
    }

    #[test]
    fn nothing_is_not_looked_for() {
        assert_eq!(Wanted::parse(""), None);
        assert_eq!(Wanted::parse(" \u{3000}\n"), None);
    }

    #[test]
    fn an_excerpt_is_a_line_around_the_first_word() {
        let text = format!(
            "{}\n\n**Needle** in {}",
            "hay ".repeat(30),
            "hay ".repeat(60)
        );
        let excerpt = Wanted::parse("needle").unwrap().excerpt(&text);
        assert!(excerpt.starts_with("…"), "{excerpt}");
        assert!(excerpt.contains("hay **Needle** in hay"), "{excerpt}");
        assert!(excerpt.ends_with("…"), "{excerpt}");
        assert_eq!(excerpt.chars().count(), BEFORE + FROM_THERE + 2);
        let short = Wanted::parse("b").unwrap().excerpt(" a  B\tc ");
        assert_eq!(short, "a B c");
    }

    #[test]
    fn an_excerpt_counts_letters_that_change_when_they_are_folded() {
        // The one takes three bytes and two when it is folded, the other two and one.
        let text = format!("{}needle", "ẞİ".repeat(100));
        let excerpt = Wanted::parse("needle").unwrap().excerpt(&text);
        assert_eq!(excerpt, format!("…{}needle", "ẞİ".repeat(BEFORE / 2)));
    }
}
