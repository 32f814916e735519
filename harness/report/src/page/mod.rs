//! One HTML file with everything in it: no network, no script of others.
//!
//! Not here: what the charts show (`charts`), and the numbers, which all come from assessments and
//! records.

mod answer;
pub(crate) mod few;
mod fleet;
mod section;
mod table;
mod unmeasured;

use crate::charts::{self, Chart, OfAssessment};
use crate::error::ReportError;
use crate::tables;
use crate::visible::visible;
use answer::Answer;
use few::Few;
use fleet::Simulated;
pub use fleet::fleet_page;
use freeweights_cost::claims::ClaimAnswers;
use freeweights_cost::{Assessment, PricedCase};
use freeweights_record::{Gaps, Host, Record};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use section::{Judged, Shown, Tabled};
use serde::Serialize;

/// What a page is made from.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// What was measured.
    pub records: &'a [Record],
    /// The single gaps between tokens, where they were kept.
    pub gaps: &'a Gaps,
    /// The machines, each with the name of its run; an imported result has none.
    pub hosts: &'a [(String, Host)],
    /// What it costs: at least one.
    pub assessments: &'a [Assessment],
    /// What each measured case costs by itself.
    pub priced: &'a [PricedCase],
    /// The claims, judged.
    pub claims: &'a [ClaimAnswers],
    /// The command that made the page, as one could type it again.
    pub command: &'a str,
    /// When, and by which version.
    pub made: &'a str,
}

const PAGE: &str = include_str!("template/page.html");
const STYLE: &str = include_str!("template/style.css");
const SCRIPT: &str = include_str!("template/script.js");

/// One assessment, ready for the page.
#[derive(Serialize)]
struct Costed {
    index: usize,
    name: String,
    answer: Answer,
    sentence: String,
    volume: Vec<Shown>,
    charts: Vec<Shown>,
    tables: Vec<Tabled>,
    notes: Vec<String>,
}

/// What the template takes.
#[derive(Serialize, Default)]
struct Whole<'a> {
    style: &'static str,
    script: &'static str,
    title: String,
    /// What ran it, and where.
    place: String,
    costed: Vec<Costed>,
    fleets: Vec<Simulated>,
    measured: Vec<Shown>,
    leaderboard: Option<Tabled>,
    measurements: Option<Tabled>,
    claims: Vec<Judged>,
    unmeasured: Vec<String>,
    figures: Option<Tabled>,
    machines: Vec<Tabled>,
    command: &'a str,
    made: &'a str,
}

/// The page.
///
/// # Errors
/// [`ReportError::Drawing`], [`ReportError::Page`], [`ReportError::Csv`].
pub fn html_report(page: &Page<'_>) -> Result<String, ReportError> {
    let few = Few::of(page);
    let (all, page) = (page, &few.page());
    let costed = page
        .assessments
        .iter()
        .enumerate()
        .map(|(index, assessment)| costed(assessment, index))
        .collect::<Result<Vec<_>, _>>()?;
    let measured = shown(charts::measured(page)?)?;
    let leaderboard = match all.assessments {
        [_, _, ..] => {
            Some(Tabled::of("leaderboard", "Leaderboard", &tables::leaderboard(all.assessments))?)
        }
        _ => None,
    };
    let mut machines = Vec::new();
    for (at, (run, host)) in page.hosts.iter().enumerate() {
        machines.push(Tabled::of(&format!("machine-{at}"), run, &tables::host(host))?);
    }
    let caption = few.of_cases().unwrap_or_else(|| "Every measured case".into());
    let measurements = Tabled::of("measurements", &caption, &tables::measurements(page.records))?;
    let mut unmeasured = unmeasured::unmeasured(all.records, all.assessments);
    unmeasured.extend(few.told());
    let figures =
        Tabled::of("figures", "Every figure in use", &tables::assumptions(page.assessments))?;
    let whole = Whole {
        style: STYLE,
        script: SCRIPT,
        title: title(all),
        place: place(all),
        costed,
        fleets: Vec::new(),
        measured,
        leaderboard,
        measurements: Some(measurements),
        claims: section::judged(page.claims),
        unmeasured,
        figures: Some(figures),
        machines,
        command: page.command,
        made: page.made,
    };
    rendered(&whole)
}

/// The claims by themselves, as a page of the same kind.
///
/// # Errors
/// [`ReportError::Page`].
pub fn claims_page(
    claims: &[ClaimAnswers],
    command: &str,
    made: &str,
) -> Result<String, ReportError> {
    let groups: Vec<&str> = claims.iter().map(|group| group.group.as_str()).collect();
    rendered(&Whole {
        style: STYLE,
        script: SCRIPT,
        title: "What is said about open weights, put to the test".into(),
        place: groups.join("; "),
        claims: section::judged(claims),
        command,
        made,
        ..Whole::default()
    })
}

fn rendered(whole: &Whole<'_>) -> Result<String, ReportError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("page", PAGE)?;
    let page = environment.get_template("page")?.render(Serde(whole))?;
    // Whoever reads its source in a terminal is commanded by it no more than a browser is.
    Ok(visible(&page).into_owned())
}

fn title(page: &Page<'_>) -> String {
    match page.assessments {
        [one] => format!("What {} costs to run", charts::model_of(one)),
        several => format!("What {} ways to run open-weight models cost", several.len()),
    }
}

/// The machines, and what ran where there is one thing alone.
fn place(page: &Page<'_>) -> String {
    let mut parts = Vec::new();
    if let [one] = page.assessments {
        parts.push(format!("measured with {}", charts::ran_by(one)));
    }
    let mut machines: Vec<String> = Vec::new();
    for record in page.records {
        let machine = record.gpu_name.as_deref().or(record.cpu_model.as_deref());
        if let Some(machine) = machine.filter(|one| machines.iter().all(|known| known != one)) {
            machines.push(machine.to_owned());
        }
    }
    if !machines.is_empty() {
        parts.push(format!("on {}", machines.join(", ")));
    }
    parts.join(" ")
}

fn shown(charts: impl IntoIterator<Item = Chart>) -> Result<Vec<Shown>, ReportError> {
    charts.into_iter().map(|chart| Shown::of(&chart)).collect()
}

fn costed(assessment: &Assessment, index: usize) -> Result<Costed, ReportError> {
    let one = std::slice::from_ref(assessment);
    let OfAssessment { volume, bill, tornado, odds } = OfAssessment::new(assessment, index)?;
    let mut kept = vec![
        ("apis", "Tokens here and at APIs", tables::cost(one).hide("model").hide("engine")),
        ("tenures", "Held in another way", tables::tenures(one)),
    ];
    if assessment.outlook.len() > 1 {
        kept.push(("outlook", "The years ahead", tables::outlook(one)));
    }
    if assessment.simulation.is_some() {
        kept.push(("drawn", "All figures drawn at once", tables::drawn(one)));
    }
    let tables = kept
        .iter()
        .map(|(id, title, grid)| Tabled::of(&format!("{id}-{index}"), title, grid))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Costed {
        index,
        name: charts::assessed(assessment),
        answer: Answer::of(assessment),
        sentence: assessment.sentence.clone(),
        volume: shown(volume)?,
        charts: shown([bill, tornado, odds].into_iter().flatten())?,
        tables,
        notes: assessment.notes.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svg::Ink;

    #[test]
    fn every_ink_has_another_value_in_the_dark() {
        for (name, ink) in Ink::ALL {
            let hex = ink.hex();
            for attribute in ["fill", "stroke"] {
                let rule = format!("[{attribute}=\"{hex}\"]");
                assert!(STYLE.contains(&rule), "{name}: the style sheet lacks {rule}");
            }
        }
    }

    #[test]
    fn nothing_on_the_page_comes_from_elsewhere() {
        for text in [PAGE, STYLE, SCRIPT] {
            for outside in ["http://", "https://", "//cdn", "@import", "src=", "url("] {
                assert!(!text.contains(outside), "{outside}");
            }
        }
    }
}
