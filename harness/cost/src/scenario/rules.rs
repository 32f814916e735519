//! What the values of a scenario must be. Each rule is one plain sentence.

use super::section::{Rule, Spread};

macro_rules! rules {
    ($($name:ident, $spread:ident: $test:expr, $words:literal;)+) => {
        $(pub(super) static $name: Rule = Rule { holds: $test, words: $words, spread: Spread::$spread };)+
    };
}

rules! {
    REQUESTS, LogNormal: |x| x > 0.0 && x <= 1e12, "it must be more than 0 and at most 1e12";
    DAYS, None: |x| x > 0.0 && x <= 366.0, "it must be more than 0 and at most 366";
    HOURS, None: |x| x > 0.0 && x <= 8_784.0, "it must be more than 0 and at most 8784";
    COUNT, None: |x| x >= 1.0, "it must be at least 1";
    WHOLE, None: |x| x >= 0.0, "it must be 0 or more";
    PEAK, AboveOne: |x| x >= 1.0, "it must be at least 1: no peak is below the mean";
    AMOUNT, LogNormal: |x| x >= 0.0, "it must be 0 or more";
    POSITIVE, LogNormal: |x| x > 0.0, "it must be more than 0";
    WAIT, None: |x| x >= 0.0, "it must be 0 or more";
    VARIATION, None: |x| (0.01..=20.0).contains(&x), "it must be between 0.01 and 20";
    NOISE, None: |x| (0.0..=1.0).contains(&x), "it must be between 0 and 1";
    BOUND, None: |x| x > 0.0, "it must be more than 0";
    SHARE, Beta: |x| (0.0..=1.0).contains(&x), "it must be between 0 and 1";
    RESIDUAL, Beta: |x| (0.0..=1.0).contains(&x),
        "it must be between 0 and 1: no machine sells above its price";
    USABLE, Beta: |x| x > 0.0 && x <= 1.0, "it must be more than 0 and at most 1";
    BENEFITS, Beta: |x| (0.0..1.0).contains(&x), "it must be at least 0 and below 1";
    PUE, AboveOne: |x| x >= 1.0, "it must be at least 1: a site uses what its computers use";
    CHANGE, Normal: |x| x > -1.0 && x <= 1_000.0,
        "it must be more than -1 (all of it is gone in a year) and at most 1000";
    DECLINE, Beta: |x| (0.0..1.0).contains(&x), "it must be at least 0 and below 1";
    ELASTICITY, None: |x| x >= 0.0, "it must be 0 or more";
    LIFE, LogNormal: |x| x > 0.0 && x <= 100.0, "it must be more than 0 and at most 100";
}
