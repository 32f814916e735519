//! An answer in the making: its figures first, then its sentence from the same figures.

use super::answer::{ClaimAnswer, ClaimFigure, Series, Threshold, Verdict, reading};
use super::claim::{Claim, ClaimId, Given};
use crate::assessment::Estimate;
use crate::figure::{Label, ListedFigure, Value};
use crate::people::number;
use freeweights_record::units::RequestsInFlight;

/// An answer without its verdict.
pub(super) struct Draft {
    claim: &'static Claim,
    figures: Vec<ClaimFigure>,
    threshold: Option<Threshold>,
    leans_on: Vec<ListedFigure>,
    series: Option<Series>,
}

impl Draft {
    pub(super) fn of(id: ClaimId) -> Self {
        let claim = Claim::of(id);
        Self { claim, figures: Vec::new(), threshold: None, leans_on: Vec::new(), series: None }
    }

    /// A figure that came with the claim.
    pub(super) fn given(&self, key: &str) -> f64 {
        self.claim.given(key)
    }

    /// Adds a figure. What is no finite number is left out.
    pub(super) fn put<T: Value>(
        &mut self,
        key: impl Into<String>,
        what: impl Into<String>,
        value: T,
        label: Label,
    ) {
        self.range(key, what, Estimate { value, low: None, high: None }, label);
    }

    /// Adds a figure with the ends of its range.
    pub(super) fn range<T: Value>(
        &mut self,
        key: impl Into<String>,
        what: impl Into<String>,
        value: Estimate<T>,
        label: Label,
    ) {
        let Estimate { value, low, high } = value.map(Value::as_number);
        if value.is_finite() {
            let (key, what, unit) = (key.into(), what.into(), T::UNIT.to_owned());
            self.figures.push(ClaimFigure { key, what, value, low, high, unit, label });
        }
    }

    /// Adds a count of requests.
    pub(super) fn count(&mut self, key: impl Into<String>, what: impl Into<String>, count: u32) {
        let (key, what, unit) = (key.into(), what.into(), RequestsInFlight::SYMBOL.to_owned());
        let (value, low, high, label) = (f64::from(count), None, None, Label::Measured);
        self.figures.push(ClaimFigure { key, what, value, low, high, unit, label });
    }

    /// Where the verdict flips, if it does.
    pub(super) fn flips_at<T: Value>(&mut self, what: impl Into<String>, at: Option<T>) {
        let at = at.map(Value::as_number).filter(|value| value.is_finite());
        self.threshold =
            at.map(|value| Threshold { what: what.into(), value, unit: T::UNIT.to_owned() });
    }

    pub(super) const fn flips(&self) -> bool {
        self.threshold.is_some()
    }

    /// Whether there is a figure of this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.figures.iter().any(|figure| figure.key == key)
    }

    /// Names inputs of a list by their names or, with a dot at the end, by how those begin.
    pub(super) fn leans_on(&mut self, figures: &[ListedFigure], names: &[&str]) {
        let wanted = |figure: &&ListedFigure| {
            names.iter().any(|name| {
                figure.name == *name || (name.ends_with('.') && figure.name.starts_with(name))
            })
        };
        self.leans_on.extend(figures.iter().filter(wanted).cloned());
    }

    /// Names one more input.
    pub(super) fn leans_on_one(&mut self, figure: ListedFigure) {
        self.leans_on.push(figure);
    }

    pub(super) fn draw(&mut self, series: Series) {
        self.series = Some(series);
    }

    /// The answer, its sentence made of a template.
    ///
    /// `{key}` is a figure, `{key.low}` and `{key.high}` are its ends, `{threshold}` is where the
    /// verdict flips, and any other name stands in `texts`, which may come from a user and are not
    /// read as a template.
    pub(super) fn done(
        mut self,
        verdict: Verdict,
        template: &str,
        texts: &[(&str, &str)],
    ) -> ClaimAnswer {
        self.figures.extend(self.claim.given.iter().map(given_figure));
        let sentence = self.filled(template, texts);
        self.answer(verdict, sentence, None)
    }

    /// No verdict: what would have to be measured or stated.
    pub(super) fn lacks(mut self, needs: impl Into<String>) -> ClaimAnswer {
        self.figures = self.claim.given.iter().map(given_figure).collect();
        self.threshold = None;
        self.answer(Verdict::NotMeasured, "Not measured here.".to_owned(), Some(needs.into()))
    }

    fn answer(self, verdict: Verdict, sentence: String, needs: Option<String>) -> ClaimAnswer {
        let Claim { id, title, claim, source, rule, .. } = self.claim;
        ClaimAnswer {
            id: *id,
            title: title.clone(),
            claim: claim.clone(),
            source: source.clone(),
            rule: rule.clone(),
            verdict,
            figures: self.figures,
            threshold: self.threshold,
            sentence,
            needs,
            leans_on: self.leans_on,
            series: self.series,
        }
    }

    fn filled(&self, template: &str, texts: &[(&str, &str)]) -> String {
        let mut text = String::with_capacity(template.len() * 2);
        let mut rest = template;
        while let Some((before, slot)) = rest.split_once('{') {
            text.push_str(before);
            let (name, after) = slot.split_once('}').unwrap_or((slot, ""));
            match texts.iter().find(|(key, _)| *key == name) {
                Some((_, words)) => text.push_str(words),
                None => text.push_str(&self.read(name)),
            }
            rest = after;
        }
        text.push_str(rest);
        text
    }

    /// A slot of a template as people read it; `-` where there is no such figure.
    fn read(&self, slot: &str) -> String {
        if slot == "threshold" {
            let threshold = self.threshold.as_ref();
            return threshold.map_or_else(missing, |at| reading(at.value, &at.unit));
        }
        let (key, end) = slot.split_once('.').unwrap_or((slot, ""));
        let Some(figure) = self.figures.iter().find(|figure| figure.key == key) else {
            return missing();
        };
        let value = match end {
            "low" => figure.low,
            "high" => figure.high,
            _ => Some(figure.value),
        };
        value.map_or_else(missing, |value| reading(value, &figure.unit))
    }
}

fn missing() -> String {
    number(f64::NAN)
}

fn given_figure(given: &Given) -> ClaimFigure {
    ClaimFigure {
        key: given.key.clone(),
        what: given.what.clone(),
        value: given.value,
        low: given.low,
        high: given.high,
        unit: given.unit.clone(),
        label: Label::Assumed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::units::{Fraction, UsdPerYear};

    #[test]
    fn a_sentence_is_made_of_the_figures() {
        let mut draft = Draft::of(ClaimId::C3);
        let bill = Estimate { value: 1_234_567.0, low: Some(1e6), high: None }.map(UsdPerYear::new);
        draft.range("bill", "bill", bill, Label::Derived);
        draft.put("share", "share", Fraction::new(0.123), Label::Derived);
        draft.flips_at("bill", Some(UsdPerYear::new(5.0)));
        let answer = draft.done(
            Verdict::Refuted,
            "{who} pays {bill} ({bill.low} to {bill.high}), {share} of {band.high}, not {threshold}; {none}",
            &[("who", "a {bill} user")],
        );
        assert_eq!(
            answer.sentence,
            "a {bill} user pays 1.23 million (1 million to -), 12.3% of 190,000, not 5; -"
        );
    }

    #[test]
    fn what_is_not_measured_has_no_figures_but_those_of_the_claim() {
        let mut draft = Draft::of(ClaimId::C6);
        draft.put("share", "share", Fraction::new(0.5), Label::Derived);
        draft.flips_at("share", Some(Fraction::new(0.5)));
        let answer = draft.lacks("more");
        assert_eq!((answer.verdict, answer.figures.len()), (Verdict::NotMeasured, 1));
        assert_eq!((answer.threshold, answer.needs.as_deref()), (None, Some("more")));
    }
}
