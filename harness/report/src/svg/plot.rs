//! A plot between two axes.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, LETTERS, Point, Text, fitted, text_width};
use super::ink::{Ink, SERIES};
use crate::chart::short;
use crate::error::ReportError;

/// The rectangle between the axes, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) left: i32,
    pub(crate) top: i32,
    pub(crate) right: i32,
    pub(crate) bottom: i32,
}

/// Where values lie.
pub(crate) struct Plot {
    pub(crate) frame: Frame,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// What is written below; where it is empty, round values.
    pub(crate) x_ticks: Vec<f64>,
}

/// A number beside an axis: two digits, and no more than it takes.
pub(crate) fn brief(value: f64) -> String {
    short(value).replace(".0 ", " ").trim_end_matches(".0").to_owned()
}

/// How the numbers of an axis read.
pub(crate) type Words = fn(f64) -> String;

impl Plot {
    /// The pixel of a pair of values.
    pub(crate) fn at(&self, x: f64, y: f64) -> Point {
        (self.across(x), self.up(y))
    }

    pub(crate) fn across(&self, x: f64) -> i32 {
        self.x.at(x, (self.frame.left, self.frame.right))
    }

    pub(crate) fn up(&self, y: f64) -> i32 {
        self.y.at(y, (self.frame.bottom, self.frame.top))
    }

    /// Grid, numbers and titles of both axes. The title of the vertical one stands above it, where
    /// it can be read without turning the head.
    pub(crate) fn axes(
        &self,
        canvas: &Canvas<'_>,
        (across, up): (&str, &str),
        (x_words, y_words): (Words, Words),
    ) -> Result<(), ReportError> {
        let Frame { left, top, right, bottom } = self.frame;
        let label = |anchor| Text::new(Ink::MUTED, anchor);
        for value in self.y.ticks(6) {
            let y = self.up(value);
            canvas.line(&[(left, y), (right, y)], Ink::GRID, 1)?;
            canvas.text(&y_words(value), (left - 8, y), label(Anchor::End))?;
        }
        let mut free = i32::MIN;
        let round = || self.x.ticks(canvas.size.pick(8, 4));
        let ticks = if self.x_ticks.is_empty() { round() } else { self.x_ticks.clone() };
        for value in ticks {
            let (x, words) = (self.across(value), x_words(value));
            canvas.line(&[(x, top), (x, bottom)], Ink::GRID, 1)?;
            let half = text_width(&words) / 2;
            if x - half > free {
                canvas.text(&words, (x, bottom + 14), label(Anchor::Middle))?;
                free = x + half + 6;
            }
        }
        canvas.line(&[(left, bottom), (right, bottom)], Ink::MUTED, 1)?;
        let title = fitted(up, canvas.width() - 8);
        canvas.text(&title, (4, 10), label(Anchor::Start))?;
        let title = fitted(across, canvas.width() - 8);
        canvas.text(&title, (right, bottom + 34), label(Anchor::End))
    }
}

/// Pixels that the names of so many lines take above a plot; none for one alone.
pub(crate) fn legend_height(names: usize) -> u32 {
    if names > 1 { LEGEND_STEP * u32::try_from(names).unwrap_or(0) } else { 0 }
}

/// Pixels from one name to the next.
const LEGEND_STEP: u32 = 18;

/// The names of lines above a plot, each beside a dot of its colour; nothing for one alone.
pub(crate) fn legend(canvas: &Canvas<'_>, names: &[&str]) -> Result<(), ReportError> {
    if legend_height(names.len()) == 0 {
        return Ok(());
    }
    for ((name, ink), y) in names.iter().zip(SERIES).zip((30..).step_by(LEGEND_STEP as usize)) {
        canvas.dot((10, y), 5, ink)?;
        let name = fitted(name, canvas.width() - 28);
        canvas.text(&name, (22, y), Text::new(ink, Anchor::Start))?;
    }
    Ok(())
}

/// Heights of labels beside the ends of lines: as near as can be to where they belong, none over
/// another, all between `top` and `bottom` where there is room.
pub(crate) fn end_labels(wanted: &[i32], top: i32, bottom: i32) -> Vec<i32> {
    #[expect(clippy::cast_possible_truncation, reason = "height of a letter")]
    let step = (LETTERS * 1.25) as i32;
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|&index| wanted[index]);
    let mut placed = vec![0; wanted.len()];
    let mut free = top;
    for &index in &order {
        placed[index] = wanted[index].max(free);
        free = placed[index] + step;
    }
    // Pushed past the bottom, they move up again.
    let mut limit = bottom;
    for &index in order.iter().rev() {
        placed[index] = placed[index].min(limit);
        limit = placed[index] - step;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_make_room_for_each_other() {
        assert_eq!(end_labels(&[100, 104, 300], 0, 400), [100, 116, 300]);
        assert_eq!(end_labels(&[398, 400, 399], 0, 400), [368, 400, 384]);
        assert_eq!(end_labels(&[], 0, 10), Vec::<i32>::new());
    }

    #[test]
    fn numbers_are_brief() {
        let told = [1.0, 2.5, 1_000.0, 1_500.0, 2e6, 0.05, 10.0].map(brief);
        assert_eq!(told, ["1", "2.5", "1 k", "1.5 k", "2 M", "0.05", "10"]);
    }

    #[test]
    fn a_plot_runs_to_the_right_and_upwards() {
        let frame = Frame { left: 50, top: 20, right: 250, bottom: 120 };
        let (x, y) = (Axis::log(1.0, 100.0), Axis::linear(0.0, 1.0));
        let plot = Plot { frame, x, y, x_ticks: Vec::new() };
        assert_eq!(plot.at(10.0, 0.25), (150, 95));
        assert_eq!(plot.at(1e9, -3.0), (250, 120));
    }
}
