//! Every sentence in every language.

use std::collections::HashSet;

use super::*;

const OTHERS: [Language; 7] = [
    Language::German,
    Language::French,
    Language::Spanish,
    Language::Portuguese,
    Language::Japanese,
    Language::Chinese,
    Language::Arabic,
];

/// The numbers that stand in a text, and the names, in no order.
fn parameters(words: &Words, text: &str) -> (Vec<u64>, Vec<bool>) {
    let digits = text.split(|character: char| !character.is_ascii_digit());
    let mut numbers: Vec<u64> = digits.filter_map(|digits| digits.parse().ok()).collect();
    // "1 minute", "1 hour", "1 piece": some languages count what others say by an article.
    numbers.retain(|number| *number != 1);
    numbers.sort_unstable();
    let names = match words {
        Words::UsedTools { names, .. } => names.clone(),
        Words::RunTool { name } => vec![name.clone()],
        Words::Locked { reason } | Words::Closed { reason } => reason.iter().cloned().collect(),
        _ => Vec::new(),
    };
    let has = |name: String| text.contains(&name);
    (numbers, names.into_iter().map(has).collect())
}

#[test]
fn every_sentence_is_translated_with_all_of_its_parameters() {
    for words in Words::samples() {
        let english = words.text(Language::English);
        let (numbers, names) = parameters(&words, &english);
        assert!(names.iter().all(|is_there| *is_there), "{english}");
        for language in OTHERS {
            let text = words.text(language);
            // "No" is Spanish as well.
            assert!(
                text != english || words == Words::No,
                "{language:?}: {text}"
            );
            assert_eq!(
                parameters(&words, &text),
                (numbers.clone(), names.clone()),
                "{language:?}: {text} / {english}"
            );
        }
    }
}

#[test]
fn no_sentence_is_another_language_s() {
    for words in Words::samples() {
        let mut said = HashSet::new();
        for language in OTHERS {
            let text = words.text(language);
            let is_short = text.chars().count() < 20;
            assert!(
                said.insert(text.clone()) || is_short,
                "{language:?}: {text}"
            );
        }
    }
}

#[test]
fn a_language_is_written_in_its_own_letters() {
    let has = |text: &str, range: std::ops::RangeInclusive<char>| {
        text.chars().any(|character| range.contains(&character))
    };
    for words in Words::samples() {
        let japanese = words.text(Language::Japanese);
        let is_japanese =
            has(&japanese, '\u{3041}'..='\u{30ff}') || has(&japanese, '\u{4e00}'..='\u{9fff}');
        assert!(is_japanese, "{japanese}");
        let chinese = words.text(Language::Chinese);
        assert!(has(&chinese, '\u{4e00}'..='\u{9fff}'), "{chinese}");
        assert!(!has(&chinese, '\u{3041}'..='\u{30ff}'), "{chinese}");
        let arabic = words.text(Language::Arabic);
        assert!(has(&arabic, '\u{0621}'..='\u{064a}'), "{arabic}");
        for language in [
            Language::German,
            Language::French,
            Language::Spanish,
            Language::Portuguese,
        ] {
            let text = words.text(language);
            assert!(
                text.chars()
                    .all(|letter| letter < '\u{0250}' || "’…–„“”".contains(letter)),
                "{text}"
            );
        }
    }
}

#[test]
fn sentences_are_whole() {
    for words in Words::samples() {
        for language in OTHERS.into_iter().chain([Language::English]) {
            let text = words.text(language);
            assert!(
                !text.is_empty() && text.trim() == text,
                "{language:?}: {text:?}"
            );
            assert!(
                !text.contains("  ") && !text.contains('\n'),
                "{language:?}: {text:?}"
            );
            assert!(!text.contains(['{', '}']), "{language:?}: {text:?}");
        }
        // Germans are addressed politely.
        let german = words.text(Language::German);
        let familiar = ["Du ", "du ", "Dein", "dein", "Dich", "dich"];
        assert!(
            !familiar.iter().any(|word| german.contains(word)),
            "{german}"
        );
    }
}

#[test]
fn somebody_reads_their_own_language_in_the_form_that_we_have_or_english() {
    for (tag, expected) in [
        (Some("de"), Language::German),
        (Some("de-AT"), Language::German),
        (Some("DE-at"), Language::German),
        (Some("fr-CA"), Language::French),
        (Some("es-419"), Language::Spanish),
        (Some("pt-BR"), Language::Portuguese),
        (Some("ja"), Language::Japanese),
        (Some("zh-TW"), Language::Chinese),
        (Some("zh-Hant-HK"), Language::Chinese),
        (Some("ar-EG"), Language::Arabic),
        (Some("en-GB"), Language::English),
        // Low German and Fula are no German and no French.
        (Some("nds"), Language::English),
        (Some("ff"), Language::English),
        (Some("tlh"), Language::English),
        (Some(""), Language::English),
        (None, Language::English),
    ] {
        assert_eq!(Language::of(tag), expected, "{tag:?}");
    }
}

#[test]
fn numbers_are_written_as_the_language_has_them() {
    for (language, took, file) in [
        (Language::English, "Took 2.5 s", "1.5 GB"),
        (Language::German, "Dauerte 2,5 s", "1,5 GB"),
        (Language::French, "Durée : 2,5 s", "1,5 Go"),
        (Language::Japanese, "所要時間：2.5 秒", "1.5 GB"),
        (Language::Arabic, "استغرق 2.5 ث", "1.5 غيغابايت"),
    ] {
        let time = Duration::from_millis(2_490);
        assert_eq!(Words::Took { time }.text(language), took);
        let limit = 1_610_612_736;
        let text = Words::FileTooLarge { limit }.text(language);
        assert!(text.contains(file), "{text}");
    }
    let counted = |most| Words::TooManyFiles { most }.text(Language::Arabic);
    for (most, noun) in [
        (1, "1 ملف."),
        (2, "2 ملفان."),
        (5, "5 ملفات."),
        (14, "14 ملفًا."),
        (100, "100 ملف."),
    ] {
        assert!(counted(most).ends_with(noun), "{}", counted(most));
    }
}

#[test]
fn a_size_promises_no_more_than_there_is() {
    let english = |limit| Words::FileTooLarge { limit }.text(Language::English);
    for (bytes, words) in [
        (0, "0 bytes"),
        (1_023, "1023 bytes"),
        (1_024, "1 KB"),
        (1_024 * 1_024 - 1, "1023.9 KB"),
        (25 << 20, "25 MB"),
        (3 << 29, "1.5 GB"),
        (u64::MAX, "18446744073709551615 bytes"),
    ] {
        assert!(english(bytes).contains(&format!("the {words} it may have")));
    }
}
