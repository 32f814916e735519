//! Measured points under the ceilings of the machine.

use super::subject::{Names, distinct, is_good, with_case};
use super::{Chart, Plan};
use crate::error::ReportError;
use crate::grid::{Cell, Column, Grid};
use crate::svg::{
    Anchor, Axis, Canvas, Drawing, Frame, Ink, Plot, SERIES, Size, Text, brief, legend,
    legend_height,
};
use freeweights_cost::people::{number, percent};
use freeweights_record::Record;

/// A prefill or a decode of one record.
struct Point {
    name: String,
    subject: String,
    /// Operations for each byte that must be read.
    intensity: f64,
    /// Operations a second.
    rate: f64,
    /// Share of the ceiling above it.
    share: f64,
}

/// Points of all good records that know their ceilings; none without such.
///
/// Decode: `2 * active parameters * batch` operations and `MBU * bandwidth * step` bytes a step, so
/// attention's operations are left out. Prefill: `MFU * peak` operations a second, and the weights
/// read once, which is the least it must read.
pub(super) fn roofline(records: &[Record], names: &Names) -> Result<Option<Chart>, ReportError> {
    let mut points = Vec::new();
    let mut ceiling: Option<(f64, f64)> = None;
    let mut machines = 0;
    for record in records.iter().filter(|record| is_good(record)) {
        let of = record.ceiling_read_bytes_per_s.zip(record.ceiling_flops_per_s);
        let Some((read, peak)) = of.map(|(read, peak)| (read.get(), peak.get())) else { continue };
        // One roof a chart: of several runs, the highest ceilings.
        let (most_read, most_peak) = ceiling.unwrap_or((0.0, 0.0));
        if ceiling != Some((read, peak)) {
            machines += 1;
        }
        ceiling = Some((most_read.max(read), most_peak.max(peak)));
        points.extend(decode(record, names, read));
        points.extend(prefill(record, names, peak));
    }
    let (Some((read, peak)), false) = (ceiling, points.is_empty()) else { return Ok(None) };
    for point in &mut points {
        point.share = point.rate / (point.intensity * read).min(peak);
    }
    let several = if machines > 1 { " The ceilings are the highest of the runs." } else { "" };
    let about = format!(
        "Work done a second over work for each byte read, under what this machine can do: reading {} GB/s, and {} GFLOP/s in f32, both measured. Decoding leans on the slope, reading prompts on the flat part. Engines that compute in bf16 or int8 can pass the f32 ceiling.{several}",
        number(read / 1e9),
        number(peak / 1e9),
    );
    Plan::new("roofline", "Against the machine's ceilings", about, table(&points))
        .draw(|size| draw(size, &points, read, peak))
        .map(Some)
}

fn decode(record: &Record, names: &Names, read: f64) -> Option<Point> {
    let (mbu, rate) = (record.decode_mbu?.get(), record.decode_median_tps?.get());
    let batch = f64::from(record.batch?);
    let flops = 2.0 * record.params_active.or(record.params_total)? as f64;
    // A step writes one token of each sequence.
    let bytes_per_step = mbu * read * batch / rate;
    let intensity = flops * batch / bytes_per_step;
    point(record, names, "decode", intensity, flops * rate)
}

fn prefill(record: &Record, names: &Names, peak: f64) -> Option<Point> {
    let rate = record.prefill_mfu?.get() * peak;
    let tokens = record.isl?.as_f64() * f64::from(record.batch?);
    let seconds = tokens / record.prefill_median_tps?.get();
    let intensity = rate * seconds / record.weights_bytes?.as_f64();
    point(record, names, "prefill", intensity, rate)
}

fn point(record: &Record, names: &Names, phase: &str, intensity: f64, rate: f64) -> Option<Point> {
    let subject = names.subject(record);
    let name = format!("{phase}, {}", with_case(names, record));
    let good = intensity > 0.0 && intensity.is_finite() && rate > 0.0 && rate.is_finite();
    good.then_some(Point { name, subject, intensity, rate, share: 0.0 })
}

fn table(points: &[Point]) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("point", "point"),
        Column::number("flops_per_byte", "FLOP per byte"),
        Column::number("flops_per_s", "GFLOP/s"),
        Column::number("share_of_ceiling", "of the ceiling above"),
    ]);
    for point in points {
        grid.push(vec![
            point.name.as_str().into(),
            Cell::number(point.intensity),
            Cell::shown(point.rate, number(point.rate / 1e9)),
            Cell::shown(point.share, percent(point.share)),
        ]);
    }
    grid
}

fn draw(size: Size, points: &[Point], read: f64, peak: f64) -> Result<Drawing, ReportError> {
    let ridge = peak / read;
    let span = |of: fn(&Point) -> f64| {
        points.iter().map(of).fold((f64::INFINITY, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)))
    };
    let (across, up) = (span(|point| point.intensity), span(|point| point.rate));
    let (left, right) = (across.0.min(ridge) / 2.0, across.1.max(ridge) * 2.0);
    let subjects = distinct(points.iter().map(|point| point.subject.as_str()));
    let legend_room = legend_height(subjects.len());
    let height = size.pick(330, 320) + legend_room;
    let legend_room = i32::try_from(legend_room).unwrap_or(0);
    Canvas::draw(size, height, |canvas| {
        let frame = Frame {
            left: size.pick(64, 54),
            top: 34 + legend_room,
            right: canvas.width() - 16,
            bottom: canvas.height - 44,
        };
        let (low, high) = (up.0.min(left * read) / 1.5, up.1.max(peak) * 1.8);
        let plot =
            Plot { frame, x: Axis::log(left, right), y: Axis::log(low, high), x_ticks: Vec::new() };
        plot.axes(
            canvas,
            ("operations for each byte read", "operations a second"),
            (brief, brief),
        )?;
        let roof = [plot.at(left, left * read), plot.at(ridge, peak), plot.at(right, peak)];
        canvas.line(&roof, Ink::WALL, 2)?;
        canvas.mark(roof[1], format!("ridge: {} operations for each byte", number(ridge)));
        let label = Text::new(Ink::WALL, Anchor::End);
        canvas.text(
            &format!("{} GFLOP/s in f32", number(peak / 1e9)),
            (roof[2].0, roof[2].1 - 10),
            label,
        )?;
        let slope = format!("{} GB/s", number(read / 1e9));
        let middle = plot.at((left * ridge).sqrt(), (left * ridge).sqrt() * read);
        canvas.text(&slope, (middle.0 - 8, middle.1 - 8), label)?;
        legend(canvas, &subjects)?;
        for (subject, ink) in subjects.iter().zip(SERIES) {
            for point in points.iter().filter(|point| point.subject == **subject) {
                let at = plot.at(point.intensity, point.rate);
                canvas.dot(at, 5, ink)?;
                canvas.mark(
                    at,
                    format!(
                        "{}: {} GFLOP/s, {} of the ceiling above",
                        point.name,
                        number(point.rate / 1e9),
                        percent(point.share)
                    ),
                );
            }
        }
        Ok(())
    })
}
