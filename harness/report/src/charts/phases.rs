//! Prefill and decode by batch and depth, with their intervals.

use super::subject::{Names, is_good, with_depth};
use super::{Chart, Plan};
use crate::error::ReportError;
use crate::svg::{
    Anchor, Axis, Canvas, Drawing, Frame, Ink, Plot, SERIES, Size, Text, brief, end_labels, fitted,
};
use crate::tables;
use freeweights_cost::people::number;
use freeweights_record::Record;
use freeweights_record::units::TokensPerSecond;

/// Lines that are drawn; the table has them all.
const SHOWN: usize = 6;

/// A measured rate with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Measured {
    at: f64,
    rate: f64,
    interval: Option<(f64, f64)>,
}

/// Points of one model, engine and depth.
struct Series {
    name: String,
    points: Vec<Measured>,
}

/// Decode rate of the whole batch over the batch; none where nothing was decoded.
pub(super) fn decode(records: &[Record], names: &Names) -> Result<Option<Chart>, ReportError> {
    let depths = differ(records, |record| record.depth);
    let shapes = differ(records, |record| Some((record.isl?, record.osl?)));
    let series = gather(
        records,
        |record| {
            let name = with_depth(names, record, depths);
            match (record.isl, record.osl) {
                (Some(isl), Some(osl)) if shapes => {
                    format!("{name}, {} in, {} out", isl.get(), osl.get())
                }
                _ => name,
            }
        },
        |record| {
            let batch = f64::from(record.batch.or(record.concurrency)?);
            let ends = record.decode_ci95_low_tps.zip(record.decode_ci95_high_tps);
            measured(batch, record.decode_mean_tps?, ends)
        },
    );
    let about = "Tokens written a second by all sequences together, and the 95% interval of the mean where there are samples enough.";
    chart("decode", "Decode, by batch", about, records, &series, "sequences at once")
}

/// Prefill rate over the tokens that are read at once; none where no prompt was timed.
pub(super) fn prefill(records: &[Record], names: &Names) -> Result<Option<Chart>, ReportError> {
    let depths = differ(records, |record| record.depth);
    let series = gather(
        records,
        |record| with_depth(names, record, depths),
        |record| {
            let tokens = record.isl?.as_f64() * f64::from(record.batch?);
            let ends = record.prefill_ci95_low_tps.zip(record.prefill_ci95_high_tps);
            measured(tokens, record.prefill_mean_tps?, ends)
        },
    );
    let about = "Prompt tokens read a second by all sequences together, over the tokens read at once (isl times batch), and the 95% interval of the mean.";
    chart("prefill", "Prefill, by tokens at once", about, records, &series, "prompt tokens at once")
}

fn differ<T: PartialEq>(records: &[Record], of: impl Fn(&Record) -> Option<T>) -> bool {
    let mut known = records.iter().filter(|record| is_good(record)).filter_map(of);
    let Some(first) = known.next() else { return false };
    known.any(|other| other != first)
}

fn measured(
    at: f64,
    rate: TokensPerSecond,
    ends: Option<(TokensPerSecond, TokensPerSecond)>,
) -> Option<Measured> {
    let interval = ends.map(|(low, high)| (low.get(), high.get()));
    (rate.get() > 0.0).then(|| Measured { at, rate: rate.get(), interval })
}

fn gather(
    records: &[Record],
    name: impl Fn(&Record) -> String,
    point: impl Fn(&Record) -> Option<Measured>,
) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for record in records.iter().filter(|record| is_good(record)) {
        let (name, Some(point)) = (name(record), point(record)) else { continue };
        match all.iter_mut().find(|series| series.name == name) {
            Some(series) => series.points.push(point),
            None => all.push(Series { name, points: vec![point] }),
        }
    }
    for series in &mut all {
        series.points.sort_by(|a, b| a.at.total_cmp(&b.at).then(a.rate.total_cmp(&b.rate)));
    }
    all
}

fn chart(
    id: &str,
    title: &str,
    about: &str,
    records: &[Record],
    series: &[Series],
    across: &str,
) -> Result<Option<Chart>, ReportError> {
    if series.is_empty() {
        return Ok(None);
    }
    let (name, best) = series
        .iter()
        .flat_map(|one| one.points.iter().map(move |point| (&one.name, point)))
        .fold((&series[0].name, &series[0].points[0]), |best, next| {
            if next.1.rate > best.1.rate { next } else { best }
        });
    let about = format!(
        "{about} The highest is {} tokens a second ({name}, {} {across}).",
        number(best.rate),
        number(best.at)
    );
    Plan::new(id, title, about, tables::measurements(records))
        .draw(|size| draw(size, series, across))
        .map(Some)
}

fn draw(size: Size, series: &[Series], across: &str) -> Result<Drawing, ReportError> {
    let points = || series.iter().flat_map(|one| &one.points);
    let span = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)))
    };
    let mut measured_at: Vec<f64> = points().map(|point| point.at).collect();
    measured_at.sort_by(f64::total_cmp);
    measured_at.dedup();
    let (left, right) = span(&mut points().map(|point| point.at));
    let (_, top) =
        span(&mut points().map(|point| point.interval.map_or(point.rate, |ends| ends.1)));
    Canvas::draw(size, size.pick(330, 320), |canvas| {
        let room = size.pick(170, 96);
        let frame = Frame {
            left: size.pick(64, 54),
            top: 28,
            right: canvas.width() - room,
            bottom: canvas.height - 44,
        };
        let plot = Plot {
            frame,
            x: Axis::log(left / 1.15, right * 1.15),
            y: Axis::linear(0.0, top * 1.05),
            x_ticks: measured_at.clone(),
        };
        plot.axes(canvas, (across, "tokens a second"), (brief, brief))?;
        let shown = &series[..series.len().min(SHOWN)];
        let ends: Vec<i32> = shown.iter().map(|one| end(&plot, one)).collect();
        let heights = end_labels(&ends, frame.top, frame.bottom);
        for ((one, ink), height) in shown.iter().zip(SERIES).zip(heights) {
            line(canvas, &plot, one, ink)?;
            let look = Text::new(ink, Anchor::Start);
            canvas.text(&fitted(&one.name, room - 12), (frame.right + 10, height), look)?;
        }
        Ok(())
    })
}

fn end(plot: &Plot, series: &Series) -> i32 {
    series.points.last().map_or(0, |last| plot.up(last.rate))
}

fn line(
    canvas: &mut Canvas<'_>,
    plot: &Plot,
    series: &Series,
    ink: Ink,
) -> Result<(), ReportError> {
    let at = |point: &Measured| plot.at(point.at, point.rate);
    let places: Vec<_> = series.points.iter().map(at).collect();
    canvas.line(&places, ink, 2)?;
    for (point, place) in series.points.iter().zip(places) {
        let mut told = format!(
            "{}, {}: {} tokens a second",
            series.name,
            number(point.at),
            number(point.rate)
        );
        if let Some((low, high)) = point.interval {
            let (bottom, top) = (plot.up(low), plot.up(high));
            canvas.line(&[(place.0, bottom), (place.0, top)], ink, 1)?;
            for end in [bottom, top] {
                canvas.line(&[(place.0 - 4, end), (place.0 + 4, end)], ink, 1)?;
            }
            told = format!("{told} ({}–{})", number(low), number(high));
        }
        canvas.dot(place, 4, ink)?;
        canvas.mark(place, told);
    }
    Ok(())
}
