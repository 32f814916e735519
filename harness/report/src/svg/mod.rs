//! Drawing charts as SVG: a canvas in pixels, axes, a plot between them, and rows of bars.
//!
//! Not here: what a chart shows (`charts`), and pixels of a bitmap (`png`).

mod axis;
mod canvas;
mod ink;
mod plot;
mod rows;

pub(crate) use axis::Axis;
pub use canvas::Drawing;
pub(crate) use canvas::{Anchor, Canvas, Size, Text, fitted, text_width};
pub(crate) use ink::{Ink, PARTS, SERIES};
pub(crate) use plot::{Frame, Plot, brief, end_labels, legend, legend_height};
pub(crate) use rows::{Bar, Row, rows};
