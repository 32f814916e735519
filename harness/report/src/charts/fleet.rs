//! A simulated fleet: latencies over replicas, use through the day, and the years ahead.

use super::{Chart, Plan};
use crate::error::ReportError;
use crate::grid::Grid;
use crate::svg::{
    Axis, Canvas, Drawing, Frame, Ink, Plot, SERIES, Size, brief, legend, legend_height,
};
use crate::tables;
use freeweights_cost::fleet::{FleetAnswer, FleetSize, Outlook};
use freeweights_cost::people::number;
use freeweights_record::units::Seconds;

/// The charts of a fleet. `index` tells those of several apart.
///
/// # Errors
/// [`ReportError::Drawing`].
pub fn fleet_charts(answer: &FleetAnswer, index: usize) -> Result<Vec<Chart>, ReportError> {
    let mut charts = Vec::new();
    charts.extend(latencies(answer, index)?);
    charts.extend(profile(answer, index)?);
    if let Some(outlook) = &answer.growth {
        charts.push(fan(outlook, index)?);
    }
    Ok(charts)
}

/// A line and its name.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// What a drawing of lines takes.
struct Sketch<'a> {
    lines: Vec<Line>,
    titles: (&'a str, &'a str),
    /// Whether the vertical axis is logarithmic.
    log: bool,
    /// An area between two of the lines.
    between: Option<(usize, usize)>,
    /// A vertical mark with its word.
    mark: Option<(f64, String)>,
    /// A bound, as a level.
    bound: Option<f64>,
}

impl Sketch<'_> {
    fn span(&self, of: impl Fn(&(f64, f64)) -> f64) -> (f64, f64) {
        let all = self.lines.iter().flat_map(|line| line.points.iter().map(&of));
        all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    }

    fn draw(&self, size: Size) -> Result<Drawing, ReportError> {
        let names: Vec<&str> = self.lines.iter().map(|line| line.name.as_str()).collect();
        let room = legend_height(names.len());
        let height = size.pick(320, 310) + room;
        let room = i32::try_from(room).unwrap_or(0);
        let (left, right) = self.span(|point| point.0);
        let (low, high) = self.span(|point| point.1);
        let (low, high) = (
            self.bound.map_or(low, |bound| low.min(bound)),
            self.bound.map_or(high, |bound| high.max(bound)),
        );
        Canvas::draw(size, height, |canvas| {
            let frame = Frame {
                left: size.pick(64, 54),
                top: 34 + room,
                right: canvas.width() - 24,
                bottom: canvas.height - 44,
            };
            let y = if self.log {
                Axis::log(low.max(1e-6) / 1.3, high * 1.3)
            } else {
                Axis::linear(0.0, (high * 1.08).max(1e-9))
            };
            let x = Axis::linear(left, if right > left { right } else { left + 1.0 });
            let plot = Plot { frame, x, y, x_ticks: Vec::new() };
            plot.axes(canvas, self.titles, (brief, brief))?;
            legend(canvas, &names)?;
            if let Some((low, high)) = self.between {
                let at = |line: usize| {
                    self.lines[line].points.iter().map(|(x, y)| plot.at(*x, *y)).collect::<Vec<_>>()
                };
                let (mut around, mut back) = (at(low), at(high));
                back.reverse();
                around.extend(back);
                canvas.area(&around, Ink::OWN, 0.15)?;
            }
            if let Some(bound) = self.bound {
                let y = plot.up(bound);
                canvas.dashes((frame.left, y), (frame.right, y), Ink::WALL)?;
            }
            if let Some((place, word)) = &self.mark {
                let x = plot.across(*place);
                canvas.dashes((x, frame.top), (x, frame.bottom), Ink::MUTED)?;
                canvas.mark((x, frame.top + 10), word.clone());
            }
            // As the legend has them.
            for (line, ink) in self.lines.iter().zip(SERIES) {
                let points: Vec<_> = line.points.iter().map(|(x, y)| plot.at(*x, *y)).collect();
                canvas.line(&points, ink, 2)?;
                if points.len() <= 24 {
                    for (pixel, (x, y)) in points.iter().zip(&line.points) {
                        canvas.dot(*pixel, 3, ink)?;
                        let told = format!("{}: {} at {}", line.name, number(*y), number(*x));
                        canvas.mark(*pixel, told);
                    }
                }
            }
            Ok(())
        })
    }
}

fn drawn(
    id: String,
    title: &str,
    about: String,
    table: Grid,
    sketch: &Sketch<'_>,
) -> Result<Chart, ReportError> {
    Plan::new(id, title, about, table).draw(|size| sketch.draw(size))
}

/// A name of a percentile and what it is of a fleet.
type Rank = (&'static str, fn(&FleetSize) -> Option<f64>);

/// Percentiles over the number of replicas; none of a single size.
fn latencies(answer: &FleetAnswer, index: usize) -> Result<Option<Chart>, ReportError> {
    let ranks: [Rank; 4] = [
        ("time to first token, p50", |size| Some(size.ttft_s.p50?.get())),
        ("time to first token, p95", |size| Some(size.ttft_s.p95?.get())),
        ("time to first token, p99", |size| Some(size.ttft_s.p99?.get())),
        ("whole latency, p95", |size| Some(size.e2e_s.p95?.get())),
    ];
    let lines: Vec<Line> = ranks
        .iter()
        .map(|(name, of)| {
            let good = answer.sizes.iter().filter(|size| !size.gave_up);
            let points = good.filter_map(|size| {
                let value = of(size).filter(|value| *value > 0.0)?;
                Some((f64::from(size.replicas.get()), value))
            });
            Line { name: (*name).to_owned(), points: points.collect() }
        })
        .filter(|line| line.points.len() > 1)
        .collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let chosen = f64::from(answer.replicas.get());
    let about = format!(
        "What requests wait as replicas are added, on a logarithmic axis; the dashed line is {}{}.",
        if answer.fleet.meets {
            format!("the smallest fleet that meets {}", answer.objective)
        } else {
            "the fleet asked for".to_owned()
        },
        if answer.target.bounds.ttft_s.is_some() {
            ", the red one its bound on the first token"
        } else {
            ""
        }
    );
    let sketch = Sketch {
        lines,
        titles: ("replicas", "seconds"),
        log: true,
        between: None,
        mark: Some((chosen, format!("{} replicas", number(chosen)))),
        bound: answer.target.bounds.ttft_s.map(Seconds::get),
    };
    let table = tables::fleet_sizes(std::slice::from_ref(answer));
    drawn(
        format!("fleet-latency-{index}"),
        "Latency by the size of the fleet",
        about,
        table,
        &sketch,
    )
    .map(Some)
}

/// Replicas that work and that are paid, through the day or the trace; none of a single part.
fn profile(answer: &FleetAnswer, index: usize) -> Result<Option<Chart>, ReportError> {
    if answer.profile.len() < 2 {
        return Ok(None);
    }
    let day = answer.profile.last().is_some_and(|part| part.from_s.get() >= 6.0 * 3_600.0);
    let (scale, across) = if day { (3_600.0, "hour of the day") } else { (60.0, "minute") };
    let line = |name: &str, parts: &[freeweights_cost::fleet::Part], busy: bool| Line {
        name: name.to_owned(),
        points: parts
            .iter()
            .map(|part| {
                let y = if busy { part.busy_replicas } else { part.paid_replicas };
                (part.from_s.get() / scale, y)
            })
            .collect(),
    };
    let mut lines = vec![
        line("replicas that work", &answer.profile, true),
        line("replicas that are paid", &answer.profile, false),
    ];
    if let Some(scaled) = &answer.scaled {
        lines.push(line("paid, if scaled with the demand", &scaled.profile, false));
    }
    let about = format!(
        "How many of {} replicas work: {} of the paid time.",
        number(answer.replicas.as_f64() + answer.spares.as_f64()),
        freeweights_cost::people::percent(answer.fleet.utilisation.get())
    );
    let sketch = Sketch {
        lines,
        titles: (across, "replicas"),
        log: false,
        between: None,
        mark: None,
        bound: None,
    };
    let table = tables::fleet_profile(std::slice::from_ref(answer));
    drawn(format!("fleet-day-{index}"), "Replicas that work", about, table, &sketch).map(Some)
}

/// Machines of the years ahead.
fn fan(outlook: &Outlook, index: usize) -> Result<Chart, ReportError> {
    let line = |name: &str, of: fn(&freeweights_cost::fleet::FanPoint) -> u32| Line {
        name: name.to_owned(),
        points: outlook
            .fan
            .iter()
            .map(|point| (f64::from(point.week), f64::from(of(point))))
            .collect(),
    };
    let sketch = Sketch {
        lines: vec![
            line("P90: one path in ten needs more", |point| point.machines.p90.get()),
            line("P50", |point| point.machines.p50.get()),
            line("P10: one path in ten needs less", |point| point.machines.p10.get()),
        ],
        titles: ("weeks from now", "machines"),
        log: false,
        between: Some((2, 0)),
        mark: Some((f64::from(outlook.from.lead_weeks), "an order of today arrives".to_owned())),
        bound: None,
    };
    let about = format!(
        "Machines that the demand needs as it grows, over {} drawn paths; the dashed line is when an order of today arrives.",
        outlook.from.draws
    );
    drawn(
        format!("fleet-growth-{index}"),
        "Machines in the years ahead",
        about,
        tables::fleet_fan(outlook),
        &sketch,
    )
}
