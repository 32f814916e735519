//! What was measured.

use crate::fixture::{TODAY, host, records};
use freeweights_cost::Catalogue;
use freeweights_report::{Format, tables};

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
    engine,device,threads,model,quant,isl,osl,depth,batch,prompts,prefill_mean_tps,prefill_stddev_tps,prefill_ci95_low_tps,prefill_ci95_high_tps,decode_mean_tps,decode_stddev_tps,decode_ci95_low_tps,decode_ci95_high_tps,ttft_mean_s,peak_bytes,status,error
    candle,cpu,2,dummy:smollm2-135m,q8_0,128,64,0,1,,402.3,4.8276,398.277,406.32300000000004,41.72,1.41848,40.677,42.763,0.341,412000000,ok,
    candle,cpu,2,dummy:smollm2-135m,q8_0,128,64,0,4,,520,6.24,514.8,525.2,118.4,4.025600000000001,115.44,121.36,0.341,412000000,ok,
    candle,cpu,2,dummy:smollm2-135m,q8_0,128,64,0,64,,,,,,,,,,,,failed,out of memory
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
