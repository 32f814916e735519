//! Throughput against latency: what a machine writes over what a user sees, dollars as size.

use super::subject::{Names, distinct, is_good};
use super::{Chart, Plan};
use crate::error::ReportError;
use crate::grid::{Cell, Column, Grid};
use crate::page::Page;
use crate::svg::{
    Anchor, Axis, Canvas, Drawing, Frame, Ink, Plot, SERIES, Size, Text, brief, legend,
    legend_height,
};
use freeweights_cost::people::number;
use freeweights_record::Record;
use freeweights_record::units::TokensPerSecond;

/// One measured point.
struct Point {
    subject: String,
    /// Sequences at once, or requests in flight.
    batch: u32,
    /// Output tokens a second that one user sees.
    user: f64,
    /// Output tokens a second of the machine.
    machine: f64,
    /// USD per million tokens on a machine that is never idle.
    usd: Option<f64>,
    /// Whether no other point gives both more.
    on_front: bool,
}

/// Points of all good records at depth 0; none where fewer than two were measured.
pub(super) fn latency(page: &Page<'_>, names: &Names) -> Result<Option<Chart>, ReportError> {
    let mut points: Vec<Point> =
        page.records.iter().filter(|r| is_good(r)).filter_map(|r| point(page, names, r)).collect();
    if points.len() < 2 {
        return Ok(None);
    }
    points.sort_by(|a, b| a.user.total_cmp(&b.user));
    let front: Vec<bool> =
        points.iter().map(|one| !points.iter().any(|other| beats(other, one))).collect();
    points.iter_mut().zip(front).for_each(|(point, on_front)| point.on_front = on_front);
    let (slow, fast) = (&points[0], &points[points.len() - 1]);
    let about = format!(
        "Each point is a measured batch: to the right a user waits less for a token, upwards the machine writes more. A larger point is a dearer one: what a million tokens cost there on a machine that is never idle. From {} to {} tokens a second for a user, the machine writes {} to {}.",
        number(slow.user),
        number(fast.user),
        number(slow.machine),
        number(fast.machine),
    );
    Plan::new("latency", "Throughput against latency", about, table(&points))
        .draw(|size| draw(size, &points))
        .map(Some)
}

fn point(page: &Page<'_>, names: &Names, record: &Record) -> Option<Point> {
    if record.depth.is_some_and(|depth| depth.get() > 0) {
        return None;
    }
    let batch = record.batch.or(record.concurrency)?;
    let machine = record
        .decode_mean_tps
        .map(TokensPerSecond::get)
        .or_else(|| Some(record.requests_per_s?.get() * record.osl?.as_f64()))?;
    let user =
        record.tpot_mean_s.map_or_else(|| machine / f64::from(batch), |tpot| 1.0 / tpot.get());
    let usd = page
        .priced
        .iter()
        .find(|one| *one.run_id == *record.run_id && *one.case_id == *record.case_id)
        .map(|one| one.saturated.get());
    let good = user > 0.0 && machine > 0.0 && user.is_finite();
    good.then(|| Point {
        subject: names.subject(record),
        batch,
        user,
        machine,
        usd,
        on_front: false,
    })
}

fn beats(other: &Point, one: &Point) -> bool {
    let (no_less, more) = (
        other.user >= one.user && other.machine >= one.machine,
        other.user > one.user || other.machine > one.machine,
    );
    no_less && more
}

fn table(points: &[Point]) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("subject", "measured"),
        Column::number("batch", "batch"),
        Column::number("tokens_per_s_user", "tok/s per user"),
        Column::number("tokens_per_s_machine", "tok/s per machine"),
        Column::number("saturated_usd_per_mtok", "USD/Mtok, never idle"),
        Column::text("on_front", "nothing is better in both"),
    ]);
    for point in points {
        grid.push(vec![
            point.subject.as_str().into(),
            point.batch.into(),
            Cell::number(point.user),
            Cell::number(point.machine),
            point.usd.into(),
            Cell::Flag(point.on_front),
        ]);
    }
    grid
}

fn draw(size: Size, points: &[Point]) -> Result<Drawing, ReportError> {
    let span = |of: fn(&Point) -> f64| {
        points.iter().map(of).fold((f64::INFINITY, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)))
    };
    let (across, up) = (span(|point| point.user), span(|point| point.machine));
    let dearest = points.iter().filter_map(|point| point.usd).fold(0.0, f64::max);
    let subjects = distinct(points.iter().map(|point| point.subject.as_str()));
    let legend_room = legend_height(subjects.len());
    let height = size.pick(340, 330) + legend_room;
    let legend_room = i32::try_from(legend_room).unwrap_or(0);
    Canvas::draw(size, height, |canvas| {
        let frame = Frame {
            left: size.pick(64, 54),
            top: 34 + legend_room,
            right: canvas.width() - 24,
            bottom: canvas.height - 44,
        };
        let plot = Plot {
            frame,
            x: Axis::log(across.0 / 1.3, across.1 * 1.3),
            y: Axis::log(up.0 / 1.3, up.1 * 1.35),
            x_ticks: Vec::new(),
        };
        let titles =
            ("output tokens a second that a user sees", "output tokens a second of the machine");
        plot.axes(canvas, titles, (brief, brief))?;
        legend(canvas, &subjects)?;
        for (subject, ink) in subjects.iter().zip(SERIES) {
            let of_subject: Vec<&Point> =
                points.iter().filter(|p| p.subject == **subject).collect();
            series(canvas, &plot, &of_subject, ink, dearest)?;
        }
        Ok(())
    })
}

fn series(
    canvas: &mut Canvas<'_>,
    plot: &Plot,
    points: &[&Point],
    ink: Ink,
    dearest: f64,
) -> Result<(), ReportError> {
    let places: Vec<_> = points.iter().map(|point| plot.at(point.user, point.machine)).collect();
    canvas.line(&places, ink, 1)?;
    for (point, place) in points.iter().zip(places) {
        #[expect(clippy::cast_possible_truncation, reason = "a radius of a few pixels")]
        let radius =
            point.usd.map_or(4, |usd| (3.0 + 15.0 * (usd / dearest).max(0.0).sqrt()) as i32);
        canvas.bubble(place, radius, ink)?;
        canvas.dot(place, 3, ink)?;
        canvas.text(
            &format!("{}", point.batch),
            (place.0, place.1 - radius - 8),
            Text::new(ink, Anchor::Middle),
        )?;
        let cost = point
            .usd
            .map_or_else(String::new, |usd| format!(", {} USD per million tokens", number(usd)));
        canvas.mark(
            place,
            format!(
                "{}, batch {}: {} tokens a second for a user, {} for the machine{cost}",
                point.subject,
                point.batch,
                number(point.user),
                number(point.machine)
            ),
        );
    }
    Ok(())
}
