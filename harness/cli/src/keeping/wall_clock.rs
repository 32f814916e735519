//! Notices when somebody sets the system's clock, or the machine sleeps.
//!
//! Nothing that is measured comes from that clock; when cases began does.

use jiff::{SignedDuration, Timestamp};
use std::time::Instant;

/// Corrections up to this are left alone: a daemon that keeps the time makes smaller ones all day.
const NOTICED: SignedDuration = SignedDuration::from_secs(2);

/// The system's clock beside the one that samples are measured with.
pub(super) struct WallClock {
    steady: Instant,
    wall: Timestamp,
}

impl WallClock {
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), wall: Timestamp::now() }
    }

    /// What to say of a jump since it was asked last.
    pub(super) fn jump(&mut self) -> Option<String> {
        let now = Self::now();
        let steady = now.steady.saturating_duration_since(self.steady);
        let jump = jump(self.wall, now.wall, SignedDuration::try_from(steady).ok()?);
        *self = now;
        jump
    }
}

fn jump(before: Timestamp, after: Timestamp, steady: SignedDuration) -> Option<String> {
    let by = after.duration_since(before).checked_sub(steady)?;
    let way = if by.is_negative() { "back" } else { "forward" };
    (by.abs() > NOTICED).then(|| {
        format!(
            "the system's clock went {way} by {} s beside the time that passed: samples are timed by another clock, started_at of later cases is not",
            (by.abs().as_millis() + 500) / 1_000
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_noticed_and_one_that_is_trimmed_is_not() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let steady = SignedDuration::from_secs(10);
        assert_eq!(jump(at(0), at(11), steady), None);
        assert!(jump(at(0), at(3_610), steady).unwrap().contains("forward by 3600 s"));
        assert!(jump(at(0), at(-86_390), steady).unwrap().contains("back by 86400 s"));
    }
}
