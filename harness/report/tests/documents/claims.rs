//! The claims as people and as programs read them.

use crate::fixture::{TODAY, records};
use freeweights_cost::claims::{ClaimAnswers, ClaimId, answers};
use freeweights_cost::prices::DateBasis;
use freeweights_cost::{ApiPrice, Catalogue, Scenario};
use freeweights_record::Record;
use freeweights_record::units::UsdPerMillionTokens;
use freeweights_report::{Format, claims_report, claims_table};

fn judged(
    records: &[Record],
    prices: &Catalogue,
    sets: &[&str],
    only: &[ClaimId],
) -> Vec<ClaimAnswers> {
    let shape = ["demand.isl=128", "demand.osl=64"];
    let sets: Vec<_> = shape.iter().chain(sets).map(|set| set.parse().unwrap()).collect();
    let scenario = Scenario::preset("this-machine", &sets).unwrap();
    answers(records, &scenario, prices, TODAY, None, only).into_iter().map(Result::unwrap).collect()
}

fn default() -> Vec<ClaimAnswers> {
    judged(&records(), &Catalogue::bundled(), &[], &[])
}

#[test]
fn the_table_at_two_widths() {
    insta::assert_snapshot!("claims_160", claims_table(&default(), Format::Table, 160).unwrap());
    insta::assert_snapshot!("claims_80", claims_table(&default(), Format::Table, 80).unwrap());
}

#[test]
fn the_report_for_people_and_for_a_document() {
    insta::assert_snapshot!(
        "claims_table",
        claims_report(&default(), false, Format::Table, 100).unwrap()
    );
    insta::assert_snapshot!("claims_md", claims_report(&default(), false, Format::Md, 0).unwrap());
}

#[test]
fn explained_it_has_rules_and_inputs() {
    let only = [ClaimId::C7, ClaimId::C12];
    let groups = judged(&records(), &Catalogue::bundled(), &[], &only);
    let text = claims_report(&groups, true, Format::Table, 120).unwrap();
    assert_eq!(text.matches("(Rule: ").count(), 2);
    assert!(text.contains("demand.elasticity") && text.contains("staff.salary_usd_per_year"));
    let csv = claims_report(&groups, true, Format::Csv, 0).unwrap();
    assert!(csv.starts_with("name,value,low,high,unit,label,source,checked\n"));
}

#[test]
fn programs_get_whole_answers() {
    let groups = default();
    let json = claims_report(&groups, false, Format::Json, 0).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let answers = json["claims"][0]["answers"].as_array().unwrap();
    assert_eq!(answers.len(), 17);
    assert_eq!(answers[0]["id"], "C1");
    assert_eq!(answers[0]["verdict"], "supported");
    let first = &groups[0].answers[0].figures[0];
    assert_eq!(answers[0]["figures"][0]["value"].as_f64(), Some(first.value));
    let csv = claims_report(&groups, false, Format::Csv, 0).unwrap();
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_reader(csv.as_bytes()).records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 17);
    assert_eq!(rows[0].iter().filter(|cell| *cell == groups[0].answers[0].sentence).count(), 1);
}

#[test]
fn names_do_nothing_in_markdown() {
    let name = "<img src=x onerror=alert(1)> [a](javascript:b)|`c` *d* =1+1 Größe";
    let price = ApiPrice {
        provider: "<b>host".to_owned(),
        model: "*m* | [x](y)".to_owned(),
        input: UsdPerMillionTokens::new(1.0),
        output: UsdPerMillionTokens::new(2.0),
        cache_read: None,
        cache_write: None,
        batch: None,
        tier_above: None,
        tiers: Vec::new(),
        varies_in_day: false,
        open: true,
        checked: TODAY,
        date_basis: DateBasis::Checked,
        source: "`a` <script>".to_owned(),
    };
    let api = format!("api.models=[{:?}]", price.id());
    let mut records = records();
    records.truncate(1);
    records[0].model = name.into();
    let prices = Catalogue::bundled().with(vec![price]);
    let groups = judged(&records, &prices, &[&api], &[]);
    let text = claims_report(&groups, true, Format::Md, 0).unwrap();
    assert!(text.contains(
        r"&lt;img src=x onerror=alert(1)&gt; \[a\](javascript:b)\|\`c\` \*d\* =1+1 Größe"
    ));
    assert!(text.contains(r"&lt;b&gt;host/\*m\* \| \[x\](y)"));
    for alive in ["<img", "<b>", "<script>", "[a](", "[x](", " *d*", " *m*"] {
        assert!(!text.contains(alive), "{alive} is alive in {text}");
    }
    // A cell that ended early would make a row of another length.
    let bars = |line: &str| line.replace(r"\|", "").matches('|').count();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| C")).collect();
    assert_eq!(rows.len(), 17);
    assert!(rows.iter().all(|row| bars(row) == bars(rows[0])));
}
