//! Drawings as bitmaps.

use crate::error::ReportError;
use resvg::{tiny_skia, usvg};

/// Pixels of the bitmap for one of the drawing: sharp on dense screens.
const SCALE: f32 = 2.0;

/// The PNG of an SVG file, twice its size, in a font that comes along: letters outside of Latin,
/// Greek and Cyrillic become boxes.
///
/// # Errors
/// [`ReportError::Drawing`] where the text is no SVG or too large for a bitmap.
pub fn png(svg: &str) -> Result<Vec<u8>, ReportError> {
    let failed = |reason: String| ReportError::Drawing { reason };
    let mut options = usvg::Options::default();
    let fonts = options.fontdb_mut();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    fonts.set_sans_serif_family("Ubuntu");
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| failed(error.to_string()))?;
    let size = tree.size().to_int_size().scale_by(SCALE);
    let pixels = size.and_then(|size| tiny_skia::Pixmap::new(size.width(), size.height()));
    let mut pixels = pixels.ok_or_else(|| failed("it is too large for a bitmap".to_owned()))?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Width and height in the head of a PNG.
    fn size(png: &[u8]) -> (u32, u32) {
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        (number(16), number(20))
    }

    #[test]
    fn a_bitmap_has_twice_the_size_and_shows_text() {
        let svg = |text: &str| {
            format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"60\" height=\"20\"><rect width=\"60\" height=\"20\" fill=\"#FFFFFF\"/><text x=\"5\" y=\"15\" font-family=\"sans-serif\" font-size=\"13\">{text}</text></svg>"
            )
        };
        let (empty, full) = (png(&svg("")).unwrap(), png(&svg("12 USD")).unwrap());
        assert_eq!((size(&empty), size(&full)), ((120, 40), (120, 40)));
        assert_ne!(empty, full, "the font is there");
        assert!(png("no drawing").is_err());
    }
}
