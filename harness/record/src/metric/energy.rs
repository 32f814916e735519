//! Energy of a phase.
//!
//! Not here: where the joules come from.

use crate::stats::NoValue;
use crate::units::{Joules, JoulesPerToken, Seconds, Tokens, Watts};

/// Energy a phase took beyond what the idle machine would have taken.
///
/// `measured - idle * time`. The idle part is reported beside it, never thrown away: an idle hour
/// costs money too.
#[must_use]
pub fn energy_above_idle(measured: Joules, idle: Watts, time: Seconds) -> Joules {
    measured - idle * time
}

/// Mean power of a phase, idle power included.
///
/// `energy / time`; J and s in, W out.
///
/// # Errors
/// [`NoValue::NotFinite`] where no time passed.
pub fn mean_power(energy: Joules, time: Seconds) -> Result<Watts, NoValue> {
    let power = energy / time;
    if power.get().is_finite() { Ok(power) } else { Err(NoValue::NotFinite) }
}

/// Energy of a phase over the tokens of its whole batch, idle power included.
///
/// `energy / tokens`; J and tokens in, J/token out.
///
/// # Errors
/// [`NoValue::TooFewTokens`] without a token.
pub fn energy_per_token(energy: Joules, tokens: Tokens) -> Result<JoulesPerToken, NoValue> {
    if tokens.get() == 0 {
        return Err(NoValue::TooFewTokens { needed: 1, have: 0 });
    }
    Ok(energy / tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_seconds_at_thirty_watts_above_fifty_idle() {
        let above = energy_above_idle(Joules::new(800.0), Watts::new(50.0), Seconds::new(10.0));
        assert_eq!(above, Joules::new(300.0));
    }

    #[test]
    fn eight_hundred_joules_in_ten_seconds_for_four_hundred_tokens() {
        assert_eq!(mean_power(Joules::new(800.0), Seconds::new(10.0)), Ok(Watts::new(80.0)));
        assert_eq!(mean_power(Joules::new(0.0), Seconds::new(0.0)), Err(NoValue::NotFinite));
        let tokens = Tokens::new(400);
        assert_eq!(energy_per_token(Joules::new(800.0), tokens), Ok(JoulesPerToken::new(2.0)));
        let none = energy_per_token(Joules::new(800.0), Tokens::new(0));
        assert_eq!(none, Err(NoValue::TooFewTokens { needed: 1, have: 0 }));
    }
}
