//! What to tell people before they measure on a machine in bad condition.

use freeweights_record::Host;
use freeweights_record::units::Bytes;

/// Load average, as a share of the CPUs, from which other programs take part in the measurement.
const MOST_LOAD: f64 = 0.5;

/// One line each, with the remedy. They are advice: nothing is refused.
#[must_use]
pub fn warnings(host: &Host) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(governor) = host.governor.as_deref().filter(|governor| *governor != "performance") {
        lines.push(format!(
            "the governor of the clocks is {governor}, so they follow the load late; `sudo cpupower frequency-set -g performance` holds them up"
        ));
    }
    let before = host.before.as_ref();
    let cpus = host.cpu_cores.map(f64::from);
    if let Some((load, cpus)) = before.and_then(|moment| moment.load_average_1m).zip(cpus)
        && load > MOST_LOAD * cpus
    {
        lines.push(format!(
            "load average is {load:.1} on {cpus} CPUs: other programs run too; wait until they are done, or stop them"
        ));
    }
    let swap = before.and_then(|moment| moment.swap_used_bytes);
    if let Some(swap) = swap.filter(|swap| *swap > Bytes::new(0)) {
        lines.push(format!(
            "{} are in swap and may have to come back while something is timed; free memory, then `sudo swapoff -a && sudo swapon -a`",
            swap.human()
        ));
    }
    if host.on_battery == Some(true) {
        lines.push("the machine runs on its battery, which lowers clocks; plug it in".into());
    }
    if let Some((limit, cpus)) = host.cpu_limit.zip(cpus)
        && limit < cpus
    {
        lines.push(format!(
            "a control group grants {limit} of {cpus} CPUs and stops the process when they are used up; --threads {} stays below",
            limit.max(1.0).floor()
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::host::Moment;

    fn with(load: f64, swap: u64) -> Host {
        let before = Moment {
            load_average_1m: Some(load),
            swap_used_bytes: Some(Bytes::new(swap)),
            ..Moment::default()
        };
        Host { cpu_cores: Some(8), before: Some(before), ..Host::default() }
    }

    #[test]
    fn a_quiet_machine_is_not_talked_about() {
        let quiet = Host {
            governor: Some("performance".into()),
            on_battery: Some(false),
            cpu_limit: Some(8.0),
            ..with(4.0, 0)
        };
        assert_eq!(warnings(&quiet), [""; 0]);
        assert_eq!(warnings(&Host::default()), [""; 0]);
    }

    #[test]
    fn each_trouble_is_one_line_with_its_remedy() {
        let bad = Host {
            governor: Some("powersave".into()),
            on_battery: Some(true),
            cpu_limit: Some(2.5),
            ..with(4.1, 3 << 20)
        };
        assert_eq!(
            warnings(&bad),
            [
                "the governor of the clocks is powersave, so they follow the load late; `sudo cpupower frequency-set -g performance` holds them up",
                "load average is 4.1 on 8 CPUs: other programs run too; wait until they are done, or stop them",
                "3.0 MiB are in swap and may have to come back while something is timed; free memory, then `sudo swapoff -a && sudo swapon -a`",
                "the machine runs on its battery, which lowers clocks; plug it in",
                "a control group grants 2.5 of 8 CPUs and stops the process when they are used up; --threads 2 stays below",
            ]
        );
    }
}
