//! What a million tokens, or a month, costs over the volume: the self-hosted staircase and the lines
//! of APIs.

use super::{Chart, Plan};
use crate::error::ReportError;
use crate::grid::{Cell, Column, Grid};
use crate::svg::{
    Anchor, Axis, Canvas, Drawing, Frame, Ink, Plot, Size, Text, brief, end_labels, fitted,
    text_width,
};
use freeweights_cost::break_even::{BreakEven, Crossing, SelfHosted};
use freeweights_cost::people::{number, volume};
use freeweights_cost::{ApiComparison, Assessment, Class};
use freeweights_record::units::RequestsPerYear;

const MONTHS: f64 = 12.0;

/// Places along the horizontal axis at which the lines are computed, beside the steps.
const PLACES: u32 = 160;

/// Rows of the table, beside those of the demand and the break-evens.
const TABLE_PLACES: u32 = 12;

/// Steps of the staircase that are drawn one by one.
const STEPS: u32 = 200;

/// What the vertical axis tells.
#[derive(Clone, Copy)]
enum Tells {
    PerToken,
    PerMonth,
}

/// USD per million tokens over tokens a month.
pub(super) fn per_token(assessment: &Assessment, index: usize) -> Result<Chart, ReportError> {
    chart(assessment, index, Tells::PerToken)
}

/// USD a month over tokens a month.
pub(super) fn per_month(assessment: &Assessment, index: usize) -> Result<Chart, ReportError> {
    chart(assessment, index, Tells::PerMonth)
}

fn chart(assessment: &Assessment, index: usize, tells: Tells) -> Result<Chart, ReportError> {
    let view = View::of(assessment, tells);
    let (id, title) = match tells {
        Tells::PerToken => ("cost-by-volume", "USD per million tokens, by monthly volume"),
        Tells::PerMonth => ("bill-by-volume", "USD a month, by monthly volume"),
    };
    Plan::new(format!("{id}-{index}"), title, view.about(), view.table())
        .draw(|size| view.draw(size))
}

/// The lines of one assessment.
struct View<'a> {
    assessment: &'a Assessment,
    tells: Tells,
    /// Requests of a year at the two ends.
    ends: (f64, f64),
    /// Requests of a year that the machines of the scenario serve.
    capacity: f64,
    demand: f64,
    tokens_per_request: f64,
}

impl<'a> View<'a> {
    fn of(assessment: &'a Assessment, tells: Tells) -> Self {
        let own = &assessment.staircase;
        let capacity = own.capacity.get() * own.machines_max.as_f64();
        let demand = assessment.requests_per_year().get();
        let meets = assessment.apis.iter().flat_map(crossings);
        let lowest = meets.map(|met| met.0).fold(demand.min(capacity), f64::min);
        let summary = &assessment.demand;
        Self {
            assessment,
            tells,
            ends: (lowest / 10.0, demand.max(capacity) * 4.0),
            capacity,
            demand,
            tokens_per_request: (summary.isl + summary.osl).as_f64(),
        }
    }

    fn tokens(&self, requests: f64) -> f64 {
        requests * self.tokens_per_request / MONTHS
    }

    /// What the vertical axis tells of a yearly bill at a volume.
    fn told(&self, usd_per_year: f64, requests: f64) -> f64 {
        match self.tells {
            Tells::PerToken => usd_per_year / (requests * self.tokens_per_request) * 1e6,
            Tells::PerMonth => usd_per_year / MONTHS,
        }
    }

    fn api(&self, api: &ApiComparison, requests: f64) -> f64 {
        let bill = api.fixed_usd_per_year + api.per_request * RequestsPerYear::new(requests);
        self.told(bill.get(), requests)
    }

    fn own(&self, stairs: &SelfHosted, requests: f64) -> Option<f64> {
        let bill = stairs.bill_at(RequestsPerYear::new(requests))?;
        Some(self.told(bill.get(), requests))
    }

    /// Volumes from one end to the other, evenly on the logarithmic axis.
    fn volumes(&self, count: u32) -> impl Iterator<Item = f64> {
        let (low, high) = self.ends;
        (0..=count).map(move |at| low * (high / low).powf(f64::from(at) / f64::from(count)))
    }

    /// The staircase as a line: a step is a jump at one volume.
    fn stairs(&self, stairs: &SelfHosted) -> Vec<(f64, f64)> {
        let (low, high) = self.ends;
        let capacity = stairs.capacity.get();
        let mut places: Vec<f64> = self.volumes(PLACES).collect();
        let steps = stairs.machines_max.get().min(STEPS);
        for step in 1..=steps {
            let edge = capacity * f64::from(step);
            // A hair on both sides of the jump, and none where rounding makes it another step.
            places.extend([edge * (1.0 - 1e-9), edge * (1.0 + 1e-9)]);
        }
        places.retain(|place| (low..=high).contains(place));
        places.sort_by(f64::total_cmp);
        let line = places.into_iter().map_while(|place| Some((place, self.own(stairs, place)?)));
        line.filter(|(_, usd)| *usd > 0.0 && usd.is_finite()).collect()
    }

    fn about(&self) -> String {
        let what = match self.tells {
            Tells::PerToken => "What a million tokens cost",
            Tells::PerMonth => "What a month costs",
        };
        let mut text = format!(
            "{what} here and at APIs as the volume grows; both axes are logarithmic. The measured capacity is {} tokens a month, this demand {}.",
            volume(self.tokens(self.capacity)),
            volume(self.tokens(self.demand)),
        );
        for api in &self.assessment.apis {
            let met = match (api.break_even_tokens_per_month, &api.never_because) {
                (Some(tokens), _) if tokens.get() > 0.0 => {
                    format!(
                        " Self-hosting meets {} at {} tokens a month.",
                        api.price.id(),
                        volume(tokens.get())
                    )
                }
                (Some(_), _) => format!(
                    " Self-hosting is cheaper than {} from the first token on.",
                    api.price.id()
                ),
                (None, _) => {
                    format!(" Within that capacity self-hosting does not meet {}.", api.price.id())
                }
            };
            text.push_str(&met);
        }
        let own = &self.assessment.staircase;
        if self.volumes(PLACES).filter_map(|at| self.own(own, at)).any(|usd| usd <= 0.0) {
            text.push_str(
                " Where self-hosting earns what it costs, or more, a logarithmic axis has no place for its line; the table has the figures.",
            );
        }
        if self.assessment.staircase_slow.is_some() {
            text.push_str(" The band is the 95% interval of the measured throughput.");
        }
        text
    }

    fn table(&self) -> Grid {
        let mut columns = vec![
            Column::number("tokens_per_month", "tokens a month"),
            Column::number("machines", "machines"),
            Column::number("self_hosted", "self-hosted"),
            Column::number("self_hosted_low", "95% low"),
            Column::number("self_hosted_high", "95% high"),
        ];
        columns.extend(
            self.assessment.apis.iter().map(|api| Column::number(api.price.id(), api.price.id())),
        );
        columns.push(Column::text("what", "what is there"));
        let mut grid = Grid::new(columns);
        let mut places: Vec<(f64, String)> =
            self.volumes(TABLE_PLACES).map(|place| (place, String::new())).collect();
        places.push((self.demand, "this demand".to_owned()));
        places.push((self.capacity, "measured capacity".to_owned()));
        for api in &self.assessment.apis {
            places.extend(
                crossings(api)
                    .map(|(at, again)| (at, format!("break-even with {}{again}", api.price.id()))),
            );
        }
        places.sort_by(|a, b| a.0.total_cmp(&b.0));
        let Assessment { staircase, staircase_slow, staircase_fast, .. } = self.assessment;
        for (place, what) in places {
            let serving = staircase.serving(RequestsPerYear::new(place));
            let machines = (serving <= staircase.machines_max)
                .then(|| u64::from(serving.plus(staircase.spares).get()));
            let interval = |stairs: &Option<SelfHosted>| {
                Cell::from(stairs.as_ref().and_then(|stairs| self.own(stairs, place)))
            };
            let mut row: Vec<Cell> = vec![
                Cell::shown(self.tokens(place), volume(self.tokens(place))),
                machines.into(),
                self.own(staircase, place).into(),
                interval(staircase_fast),
                interval(staircase_slow),
            ];
            row.extend(self.assessment.apis.iter().map(|api| Cell::number(self.api(api, place))));
            row.push(if what.is_empty() { Cell::Missing } else { what.into() });
            grid.push(row);
        }
        grid
    }

    fn draw(&self, size: Size) -> Result<Drawing, ReportError> {
        let height = size.pick(400, 380);
        Canvas::draw(size, height, |canvas| {
            let labels = size.pick(244, 118);
            let frame = Frame {
                left: size.pick(64, 54),
                top: 58,
                right: canvas.width() - labels,
                bottom: canvas.height - 44,
            };
            let own = self.stairs(&self.assessment.staircase);
            let plot = Plot {
                frame,
                x: Axis::log(self.tokens(self.ends.0), self.tokens(self.ends.1)),
                y: self.vertical(&own),
                x_ticks: Vec::new(),
            };
            let up = match self.tells {
                Tells::PerToken => "USD per million tokens",
                Tells::PerMonth => "USD a month",
            };
            plot.axes(canvas, ("tokens a month", up), (brief, brief))?;
            self.beyond(canvas, &plot)?;
            self.band(canvas, &plot)?;
            self.lines(canvas, &plot, &own)?;
            self.crossings(canvas, &plot)
        })
    }

    fn vertical(&self, own: &[(f64, f64)]) -> Axis {
        let ends = [self.ends.0, self.ends.1];
        let apis = self.assessment.apis.iter().flat_map(|api| ends.map(|end| self.api(api, end)));
        let all =
            apis.chain(own.iter().map(|(_, usd)| *usd)).filter(|usd| *usd > 0.0 && usd.is_finite());
        let (low, high) =
            all.fold((f64::INFINITY, 0.0_f64), |(low, high), usd| (low.min(usd), high.max(usd)));
        if low < high { Axis::log(low / 1.5, high * 1.5) } else { Axis::log(0.1, 10.0) }
    }

    /// What was not measured: everything right of the wall; and where this demand is.
    fn beyond(&self, canvas: &mut Canvas<'_>, plot: &Plot) -> Result<(), ReportError> {
        let Frame { top, right, bottom, .. } = plot.frame;
        let wall = plot.across(self.tokens(self.capacity));
        let demand = plot.across(self.tokens(self.demand));
        canvas.area(
            &[(wall, top), (right, top), (right, bottom), (wall, bottom)],
            Ink::WALL,
            0.07,
        )?;
        canvas.line(&[(wall, top - 4), (wall, bottom)], Ink::WALL, 2)?;
        canvas.dashes((demand, top - 20), (demand, bottom), Ink::MUTED)?;
        let capacity = canvas.size.pick("measured capacity", "capacity");
        let beside = |at: i32, text: &str| {
            if at + text_width(text) + 6 < canvas.width() { Anchor::Start } else { Anchor::End }
        };
        for (at, height, text, ink) in
            [(wall, top - 10, capacity, Ink::WALL), (demand, top - 26, "this demand", Ink::MUTED)]
        {
            let anchor = beside(at, text);
            let aside = if anchor == Anchor::Start { 5 } else { -5 };
            canvas.text(text, (at + aside, height), Text::new(ink, anchor))?;
        }
        let told = |what: &str, requests| {
            format!("{what}: {} tokens a month", volume(self.tokens(requests)))
        };
        canvas.mark((wall, top + 12), told("measured capacity", self.capacity));
        canvas.mark((demand, top - 10), told("this demand", self.demand));
        Ok(())
    }

    /// The interval of the measurement around the staircase.
    fn band(&self, canvas: &Canvas<'_>, plot: &Plot) -> Result<(), ReportError> {
        let (Some(slow), Some(fast)) =
            (&self.assessment.staircase_slow, &self.assessment.staircase_fast)
        else {
            return Ok(());
        };
        let pixels = |(at, usd): (f64, f64)| plot.at(self.tokens(at), usd);
        let above: Vec<_> = self.stairs(slow).into_iter().map(pixels).collect();
        let below = self.stairs(fast);
        // Beyond the capacity of the slower end there is no dearer edge.
        let last = above.last().map_or(i32::MIN, |point| point.0);
        let below = below.into_iter().map(pixels).filter(|point| point.0 <= last);
        let mut around = above;
        let mut back: Vec<_> = below.collect();
        back.reverse();
        around.extend(back);
        if around.len() > 2 { canvas.area(&around, Ink::OWN, 0.22) } else { Ok(()) }
    }

    /// The lines and, at their right ends, their names.
    fn lines(
        &self,
        canvas: &mut Canvas<'_>,
        plot: &Plot,
        own: &[(f64, f64)],
    ) -> Result<(), ReportError> {
        let Frame { top, right, bottom, .. } = plot.frame;
        let mut ends: Vec<(i32, String, Ink)> = Vec::new();
        for api in &self.assessment.apis {
            let points: Vec<_> =
                self.volumes(40).map(|at| plot.at(self.tokens(at), self.api(api, at))).collect();
            canvas.line(&points, ink(api.class), 2)?;
            let short_name = short_name(api, canvas.size);
            ends.push((points.last().map_or(bottom, |end| end.1), short_name, ink(api.class)));
        }
        let points: Vec<_> = own.iter().map(|(at, usd)| plot.at(self.tokens(*at), *usd)).collect();
        canvas.line(&points, Ink::OWN, 3)?;
        let beside = points.last().map_or(bottom, |end| end.1);
        ends.push((beside, "self-hosted".to_owned(), Ink::OWN));
        let wanted: Vec<i32> = ends.iter().map(|end| end.0).collect();
        let room = canvas.width() - right - 14;
        for ((_, name, ink), y) in ends.iter().zip(end_labels(&wanted, top, bottom)) {
            let look = Text::new(*ink, Anchor::Start);
            let look = if *ink == Ink::OWN { look.bold() } else { look };
            canvas.text(&fitted(name, room), (right + 8, y), look)?;
        }
        let at_demand = self.own(&self.assessment.staircase, self.demand);
        if let Some(usd) = at_demand.filter(|usd| *usd > 0.0) {
            let at = plot.at(self.tokens(self.demand), usd);
            canvas.dot(at, 5, Ink::OWN)?;
            canvas.mark(
                at,
                format!("self-hosted at this demand: {} USD {}", number(usd), self.unit()),
            );
        }
        Ok(())
    }

    const fn unit(&self) -> &'static str {
        match self.tells {
            Tells::PerToken => "per million tokens",
            Tells::PerMonth => "a month",
        }
    }

    /// A ring wherever the staircase gets below an API.
    fn crossings(&self, canvas: &mut Canvas<'_>, plot: &Plot) -> Result<(), ReportError> {
        for api in &self.assessment.apis {
            for (requests, again) in crossings(api) {
                let at = plot.at(self.tokens(requests), self.api(api, requests));
                canvas.dot(at, 6, Ink::TEXT)?;
                canvas.dot(at, 4, ink(api.class))?;
                canvas.mark(
                    at,
                    format!(
                        "break-even with {}{again}: {} tokens a month",
                        api.price.id(),
                        volume(self.tokens(requests))
                    ),
                );
            }
        }
        Ok(())
    }
}

/// The model without the folder it lies in, and where there is room who sells it.
fn short_name(api: &ApiComparison, size: Size) -> String {
    let model = api.price.model.rsplit('/').next().unwrap_or_default();
    size.pick(format!("{model} ({})", api.price.provider), model.to_owned())
}

/// The volumes from which self-hosting is cheaper than an API, in requests of a year, and what tells
/// the later ones from the first: every machine that is added may make it the dearer one for a while.
fn crossings(api: &ApiComparison) -> impl Iterator<Item = (f64, &'static str)> {
    let met: &[Crossing] = match &api.break_even {
        BreakEven::At(met) => met,
        BreakEven::Never(_) => &[],
    };
    let words = std::iter::once("").chain(std::iter::repeat(" again"));
    let met = met.iter().map(|met| met.requests_per_year.get()).zip(words);
    // From the first token on: there is no such place on a logarithmic axis.
    met.filter(|(at, _)| *at > 0.0)
}

const fn ink(class: Class) -> Ink {
    match class {
        Class::SameOpenModel => Ink::SAME,
        Class::SimilarOpenModel => Ink::SIMILAR,
        Class::Frontier => Ink::FRONTIER,
    }
}
