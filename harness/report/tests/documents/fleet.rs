//! What a simulated fleet looks like.

use crate::fixture::TODAY;
use freeweights_cost::figure::Machines;
use freeweights_cost::fleet::{
    Demand, FleetAnswer, FleetConfig, FleetQuestion, Replay, Target, fleet,
};
use freeweights_cost::scenario::DEFAULT_PRESET;
use freeweights_cost::trace::Trace;
use freeweights_cost::{Catalogue, Scenario};
use freeweights_record::Record;
use freeweights_record::units::{Tokens, TokensPerSecond};
use freeweights_report::{FleetTable, Format, fleet_charts, fleet_page, fleet_report, fleet_table};

fn answer() -> FleetAnswer {
    let one = |batch: u32, prefill: f64, decode: f64| Record {
        run_id: "run".into(),
        case_id: format!("b{batch}").into(),
        engine: "fused".into(),
        device: "cpu".into(),
        threads: Some(2),
        cpu_cores: Some(2),
        model: "dummy:smollm2-135m".into(),
        isl: Some(Tokens::new(128)),
        osl: Some(Tokens::new(64)),
        batch: Some(batch),
        prefill_mean_tps: Some(TokensPerSecond::new(prefill)),
        decode_mean_tps: Some(TokensPerSecond::new(decode)),
        ..Record::default()
    };
    let records = [one(1, 2_000.0, 180.0), one(4, 2_400.0, 450.0)];
    let rows: Vec<String> =
        (0..2_400_u32).map(|i| format!("{},128,64", f64::from(i / 8) * 0.5)).collect();
    let trace = Trace::parse(&format!("arrival_s,isl,osl\n{}", rows.join("\n"))).unwrap();
    fleet(&FleetQuestion {
        records: &records,
        scenario: &Scenario::preset(DEFAULT_PRESET, &[]).unwrap(),
        prices: &Catalogue::bundled(),
        today: TODAY,
        demand: &Demand::Replay(Replay::once(&trace)),
        demand_name: "bursts.csv",
        target: Target::DEFAULT,
        config: &FleetConfig { batch_max: 0, ..FleetConfig::of(Machines::new(1), 1) },
        replicas: None,
        most: Machines::new(100),
        drop_long: false,
        threads: 2,
    })
    .unwrap()
}

#[test]
fn the_answer_comes_first_and_every_table_after_it() {
    let text = fleet_report(&[answer()], Format::Table, 110).unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn the_page_has_the_answer_its_charts_and_every_figure_and_nothing_from_elsewhere() {
    let answer = answer();
    let page = fleet_page(std::slice::from_ref(&answer), "freeweights fleet run", "today").unwrap();
    assert!(page.contains("<title>What a fleet for bursts.csv takes</title>"));
    for chart in fleet_charts(&answer, 0).unwrap() {
        assert!(page.contains(&format!("<figure id=\"{}\">", chart.id)), "{}", chart.id);
    }
    for figure in &answer.figures {
        assert!(page.contains(figure.name.as_ref()), "{}", figure.name);
    }
    for outside in ["src=\"http", "href=\"http", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    // Text from outside is text.
    let named = FleetAnswer { demand_name: "<script>alert(1)</script>".into(), ..answer };
    let page = fleet_page(&[named], "c", "d").unwrap();
    assert!(!page.contains("<script>alert"), "not escaped");
}

#[test]
fn json_has_it_all_and_csv_is_the_table_of_sizes() {
    let answers = [answer()];
    let json = fleet_report(&answers, Format::Json, 0).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let one = &json["fleets"][0];
    assert_eq!(one["replicas"], answers[0].replicas.get());
    assert!(one["growth"]["fan"].as_array().unwrap().len() > 10);
    assert!(one["littles_law_off"].as_f64().unwrap() < 1e-3);
    let csv = fleet_report(&answers, Format::Csv, 0).unwrap();
    assert_eq!(csv.lines().count(), answers[0].sizes.len() + 1);
    insta::assert_snapshot!(csv.lines().next().unwrap(), @"model,engine,demand,objective,replicas,spares,meets,gave_up,ttft_p50_s,ttft_p95_s,ttft_p99_s,tpot_p50_s,tpot_p95_s,tpot_p99_s,e2e_p50_s,e2e_p95_s,e2e_p99_s,goodput_rps,met_share,utilisation,mean_batch,mean_in_flight,cached_share,usd_per_year,usd_per_mtok");
    for (table, header) in [
        (FleetTable::Costs, "model,engine,who"),
        (FleetTable::Profile, "from_s,requests_per_s"),
        (FleetTable::Fan, "week,demand_p10"),
        (FleetTable::Levels, "level_percent,usd_per_year"),
    ] {
        let text = fleet_table(&answers, table, Format::Csv, 0).unwrap();
        assert!(text.starts_with(header) && text.lines().count() > 2, "{text}");
    }
}

#[test]
fn three_charts_show_sizes_the_day_and_the_years() {
    let answer = answer();
    let charts = fleet_charts(&answer, 0).unwrap();
    let ids: Vec<&str> = charts.iter().map(|chart| chart.id.as_str()).collect();
    assert_eq!(ids, ["fleet-latency-0", "fleet-day-0", "fleet-growth-0"]);
    for chart in &charts {
        let svg = chart.wide.file(&chart.title, &chart.about);
        assert!(svg.contains("<polyline") || svg.contains("<path"), "{}", chart.id);
        assert!(!chart.table.is_empty());
        assert!(!svg.contains("NaN"));
    }
}
