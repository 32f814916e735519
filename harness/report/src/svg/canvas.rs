//! A canvas in pixels, and the SVG that comes of it.

use super::ink::Ink;
use crate::error::ReportError;
use crate::visible::visible;
use minijinja::HtmlEscape;
use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontFamily, FontStyle, IntoFont, ShapeStyle, TextStyle};
use std::fmt::Write as _;

/// A place, in pixels from the upper left corner.
pub(crate) type Point = (i32, i32);

/// How large a chart is drawn. Text has one size in both, so a phone gets a drawing of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// For a desk.
    Wide,
    /// For a phone.
    Narrow,
}

impl Size {
    /// Pixels across.
    pub(crate) const fn width(self) -> u32 {
        match self {
            Self::Wide => 760,
            Self::Narrow => 344,
        }
    }

    /// One of two values.
    pub(crate) fn pick<T>(self, wide: T, narrow: T) -> T {
        if self == Self::Wide { wide } else { narrow }
    }
}

/// A finished drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// Pixels across and down.
    pub size: (u32, u32),
    /// What stands between `<svg>` and `</svg>`.
    body: String,
}

impl Drawing {
    /// The drawing within a page: as wide as there is room, named by the elements with these ids.
    #[must_use]
    pub fn inline(&self, class: &str, labelled_by: &str) -> String {
        let (width, height) = self.size;
        format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{labelled_by}\">{}</svg>",
            self.body
        )
    }

    /// The drawing as a file of its own, on white.
    #[must_use]
    pub fn file(&self, title: &str, about: &str) -> String {
        let (width, height) = self.size;
        let (title, about) = (visible(title), visible(about));
        let (title, about) = (HtmlEscape(&title), HtmlEscape(&about));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\"><title>{title}</title><desc>{about}</desc><rect width=\"{width}\" height=\"{height}\" fill=\"#FFFFFF\"/>{}</svg>\n",
            self.body
        )
    }
}

/// Which point of a text lies at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) ink: Ink,
    pub(crate) anchor: Anchor,
    pub(crate) bold: bool,
}

impl Text {
    pub(crate) const fn new(ink: Ink, anchor: Anchor) -> Self {
        Self { ink, anchor, bold: false }
    }

    pub(crate) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }
}

/// Height of letters in pixels.
pub(crate) const LETTERS: f64 = 13.0;

/// Draws in pixels.
pub(crate) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
    /// What a pointer tells that rests on a place.
    marks: Vec<(Point, String)>,
    pub(crate) size: Size,
    pub(crate) height: i32,
}

impl Canvas<'_> {
    /// Has `draw` fill a drawing of a height.
    pub(crate) fn draw(
        size: Size,
        height: u32,
        draw: impl FnOnce(&mut Canvas<'_>) -> Result<(), ReportError>,
    ) -> Result<Drawing, ReportError> {
        let mut text = String::new();
        let pixels = (size.width(), height);
        let area = SVGBackend::with_string(&mut text, pixels).into_drawing_area();
        let height = i32::try_from(height).unwrap_or(i32::MAX);
        let mut canvas = Canvas { area, marks: Vec::new(), size, height };
        draw(&mut canvas)?;
        canvas.area.present().map_err(drawing)?;
        let marks = std::mem::take(&mut canvas.marks);
        drop(canvas);
        // Ours is another opening tag: without a size of its own, and with a name.
        let from = text.find('>').map_or(0, |at| at + 1);
        let to = text.rfind("</svg>").unwrap_or(text.len());
        let mut body = text[from..to].replace(" opacity=\"1\"", "").replace('\n', "");
        for ((x, y), told) in marks {
            let _ = write!(
                body,
                "<circle class=\"mark\" cx=\"{x}\" cy=\"{y}\" r=\"10\" fill=\"none\" pointer-events=\"all\"><title>{}</title></circle>",
                HtmlEscape(&told)
            );
        }
        Ok(Drawing { size: pixels, body })
    }

    /// Pixels across.
    pub(crate) fn width(&self) -> i32 {
        i32::try_from(self.size.width()).unwrap_or(i32::MAX)
    }

    /// A line through points.
    pub(crate) fn line(&self, points: &[Point], ink: Ink, width: u32) -> Result<(), ReportError> {
        let style = ShapeStyle::from(&ink.rgb()).stroke_width(width);
        self.area.draw(&PathElement::new(simplified(points), style)).map_err(drawing)
    }

    /// A straight line of dashes.
    pub(crate) fn dashes(&self, from: Point, to: Point, ink: Ink) -> Result<(), ReportError> {
        const DASH: f64 = 6.0;
        let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
        let length = dx.hypot(dy);
        #[expect(clippy::cast_possible_truncation, reason = "within the canvas")]
        let at = |along: f64| {
            let share = (along / length).min(1.0);
            (from.0 + (dx * share).round() as i32, from.1 + (dy * share).round() as i32)
        };
        let mut along = 0.0;
        while along < length {
            self.line(&[at(along), at(along + DASH)], ink, 1)?;
            along += DASH * 1.7;
        }
        Ok(())
    }

    /// A filled shape one can see through.
    pub(crate) fn area(&self, points: &[Point], ink: Ink, opacity: f64) -> Result<(), ReportError> {
        self.area.draw(&Polygon::new(points.to_vec(), ink.rgb().mix(opacity))).map_err(drawing)
    }

    /// A filled rectangle.
    pub(crate) fn rectangle(&self, corners: [Point; 2], ink: Ink) -> Result<(), ReportError> {
        self.area.draw(&Rectangle::new(corners, ink.rgb().filled())).map_err(drawing)
    }

    /// A filled circle.
    pub(crate) fn dot(&self, at: Point, radius: i32, ink: Ink) -> Result<(), ReportError> {
        self.area.draw(&Circle::new(at, radius, ink.rgb().filled())).map_err(drawing)
    }

    /// A circle one can see through, with its edge.
    pub(crate) fn bubble(&self, at: Point, radius: i32, ink: Ink) -> Result<(), ReportError> {
        self.area.draw(&Circle::new(at, radius, ink.rgb().mix(0.25).filled())).map_err(drawing)?;
        self.area.draw(&Circle::new(at, radius, ink.rgb())).map_err(drawing)
    }

    /// A text whose middle line is at the height of the place.
    pub(crate) fn text(&self, text: &str, at: Point, look: Text) -> Result<(), ReportError> {
        let across = match look.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        // plotters writes sizes divided by 1.24.
        let font = (FontFamily::SansSerif, LETTERS * 1.24).into_font();
        let font = if look.bold { font.style(FontStyle::Bold) } else { font };
        let ink = look.ink.rgb();
        let style = TextStyle::from(font).color(&ink).pos(Pos::new(across, VPos::Center));
        // A drawing with a control character is no XML.
        self.area.draw_text(&visible(text), &style, at).map_err(drawing)
    }

    /// What a pointer tells that rests here.
    pub(crate) fn mark(&mut self, at: Point, told: impl Into<String>) {
        self.marks.push((at, visible(&told.into()).into_owned()));
    }
}

/// The line without points that lie within about a pixel of the straight way between others: places
/// are whole pixels, and a slope of many short steps would be a staircase.
///
/// # Source
/// Douglas and Peucker, Algorithms for the reduction of the number of points required to represent a
/// digitized line (1973).
fn simplified(points: &[Point]) -> Vec<Point> {
    const MOST_AWAY: f64 = 1.2;
    let (Some(&first), Some(&last)) = (points.first(), points.last()) else { return Vec::new() };
    let (dx, dy) = (f64::from(last.0 - first.0), f64::from(last.1 - first.1));
    let length = dx.hypot(dy);
    let away = |point: &Point| {
        let (x, y) = (f64::from(point.0 - first.0), f64::from(point.1 - first.1));
        if length > 0.0 { (x * dy - y * dx).abs() / length } else { x.hypot(y) }
    };
    let farthest = points.iter().map(away).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    match farthest {
        Some((at, distance)) if distance > MOST_AWAY && at > 0 && at + 1 < points.len() => {
            let mut line = simplified(&points[..=at]);
            line.pop();
            line.extend(simplified(&points[at..]));
            line
        }
        _ if points.len() > 1 => vec![first, last],
        _ => vec![first],
    }
}

/// About how wide a text is.
pub(crate) fn text_width(text: &str) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "labels are short")]
    let width = (text.chars().count() as f64 * LETTERS * 0.54).ceil() as i32;
    width
}

/// The beginning of a text that is not wider than so many pixels.
pub(crate) fn fitted(text: &str, width: i32) -> String {
    if text_width(text) <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for letter in text.chars() {
        if text_width(&short) + text_width("m…") > width {
            break;
        }
        short.push(letter);
    }
    let kept = short.trim_end().len();
    short.truncate(kept);
    short.push('…');
    short
}

fn drawing(error: impl std::fmt::Display) -> ReportError {
    ReportError::Drawing { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_on_a_canvas_is_escaped() {
        let drawing = Canvas::draw(Size::Narrow, 100, |canvas| {
            canvas.text("<b>&\"x\"", (5, 50), Text::new(Ink::TEXT, Anchor::Start))?;
            canvas.mark((5, 50), "<script>alert('1')</script>");
            Ok(())
        })
        .unwrap();
        for svg in [drawing.inline("a", "b"), drawing.file("<t>", "a & b")] {
            assert!(!svg.contains("<script") && !svg.contains("<b>"), "{svg}");
            assert!(svg.contains("&lt;b&gt;&amp;"), "{svg}");
        }
        assert!(drawing.file("<t>", "").contains("<title>&lt;t&gt;</title>"));
        assert_eq!(drawing.size, (344, 100));
    }

    #[test]
    fn a_line_keeps_its_corners_and_loses_its_steps() {
        let slope: Vec<Point> = (0..100).map(|x| (x, x / 3)).collect();
        assert_eq!(simplified(&slope), [(0, 0), (99, 33)]);
        let corner = [(0, 0), (10, 0), (20, 0), (20, 30), (20, 60)];
        assert_eq!(simplified(&corner), [(0, 0), (20, 0), (20, 60)]);
        assert_eq!(simplified(&[]), []);
        assert_eq!(simplified(&[(3, 4)]), [(3, 4)]);
    }

    #[test]
    fn long_labels_end_in_an_ellipsis() {
        assert_eq!(fitted("short", 200), "short");
        let cut = fitted("a-model-with-a-very-long-name-indeed", 100);
        assert!(cut.ends_with('…') && text_width(&cut) <= 100, "{cut}");
        assert_eq!(fitted("αβγδεζηθικλμνξοπρ", 50).chars().last(), Some('…'));
    }
}
