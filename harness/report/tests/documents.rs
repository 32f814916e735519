//! Every table and document, from fixed records, at two widths.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![expect(clippy::too_many_lines, reason = "the lines are snapshots")]

use freeweights_cost::{Assessment, Catalogue, Scenario, assess_all};
use freeweights_record::host::Ceilings;
use freeweights_record::units::{
    Bytes, BytesPerSecond, FlopsPerSecond, RequestsPerSecond, Seconds, Tokens, TokensPerSecond,
};
use freeweights_record::{Host, Record, SCHEMA_VERSION, Status, Weights};
use freeweights_report::{Format, bench_report, break_even_chart, cost_report, run_report, tables};
use jiff::civil::{Date, date};

const TODAY: Date = date(2026, 11, 22);

fn record(batch: u32, prefill: f64, decode: f64) -> Record {
    let rate = |value: f64| Some(TokensPerSecond::new(value));
    Record {
        schema_version: SCHEMA_VERSION,
        run_id: "run".into(),
        case_id: format!("candle-cpu-t2-smollm2-135m-i128-o64-b{batch}").into(),
        engine: "candle".into(),
        device: "cpu".into(),
        threads: Some(2),
        cpu_cores: Some(2),
        model: "dummy:smollm2-135m".into(),
        weights: Some(Weights::Dummy),
        quant: Some("q8_0".into()),
        params_total: Some(134_515_008),
        isl: Some(Tokens::new(128)),
        osl: Some(Tokens::new(64)),
        depth: Some(Tokens::new(0)),
        batch: Some(batch),
        repetitions: Some(8),
        ttft_mean_s: Some(Seconds::new(0.341)),
        requests_per_s: Some(RequestsPerSecond::new(f64::from(batch) * 0.4)),
        prefill_mean_tps: rate(prefill),
        prefill_stddev_tps: rate(prefill * 0.012),
        prefill_ci95_low_tps: rate(prefill * 0.99),
        prefill_ci95_high_tps: rate(prefill * 1.01),
        decode_mean_tps: rate(decode),
        decode_stddev_tps: rate(decode * 0.034),
        decode_ci95_low_tps: rate(decode * 0.975),
        decode_ci95_high_tps: rate(decode * 1.025),
        rss_peak_bytes: Some(Bytes::new(412_000_000)),
        ..Record::default()
    }
}

fn records() -> Vec<Record> {
    let failed = Record {
        case_id: "candle-cpu-t2-smollm2-135m-i128-o64-b64".into(),
        batch: Some(64),
        status: Status::Failed,
        error: Some("out of memory".into()),
        ttft_mean_s: None,
        requests_per_s: None,
        prefill_mean_tps: None,
        prefill_stddev_tps: None,
        prefill_ci95_low_tps: None,
        prefill_ci95_high_tps: None,
        decode_mean_tps: None,
        decode_stddev_tps: None,
        decode_ci95_low_tps: None,
        decode_ci95_high_tps: None,
        rss_peak_bytes: None,
        ..record(1, 0.0, 0.0)
    };
    vec![record(1, 402.3, 41.72), record(4, 520.0, 118.4), failed]
}

fn host() -> Host {
    Host {
        os: Some("Debian 13".into()),
        cpu_model: Some("AMD EPYC 9654 96-Core Processor".into()),
        cpu_cores: Some(2),
        cpu_features: vec!["avx2".into(), "avx512f".into()],
        memory_total_bytes: Some(Bytes::new(16 << 30)),
        virtualised: Some(true),
        ceilings: Some(Ceilings {
            threads: 2,
            read_bytes_per_s: BytesPerSecond::new(21.4e9),
            f32_flops_per_s: FlopsPerSecond::new(155e9),
            bf16_flops_per_s: None,
            int8_ops_per_s: None,
        }),
        ..Host::default()
    }
}

fn assessments(records: &[Record], sets: &[&str]) -> Vec<Assessment> {
    // A shape of its own: the preset's may change with the default benchmark.
    let shape = ["demand.isl=128", "demand.osl=64"];
    let sets: Vec<_> = shape.iter().chain(sets).map(|set| set.parse().unwrap()).collect();
    let scenario = Scenario::preset("this-machine", &sets).unwrap();
    assess_all(records, &scenario, &Catalogue::bundled(), TODAY)
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

fn default() -> Vec<Assessment> {
    assessments(&records(), &[])
}

#[test]
fn measurements_at_120_and_at_60() {
    let grid = tables::measurements(&records());
    insta::assert_snapshot!(grid.render(Format::Table, 120).unwrap(), @r"
    every row: engine candle, device cpu, threads 2, model dummy:smollm2-135m, quant q8_0, depth 0
    isl  osl  batch  prefill tok/s  prefill ±  prefill 95%  decode tok/s  decode ±  decode 95%    TTFT  peak memory  status
    ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    128   64      1            402       4.83      398–406          41.7      1.42   40.7–42.8  341 ms    392.9 MiB  ok
    128   64      4            520       6.24      515–525           118      4.03     115–121  341 ms    392.9 MiB  ok
    128   64     64              -          -            -             -         -           -       -            -  failed
    ");
    insta::assert_snapshot!(grid.render(Format::Table, 60).unwrap(), @r"
    every row: engine candle, device cpu, threads 2, model
    dummy:smollm2-135m, quant q8_0, depth 0
    isl  osl  batch  prefill   decode    TTFT       peak  status
                       tok/s    tok/s             memory
    ────────────────────────────────────────────────────────────
    128   64      1      402     41.7  341 ms  392.9 MiB  ok
    128   64      4      520      118  341 ms  392.9 MiB  ok
    128   64     64        -        -       -          -  failed
    not shown at this width: prefill ±, prefill 95%, decode ±,
    decode 95%
    ");
    insta::assert_snapshot!(grid.render(Format::Table, 80).unwrap(), @r"
    every row: engine candle, device cpu, threads 2, model dummy:smollm2-135m, quant
    q8_0, depth 0
    isl  osl  batch  prefill  prefill   decode     decode    TTFT       peak  status
                       tok/s      95%    tok/s        95%             memory
    ────────────────────────────────────────────────────────────────────────────────
    128   64      1      402  398–406     41.7  40.7–42.8  341 ms  392.9 MiB  ok
    128   64      4      520  515–525      118    115–121  341 ms  392.9 MiB  ok
    128   64     64        -        -        -          -       -          -  failed
    not shown at this width: prefill ±, decode ±
    ");
    insta::assert_snapshot!(grid.render(Format::Md, 60).unwrap(), @r"
    | engine | device | threads | model | quant | isl | osl | depth | batch | prefill tok/s | prefill ± | prefill 95% | decode tok/s | decode ± | decode 95% | TTFT | peak memory | status |
    | --- | --- | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |
    | candle | cpu | 2 | dummy:smollm2-135m | q8_0 | 128 | 64 | 0 | 1 | 402 | 4.83 | 398–406 | 41.7 | 1.42 | 40.7–42.8 | 341 ms | 392.9 MiB | ok |
    | candle | cpu | 2 | dummy:smollm2-135m | q8_0 | 128 | 64 | 0 | 4 | 520 | 6.24 | 515–525 | 118 | 4.03 | 115–121 | 341 ms | 392.9 MiB | ok |
    | candle | cpu | 2 | dummy:smollm2-135m | q8_0 | 128 | 64 | 0 | 64 | - | - | - | - | - | - | - | - | failed |
    ");
    insta::assert_snapshot!(grid.render(Format::Csv, 60).unwrap(), @r"
    engine,device,threads,model,quant,isl,osl,depth,batch,prefill_mean_tps,prefill_stddev_tps,prefill_ci95_low_tps,prefill_ci95_high_tps,decode_mean_tps,decode_stddev_tps,decode_ci95_low_tps,decode_ci95_high_tps,ttft_mean_s,peak_bytes,status,error
    candle,cpu,2,dummy:smollm2-135m,q8_0,128,64,0,1,402.3,4.8276,398.277,406.32300000000004,41.72,1.41848,40.677,42.763,0.341,412000000,ok,
    candle,cpu,2,dummy:smollm2-135m,q8_0,128,64,0,4,520,6.24,514.8,525.2,118.4,4.025600000000001,115.44,121.36,0.341,412000000,ok,
    candle,cpu,2,dummy:smollm2-135m,q8_0,128,64,0,64,,,,,,,,,,,failed,out of memory
    ");
}

#[test]
fn cost_at_120_and_at_60() {
    let grid = tables::cost(&default());
    insta::assert_snapshot!(grid.render(Format::Table, 120).unwrap(), @r"
    every row: model dummy:smollm2-135m, engine candle, blended in:out 128:64
    USD per million tokens  class         input  output  blended  blended 95%  USD a  times API  break-even  price of
                                                                                year                req/day
    ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    this machine            self-hosted    32.7     141     68.9    68.9–68.9  4,828          -           -  -
    this machine, never     self-hosted   0.237    1.02    0.499  0.489–0.509      -          -           -  -
    idle
    openrouter/meta-llama/  similar open  0.027   0.201    0.085            -   5.96        811       never  2026-10-19
    llama-3.2-1b-instruct   model
    novita/meta-llama/llam  similar open   0.02    0.05     0.03            -    2.1      2,296       never  2026-10-18
    a-3.1-8b-instruct       model
    openai/gpt-6.1-sol      frontier          2      10     4.67            -    327       14.8      14,764  2026-10-14
    anthropic/claude-opus-  frontier          4      20     9.33            -    654       7.38       7,382  2026-10-26
    5-5                                                                                                      (catalogue)
    not shown at this width: USD a request, tokens a month
    ");
    insta::assert_snapshot!(grid.render(Format::Table, 60).unwrap(), @r"
    every row: model dummy:smollm2-135m, engine candle, blended
    in:out 128:64
    USD per million tokens  input  output  blended    break-even
                                                         req/day
    ────────────────────────────────────────────────────────────
    this machine             32.7     141     68.9             -
    this machine, never     0.237    1.02    0.499             -
    idle
    openrouter/meta-llama/  0.027   0.201    0.085         never
    llama-3.2-1b-instruct
    novita/meta-llama/llam   0.02    0.05     0.03         never
    a-3.1-8b-instruct
    openai/gpt-6.1-sol          2      10     4.67        14,764
    anthropic/claude-opus-      4      20     9.33         7,382
    5-5
    not shown at this width: class, blended 95%, USD a request,
    USD a year, times API, tokens a month, price of
    ");
    insta::assert_snapshot!(grid.render(Format::Csv, 60).unwrap(), @r#"
    model,engine,device,threads,scenario,requests_per_day,isl,osl,who,class,input_usd_per_mtok,output_usd_per_mtok,blended_usd_per_mtok,blend,blended_low_usd_per_mtok,blended_high_usd_per_mtok,usd_per_request,usd_per_year,self_hosted_over_api,break_even_requests_per_day,break_even_tokens_per_month,break_even_years,never_because,price_date,price_date_basis,price_stale,price_source
    dummy:smollm2-135m,candle,cpu,2,this-machine,1000,128,64,this machine,self-hosted,32.68636962936566,141.3119548482394,68.89489803565691,128:64,68.89489162339571,68.89490474524321,0.013227820422846127,4828.154454338836,,,,,,,,,
    dummy:smollm2-135m,candle,cpu,2,this-machine,1000,128,64,"this machine, never idle",self-hosted,0.23659901861733154,1.022881103502927,0.49869304691253,128:64,0.48881523068614197,0.5090288798313716,0.00009574906500720576,,,,,,,,,,
    dummy:smollm2-135m,candle,cpu,2,this-machine,1000,128,64,openrouter/meta-llama/llama-3.2-1b-instruct,similar open model,0.027,0.201,0.085,128:64,,,0.00001632,5.956799999999999,810.528212184199,,,,"one machine would have to serve 813,623 requests a day; the measured capacity of this machine is 90,471, and it would take 11 of them",2026-10-19,checked,false,https://openrouter.ai/meta-llama/llama-3.2-1b-instruct
    dummy:smollm2-135m,candle,cpu,2,this-machine,1000,128,64,novita/meta-llama/llama-3.1-8b-instruct,similar open model,0.02,0.05,0.03,128:64,,,0.000005760000000000001,2.1024000000000003,2296.4966011885635,,,,"one machine would have to serve 2.32 million requests a day; the measured capacity of this machine is 90,471, and it would take 48 of them",2026-10-18,checked,false,https://novita.ai/pricing
    dummy:smollm2-135m,candle,cpu,2,this-machine,1000,128,64,openai/gpt-6.1-sol,frontier,2,10,4.666666666666667,128:64,,,0.0008960000000000001,327.04,14.763192436212194,14764.147266322152,86222620.03532137,,,2026-10-14,checked,false,https://developers.openai.com/api/docs/pricing
    dummy:smollm2-135m,candle,cpu,2,this-machine,1000,128,64,anthropic/claude-opus-5-5,frontier,4,20,9.333333333333334,128:64,,,0.0017920000000000002,654.08,7.381596218106097,7381.817574048389,43109814.63244259,,,2026-10-26,catalogue,false,https://www.anthropic.com/pricing#api
    "#);
}

#[test]
fn the_bill_at_120_and_at_60() {
    let grid = tables::bill(&default());
    insta::assert_snapshot!(grid.render(Format::Table, 120).unwrap(), @r"
    every row: model dummy:smollm2-135m, engine candle
    component       USD a year    share
    ───────────────────────────────────
    capital               72.8    1.51%
    maintenance             13    0.27%
    energy, active      0.0338  0.0007%
    energy, idle          1.53  0.0316%
    hosting                  0       0%
    staff                4,741    98.2%
    total                4,828     100%
    ");
    let narrow = grid.render(Format::Table, 60).unwrap();
    assert_eq!(narrow, grid.render(Format::Table, 120).unwrap());
    insta::assert_snapshot!(grid.render(Format::Csv, 60).unwrap(), @r#"
    model,engine,device,threads,scenario,component,usd_per_year,share
    dummy:smollm2-135m,candle,cpu,2,this-machine,capital,72.84602187724879,0.015087757147409706
    dummy:smollm2-135m,candle,cpu,2,this-machine,maintenance,13.020833333333332,0.0026968551765431032
    dummy:smollm2-135m,candle,cpu,2,this-machine,"energy, active",0.033808124999999994,0.000007002287379107811
    dummy:smollm2-135m,candle,cpu,2,this-machine,"energy, idle",1.5262589062500003,0.00031611642102261724
    dummy:smollm2-135m,candle,cpu,2,this-machine,hosting,0,0
    dummy:smollm2-135m,candle,cpu,2,this-machine,staff,4740.727532097004,0.9818922689676454
    dummy:smollm2-135m,candle,cpu,2,this-machine,total,4828.154454338836,1
    "#);
}

#[test]
fn assumptions_at_120_and_at_60() {
    let grid = tables::assumptions(&default());
    insta::assert_snapshot!(grid.render(Format::Table, 120).unwrap(), @r"
    figure                                   value  unit          label     source                                date
    ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    demand.requests_per_day                  1,000  requests/day  assumed   round number: fifty people, twenty    2026-11
                                                                            requests each
    demand.days_per_year                       365  day           assumed   every day of the year                 2026-11
    demand.isl                                 128  tokens        given     --set                                 -
    demand.osl                                  64  tokens        given     --set                                 -
    demand.peak_to_mean                       1.53  ratio         assumed   Azure LLM inference trace 2023,       2023-11
                                                                            conversation: 507 / 331.8 requests a
                                                                            minute
    hardware.life_years                          4  year          assumed   InferenceX launch article: 4 years    2025
    hardware.residual_share                    0.1  share         assumed   judgement: sold for a tenth of its    2026-11
                                                                            price
    hardware.cost_of_capital                  0.08  share         assumed   judgement: between a bank loan and a  2026-11
                                                                            company's hurdle rate
    hardware.maintenance_share                0.05  share         assumed   low end of 5-15%, Lenovo LP2368 uses  2026-01-15
                                                                            12% with a support contract
    hardware.spares                              0  machines      assumed   one machine, no spare                 2026-11
    hardware.machines_max                        1  machines      assumed   the measured machine alone            2026-11
    hosting.electricity_usd_per_kwh          0.187  USD/kWh       assumed   energypricestoday citing EIA EPM      2026-04-26
                                                                            5.6.A
    hosting.pue                                  1  ratio         assumed   a desk: no cooling plant, no UPS      2026-11
    hosting.hours_per_year                   8,760  h             assumed   on day and night                      2026-11
    hosting.usd_per_machine_year                 0  USD/year      assumed   space and network are there anyway    2026-11
    staff.fte                                0.025  FTE           assumed   judgement: one hour a week            2026-11
    staff.salary_usd_per_year              132,930  USD/year      assumed   BLS                                   2022-05
    staff.benefits_share                     0.299  share         assumed   BLS                                   2019-12
    api.fte                                      0  FTE           assumed   judgement: no regular hours for one   2026-11
                                                                            API key
    machine.price_usd                          260  USD           assumed   2 of 192 logical CPUs of an EPYC      2026-11
                                                                            9654 server: unverified whole server
                                                                            20000-30000 (unverified)
    machine.prefill_w                         2.85  W             assumed   0.76 of the 360 W TDP of 2 of 192     2026-11
                                                                            logical CPUs of an EPYC 9654 server
                                                                            (unverified); arXiv 2506.14551 (8x
                                                                            H100 node measured at 76% of 10.2
                                                                            kW)
    machine.decode_w                          2.85  W             assumed   0.76 of the 360 W TDP of 2 of 192     2026-11
                                                                            logical CPUs of an EPYC 9654 server
                                                                            (unverified); arXiv 2506.14551 (8x
                                                                            H100 node measured at 76% of 10.2
                                                                            kW)
    machine.idle_w                           0.938  W             assumed   0.25 of the 360 W TDP of 2 of 192     2026-11
                                                                            logical CPUs of an EPYC 9654 server
                                                                            (unverified); judgement between 50%
                                                                            of peak (Barroso and Hoelzle 2007)
                                                                            and 20% (recent SPECpower results),
                                                                            unverified
    measured.prefill_tps                       520  tokens/s      measured  record candle-cpu-t2-smollm2-135m-i1  -
                                                                            28-o64-b4
    measured.decode_tps                        118  tokens/s      measured  record candle-cpu-t2-smollm2-135m-i1  -
                                                                            28-o64-b4
    machine.requests_per_s                     1.6  requests/s    measured  record candle-cpu-t2-smollm2-135m-i1  -
                                                                            28-o64-b4
    staff.load                                1.43  ratio         derived   1 / (1 - benefits share)              -
    demand.peak_requests_per_s              0.0177  requests/s    derived   mean rate * peak_to_mean              -
    api.openrouter/meta-llama/llama-3.2-1    0.027  USD/Mtok      assumed   https://openrouter.ai/meta-llama/lla  2026-10-19
    b-instruct.input                                                        ma-3.2-1b-instruct (checked
                                                                            2026-10-19)
    api.openrouter/meta-llama/llama-3.2-1    0.201  USD/Mtok      assumed   https://openrouter.ai/meta-llama/lla  2026-10-19
    b-instruct.output                                                       ma-3.2-1b-instruct (checked
                                                                            2026-10-19)
    api.novita/meta-llama/llama-3.1-8b-in     0.02  USD/Mtok      assumed   https://novita.ai/pricing (checked    2026-10-18
    struct.input                                                            2026-10-18)
    api.novita/meta-llama/llama-3.1-8b-in     0.05  USD/Mtok      assumed   https://novita.ai/pricing (checked    2026-10-18
    struct.output                                                           2026-10-18)
    api.openai/gpt-6.1-sol.input                 2  USD/Mtok      assumed   https://developers.openai.com/api/do  2026-10-14
                                                                            cs/pricing (checked 2026-10-14)
    api.openai/gpt-6.1-sol.output               10  USD/Mtok      assumed   https://developers.openai.com/api/do  2026-10-14
                                                                            cs/pricing (checked 2026-10-14)
    api.anthropic/claude-opus-5-5.input          4  USD/Mtok      assumed   https://www.anthropic.com/pricing#ap  2026-10-26
                                                                            i (catalogue of 2026-10-26)
    api.anthropic/claude-opus-5-5.output        20  USD/Mtok      assumed   https://www.anthropic.com/pricing#ap  2026-10-26
                                                                            i (catalogue of 2026-10-26)
    ");
    insta::assert_snapshot!(grid.render(Format::Table, 60).unwrap(), @r"
    figure             value  unit      label     source
    ────────────────────────────────────────────────────────────
    demand.requests    1,000  requests  assumed   round number:
    _per_day                  /day                fifty people,
                                                  twenty
                                                  requests each
    demand.days_per      365  day       assumed   every day of
    _year                                         the year
    demand.isl           128  tokens    given     --set
    demand.osl            64  tokens    given     --set
    demand.peak_to_     1.53  ratio     assumed   Azure LLM
    mean                                          inference
                                                  trace 2023,
                                                  conversation:
                                                  507 / 331.8
                                                  requests a
                                                  minute
    hardware.life_y        4  year      assumed   InferenceX
    ears                                          launch
                                                  article: 4
                                                  years
    hardware.residu      0.1  share     assumed   judgement:
    al_share                                      sold for a
                                                  tenth of its
                                                  price
    hardware.cost_o     0.08  share     assumed   judgement:
    f_capital                                     between a bank
                                                  loan and a
                                                  company's
                                                  hurdle rate
    hardware.mainte     0.05  share     assumed   low end of
    nance_share                                   5-15%, Lenovo
                                                  LP2368 uses
                                                  12% with a
                                                  support
                                                  contract
    hardware.spares        0  machines  assumed   one machine,
                                                  no spare
    hardware.machin        1  machines  assumed   the measured
    es_max                                        machine alone
    hosting.electri    0.187  USD/kWh   assumed   energypricesto
    city_usd_per_kw                               day citing EIA
    h                                             EPM 5.6.A
    hosting.pue            1  ratio     assumed   a desk: no
                                                  cooling plant,
                                                  no UPS
    hosting.hours_p    8,760  h         assumed   on day and
    er_year                                       night
    hosting.usd_per        0  USD/year  assumed   space and
    _machine_year                                 network are
                                                  there anyway
    staff.fte          0.025  FTE       assumed   judgement: one
                                                  hour a week
    staff.salary_us  132,930  USD/year  assumed   BLS
    d_per_year
    staff.benefits_    0.299  share     assumed   BLS
    share
    api.fte                0  FTE       assumed   judgement: no
                                                  regular hours
                                                  for one API
                                                  key
    machine.price_u      260  USD       assumed   2 of 192
    sd                                            logical CPUs
                                                  of an EPYC
                                                  9654 server:
                                                  unverified
                                                  whole server
                                                  20000-30000
                                                  (unverified)
    machine.prefill     2.85  W         assumed   0.76 of the
    _w                                            360 W TDP of 2
                                                  of 192 logical
                                                  CPUs of an
                                                  EPYC 9654
                                                  server
                                                  (unverified);
                                                  arXiv
                                                  2506.14551 (8x
                                                  H100 node
                                                  measured at
                                                  76% of 10.2
                                                  kW)
    machine.decode_     2.85  W         assumed   0.76 of the
    w                                             360 W TDP of 2
                                                  of 192 logical
                                                  CPUs of an
                                                  EPYC 9654
                                                  server
                                                  (unverified);
                                                  arXiv
                                                  2506.14551 (8x
                                                  H100 node
                                                  measured at
                                                  76% of 10.2
                                                  kW)
    machine.idle_w     0.938  W         assumed   0.25 of the
                                                  360 W TDP of 2
                                                  of 192 logical
                                                  CPUs of an
                                                  EPYC 9654
                                                  server
                                                  (unverified);
                                                  judgement
                                                  between 50% of
                                                  peak (Barroso
                                                  and Hoelzle
                                                  2007) and 20%
                                                  (recent
                                                  SPECpower
                                                  results),
                                                  unverified
    measured.prefil      520  tokens/s  measured  record candle-
    l_tps                                         cpu-t2-smollm2
                                                  -135m-i128-o64
                                                  -b4
    measured.decode      118  tokens/s  measured  record candle-
    _tps                                          cpu-t2-smollm2
                                                  -135m-i128-o64
                                                  -b4
    machine.request      1.6  requests  measured  record candle-
    s_per_s                   /s                  cpu-t2-smollm2
                                                  -135m-i128-o64
                                                  -b4
    staff.load          1.43  ratio     derived   1 / (1 -
                                                  benefits
                                                  share)
    demand.peak_req   0.0177  requests  derived   mean rate *
    uests_per_s               /s                  peak_to_mean
    api.openrouter/    0.027  USD/Mtok  assumed   https://openro
    meta-llama/llam                               uter.ai/meta-l
    a-3.2-1b-instru                               lama/llama-3.2
    ct.input                                      -1b-instruct
                                                  (checked
                                                  2026-10-19)
    api.openrouter/    0.201  USD/Mtok  assumed   https://openro
    meta-llama/llam                               uter.ai/meta-l
    a-3.2-1b-instru                               lama/llama-3.2
    ct.output                                     -1b-instruct
                                                  (checked
                                                  2026-10-19)
    api.novita/meta     0.02  USD/Mtok  assumed   https://novita
    -llama/llama-3.                               .ai/pricing
    1-8b-instruct.i                               (checked
    nput                                          2026-10-18)
    api.novita/meta     0.05  USD/Mtok  assumed   https://novita
    -llama/llama-3.                               .ai/pricing
    1-8b-instruct.o                               (checked
    utput                                         2026-10-18)
    api.openai/gpt-        2  USD/Mtok  assumed   https://develo
    6.1-sol.input                                 pers.openai.co
                                                  m/api/docs/pri
                                                  cing (checked
                                                  2026-10-14)
    api.openai/gpt-       10  USD/Mtok  assumed   https://develo
    6.1-sol.output                                pers.openai.co
                                                  m/api/docs/pri
                                                  cing (checked
                                                  2026-10-14)
    api.anthropic/c        4  USD/Mtok  assumed   https://www.an
    laude-opus-5-5.                               thropic.com/pr
    input                                         icing#api
                                                  (catalogue of
                                                  2026-10-26)
    api.anthropic/c       20  USD/Mtok  assumed   https://www.an
    laude-opus-5-5.                               thropic.com/pr
    output                                        icing#api
                                                  (catalogue of
                                                  2026-10-26)
    not shown at this width: date
    ");
}

#[test]
fn the_host_and_the_prices() {
    insta::assert_snapshot!(tables::host(&host()).render(Format::Table, 60).unwrap(), @r"
    machine                         value
    ─────────────────────────────────────────────────────
    operating system                Debian 13
    kernel                          -
    CPU                             AMD EPYC 9654 96-Core
                                    Processor
    CPUs                            2
    CPU features                    avx2 avx512f
    last-level cache                -
    memory                          16.0 GiB
    memory available                -
    governor                        -
    transparent huge pages          -
    virtual machine                 yes
    load average, 1 minute          -
    ceilings measured with threads  2
    read bandwidth                  21.4 GB/s
    f32 peak                        155 GFLOP/s
    bf16 peak                       -
    int8 peak                       -
    ");
    let found = Catalogue::bundled().list("cloudflare/@cf/meta/llama-3.2", TODAY);
    let grid = tables::prices(&found, TODAY);
    insta::assert_snapshot!(grid.render(Format::Table, 120).unwrap(), @r"
    provider/model               input    output  open weights  price of    which is   stale  source
                              USD/Mtok  USD/Mtok
    ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    cloudflare/@cf/meta/llam     0.049     0.676  yes           2026-10-26  catalogue  no     https://developers.cloud
    a-3.2-11b-vision-instruc                                                                  flare.com/workers-ai/pla
    t                                                                                         tform/pricing/
    cloudflare/@cf/meta/llam     0.027     0.201  yes           2026-08-27  checked    no     https://developers.cloud
    a-3.2-1b-instruct                                                                         flare.com/workers-ai/pla
                                                                                              tform/pricing/
    cloudflare/@cf/meta/llam     0.051     0.335  yes           2026-08-27  checked    no     https://developers.cloud
    a-3.2-3b-instruct                                                                         flare.com/workers-ai/pla
                                                                                              tform/pricing/
    ");
    insta::assert_snapshot!(grid.render(Format::Table, 60).unwrap(), @r"
    provider/model                 input      output  price of
                                USD/Mtok    USD/Mtok
    ────────────────────────────────────────────────────────────
    cloudflare/@cf/meta/llam       0.049       0.676  2026-10-26
    a-3.2-11b-vision-instruc
    t
    cloudflare/@cf/meta/llam       0.027       0.201  2026-08-27
    a-3.2-1b-instruct
    cloudflare/@cf/meta/llam       0.051       0.335  2026-08-27
    a-3.2-3b-instruct
    not shown at this width: open weights, which is, stale,
    source
    ");
}

#[test]
fn a_chart_with_its_wall() {
    insta::assert_snapshot!(break_even_chart(&default()[0], 70), @r"
    USD a month
        29 k │                                            ┊        dddddcc
             │                                            ┊ dddddccccccc
             │                                       dddddccccccc
             │                                dddddccccccc┊
             │█████████████████████████████████████████████           aaaa
             │                  dddddccccccc              ┊    aaaaaaabbbb
             │           dddddccccccc                   aaaaaaabbbbbbb
          17 │    dddddccccccc                   aaaaaaabbbbbbb
             │ddccccccc                   aaaaaaabbbbbbb  ┊
             │cc                   aaaaaaabbbbbbb         ┊
             │              aaaaaaabbbbbbb                ┊
             │       aaaaaaabbbbbbb                       ┊
             │aaaaaaabbbbbbb                              ┊
      0.0298 │bbbbbbb                                     ┊
             └───────────────▲────────────────────────────────────────────
              584 k                  tokens a month                  5.3 G
    █ self-hosted
    a openrouter/meta-llama/llama-3.2-1b-instruct (similar open model,
    checked 2026-10-19)
    b novita/meta-llama/llama-3.1-8b-instruct (similar open model, checked
    2026-10-18)
    c openai/gpt-6.1-sol (frontier, checked 2026-10-14)
    d anthropic/claude-opus-5-5 (frontier, catalogue of 2026-10-26)
    ┊ measured capacity, 528 million tokens a month
    ▲ this demand, 5.84 million tokens a month
    ");
    let fleet = assessments(
        &records(),
        &["hardware.machines_max=50", "staff.fte=0", "api.models=openrouter/google/gemma-2-27b-it"],
    );
    insta::assert_snapshot!(break_even_chart(&fleet[0], 60), @r"
    USD a month
       108 k │                                         ┊    aaaa
             │                                         ┊ aaa
             │                                       aaaa
             │                                    aaa  ┊
             │                                aaaa     ┊
             │                             aaa         ┊
             │                         aaaa           █┊
         160 │                     aaaa           ████ ┊
             │                  aaa           ████     ┊
             │              aaaa           ███         ┊
             │█████████████████████████████            ┊
             │       aaaa                              ┊
             │    aaa                                  ┊
       0.604 │aaaa                                     ┊
             └────────▲─────────────────────────────────────────
              584 k             tokens a month             264 G
    █ self-hosted
    a openrouter/google/gemma-2-27b-it (similar open model,
    checked 2026-10-19)
    ┊ measured capacity, 26.4 billion tokens a month
    ▲ this demand, 5.84 million tokens a month
    ");
}

#[test]
fn whole_documents() {
    let (records, assessments) = (records(), default());
    let text = |format| run_report(&records, &host(), &assessments, false, format, 100).unwrap();
    insta::assert_snapshot!(text(Format::Table), @r"
    AMD EPYC 9654 96-Core Processor, 2 CPUs, 16.0 GiB memory

    every row: engine candle, device cpu, threads 2, model dummy:smollm2-135m, quant q8_0, depth 0
    isl  osl  batch  prefill  prefill  prefill    decode  decode ±     decode    TTFT       peak  status
                       tok/s        ±      95%     tok/s                  95%             memory
    ────────────────────────────────────────────────────────────────────────────────────────────────────
    128   64      1      402     4.83  398–406      41.7      1.42  40.7–42.8  341 ms  392.9 MiB  ok
    128   64      4      520     6.24  515–525       118      4.03    115–121  341 ms  392.9 MiB  ok
    128   64     64        -        -        -         -         -          -       -          -  failed

    candle-cpu-t2-smollm2-135m-i128-o64-b64: out of memory

    dummy:smollm2-135m on candle, cpu, 2 threads; scenario this-machine: 1,000 requests a day of 128 in
    and 64 out, utilisation 0.723%, bill split by time-share

    every row: blended in:out 128:64
    USD per million tokens  class         input  output  blended  USD a   times  break-even  price of
                                                                   year     API     req/day
    ────────────────────────────────────────────────────────────────────────────────────────────────────
    this machine            self-hosted    32.7     141     68.9  4,828       -           -  -
    this machine, never     self-hosted   0.237    1.02    0.499      -       -           -  -
    idle
    openrouter/meta-llama/  similar open  0.027   0.201    0.085   5.96     811       never  2026-10-19
    llama-3.2-1b-instruct   model
    novita/meta-llama/llam  similar open   0.02    0.05     0.03    2.1   2,296       never  2026-10-18
    a-3.1-8b-instruct       model
    openai/gpt-6.1-sol      frontier          2      10     4.67    327    14.8      14,764  2026-10-14
    anthropic/claude-opus-  frontier          4      20     9.33    654    7.38       7,382  2026-10-26
    5-5                                                                                      (catalogue)
    not shown at this width: blended 95%, USD a request, tokens a month

    component       USD a year    share
    ───────────────────────────────────
    capital               72.8    1.51%
    maintenance             13    0.27%
    energy, active      0.0338  0.0007%
    energy, idle          1.53  0.0316%
    hosting                  0       0%
    staff                4,741    98.2%
    total                4,828     100%

    USD a month
        29 k │                                                                   ┊            ddddddcccc
             │                                                                   ┊ dddddddcccccccccc
             │                                                           ddddddccccccccccc
             │                                                dddddddcccccccccc  ┊
             │███████████████████████████████████████████████████████████████████┊                aaaaaa
             │                           dddddddcccccccccc                       ┊      aaaaaaaaaabbbbbb
             │                 ddddddccccccccccc                             aaaaaaaaaaabbbbbbbbbb
          17 │      dddddddcccccccccc                              aaaaaaaaaabbbbbbbbbb
             │dddcccccccccc                             aaaaaaaaaaabbbbbbbbbb    ┊
             │ccc                             aaaaaaaaaabbbbbbbbbb               ┊
             │                     aaaaaaaaaaabbbbbbbbbb                         ┊
             │           aaaaaaaaaabbbbbbbbbb                                    ┊
             │aaaaaaaaaaabbbbbbbbbb                                              ┊
      0.0298 │bbbbbbbbbb                                                         ┊
             └──────────────────────▲───────────────────────────────────────────────────────────────────
              584 k                                 tokens a month                                 5.3 G
    █ self-hosted
    a openrouter/meta-llama/llama-3.2-1b-instruct (similar open model, checked 2026-10-19)
    b novita/meta-llama/llama-3.1-8b-instruct (similar open model, checked 2026-10-18)
    c openai/gpt-6.1-sol (frontier, checked 2026-10-14)
    d anthropic/claude-opus-5-5 (frontier, catalogue of 2026-10-26)
    ┊ measured capacity, 528 million tokens a month
    ▲ this demand, 5.84 million tokens a month

    Frontier APIs sell another class of model; they are no like-for-like comparison.

    At 1,000 requests a day (128 tokens in, 64 out), running smollm2-135m on this machine costs 68.9 USD
    per million tokens, 2,296 times the 0.03 USD that novita/meta-llama/llama-3.1-8b-instruct charges
    (similar open model, checked 2026-10-18); it never breaks even within the measured capacity of this
    machine, 90,471 requests a day.
    ");
    insta::assert_snapshot!(text(Format::Md), @r"
    ## Measured

    AMD EPYC 9654 96-Core Processor, 2 CPUs, 16.0 GiB memory

    | engine | device | threads | model | quant | isl | osl | depth | batch | prefill tok/s | prefill ± | prefill 95% | decode tok/s | decode ± | decode 95% | TTFT | peak memory | status |
    | --- | --- | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |
    | candle | cpu | 2 | dummy:smollm2-135m | q8_0 | 128 | 64 | 0 | 1 | 402 | 4.83 | 398–406 | 41.7 | 1.42 | 40.7–42.8 | 341 ms | 392.9 MiB | ok |
    | candle | cpu | 2 | dummy:smollm2-135m | q8_0 | 128 | 64 | 0 | 4 | 520 | 6.24 | 515–525 | 118 | 4.03 | 115–121 | 341 ms | 392.9 MiB | ok |
    | candle | cpu | 2 | dummy:smollm2-135m | q8_0 | 128 | 64 | 0 | 64 | - | - | - | - | - | - | - | - | failed |

    candle-cpu-t2-smollm2-135m-i128-o64-b64: out of memory

    ## Cost

    dummy:smollm2-135m on candle, cpu, 2 threads; scenario this-machine: 1,000 requests a day of 128 in and 64 out, utilisation 0.723%, bill split by time-share

    | USD per million tokens | class | input | output | blended | blended in:out | blended 95% | USD a request | USD a year | times API | break-even req/day | tokens a month | price of |
    | --- | --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |
    | this machine | self-hosted | 32.7 | 141 | 68.9 | 128:64 | 68.9–68.9 | 0.0132 | 4,828 | - | - | - | - |
    | this machine, never idle | self-hosted | 0.237 | 1.02 | 0.499 | 128:64 | 0.489–0.509 | 0.0000957 | - | - | - | - | - |
    | openrouter/meta-llama/llama-3.2-1b-instruct | similar open model | 0.027 | 0.201 | 0.085 | 128:64 | - | 0.0000163 | 5.96 | 811 | never | - | 2026-10-19 |
    | novita/meta-llama/llama-3.1-8b-instruct | similar open model | 0.02 | 0.05 | 0.03 | 128:64 | - | 0.00000576 | 2.1 | 2,296 | never | - | 2026-10-18 |
    | openai/gpt-6.1-sol | frontier | 2 | 10 | 4.67 | 128:64 | - | 0.000896 | 327 | 14.8 | 14,764 | 86.2 million | 2026-10-14 |
    | anthropic/claude-opus-5-5 | frontier | 4 | 20 | 9.33 | 128:64 | - | 0.00179 | 654 | 7.38 | 7,382 | 43.1 million | 2026-10-26 (catalogue) |

    | component | USD a year | share |
    | --- | ---: | ---: |
    | capital | 72.8 | 1.51% |
    | maintenance | 13 | 0.27% |
    | energy, active | 0.0338 | 0.0007% |
    | energy, idle | 1.53 | 0.0316% |
    | hosting | 0 | 0% |
    | staff | 4,741 | 98.2% |
    | total | 4,828 | 100% |

    ```text
    USD a month
        29 k │                                                                   ┊            ddddddcccc
             │                                                                   ┊ dddddddcccccccccc
             │                                                           ddddddccccccccccc
             │                                                dddddddcccccccccc  ┊
             │███████████████████████████████████████████████████████████████████┊                aaaaaa
             │                           dddddddcccccccccc                       ┊      aaaaaaaaaabbbbbb
             │                 ddddddccccccccccc                             aaaaaaaaaaabbbbbbbbbb
          17 │      dddddddcccccccccc                              aaaaaaaaaabbbbbbbbbb
             │dddcccccccccc                             aaaaaaaaaaabbbbbbbbbb    ┊
             │ccc                             aaaaaaaaaabbbbbbbbbb               ┊
             │                     aaaaaaaaaaabbbbbbbbbb                         ┊
             │           aaaaaaaaaabbbbbbbbbb                                    ┊
             │aaaaaaaaaaabbbbbbbbbb                                              ┊
      0.0298 │bbbbbbbbbb                                                         ┊
             └──────────────────────▲───────────────────────────────────────────────────────────────────
              584 k                                 tokens a month                                 5.3 G
    █ self-hosted
    a openrouter/meta-llama/llama-3.2-1b-instruct (similar open model, checked 2026-10-19)
    b novita/meta-llama/llama-3.1-8b-instruct (similar open model, checked 2026-10-18)
    c openai/gpt-6.1-sol (frontier, checked 2026-10-14)
    d anthropic/claude-opus-5-5 (frontier, catalogue of 2026-10-26)
    ┊ measured capacity, 528 million tokens a month
    ▲ this demand, 5.84 million tokens a month
    ```

    Frontier APIs sell another class of model; they are no like-for-like comparison.

    At 1,000 requests a day (128 tokens in, 64 out), running smollm2-135m on this machine costs 68.9 USD per million tokens, 2,296 times the 0.03 USD that novita/meta-llama/llama-3.1-8b-instruct charges (similar open model, checked 2026-10-18); it never breaks even within the measured capacity of this machine, 90,471 requests a day.
    ");
}

#[test]
fn json_is_whole_and_has_null_where_nothing_is_known() {
    let (records, assessments) = (records(), default());
    let text = run_report(&records, &host(), &assessments, false, Format::Json, 80).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["records"][2]["decode_mean_tps"], serde_json::Value::Null);
    assert_eq!(json["records"][2]["status"], "failed");
    assert_eq!(json["assessments"][0]["scenario"], "this-machine");
    assert_eq!(json["host"]["kernel"], serde_json::Value::Null);
    let bench: serde_json::Value =
        serde_json::from_str(&bench_report(&records, &host(), Format::Json, 80).unwrap()).unwrap();
    assert!(bench.get("assessments").is_none());
}

#[test]
fn no_width_panics_and_nothing_is_wider_than_it() {
    let (records, assessments) = (records(), default());
    for width in [0, 1, 10, 20, 40, 60, 80, 120, 200, u16::MAX] {
        let text = run_report(&records, &host(), &assessments, true, Format::Table, width).unwrap();
        if width >= 60 {
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= usize::from(width).max(60), "{widest} at {width}");
        }
    }
    for format in Format::ALL {
        assert!(!run_report(&[], &Host::default(), &[], true, format, 60).unwrap().is_empty());
        assert!(!cost_report(&assessments, true, format, 60).unwrap().is_empty());
    }
}
