//! Bars in rows, each under its own line of text, so that names may be long and phones narrow.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Drawing, Size, Text, fitted, text_width};
use super::ink::Ink;
use crate::error::ReportError;

/// A bar from one value to another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) ink: Ink,
    /// What a pointer tells that rests on it.
    pub(crate) told: String,
}

/// A row: a name at the left, a figure at the right, bars below.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// What follows the name where there is room.
    pub(crate) more: String,
    pub(crate) figure: String,
    pub(crate) bars: Vec<Bar>,
    /// A whisker over the bars: an interval.
    pub(crate) whisker: Option<(f64, f64)>,
}

const HEIGHT: i32 = 44;
const THICKNESS: i32 = 14;

/// Rows below each other on one scale, with a dashed line at `line` and its name above all.
pub(crate) fn rows(
    size: Size,
    rows: &[Row],
    axis: &Axis,
    line: Option<(f64, &str)>,
) -> Result<Drawing, ReportError> {
    let head = if line.is_some() { 26 } else { 6 };
    let height = head + HEIGHT * i32::try_from(rows.len()).unwrap_or(0) + 4;
    let edge = i32::try_from(size.width()).unwrap_or(i32::MAX) - 4;
    let pixels = (4, edge);
    Canvas::draw(size, u32::try_from(height).unwrap_or(0), |canvas| {
        for (index, row) in (0..).zip(rows) {
            let top = head + HEIGHT * index;
            let figure = Text::new(Ink::TEXT, Anchor::End).bold();
            let room = edge - text_width(&row.figure) - 24;
            let whole = format!("{}{}", row.name, row.more);
            let name = if text_width(&whole) <= room { whole } else { fitted(&row.name, room) };
            canvas.text(&name, (4, top + 9), Text::new(Ink::TEXT, Anchor::Start))?;
            canvas.text(&row.figure, (edge, top + 9), figure)?;
            let (upper, lower) = (top + 19, top + 19 + THICKNESS);
            canvas.rectangle([(pixels.0, lower), (pixels.1, lower + 1)], Ink::GRID)?;
            for bar in &row.bars {
                let (from, to) = (axis.at(bar.from, pixels), axis.at(bar.to, pixels));
                // What is there is seen, however small.
                let least = if bar.from < bar.to || bar.to < bar.from { 2 } else { 0 };
                let (from, to) = (from.min(to), from.max(to).max(from.min(to) + least));
                if to > from {
                    canvas.rectangle([(from, upper), (to, lower)], bar.ink)?;
                }
                canvas.mark((i32::midpoint(from, to), i32::midpoint(upper, lower)), &bar.told);
            }
            if let Some((low, high)) = row.whisker {
                let (low, high) = (axis.at(low, pixels), axis.at(high, pixels));
                let middle = i32::midpoint(upper, lower);
                canvas.line(&[(low, middle), (high, middle)], Ink::TEXT, 1)?;
                for end in [low, high] {
                    canvas.line(&[(end, upper + 3), (end, lower - 3)], Ink::TEXT, 1)?;
                }
            }
        }
        if let Some((at, name)) = line {
            let x = axis.at(at, pixels);
            // Across the bars and not through the names between them.
            for index in (0..).take(rows.len()) {
                let top = head + HEIGHT * index + 17;
                canvas.line(&[(x, top), (x, top + THICKNESS + 4)], Ink::MUTED, 1)?;
            }
            let anchor = match (x > edge * 2 / 3, x < edge / 3) {
                (true, _) => Anchor::End,
                (_, true) => Anchor::Start,
                _ => Anchor::Middle,
            };
            canvas.text(&fitted(name, edge), (x, 11), Text::new(Ink::MUTED, anchor))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values() {
        let bar = |from, to| Bar { from, to, ink: Ink::OWN, told: String::new() };
        let row = Row {
            name: "a".into(),
            more: String::new(),
            figure: "1".into(),
            bars: vec![bar(0.0, 50.0), bar(50.0, 100.0)],
            whisker: None,
        };
        let drawing = rows(Size::Wide, &[row], &Axis::linear(0.0, 100.0), None).unwrap();
        let svg = drawing.inline("", "");
        // 4 to 756 pixels: the middle is 380.
        assert!(svg.contains("x=\"4\" y=\"25\" width=\"376\" height=\"14\""), "{svg}");
        assert!(svg.contains("x=\"380\" y=\"25\" width=\"376\" height=\"14\""), "{svg}");
    }
}
