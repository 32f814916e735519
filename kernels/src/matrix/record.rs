//! A record: 32 columns of the 32 rows of a panel, in whole cache lines.
//!
//! Not here: how kernels unpack its codes in registers.

use super::formats::{BLOCK, Format};
use super::lines::Line;
use super::packed::PANEL;

/// Weights that one 32-bit lane of a dot product takes at once.
pub(super) const GROUP: usize = 4;

/// Groups of a record.
pub(super) const GROUPS: usize = BLOCK / GROUP;

/// How codes are kept. Kernels are compiled for each, so these are also their `CODES`.
///
/// A dot-product instruction takes 16 rows x 4 columns: byte `4 r + i` of a vector is row `r`, column
/// `4 g + i` of group `g`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codes {
    /// Four bits: a line for each group; the low nibbles are rows 0..16, the high nibbles 16..32.
    Nibbles,
    /// Five bits: nibbles, then two lines of their fifth bits: for each group a word of 64 bits for
    /// rows 0..16, then one for rows 16..32. Bit `b` belongs to byte `b` of the vector.
    Fives,
    /// Six bits: nibbles, then four lines of their upper two bits, a line for two groups. Bits 0..2 of
    /// byte `b` belong to byte `b` of the vector of rows 0..16 of the first group, bits 2..4 to rows
    /// 16..32; bits 4..6 and 6..8 to the second group.
    Sixes,
    /// Eight bits: two lines for each group, rows 0..16, then rows 16..32.
    Bytes,
}

#[cfg(target_arch = "x86_64")]
pub(super) const NIBBLES: u8 = Codes::Nibbles as u8;
#[cfg(target_arch = "x86_64")]
pub(super) const FIVES: u8 = Codes::Fives as u8;
#[cfg(target_arch = "x86_64")]
pub(super) const SIXES: u8 = Codes::Sixes as u8;
#[cfg(target_arch = "x86_64")]
pub(super) const BYTES: u8 = Codes::Bytes as u8;

impl Codes {
    /// Lines that hold the codes of a record.
    pub(super) const fn lines(self) -> usize {
        match self {
            Self::Nibbles => GROUPS,
            Self::Fives => GROUPS + 2,
            Self::Sixes => GROUPS + 4,
            Self::Bytes => 2 * GROUPS,
        }
    }
}

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordLayout {
    pub(super) codes: Codes,
    /// Whether columns 16..32 have a line of scales of their own.
    pub(super) two_scales: bool,
    /// Whether there is a line of minimums.
    pub(super) minimums: bool,
    /// What is subtracted from a code.
    pub(super) offset: u8,
}

impl RecordLayout {
    pub(super) const fn of(format: Format) -> Self {
        Self {
            codes: match format {
                Format::Q4_0 | Format::Q4_1 | Format::Q4_K => Codes::Nibbles,
                Format::Q5_0 | Format::Q5_1 | Format::Q5_K => Codes::Fives,
                Format::Q6_K => Codes::Sixes,
                Format::Q8_0 => Codes::Bytes,
            },
            two_scales: matches!(format, Format::Q6_K),
            minimums: format.has_minimum(),
            offset: format.offset(),
        }
    }

    /// Lines before the codes.
    pub(super) const fn head_lines(self) -> usize {
        1 + self.two_scales as usize + self.minimums as usize
    }

    /// Lines of a record.
    pub(super) const fn lines(self) -> usize {
        self.head_lines() + self.codes.lines()
    }
}

/// The codes of one row of a record's codes.
pub(super) fn codes_of_row(codes: Codes, lines: &[Line], row: usize) -> [u8; BLOCK] {
    let (half, r) = (row / 16, row % 16);
    let four = |line: usize| {
        let (fours, _) = lines[line].0.as_chunks::<GROUP>();
        u32::from_le_bytes(fours[r])
    };
    let nibbles = |group: usize| four(group) >> (4 * half) & 0x0f0f_0f0f;
    let mut row = [[0; GROUP]; GROUPS];
    for (group, row) in row.iter_mut().enumerate() {
        let codes = match codes {
            Codes::Nibbles => nibbles(group),
            Codes::Fives => {
                let (words, _) = lines[GROUPS + group / 4].0.as_chunks::<8>();
                let word = u64::from_le_bytes(words[(2 * group + half) % 8]);
                let bits = (word >> (4 * r) & 15) as u32;
                // Bit i moves to bit 8 i, and on to bit 4 of its byte.
                nibbles(group) | ((bits * 0x0020_4081) & 0x0101_0101) << 4
            }
            Codes::Sixes => {
                let bits = four(GROUPS + group / 2) >> (4 * (group % 2) + 2 * half);
                nibbles(group) | (bits & 0x0303_0303) << 4
            }
            Codes::Bytes => four(2 * group + half),
        };
        *row = codes.to_le_bytes();
    }
    let mut flat = [0; BLOCK];
    flat.copy_from_slice(row.as_flattened());
    flat
}

/// Writes the codes of all rows of a record.
pub(super) fn write_codes(codes: Codes, rows: &[[u8; BLOCK]; PANEL], lines: &mut [Line]) {
    match codes {
        Codes::Nibbles => write_nibbles(rows, lines),
        Codes::Fives => {
            write_nibbles(rows, lines);
            write_fifth_bits(rows, &mut lines[GROUPS..]);
        }
        Codes::Sixes => {
            write_nibbles(rows, lines);
            write_upper_bits(rows, &mut lines[GROUPS..]);
        }
        Codes::Bytes => write_bytes(rows, lines),
    }
}

/// The low four bits.
fn write_nibbles(rows: &[[u8; BLOCK]; PANEL], lines: &mut [Line]) {
    let (low, high) = rows.split_at(PANEL / 2);
    for (r, (low, high)) in low.iter().zip(high).enumerate() {
        let mut both = [0; BLOCK];
        for ((both, low), high) in both.iter_mut().zip(low).zip(high) {
            *both = low & 15 | high << 4;
        }
        let (fours, _) = both.as_chunks::<GROUP>();
        for (four, line) in fours.iter().zip(lines.iter_mut()) {
            line.0[r * GROUP..][..GROUP].copy_from_slice(four);
        }
    }
}

fn write_fifth_bits(rows: &[[u8; BLOCK]; PANEL], lines: &mut [Line]) {
    let mut words = [[0_u64; 2]; GROUPS];
    for (row, codes) in rows.iter().enumerate() {
        let (fours, _) = codes.as_chunks::<GROUP>();
        for (four, words) in fours.iter().zip(&mut words) {
            // Bits 4, 12, 20 and 28 move to 0, 8, 16, 24 and from there to the upper four.
            let bits = u32::from_le_bytes(*four) >> 4 & 0x0101_0101;
            let bits = u64::from(bits.wrapping_mul(0x1020_4080) >> 28);
            words[row / 16] |= bits << (row % 16 * GROUP);
        }
    }
    let places = lines.iter_mut().flat_map(|line| line.0.as_chunks_mut::<8>().0);
    for (place, word) in places.zip(words.as_flattened()) {
        *place = word.to_le_bytes();
    }
}

fn write_upper_bits(rows: &[[u8; BLOCK]; PANEL], lines: &mut [Line]) {
    let mut upper = [[[0_u8; GROUP]; 16]; GROUPS / 2];
    for (row, codes) in rows.iter().enumerate() {
        let (fours, _) = codes.as_chunks::<GROUP>();
        for (group, four) in fours.iter().enumerate() {
            let bits = u32::from_le_bytes(*four) >> 4 & 0x0303_0303;
            let bits = (bits << (4 * (group % 2) + 2 * (row / 16))).to_le_bytes();
            for (upper, bits) in upper[group / 2][row % 16].iter_mut().zip(bits) {
                *upper |= bits;
            }
        }
    }
    for (line, upper) in lines.iter_mut().zip(&upper) {
        line.0.copy_from_slice(upper.as_flattened());
    }
}

/// All eight bits.
fn write_bytes(rows: &[[u8; BLOCK]; PANEL], lines: &mut [Line]) {
    for (r, codes) in rows.iter().enumerate() {
        let (fours, _) = codes.as_chunks::<GROUP>();
        let lines = lines.iter_mut().skip(r / 16).step_by(2);
        for (four, line) in fours.iter().zip(lines) {
            line.0[r % 16 * GROUP..][..GROUP].copy_from_slice(four);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::lines::LINE;

    /// One code, and where its bits must be.
    #[test]
    fn places_by_hand() {
        let mut rows = [[0; BLOCK]; PANEL];
        // Row 18 is row 2 of the upper half; column 9 is column 1 of group 2.
        rows[18][9] = 0b11_0110;
        let write = |codes: Codes| {
            let mut lines = vec![Line::ZERO; codes.lines()];
            write_codes(codes, &rows, &mut lines);
            assert_eq!(codes_of_row(codes, &lines, 18)[9], rows[18][9] & codes_mask(codes));
            lines
        };
        let lines = write(Codes::Sixes);
        assert_eq!(lines[2].0[4 * 2 + 1], 0b0110_0000);
        assert_eq!(lines[8 + 1].0[4 * 2 + 1], 0b11 << 2);
        let lines = write(Codes::Fives);
        assert_eq!(lines[2].0[4 * 2 + 1], 0b0110_0000);
        // Word 2 * 2 + 1, bit 4 * 2 + 1.
        assert_eq!(lines[8].0[8 * 5 + 1], 0b10);
        let lines = write(Codes::Bytes);
        assert_eq!(lines[2 * 2 + 1].0[4 * 2 + 1], 0b11_0110);
        assert_eq!(write(Codes::Nibbles)[2].0[4 * 2 + 1], 0b0110_0000);
    }

    /// The bits that are kept.
    const fn codes_mask(codes: Codes) -> u8 {
        match codes {
            Codes::Nibbles => 15,
            Codes::Fives => 31,
            Codes::Sixes => 63,
            Codes::Bytes => 255,
        }
    }

    #[test]
    fn every_code_reads_back() {
        use crate::matrix::testing::{Random, seeds};
        for (codes, seed) in
            [Codes::Nibbles, Codes::Fives, Codes::Sixes, Codes::Bytes].into_iter().zip(seeds())
        {
            let mut random = Random::new(seed);
            let mask = codes_mask(codes);
            let rows: [[u8; BLOCK]; PANEL] = std::array::from_fn(|_| {
                std::array::from_fn(|_| random.bits().to_le_bytes()[6] & mask)
            });
            let mut lines = vec![Line([0xff; LINE]); codes.lines()];
            write_codes(codes, &rows, &mut lines);
            for (row, expected) in rows.iter().enumerate() {
                assert_eq!(codes_of_row(codes, &lines, row), *expected, "{codes:?}, row {row}");
            }
        }
    }
}
