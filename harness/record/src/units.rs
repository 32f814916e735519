//! One type per unit.
//!
//! A figure keeps its unit from the stopwatch to the bill: `Tokens / Seconds` is
//! [`TokensPerSecond`], and passing one for another does not compile.
//!
//! ```compile_fail
//! use freeweights_record::units::{Seconds, Tokens};
//! fn wait(_: Seconds) {}
//! wait(Tokens::new(3));
//! ```

use serde::{Deserialize, Serialize};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Div, Mul, Sub};

/// A real number with a unit, so that a statistic over seconds is again in seconds.
pub trait Quantity: Copy {
    /// Wraps a number that is in this unit already.
    fn from_f64(value: f64) -> Self;
    /// The bare number, in this unit.
    fn as_f64(self) -> f64;
}

macro_rules! real_units {
    ($($(#[$doc:meta])* $name:ident, $symbol:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(f64);

        impl $name {
            /// The unit as it is written in tables and in the schema.
            pub const SYMBOL: &'static str = $symbol;

            /// Wraps a number that is in this unit already.
            #[must_use]
            pub const fn new(value: f64) -> Self { Self(value) }

            /// The bare number, in this unit.
            #[must_use]
            pub const fn get(self) -> f64 { self.0 }
        }

        impl Quantity for $name {
            fn from_f64(value: f64) -> Self { Self(value) }
            fn as_f64(self) -> f64 { self.0 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)?;
                write!(f, " {}", Self::SYMBOL)
            }
        }

        impl Add for $name { type Output = Self; fn add(self, other: Self) -> Self { Self(self.0 + other.0) } }
        impl Sub for $name { type Output = Self; fn sub(self, other: Self) -> Self { Self(self.0 - other.0) } }
        impl Mul<f64> for $name { type Output = Self; fn mul(self, factor: f64) -> Self { Self(self.0 * factor) } }
        impl Div<f64> for $name { type Output = Self; fn div(self, divisor: f64) -> Self { Self(self.0 / divisor) } }
        impl Div for $name { type Output = f64; fn div(self, other: Self) -> f64 { self.0 / other.0 } }
        impl Sum for $name { fn sum<I: Iterator<Item = Self>>(iter: I) -> Self { Self(iter.map(|x| x.0).sum()) } }
    )+};
}

real_units! {
    /// A span of time.
    Seconds, "s";
    /// Throughput, over the whole batch unless said otherwise.
    TokensPerSecond, "tokens/s";
    /// Throughput, over the GPUs it took.
    TokensPerSecondPerGpu, "tokens/s/GPU";
    /// Throughput of requests.
    RequestsPerSecond, "requests/s";
    /// Requests that have arrived and are not finished.
    RequestsInFlight, "requests";
    /// Length of requests, on average.
    TokensPerRequest, "tokens/request";
    /// Tokens that a server sends at once.
    TokensPerEvent, "tokens/event";
    /// Memory traffic.
    BytesPerSecond, "B/s";
    /// Arithmetic throughput; a multiply-add counts as two.
    FlopsPerSecond, "FLOP/s";
    /// Floating-point operations done; a multiply-add counts as two.
    Flops, "FLOP";
    /// Power.
    Watts, "W";
    /// Energy.
    Joules, "J";
    /// Energy as it is billed.
    KilowattHours, "kWh";
    /// Energy spent on each token.
    JoulesPerToken, "J/token";
    /// A share: 1 is the whole.
    Fraction, "1";
    /// A share in hundredths.
    Percent, "%";
    /// Clock frequency.
    Megahertz, "MHz";
    /// Temperature.
    Celsius, "°C";
    /// Storage a parameter takes on average.
    BitsPerWeight, "bit";
    /// A span of time, as bills count it.
    Hours, "h";
    /// A span of time, as depreciation counts it.
    Years, "year";
    /// A span of time, as subscriptions count it.
    Months, "month";
    /// Money.
    Usd, "USD";
    /// A bill by the hour.
    UsdPerHour, "USD/h";
    /// A bill by the month.
    UsdPerMonth, "USD/month";
    /// A bill by the year.
    UsdPerYear, "USD/year";
    /// What an hour of one GPU costs, its share of the host included.
    UsdPerGpuHour, "USD/GPU-hour";
    /// The price of electricity.
    UsdPerKilowattHour, "USD/kWh";
    /// The price of tokens, as APIs quote it.
    UsdPerMillionTokens, "USD/Mtok";
    /// The price of one request.
    UsdPerRequest, "USD/request";
    /// Demand, as people state it.
    RequestsPerDay, "requests/day";
    /// Demand, as bills count it.
    RequestsPerYear, "requests/year";
    /// A volume of tokens, as bills count it.
    TokensPerYear, "tokens/year";
    /// A volume of tokens, as APIs invoice it.
    TokensPerMonth, "tokens/month";
    /// A span of time, as demand counts it.
    Days, "day";
    /// The price of space in a colocation site, by provisioned power.
    UsdPerKilowattMonth, "USD/kW-month";
    /// People who ask.
    Users, "users";
    /// Working time of staff: 1 is one person, full time.
    FullTimeEquivalents, "FTE";
    /// One quantity over another of its kind, where 1 is not the whole: PUE, peak to mean.
    Ratio, "ratio";
    /// Percent that a volume falls when its price rises by one percent.
    Elasticity, "%/%";
}

macro_rules! whole_units {
    ($($(#[$doc:meta])* $name:ident, $symbol:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// The unit as it is written in tables and in the schema.
            pub const SYMBOL: &'static str = $symbol;

            /// Wraps a count that is in this unit already.
            #[must_use]
            pub const fn new(value: u64) -> Self { Self(value) }

            /// The bare count, in this unit.
            #[must_use]
            pub const fn get(self) -> u64 { self.0 }

            /// The count as a real number; exact below 2^53.
            #[must_use]
            pub const fn as_f64(self) -> f64 { self.0 as f64 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} {}", self.0, Self::SYMBOL)
            }
        }

        // Files and servers may claim any count: sums end at the largest number and never wrap.
        impl Add for $name { type Output = Self; fn add(self, other: Self) -> Self { Self(self.0.saturating_add(other.0)) } }
        impl Mul<u64> for $name { type Output = Self; fn mul(self, factor: u64) -> Self { Self(self.0.saturating_mul(factor)) } }
        impl Sum for $name { fn sum<I: Iterator<Item = Self>>(iter: I) -> Self { iter.fold(Self(0), Add::add) } }
    )+};
}

whole_units! {
    /// A count of tokens.
    Tokens, "tokens";
    /// A count of bytes.
    Bytes, "B";
}

impl Seconds {
    /// From the standard library's span.
    #[must_use]
    pub fn from_duration(span: std::time::Duration) -> Self {
        Self(span.as_secs_f64())
    }
}

impl Div<Seconds> for Tokens {
    type Output = TokensPerSecond;
    fn div(self, time: Seconds) -> TokensPerSecond {
        TokensPerSecond(self.as_f64() / time.0)
    }
}

impl Div<Seconds> for Bytes {
    type Output = BytesPerSecond;
    fn div(self, time: Seconds) -> BytesPerSecond {
        BytesPerSecond(self.as_f64() / time.0)
    }
}

impl Div<Seconds> for Flops {
    type Output = FlopsPerSecond;
    fn div(self, time: Seconds) -> FlopsPerSecond {
        FlopsPerSecond(self.0 / time.0)
    }
}

impl Div<Tokens> for Joules {
    type Output = JoulesPerToken;
    fn div(self, tokens: Tokens) -> JoulesPerToken {
        JoulesPerToken(self.0 / tokens.as_f64())
    }
}

impl Div<Seconds> for Joules {
    type Output = Watts;
    fn div(self, time: Seconds) -> Watts {
        Watts(self.0 / time.0)
    }
}

impl Mul<Seconds> for Watts {
    type Output = Joules;
    fn mul(self, time: Seconds) -> Joules {
        Joules(self.0 * time.0)
    }
}

impl Mul<Hours> for Watts {
    type Output = KilowattHours;
    fn mul(self, time: Hours) -> KilowattHours {
        KilowattHours(self.0 * time.0 / 1000.0)
    }
}

impl Mul<KilowattHours> for UsdPerKilowattHour {
    type Output = Usd;
    fn mul(self, energy: KilowattHours) -> Usd {
        Usd(self.0 * energy.0)
    }
}

impl Mul<Hours> for UsdPerHour {
    type Output = Usd;
    fn mul(self, time: Hours) -> Usd {
        Usd(self.0 * time.0)
    }
}

impl Mul<Days> for RequestsPerDay {
    type Output = RequestsPerYear;
    /// Requests of as many days as the year has demand on.
    fn mul(self, days: Days) -> RequestsPerYear {
        RequestsPerYear(self.0 * days.0)
    }
}

impl Mul<Tokens> for RequestsPerYear {
    type Output = TokensPerYear;
    fn mul(self, tokens: Tokens) -> TokensPerYear {
        TokensPerYear(self.0 * tokens.as_f64())
    }
}

impl Div<Hours> for RequestsPerYear {
    type Output = RequestsPerSecond;
    /// Mean rate over as many hours as the year has service on.
    fn div(self, hours: Hours) -> RequestsPerSecond {
        RequestsPerSecond(self.0 / (hours.0 * 3600.0))
    }
}

impl Mul<Hours> for RequestsPerSecond {
    type Output = RequestsPerYear;
    /// Requests of as many hours as the year has service on.
    fn mul(self, hours: Hours) -> RequestsPerYear {
        RequestsPerYear(self.0 * hours.0 * 3600.0)
    }
}

impl Div<TokensPerYear> for UsdPerYear {
    type Output = UsdPerMillionTokens;
    fn div(self, tokens: TokensPerYear) -> UsdPerMillionTokens {
        UsdPerMillionTokens(self.0 / tokens.0 * 1e6)
    }
}

impl Mul<TokensPerYear> for UsdPerMillionTokens {
    type Output = UsdPerYear;
    fn mul(self, tokens: TokensPerYear) -> UsdPerYear {
        UsdPerYear(self.0 * tokens.0 / 1e6)
    }
}

impl Mul<Tokens> for UsdPerMillionTokens {
    type Output = Usd;
    fn mul(self, tokens: Tokens) -> Usd {
        Usd(self.0 * tokens.as_f64() / 1e6)
    }
}

impl Mul<TokensPerMonth> for UsdPerMillionTokens {
    type Output = UsdPerMonth;
    fn mul(self, tokens: TokensPerMonth) -> UsdPerMonth {
        UsdPerMonth(self.0 * tokens.0 / 1e6)
    }
}

impl Mul<Seconds> for RequestsPerSecond {
    type Output = RequestsInFlight;
    /// Requests that are in flight if each takes so long.
    fn mul(self, latency: Seconds) -> RequestsInFlight {
        RequestsInFlight(self.0 * latency.0)
    }
}

impl Div<RequestsPerYear> for UsdPerYear {
    type Output = UsdPerRequest;
    fn div(self, requests: RequestsPerYear) -> UsdPerRequest {
        UsdPerRequest(self.0 / requests.0)
    }
}

impl Mul<RequestsPerYear> for UsdPerRequest {
    type Output = UsdPerYear;
    fn mul(self, requests: RequestsPerYear) -> UsdPerYear {
        UsdPerYear(self.0 * requests.0)
    }
}

impl Bytes {
    /// The size in the largest binary prefix that keeps the number at or above one.
    ///
    /// For people; files keep plain bytes.
    #[must_use]
    pub fn human(self) -> String {
        const PREFIXES: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
        let mut value = self.as_f64();
        let mut prefix = 0;
        while value >= 1024.0 && prefix + 1 < PREFIXES.len() {
            value /= 1024.0;
            prefix += 1;
        }
        if prefix == 0 {
            format!("{} B", self.0)
        } else {
            format!("{value:.1} {}", PREFIXES[prefix])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_beyond_all_numbers_end_at_the_largest() {
        let most = Tokens::new(u64::MAX);
        assert_eq!(most + Tokens::new(1), most);
        assert_eq!(Tokens::new(1 << 63) * 2, most);
        assert_eq!([most, most, Tokens::new(7)].into_iter().sum::<Tokens>(), most);
    }

    #[test]
    fn units_combine_as_physics_does() {
        assert_eq!(Tokens::new(100) / Seconds::new(4.0), TokensPerSecond::new(25.0));
        assert_eq!(Watts::new(50.0) * Seconds::new(2.0), Joules::new(100.0));
        // 400 W for 10 h is 4 kWh; at 0.25 USD each that is 1 USD.
        let energy = Watts::new(400.0) * Hours::new(10.0);
        assert_eq!(energy, KilowattHours::new(4.0));
        assert_eq!(UsdPerKilowattHour::new(0.25) * energy, Usd::new(1.0));
        assert_eq!(Joules::new(10.0) / Tokens::new(4), JoulesPerToken::new(2.5));
        assert_eq!(Joules::new(100.0) / Seconds::new(4.0), Watts::new(25.0));
    }

    #[test]
    fn a_year_of_requests_becomes_tokens_and_tokens_become_money() {
        let year = RequestsPerDay::new(1_000.0) * Days::new(365.0);
        assert_eq!(year, RequestsPerYear::new(365_000.0));
        // 365,000 requests of 200 tokens are 73 million tokens; 146 USD over them is 2 USD a million.
        let tokens = year * Tokens::new(200);
        assert_eq!(tokens, TokensPerYear::new(73e6));
        assert_eq!(UsdPerYear::new(146.0) / tokens, UsdPerMillionTokens::new(2.0));
        assert_eq!(UsdPerMillionTokens::new(2.0) * tokens, UsdPerYear::new(146.0));
        assert_eq!(UsdPerMillionTokens::new(2.0) * Tokens::new(500_000), Usd::new(1.0));
        assert_eq!(UsdPerYear::new(365.0) / year, UsdPerRequest::new(0.001));
        assert_eq!(UsdPerRequest::new(0.5) * year, UsdPerYear::new(182_500.0));
        // 3.6 million requests over 1,000 hours are one a second.
        let rate = RequestsPerYear::new(3.6e6) / Hours::new(1_000.0);
        assert_eq!(rate, RequestsPerSecond::new(1.0));
        assert_eq!(rate * Hours::new(1_000.0), RequestsPerYear::new(3.6e6));
    }

    #[test]
    fn a_month_of_tokens_becomes_money_and_a_rate_becomes_requests_in_flight() {
        // 4 USD a million for 2.5 million tokens a month
        let month = UsdPerMillionTokens::new(4.0) * TokensPerMonth::new(2.5e6);
        assert_eq!(month, UsdPerMonth::new(10.0));
        let flight = RequestsPerSecond::new(3.0) * Seconds::new(0.5);
        assert_eq!(flight, RequestsInFlight::new(1.5));
    }

    #[test]
    fn bytes_are_written_for_people_in_binary_prefixes() {
        assert_eq!(Bytes::new(999).human(), "999 B");
        assert_eq!(Bytes::new(1024).human(), "1.0 KiB");
        assert_eq!(Bytes::new(98_362_432).human(), "93.8 MiB");
        assert_eq!(Bytes::new(24 << 30).human(), "24.0 GiB");
    }
}
