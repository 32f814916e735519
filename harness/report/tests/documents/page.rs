//! The page and its charts: text, geometry, and names that would be code.

use crate::fixture::{drawn, host, record, records};
use freeweights_cost::break_even::{BreakEven, Crossing};
use freeweights_cost::{Assessment, Catalogue, PricedCase, Scenario, priced_cases};
use freeweights_record::units::{RequestsPerYear, Seconds, UsdPerYear};
use freeweights_record::{Gaps, Host, Record};
use freeweights_report::{Chart, Format, Page, charts, html_report, tables};

struct Given {
    records: Vec<Record>,
    hosts: Vec<(String, Host)>,
    assessments: Vec<Assessment>,
    priced: Vec<PricedCase>,
    gaps: Gaps,
}

impl Given {
    fn new(records: Vec<Record>, assessments: Vec<Assessment>) -> Self {
        let sets: Vec<_> =
            ["demand.isl=128", "demand.osl=64"].iter().map(|set| set.parse().unwrap()).collect();
        let scenario = Scenario::preset("this-machine", &sets).unwrap();
        let priced =
            priced_cases(&records, &scenario, &Catalogue::bundled(), crate::fixture::TODAY);
        let mut gaps = Gaps::default();
        let first = (0..200).map(|at| Seconds::new(0.02 + 0.0001 * f64::from(at)));
        gaps.insert(&records[0], first.collect());
        Self { records, hosts: vec![("run".into(), host())], assessments, priced, gaps }
    }

    fn page(&self) -> Page<'_> {
        Page {
            records: &self.records,
            gaps: &self.gaps,
            hosts: &self.hosts,
            assessments: &self.assessments,
            priced: &self.priced,
            claims: &[],
            command: "freeweights report results",
            made: "freeweights 0.1.0, 2026-11-22",
        }
    }

    fn chart(&self, id: &str) -> Chart {
        charts(&self.page()).unwrap().into_iter().find(|chart| chart.id == id).unwrap()
    }
}

fn given() -> Given {
    Given::new(records(), drawn())
}

/// The value of an attribute of a tag.
fn attribute(tag: &str, name: &str) -> f64 {
    let from = tag.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
    tag[from..].split('"').next().unwrap().parse().unwrap()
}

/// Places of the texts of a drawing that read so.
fn texts(svg: &str, text: &str) -> Vec<(f64, f64)> {
    let ends = format!(">{text}</text>");
    svg.match_indices(&ends)
        .map(|(at, _)| {
            let tag = &svg[svg[..at].rfind("<text").unwrap()..=at];
            (attribute(tag, "x"), attribute(tag, "y"))
        })
        .collect()
}

/// Where a mark lies whose words begin so.
fn mark(svg: &str, words: &str) -> (f64, f64) {
    let at = svg.find(&format!("<title>{words}")).unwrap_or_else(|| panic!("no mark {words}"));
    let tag = &svg[svg[..at].rfind("<circle").unwrap()..at];
    (attribute(tag, "cx"), attribute(tag, "cy"))
}

/// Between two labels of a logarithmic axis, where a value lies.
fn between(value: f64, (a, at_a): (f64, f64), (b, at_b): (f64, f64)) -> f64 {
    at_a + (value / a).ln() / (b / a).ln() * (at_b - at_a)
}

#[test]
fn a_page_has_these_charts() {
    let given = given();
    let ids: Vec<String> = charts(&given.page()).unwrap().into_iter().map(|c| c.id).collect();
    assert_eq!(
        ids,
        [
            "cost-by-volume-0",
            "bill-by-volume-0",
            "bill-0",
            "tornado-0",
            "odds-0",
            "decode",
            "prefill",
            "latency",
            "gaps",
            "memory"
        ]
    );
}

#[test]
fn the_demand_and_the_capacity_lie_where_the_axes_say() {
    let given = given();
    let assessment = &given.assessments[0];
    let chart = given.chart("cost-by-volume-0");
    for drawing in [&chart.wide, &chart.narrow] {
        let svg = drawing.inline("", "");
        let (one, hundred) = (texts(&svg, "1 M")[0], texts(&svg, "100 M")[0]);
        let across = |tokens| between(tokens, (1e6, one.0), (1e8, hundred.0));
        // 1,000 requests a day of 192 tokens
        let demand = 1_000.0 * 365.0 * 192.0 / 12.0;
        let told = mark(&svg, "self-hosted at this demand");
        assert!((told.0 - across(demand)).abs() < 1.5, "{told:?} {}", across(demand));
        let (cheap, dear) = (texts(&svg, "0.1")[0], texts(&svg, "100")[0]);
        let usd = assessment.cost.blended.value.get();
        let up = between(usd, (0.1, cheap.1), (100.0, dear.1));
        assert!((told.1 - up).abs() < 1.5, "{told:?} {up}");
        let stairs = &assessment.staircase;
        let capacity = stairs.capacity.get() * stairs.machines_max.as_f64() * 192.0 / 12.0;
        let wall = mark(&svg, "measured capacity");
        assert!((wall.0 - across(capacity)).abs() < 1.5, "{wall:?}");
        // Where the bill meets that of an API, the volume is that of the assessment.
        let api = assessment.apis.iter().find(|api| api.break_even_tokens_per_month.is_some());
        let api = api.unwrap();
        let met = mark(&svg, &format!("break-even with {}", api.price.id().replace('/', "&#x2f;")));
        let tokens = api.break_even_tokens_per_month.unwrap().get();
        assert!((met.0 - across(tokens)).abs() < 1.5, "{met:?}");
    }
}

#[test]
fn every_break_even_has_a_ring_and_a_bill_below_zero_is_told() {
    let mut given = given();
    let api = given.assessments[0].apis.iter_mut().find_map(|api| match &mut api.break_even {
        BreakEven::At(met) => Some((api.price.id().replace('/', "&#x2f;"), met)),
        BreakEven::Never(_) => None,
    });
    let (id, met) = api.unwrap();
    // As where the second machine makes it the dearer one for a while.
    let again = Crossing {
        requests_per_year: RequestsPerYear::new(met[0].requests_per_year.get() * 2.0),
        ..met[0]
    };
    met.push(again);
    let chart = given.chart("cost-by-volume-0");
    assert!(!chart.about.contains("earns"));
    let svg = chart.wide.inline("", "");
    let [first, second] =
        ["", " again"].map(|word| mark(&svg, &format!("break-even with {id}{word}:")));
    let (one, hundred) = (texts(&svg, "1 M")[0].0, texts(&svg, "100 M")[0].0);
    let double = (hundred - one) / 100_f64.log2();
    assert!((second.0 - first.0 - double).abs() < 2.0, "{first:?} {second:?}");

    given.assessments[0].staircase.shared = UsdPerYear::new(-1e9);
    let chart = given.chart("cost-by-volume-0");
    assert!(chart.about.contains("Where self-hosting earns what it costs, or more"));
    assert!(!chart.wide.inline("", "").contains("self-hosted at this demand"));
}

#[test]
fn decode_lies_at_its_rate_with_its_interval() {
    let given = given();
    let svg = given.chart("decode").wide.inline("", "");
    let (zero, hundred) = (texts(&svg, "0")[0].1, texts(&svg, "100")[0].1);
    let up = |rate: f64| zero + rate / 100.0 * (hundred - zero);
    let (one, four) = (mark(&svg, "smollm2-135m, 1: 41.7"), mark(&svg, "smollm2-135m, 4: 118"));
    assert!((one.1 - up(41.72)).abs() < 1.5 && (four.1 - up(118.4)).abs() < 1.5);
    assert!(one.0 < four.0);
    // The whisker of the second: 118.4 -+ 2.5%.
    let ends: Vec<f64> = [115.44, 121.36].map(up).into();
    let drawn = format!("{},{} {},{} ", four.0, ends[0].round(), four.0, ends[1].round());
    assert!(svg.contains(&drawn), "{drawn}");
}

#[test]
fn the_gaps_are_spread_as_measured() {
    let given = given();
    let table = given.chart("gaps").table.render(Format::Csv, 0).unwrap();
    // 20 ms and 199 steps of 0.1 ms: the 100th is 29.9, the 180th 37.9, the 198th 39.7.
    insta::assert_snapshot!(table, @"
    case,gaps,min_ms,p50_ms,p90_ms,p99_ms,max_ms
    \"smollm2-135m, batch 1\",200,20,29.900000000000002,37.900000000000006,39.699999999999996,39.900000000000006
    ");
}

#[test]
fn the_first_screen_answers() {
    let page = html_report(&given().page()).unwrap();
    let from = page.find("<h1>").unwrap();
    let to = page.find("<fieldset").unwrap();
    insta::assert_snapshot!(plain(&page[from..to]));
}

#[test]
fn the_whole_text() {
    let page = html_report(&given().page()).unwrap();
    let body = &page[page.find("<fieldset").unwrap()..page.find("<script>").unwrap()];
    insta::assert_snapshot!(plain(body));
}

/// What is left of a page without tags and drawings, a line a piece.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        let drawing = rest[at..].starts_with("<svg");
        let end = if drawing { "</svg>" } else { ">" };
        rest = &rest[at + rest[at..].find(end).unwrap() + end.len()..];
        text.push('\n');
    }
    text.push_str(rest);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_page_of_very_many_cases_shows_some_of_them_and_says_so() {
    let many: Vec<_> = (0..20_000)
        .map(|n| {
            let mut record = records()[n % records().len()].clone();
            record.case_id = format!("case-{n}").into();
            record
        })
        .collect();
    let mut given = given();
    given.records = many;
    let page = html_report(&given.page()).unwrap();
    assert!(page.len() < 8_000_000, "{} bytes", page.len());
    assert!(page.contains("400 of the 20000 measured cases"));
    let all = charts(&given.page()).unwrap();
    assert!(all.iter().all(|chart| chart.wide.file("", "").len() < 1_000_000));
}

#[test]
fn names_that_would_be_code_stay_names() {
    const NAME: &str = "=1+1<img src=x onerror=\"alert('1')\">|ü";
    let mut hostile = records();
    for record in &mut hostile {
        record.model = NAME.into();
        record.engine = "<script>".into();
    }
    let sets: Vec<_> =
        ["demand.isl=128", "demand.osl=64"].iter().map(|set| set.parse().unwrap()).collect();
    let scenario = Scenario::preset("this-machine", &sets).unwrap();
    let assessments: Vec<Assessment> = freeweights_cost::assess_all(
        &hostile,
        &scenario,
        &Catalogue::bundled(),
        crate::fixture::TODAY,
        None,
    )
    .into_iter()
    .map(Result::unwrap)
    .collect();
    let md = tables::cost(&assessments).render(Format::Md, 0).unwrap();
    assert!(md.contains("\\|ü") && !md.contains("<img"), "{md}");
    let csv = tables::measurements(&hostile).render(Format::Csv, 0).unwrap();
    assert!(csv.contains("\"'=1+1<img src=x onerror=\"\"alert('1')\"\">|ü\""), "{csv}");
    let given = Given::new(hostile, assessments);
    let page = html_report(&given.page()).unwrap();
    assert!(!page.contains("<img") && page.matches("<script").count() == 1);
    assert!(page.contains("&lt;img src=x onerror=&quot;alert(&#x27;1&#x27;)&quot;&gt;|ü"));
    for chart in charts(&given.page()).unwrap() {
        let svg = chart.wide.file(&chart.title, &chart.about);
        assert!(!svg.contains("<img") && !svg.contains("<script"), "{}", chart.id);
    }
}

#[test]
fn several_assessments_are_ranked_by_what_they_cost() {
    let mut all = records();
    let faster = |batch, factor| Record {
        engine: "fused".into(),
        case_id: format!("fused-{batch}").into(),
        requests_per_s: None,
        ..record(batch, 402.3 * factor, 41.72 * factor)
    };
    all.extend([faster(1, 4.0), faster(4, 9.0)]);
    let assessments = crate::fixture::assessments(&all, &[]);
    assert_eq!(assessments.len(), 2);
    let csv = tables::leaderboard(&assessments).render(Format::Csv, 0).unwrap();
    let engines: Vec<&str> =
        csv.lines().skip(1).map(|line| line.split(',').nth(3).unwrap()).collect();
    assert_eq!(engines, ["fused", "candle"]);
    let given = Given::new(all, assessments);
    let page = html_report(&given.page()).unwrap();
    assert!(page.contains("Leaderboard") && page.contains("id=\"engines\""));
}
