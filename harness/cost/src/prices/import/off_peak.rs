//! `LiteLLM`'s `off_peak_pricing`: cheaper hours of a week.

use freeweights_record::units::Hours;
use serde_json::Value;

/// Hours of a week.
pub(super) const WEEK: Hours = Hours::new(168.0);

const DAYS: usize = 7;

/// How many hours of a week the windows cover. Nothing where a window cannot be read.
///
/// A window is `{"hours_utc": "16:30-00:30", "weekdays": [1, 2]}`: one span of hours or a list of
/// them, on the days named or on all seven. A span ends before it begins where it crosses midnight,
/// and one that ends when it begins is a whole day. Windows do not overlap.
pub(super) fn hours_a_week(windows: &Value) -> Option<Hours> {
    let hours: Option<f64> = windows.as_array()?.iter().map(hours_of_window).sum();
    hours.filter(|hours| (0.0..=WEEK.get()).contains(hours)).map(Hours::new)
}

fn hours_of_window(window: &Value) -> Option<f64> {
    let days = match window.get("weekdays") {
        Some(days) => days.as_array()?.len(),
        None => DAYS,
    };
    let spans = match window.get("hours_utc")? {
        Value::Array(spans) => spans.iter().map(hours_of_span).sum(),
        span => hours_of_span(span),
    };
    spans.map(|hours: f64| hours * days as f64)
}

/// 8 for `16:30-00:30`.
fn hours_of_span(span: &Value) -> Option<f64> {
    let (from, to) = span.as_str()?.split_once('-')?;
    let hours = hour(to)? - hour(from)?;
    Some(if hours > 0.0 { hours } else { hours + 24.0 })
}

/// 16.5 for `16:30`.
fn hour(time: &str) -> Option<f64> {
    let (hours, minutes) = time.trim().split_once(':')?;
    let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
    (hours <= 24 && minutes < 60).then(|| f64::from(hours) + f64::from(minutes) / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn windows_add_up_over_the_week() {
        let hours = |windows: Value| hours_a_week(&windows).map(Hours::get);
        // Eight hours across midnight on seven days.
        assert_eq!(hours(json!([{"hours_utc": "16:30-00:30"}])), Some(56.0));
        // (1 + 2 + 14) * 5 + 24 * 2 = 133
        let week = json!([
            {"hours_utc": ["00:00-01:00", "04:00-06:00", "10:00-00:00"], "weekdays": [1, 2, 3, 4, 5]},
            {"hours_utc": "00:00-00:00", "weekdays": [6, 7]},
        ]);
        assert_eq!(hours(week), Some(133.0));
        assert_eq!(hours(json!([{"hours_utc": "night"}])), None);
        assert_eq!(
            hours(json!([{"hours_utc": "00:00-00:00"}, {"hours_utc": "00:00-01:00"}])),
            None
        );
        assert_eq!(hours(json!("16:30-00:30")), None);
    }
}
