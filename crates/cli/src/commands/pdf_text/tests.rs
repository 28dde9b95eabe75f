//! Documents of several makers (`crates/cli/tests/pdf/make.py`), as they lie there and broken. What is hostile is tried
//! on the whole program (`crates/cli/tests/commands/pdf.rs`).

use proptest::prelude::*;

use super::*;

const PAGES: &[u8] = include_bytes!("../../../tests/pdf/pages.pdf");

fn text_of(file: &[u8]) -> (String, Option<Ending>) {
    let mut text = Vec::new();
    let ending = read(file, &mut text).unwrap();
    (String::from_utf8(text).unwrap(), ending)
}

#[test]
fn text_is_read_page_by_page() {
    let expected = "[page 1]\nThe contract ends on 31 May.\n\n[page 2]\nSigned in Vienna.\n\n";
    assert_eq!(text_of(PAGES), (expected.to_owned(), None));
    let printable = include_bytes!("../../../tests/pdf/printable.pdf");
    assert_eq!(
        text_of(printable),
        (expected.to_owned(), None),
        "whoever may look at it without a password may read it"
    );
}

#[test]
fn text_of_a_browser_has_its_words_lines_and_rows() {
    let (text, ending) = text_of(include_bytes!("../../../tests/pdf/chromium.pdf"));
    assert_eq!(ending, None);
    let expected = "[page 1]\nBill\n\nTwo lines\nof an office.\n\nMilk 1.20\nBread 3.40\n\n";
    assert_eq!(text, expected);
}

#[test]
fn columns_are_read_one_after_the_other() {
    let (text, _) = text_of(include_bytes!("../../../tests/pdf/columns.pdf"));
    let places: Vec<usize> = (1..=6)
        .map(|number| {
            text.find(&format!("Number {number} is a paragraph"))
                .unwrap()
        })
        .collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn letters_are_those_that_people_write() {
    let (text, _) = text_of(include_bytes!("../../../tests/pdf/letters.pdf"));
    let expected = "[page 1]\nEfficient final offer\nΕλληνικά, Кириллица: 12,50 €\n\n";
    assert_eq!(text, expected);
    let (text, _) = text_of(include_bytes!("../../../tests/pdf/japanese.pdf"));
    assert_eq!(
        text, "[page 1]\n東京タワーの契約書\n\n",
        "without a font in it"
    );
}

#[test]
fn what_has_no_text_or_may_not_be_read_says_so() {
    let scan = include_bytes!("../../../tests/pdf/scan.pdf");
    assert_eq!(text_of(scan), (String::new(), None));
    let locked = include_bytes!("../../../tests/pdf/password.pdf");
    assert_eq!(text_of(locked), (String::new(), Some(Ending::Password)));
    for garbage in [&b""[..], b"%PDF-1.7\n", b"hello"] {
        assert_eq!(text_of(garbage), (String::new(), Some(Ending::Damaged)));
    }
}

#[test]
fn a_document_whose_table_is_wrong_or_gone_is_mended() {
    let table = PAGES.windows(4).position(|four| four == b"xref").unwrap();
    let (text, ending) = text_of(&PAGES[..table]);
    assert!(text.contains("Signed in Vienna."), "{text}");
    assert_eq!(ending, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Anything else would be a bug of the library, which the process keeps from the server; this tells us of it.
    #[test]
    fn broken_documents_are_read_as_far_as_they_go(
        start in 0_usize..1_600,
        noise in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let mut file = PAGES.to_vec();
        let end = (start + noise.len()).min(file.len());
        file.splice(start.min(end)..end, noise);
        text_of(&file);
    }
}
