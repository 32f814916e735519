//! Energy of a phase.

use crate::units::{Joules, Seconds, Watts};

/// Energy a phase took beyond what the idle machine would have taken.
///
/// `measured - idle * time`. The idle part is reported beside it, never thrown away: an idle hour
/// costs money too.
#[must_use]
pub fn energy_above_idle(measured: Joules, idle: Watts, time: Seconds) -> Joules {
    measured - idle * time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_seconds_at_thirty_watts_above_fifty_idle() {
        let above = energy_above_idle(Joules::new(800.0), Watts::new(50.0), Seconds::new(10.0));
        assert_eq!(above, Joules::new(300.0));
    }
}
