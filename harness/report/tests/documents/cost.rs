//! What tokens cost, the bill, and the chart.

use crate::fixture::{assessments, default, records};
use freeweights_report::{Format, break_even_chart, tables};

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
    model,engine,device,threads,scenario,requests_per_day,isl,osl,who,class,input_usd_per_mtok,output_usd_per_mtok,blended_usd_per_mtok,blend,blended_low_usd_per_mtok,blended_high_usd_per_mtok,usd_per_request,usd_per_year,self_hosted_over_api,break_even_requests_per_day,break_even_tokens_per_month,break_even_years,break_even_utilisation,net_present_saving_usd,last_winning_year,never_because,price_date,price_date_basis,price_stale,price_source
    dummy:smollm2-135m,candle,cpu,2,this-machine,1000,128,64,this machine,self-hosted,32.68636962936566,141.3119548482394,68.89489803565691,128:64,68.89489162339571,68.89490474524321,0.013227820422846127,4828.154454338836,,,,,,,,,,,,
    dummy:smollm2-135m,candle,cpu,2,this-machine,1000,128,64,"this machine, never idle",self-hosted,0.23659901861733154,1.022881103502927,0.49869304691253,128:64,0.48881523068614197,0.5090288798313716,0.00009574906500720576,,,,,,,,,,,,,
    dummy:smollm2-135m,candle,cpu,2,this-machine,1000,128,64,openrouter/meta-llama/llama-3.2-1b-instruct,similar open model,0.027,0.201,0.085,128:64,,,0.00001632,5.956799999999999,810.528212184199,,,,,-15981.661424395594,,"one machine would have to serve 813,623 requests a day; the measured capacity of this machine is 90,471, and it would take 11 of them",2026-10-19,checked,false,https://openrouter.ai/meta-llama/llama-3.2-1b-instruct
    dummy:smollm2-135m,candle,cpu,2,this-machine,1000,128,64,novita/meta-llama/llama-3.1-8b-instruct,similar open model,0.02,0.05,0.030000000000000002,128:64,,,0.000005760000000000001,2.1024000000000003,2296.4966011885635,,,,,-15988.00165078949,,"one machine would have to serve 2.32 million requests a day; the measured capacity of this machine is 90,471, and it would take 48 of them",2026-10-18,checked,false,https://novita.ai/pricing
    dummy:smollm2-135m,candle,cpu,2,this-machine,1000,128,64,openai/gpt-6.1-sol,frontier,2,10,4.666666666666667,128:64,,,0.0008960000000000001,327.04,14.763192436212194,14764.147266322152,86222620.03532137,,0.10680083381309427,-15453.501352976562,,,2026-10-14,checked,false,https://developers.openai.com/api/docs/pricing
    dummy:smollm2-135m,candle,cpu,2,this-machine,1000,128,64,anthropic/claude-opus-5-5,frontier,4,20,9.333333333333334,128:64,,,0.0017920000000000002,654.08,7.381596218106097,7381.817574048389,43109814.63244259,,0.05339856462708615,-14915.542749857874,,,2026-10-26,catalogue,false,https://www.anthropic.com/pricing#api
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
    staff                4,741    98.2%
    total                4,828     100%
    ");
    let narrow = grid.render(Format::Table, 60).unwrap();
    assert_eq!(narrow, grid.render(Format::Table, 120).unwrap());
    insta::assert_snapshot!(grid.render(Format::Csv, 60).unwrap(), @r#"
    model,engine,device,threads,scenario,component,usd_per_year,share
    dummy:smollm2-135m,candle,cpu,2,this-machine,capital,72.84602187724879,0.015087757147409706
    dummy:smollm2-135m,candle,cpu,2,this-machine,maintenance,13.020833333333332,0.0026968551765431032
    dummy:smollm2-135m,candle,cpu,2,this-machine,"energy, active",0.033808125,0.000007002287379107813
    dummy:smollm2-135m,candle,cpu,2,this-machine,"energy, idle",1.5262589062500003,0.00031611642102261724
    dummy:smollm2-135m,candle,cpu,2,this-machine,staff,4740.727532097004,0.9818922689676454
    dummy:smollm2-135m,candle,cpu,2,this-machine,total,4828.154454338836,1
    "#);
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
