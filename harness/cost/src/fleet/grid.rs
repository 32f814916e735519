//! Times over two axes: straight between measured points, never falling, never beyond them.

/// A time by a whole count (the batch) and a length in tokens.
///
/// Points are first brought onto one grid: each batch's own points give a line over the length, held
/// flat beyond its ends. Where a time falls as batch or length rises, neighbours are pooled to their
/// mean (the least change in squares that never falls) until it does not. Then each whole batch
/// between two measured ones lies straight between them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grid {
    /// Lengths, rising.
    knots: Vec<f64>,
    /// Times at the knots, one row a whole batch, from the smallest measured batch on.
    rows: Vec<f64>,
    first: u32,
    last: u32,
    /// The most a measured time was changed to never fall, as a share of it.
    pub(super) pooled: f64,
}

/// A measured time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) batch: u32,
    pub(super) length: f64,
    pub(super) time: f64,
}

impl Grid {
    /// A grid through these points; `None` without any, or where a number is not one above zero.
    pub(super) fn new(points: &[Point]) -> Option<Self> {
        let sane = |point: &Point| {
            point.batch > 0 && point.length >= 0.0 && point.time > 0.0 && point.time.is_finite()
        };
        if points.is_empty() || !points.iter().all(sane) {
            return None;
        }
        let mut points = points.to_vec();
        points.sort_by(|a, b| a.batch.cmp(&b.batch).then(a.length.total_cmp(&b.length)));
        let mut knots: Vec<f64> = points.iter().map(|point| point.length).collect();
        knots.sort_by(f64::total_cmp);
        knots.dedup_by(|a, b| a.total_cmp(b).is_eq());
        let curves: Vec<(u32, Vec<(f64, f64)>)> = points
            .chunk_by(|a, b| a.batch == b.batch)
            .map(|same| (same[0].batch, averaged(same)))
            .collect();
        let mut table: Vec<Vec<f64>> = curves
            .iter()
            .map(|(_, curve)| knots.iter().map(|&knot| along(curve, knot)).collect())
            .collect();
        let measured = table.clone();
        // One axis at a time; what one axis pools the other keeps in order.
        for row in &mut table {
            never_falling(row);
        }
        for knot in 0..knots.len() {
            let mut column: Vec<f64> = table.iter().map(|row| row[knot]).collect();
            never_falling(&mut column);
            table.iter_mut().zip(column).for_each(|(row, time)| row[knot] = time);
        }
        let changes = measured.iter().flatten().zip(table.iter().flatten());
        let pooled = changes.map(|(was, is)| (is / was - 1.0).abs()).fold(0.0, f64::max);
        let batches: Vec<u32> = curves.iter().map(|(batch, _)| *batch).collect();
        let (first, last) = (batches[0], batches[batches.len() - 1]);
        let mut rows = Vec::with_capacity((last - first + 1) as usize * knots.len());
        for batch in first..=last {
            let above = batches.partition_point(|known| *known < batch);
            let below = if batches[above] == batch { above } else { above - 1 };
            let (low, high) = (f64::from(batches[below]), f64::from(batches[above]));
            let share = if above == below { 0.0 } else { (f64::from(batch) - low) / (high - low) };
            let between = table[below].iter().zip(&table[above]);
            rows.extend(between.map(|(a, b)| a + share * (b - a)));
        }
        Some(Self { knots, rows, first, last, pooled })
    }

    /// The smallest and the largest batch of the points.
    pub(super) const fn batches(&self) -> (u32, u32) {
        (self.first, self.last)
    }

    /// The shortest and the longest length of the points.
    pub(super) fn lengths(&self) -> (f64, f64) {
        (self.knots[0], self.knots[self.knots.len() - 1])
    }

    #[inline]
    fn row(&self, batch: u32) -> &[f64] {
        let row = (batch.clamp(self.first, self.last) - self.first) as usize * self.knots.len();
        &self.rows[row..row + self.knots.len()]
    }

    /// Whether the length makes a difference at all.
    #[inline]
    pub(super) fn is_flat(&self) -> bool {
        self.knots.len() == 1
    }

    /// The time at a length; held flat beyond the ends.
    #[inline]
    pub(super) fn held(&self, batch: u32, length: f64) -> f64 {
        let row = self.row(batch);
        let mut upper = 0;
        while upper < self.knots.len() && self.knots[upper] < length {
            upper += 1;
        }
        if upper == 0 {
            return row[0];
        }
        if upper == self.knots.len() {
            return row[upper - 1];
        }
        let (low, high) = (self.knots[upper - 1], self.knots[upper]);
        row[upper - 1] + (row[upper] - row[upper - 1]) * ((length - low) / (high - low))
    }

    /// The time at a length; in proportion to the length beyond the ends.
    #[inline]
    pub(super) fn in_proportion(&self, batch: u32, length: f64) -> f64 {
        let (shortest, longest) = self.lengths();
        let within = length.clamp(shortest, longest);
        let time = self.held(batch, within);
        if length < shortest || length > longest { time * (length / within) } else { time }
    }
}

/// Points of one length as their mean.
fn averaged(points: &[Point]) -> Vec<(f64, f64)> {
    points
        .chunk_by(|a, b| a.length.total_cmp(&b.length).is_eq())
        .map(|same| {
            let sum: f64 = same.iter().map(|point| point.time).sum();
            (same[0].length, sum / same.len() as f64)
        })
        .collect()
}

/// Straight between points, flat beyond them.
fn along(curve: &[(f64, f64)], length: f64) -> f64 {
    let above = curve.partition_point(|(knot, _)| *knot < length);
    match (above.checked_sub(1).map(|below| curve[below]), curve.get(above)) {
        (None, Some(&(_, time))) | (Some((_, time)), None) => time,
        (Some((low, a)), Some(&(high, b))) => a + (b - a) * ((length - low) / (high - low)),
        (None, None) => 0.0,
    }
}

/// The nearest series that never falls, in squares: neighbours that fall are pooled to their mean.
fn never_falling(series: &mut [f64]) {
    let mut pools: Vec<(f64, usize)> = Vec::with_capacity(series.len());
    for &value in series.iter() {
        let mut pool = (value, 1);
        while let Some(&(mean, count)) = pools.last() {
            if mean <= pool.0 {
                break;
            }
            pools.pop();
            let all = count + pool.1;
            pool = ((mean * count as f64 + pool.0 * pool.1 as f64) / all as f64, all);
        }
        pools.push(pool);
    }
    let pooled = pools.into_iter().flat_map(|(mean, count)| std::iter::repeat_n(mean, count));
    series.iter_mut().zip(pooled).for_each(|(value, mean)| *value = mean);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn point(batch: u32, length: f64, time: f64) -> Point {
        Point { batch, length, time }
    }

    #[test]
    fn between_points_it_is_straight_and_beyond_them_flat() {
        let grid = Grid::new(&[
            point(1, 100.0, 1.0),
            point(1, 300.0, 2.0),
            point(5, 100.0, 3.0),
            point(5, 300.0, 6.0),
        ])
        .unwrap();
        // Batch 3 lies halfway: 2 at 100 tokens and 4 at 300, so 3 at 200.
        for (batch, length, time) in
            [(1, 200.0, 1.5), (3, 200.0, 3.0), (5, 1e9, 6.0), (9, 300.0, 6.0), (1, 0.0, 1.0)]
        {
            assert!((grid.held(batch, length) - time).abs() < 1e-12, "{batch} {length}");
        }
        // 600 tokens are twice 300, 50 half of 100.
        assert!((grid.in_proportion(5, 600.0) - 12.0).abs() < 1e-12);
        assert!((grid.in_proportion(1, 50.0) - 0.5).abs() < 1e-12);
        assert_eq!((grid.batches(), grid.lengths()), ((1, 5), (100.0, 300.0)));
        assert!(grid.pooled.abs() < 1e-15);
    }

    #[test]
    fn what_falls_is_pooled_and_told() {
        // A larger batch that was faster is noise: both become 1.5, and 1 has changed by half.
        let grid = Grid::new(&[point(1, 10.0, 2.0), point(2, 10.0, 1.0)]).unwrap();
        assert!(
            (grid.held(1, 10.0) - 1.5).abs() < 1e-12 && (grid.held(2, 10.0) - 1.5).abs() < 1e-12
        );
        assert!((grid.pooled - 0.5).abs() < 1e-12);
        // Two measurements of one point are their mean.
        let twice = Grid::new(&[point(1, 10.0, 2.0), point(1, 10.0, 4.0)]).unwrap();
        assert!((twice.held(1, 10.0) - 3.0).abs() < 1e-12);
        assert!(Grid::new(&[]).is_none() && Grid::new(&[point(1, 1.0, 0.0)]).is_none());
    }

    proptest! {
        #[test]
        fn a_time_never_falls(
            points in prop::collection::vec((1_u32..6, 0_u32..6, 0.1..9.0_f64), 1..20),
        ) {
            let points: Vec<Point> = points
                .into_iter()
                .map(|(batch, length, time)| point(batch, f64::from(length) * 100.0, time))
                .collect();
            let grid = Grid::new(&points).unwrap();
            let (first, last) = grid.batches();
            for batch in first..=last {
                for step in 0..60 {
                    let length = f64::from(step) * 10.0;
                    let time = grid.held(batch, length);
                    prop_assert!(grid.held(batch, length + 10.0) >= time - 1e-9);
                    prop_assert!(grid.held(batch + 1, length) >= time - 1e-9);
                }
            }
        }
    }
}
