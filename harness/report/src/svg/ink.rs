//! The colours of charts.
//!
//! A page gives each of them another value in the dark: its style sheet finds them by their
//! attribute. `ink_names` in the page's tests holds the two lists together.

use plotters::style::RGBColor;

/// A colour by what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ink(pub(crate) u8, pub(crate) u8, pub(crate) u8);

impl Ink {
    /// Titles and values.
    pub(crate) const TEXT: Self = Self(0x1B, 0x1F, 0x24);
    /// Labels of axes.
    pub(crate) const MUTED: Self = Self(0x57, 0x60, 0x6A);
    /// Lines behind a plot.
    pub(crate) const GRID: Self = Self(0xDC, 0xE1, 0xE6);
    /// What is ours.
    pub(crate) const OWN: Self = Self(0x1D, 0x5F, 0xBF);
    /// A host of the same open model.
    pub(crate) const SAME: Self = Self(0x12, 0x76, 0x4A);
    /// A host of a similar open model.
    pub(crate) const SIMILAR: Self = Self(0x9A, 0x54, 0x03);
    /// A frontier model.
    pub(crate) const FRONTIER: Self = Self(0x99, 0x21, 0x9E);
    /// A limit.
    pub(crate) const WALL: Self = Self(0xB8, 0x1F, 0x2D);

    /// All of them with their names in the style sheet.
    #[cfg(test)]
    pub(crate) const ALL: [(&str, Self); 12] = [
        ("text", Self::TEXT),
        ("muted", Self::MUTED),
        ("grid", Self::GRID),
        ("own", Self::OWN),
        ("same", Self::SAME),
        ("similar", Self::SIMILAR),
        ("frontier", Self::FRONTIER),
        ("wall", Self::WALL),
        ("part-5", PARTS[5]),
        ("part-6", PARTS[6]),
        ("part-7", PARTS[7]),
        ("part-8", PARTS[8]),
    ];

    /// As it stands in an attribute.
    #[cfg(test)]
    pub(crate) fn hex(self) -> String {
        format!("#{:02X}{:02X}{:02X}", self.0, self.1, self.2)
    }

    pub(crate) const fn rgb(self) -> RGBColor {
        RGBColor(self.0, self.1, self.2)
    }
}

/// Colours of lines that stand beside each other, told apart by those who see no red or green too.
pub(crate) const SERIES: [Ink; 6] =
    [Ink::OWN, Ink::SIMILAR, Ink::SAME, Ink::FRONTIER, Ink::WALL, Ink(0x0B, 0x6E, 0x7D)];

/// Colours of the parts of a whole.
pub(crate) const PARTS: [Ink; 9] = [
    Ink::OWN,
    Ink::SIMILAR,
    Ink::SAME,
    Ink::FRONTIER,
    Ink::WALL,
    Ink(0x0B, 0x6E, 0x7D),
    Ink(0x6B, 0x5B, 0x95),
    Ink(0x7A, 0x6A, 0x10),
    Ink(0x8C, 0x95, 0x9F),
];
