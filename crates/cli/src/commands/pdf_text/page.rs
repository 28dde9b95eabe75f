//! The letters of a page, put together to words and lines.
//!
//! PDF says where each letter stands, and mostly not where a word or a line ends. The order in which a page is painted is
//! the one in which it was written, in columns as well; so that order is kept, and what stands between two letters is told
//! by how far they are apart.

use hayro_interpret::{
    BlendMode, ClipPath, Device, DrawMode, DrawProps, Image, ImageDrawProps, SoftMask,
    font::{Glyph, GlyphRun},
    hayro_cmap::{BfString, WritingMode},
    kurbo::{Affine, BezPath, Point, Vec2},
};

/// Units of a letter's own space in one of its heights.
const UNITS: f64 = 1_000.0;

/// A page's text as it is painted.
pub(super) struct PageText {
    text: String,
    /// Bytes that may still come.
    room: usize,
    last: Option<Letter>,
    /// Where the last run of letters began.
    run: Option<Point>,
}

/// Where a letter stands.
#[derive(Clone, Copy)]
struct Letter {
    start: Point,
    /// Where the next one would stand.
    end: Point,
    /// Along the line, and as long as a letter is high.
    line: Vec2,
}

/// What stands between two letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    Space,
    Line,
    Paragraph,
}

impl PageText {
    pub(super) const fn new(room: usize) -> Self {
        Self {
            text: String::new(),
            room,
            last: None,
            run: None,
        }
    }

    /// Whether there was more than may come.
    pub(super) const fn is_full(&self) -> bool {
        self.room == 0
    }

    /// Without space at the ends of lines.
    pub(super) fn into_text(self) -> String {
        let lines: Vec<&str> = self.text.lines().map(str::trim_end).collect();
        lines.join("\n").trim().to_owned()
    }

    fn push(&mut self, text: &str) {
        if text.len() > self.room {
            self.room = 0;
            return;
        }
        self.room -= text.len();
        self.text.push_str(text);
    }

    /// What a glyph means, in the letters that people write.
    fn say(&mut self, unicode: &BfString) {
        let mut bytes = [0; 4];
        let text = match unicode {
            BfString::Char(character) => &*character.encode_utf8(&mut bytes),
            BfString::String(text) => text.as_str(),
        };
        for character in text.chars() {
            match ligature(character) {
                Some(letters) => self.push(letters),
                None if character.is_control() || character == '\u{ad}' => {}
                None => self.push(character.encode_utf8(&mut [0; 4])),
            }
        }
    }

    fn part(&mut self, letter: Letter) {
        let Some(last) = self.last.replace(letter) else {
            return;
        };
        match between(last, letter) {
            Between::Nothing => {}
            Between::Space if self.text.ends_with(char::is_whitespace) => {}
            Between::Space => self.push(" "),
            Between::Line => self.push("\n"),
            Between::Paragraph => self.push("\n\n"),
        }
    }
}

/// All lengths are in heights of a letter.
fn between(last: Letter, next: Letter) -> Between {
    // Between a heading and what stands below it, neither height alone tells lines from paragraphs.
    let height = last.line.hypot().midpoint(next.line.hypot());
    let along = last.line / last.line.hypot();
    // Neither a letter without a size nor one without a place says anything.
    if !(height > 0.0 && along.is_finite()) {
        return Between::Nothing;
    }
    let gap = (next.start - last.end) / height;
    let (ahead, aside) = (gap.dot(along), gap.cross(along).abs());
    if aside > 1.8 {
        Between::Paragraph
    } else if aside > 0.5 {
        Between::Line
    } else if ahead > 0.16 || -ahead > 1.0 {
        // Far back on the same line is the next word of somebody who writes from right to left.
        Between::Space
    } else {
        Between::Nothing
    }
}

/// What typesetters draw as one.
const fn ligature(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{fb00}' => "ff",
        '\u{fb01}' => "fi",
        '\u{fb02}' => "fl",
        '\u{fb03}' => "ffi",
        '\u{fb04}' => "ffl",
        '\u{fb05}' | '\u{fb06}' => "st",
        _ => return None,
    })
}

/// How far it is from a glyph to the next, in its own space.
fn advance(glyph: &Glyph<'_>, mode: WritingMode) -> Vec2 {
    let width = match glyph {
        Glyph::Outline(glyph) => f64::from(glyph.advance_width().unwrap_or(500.0)),
        Glyph::Type3(glyph) => f64::from(glyph.advance_width().unwrap_or(500.0)),
    };
    match mode {
        WritingMode::Horizontal => Vec2::new(width, 0.0),
        WritingMode::Vertical => Vec2::new(0.0, -UNITS),
    }
}

impl<'a> Device<'a> for PageText {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        if self.is_full() {
            return;
        }
        let mode = run.writing_mode();
        let place = |transform: Affine| {
            let start = transform * Point::ZERO;
            let vector = |vector: Vec2| transform * vector.to_point() - start;
            let along = match mode {
                WritingMode::Horizontal => Vec2::new(UNITS, 0.0),
                WritingMode::Vertical => Vec2::new(0.0, -UNITS),
            };
            (start, vector(along))
        };
        for (count, glyph) in run.glyphs().iter().enumerate() {
            let transform = props.transform * glyph.transform();
            let (start, line) = place(transform);
            // Letters that are drawn twice, to make them bold or to draw their edges, are said once.
            if count == 0 {
                let again = self.run.replace(start);
                if again.is_some_and(|again| (again - start).hypot() < 0.05 * line.hypot()) {
                    return;
                }
            }
            let Some(unicode) = glyph.as_unicode() else {
                continue;
            };
            self.part(Letter {
                start,
                end: transform * advance(glyph, mode).to_point(),
                line,
            });
            self.say(&unicode);
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(x: f64, y: f64) -> Letter {
        Letter {
            start: Point::new(x, y),
            end: Point::new(x + 5.0, y),
            line: Vec2::new(10.0, 0.0),
        }
    }

    #[test]
    fn what_stands_between_letters_is_told_by_how_far_they_are_apart() {
        for (x, y, expected) in [
            (5.0, 0.0, Between::Nothing),
            (5.5, 0.0, Between::Nothing),
            (8.0, 0.0, Between::Space),
            // A footnote's mark.
            (5.0, 3.0, Between::Nothing),
            (-90.0, -12.0, Between::Line),
            (-90.0, -30.0, Between::Paragraph),
            (200.0, 500.0, Between::Paragraph),
            (-20.0, 0.0, Between::Space),
            (f64::NAN, 0.0, Between::Nothing),
        ] {
            assert_eq!(between(letter(0.0, 0.0), letter(x, y)), expected, "{x} {y}");
        }
        let without_size = Letter {
            line: Vec2::ZERO,
            ..letter(0.0, 0.0)
        };
        assert_eq!(between(without_size, without_size), Between::Nothing);
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_known() {
        let mut text = PageText::new(5);
        text.push("four");
        assert!(!text.is_full());
        text.push("日");
        assert!(text.is_full());
        assert_eq!(text.into_text(), "four");
    }
}
