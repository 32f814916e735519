//! The charts of a report: what each shows, as a drawing for a desk, one for a phone, and a table.
//!
//! Not here: how things are drawn (`svg`), and where they stand on the page (`page`). Every chart
//! leaves out what was not measured; one that would show nothing is not made.

mod bill;
mod engines;
mod fleet;
mod gaps;
mod latency;
mod memory;
mod odds;
mod phases;
mod roofline;
mod subject;
mod tornado;
mod volume;

pub use fleet::fleet_charts;
use subject::Names;
pub(crate) use subject::{assessed, is_good, model_of, ran_by};

use crate::error::ReportError;
use crate::grid::Grid;
use crate::page::Page;
use crate::page::few::Few;
pub use crate::svg::Drawing;
use crate::svg::Size;
use freeweights_cost::Assessment;

/// A chart with its data.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// A name for files and anchors, of letters, digits and dashes.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// What there is to see, in words.
    pub about: String,
    /// For a desk.
    pub wide: Drawing,
    /// For a phone.
    pub narrow: Drawing,
    /// The data.
    pub table: Grid,
}

/// What a chart is, before it is drawn in both sizes.
struct Plan {
    id: String,
    title: String,
    about: String,
    table: Grid,
}

impl Plan {
    fn new(
        id: impl Into<String>,
        title: impl Into<String>,
        about: impl Into<String>,
        table: Grid,
    ) -> Self {
        Self { id: id.into(), title: title.into(), about: about.into(), table }
    }

    fn draw(
        self,
        draw: impl Fn(Size) -> Result<Drawing, ReportError>,
    ) -> Result<Chart, ReportError> {
        let Self { id, title, about, table } = self;
        let (wide, narrow) = (draw(Size::Wide)?, draw(Size::Narrow)?);
        Ok(Chart { id, title, about, wide, narrow, table })
    }
}

/// The charts of one assessment. `index` tells those of several apart.
pub(crate) struct OfAssessment {
    /// USD per million tokens, and the bill, over the volume.
    pub(crate) volume: [Chart; 2],
    /// The bill by part.
    pub(crate) bill: Option<Chart>,
    /// One input at a time.
    pub(crate) tornado: Option<Chart>,
    /// Drawn scenarios.
    pub(crate) odds: Option<Chart>,
}

impl OfAssessment {
    pub(crate) fn new(assessment: &Assessment, index: usize) -> Result<Self, ReportError> {
        Ok(Self {
            volume: [volume::per_token(assessment, index)?, volume::per_month(assessment, index)?],
            bill: bill::bill(assessment, index)?,
            tornado: tornado::tornado(assessment, index)?,
            odds: odds::odds(assessment, index)?,
        })
    }

    pub(crate) fn all(self) -> impl Iterator<Item = Chart> {
        self.volume.into_iter().chain([self.bill, self.tornado, self.odds].into_iter().flatten())
    }
}

/// The charts of the measurements, in the order of the page.
pub(crate) fn measured(page: &Page<'_>) -> Result<Vec<Chart>, ReportError> {
    let names = Names::of(page.records);
    let charts = [
        engines::engines(page)?,
        phases::decode(page.records, &names)?,
        phases::prefill(page.records, &names)?,
        latency::latency(page, &names)?,
        gaps::gaps(page, &names)?,
        roofline::roofline(page.records, &names)?,
        memory::memory(page.records, &names)?,
    ];
    Ok(charts.into_iter().flatten().collect())
}

/// Every chart of a report; of very many cases and models as few as a page shows.
///
/// # Errors
/// [`ReportError::Drawing`].
pub fn charts(page: &Page<'_>) -> Result<Vec<Chart>, ReportError> {
    let few = Few::of(page);
    let page = &few.page();
    let mut all = Vec::new();
    for (index, assessment) in page.assessments.iter().enumerate() {
        all.extend(OfAssessment::new(assessment, index)?.all());
    }
    all.extend(measured(page)?);
    Ok(all)
}
