//! Tables put together.

use crate::fixture::{default, host, records};
use freeweights_record::Host;
use freeweights_report::{Format, bench_report, cost_report, run_report};

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

    Held in another way:

    the same demand  USD a year  USD per million tokens  to a landlord  note
    ──────────────────────────────────────────────────────────────────────────────────────────
    owned                 4,828                    68.9             0%  as the scenario has it
    colocated             4,835                      69         0.141%  -
    rented                5,640                    80.5          15.9%  -

    The years ahead, beside novita/meta-llama/llama-3.1-8b-instruct: over all of them self-hosting costs
    more than the API by 15,988 USD in money of today.

    year  requests  machines  self-hosted USD  API USD  cheaper
    ───────────────────────────────────────────────────────────
       1   365,000         1            4,828      2.1  API
       2   365,000         1            4,828     1.05  API
       3   365,000         1            4,828    0.526  API
       4   365,000         1            4,828    0.263  API

    What moves the blended cost, each figure from its low to its high end with the others held:

    one at a time               from – to          USD/Mtok  at high  swing           times API  at high
                                                     at low                              at low
    ────────────────────────────────────────────────────────────────────────────────────────────────────
    demand.requests_per_day     300 – 3,000             230       23  ████████████        7,655      766
    staff.fte                   0.0125 – 0.05          35.1      137  ██████              1,169    4,551
    staff.salary_usd_per_year   100,000 – 175,000      52.1     90.3  ██                  1,738    3,010
    hardware.price_factor       0.8 – 1.3              68.6     69.3  ·                   2,288    2,309
    hardware.life_years         3 – 6                  69.2     68.6  ·                   2,306    2,287
    hardware.maintenance_share  0.03 – 0.1             68.8     69.1  ·                   2,294    2,303
    hardware.residual_share     0.02 – 0.25              69     68.8  ·                   2,299    2,292
    hardware.cost_of_capital    0.05 – 0.12            68.8       69  ·                   2,294    2,300

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

    Held in another way:

    | the same demand | USD a year | USD per million tokens | to a landlord | note |
    | --- | ---: | ---: | ---: | --- |
    | owned | 4,828 | 68.9 | 0% | as the scenario has it |
    | colocated | 4,835 | 69 | 0.141% | - |
    | rented | 5,640 | 80.5 | 15.9% | - |

    The years ahead, beside novita/meta-llama/llama-3.1-8b-instruct: over all of them self-hosting costs more than the API by 15,988 USD in money of today.

    | year | requests | machines | self-hosted USD | API USD | cheaper |
    | ---: | ---: | ---: | ---: | ---: | --- |
    | 1 | 365,000 | 1 | 4,828 | 2.1 | API |
    | 2 | 365,000 | 1 | 4,828 | 1.05 | API |
    | 3 | 365,000 | 1 | 4,828 | 0.526 | API |
    | 4 | 365,000 | 1 | 4,828 | 0.263 | API |

    What moves the blended cost, each figure from its low to its high end with the others held:

    | one at a time | from – to | USD/Mtok at low | at high | swing | times API at low | at high |
    | --- | --- | ---: | ---: | --- | ---: | ---: |
    | demand.requests_per_day | 300 – 3,000 | 230 | 23 | ████████████ | 7,655 | 766 |
    | staff.fte | 0.0125 – 0.05 | 35.1 | 137 | ██████ | 1,169 | 4,551 |
    | staff.salary_usd_per_year | 100,000 – 175,000 | 52.1 | 90.3 | ██ | 1,738 | 3,010 |
    | hardware.price_factor | 0.8 – 1.3 | 68.6 | 69.3 | · | 2,288 | 2,309 |
    | hardware.life_years | 3 – 6 | 69.2 | 68.6 | · | 2,306 | 2,287 |
    | hardware.maintenance_share | 0.03 – 0.1 | 68.8 | 69.1 | · | 2,294 | 2,303 |
    | hardware.residual_share | 0.02 – 0.25 | 69 | 68.8 | · | 2,299 | 2,292 |
    | hardware.cost_of_capital | 0.05 – 0.12 | 68.8 | 69 | · | 2,294 | 2,300 |

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
