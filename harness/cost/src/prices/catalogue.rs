//! The catalogue of prices: the bundled one, and prices the caller adds to it.

use super::bundled;
use super::price::ApiPrice;
use super::usage::ApiUsage;
use crate::error::CostError;
use crate::nearest::nearest;
use freeweights_record::units::Tokens;
use jiff::civil::Date;

/// A request this short never reaches a long-context tier.
const SHORT: ApiUsage = ApiUsage::plain(Tokens::new(1_000), Tokens::new(1_000));

/// Prices of APIs. The bundled ones work offline.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    added: Vec<ApiPrice>,
    bundled: bool,
}

impl Catalogue {
    /// The prices of the `genai-prices` crate, by the table `data/prices.csv`.
    #[must_use]
    pub const fn bundled() -> Self {
        Self { added: Vec::new(), bundled: true }
    }

    /// These prices and no others.
    #[must_use]
    pub const fn of(prices: Vec<ApiPrice>) -> Self {
        Self { added: prices, bundled: false }
    }

    /// Adds prices; they win over bundled ones of the same id, and over those added later.
    #[must_use]
    pub fn with(mut self, prices: Vec<ApiPrice>) -> Self {
        self.added.extend(prices);
        self
    }

    /// All prices in force on a day whose id or display name contains `text`, in any case.
    ///
    /// One model at several providers stands together, the cheapest input first; models are in the
    /// order of the last part of their ids. Models without a price for both input and output tokens
    /// are left out. Prices are those of short requests; each names its tiers.
    #[must_use]
    pub fn list(&self, text: &str, on: Date) -> Vec<ApiPrice> {
        let wanted = text.to_lowercase();
        let mut prices: Vec<ApiPrice> = Vec::new();
        for price in &self.added {
            let known = prices.iter().any(|known| known.id() == price.id());
            if !known && contains(&price.id(), &wanted) {
                prices.push(price.clone());
            }
        }
        if self.bundled {
            let matching = bundled::models()
                .iter()
                .filter(|model| contains(&model.id, &wanted) || contains(model.name(), &wanted))
                .filter(|model| self.added(&model.id).is_none());
            prices.extend(matching.filter_map(|model| model.price(on)));
        }
        prices.sort_by(|a, b| {
            let by_model = short_name(&a.model).cmp(&short_name(&b.model));
            by_model.then(a.input.get().total_cmp(&b.input.get())).then(a.provider.cmp(&b.provider))
        });
        prices
    }

    /// The price of `provider/model` on a day, for short requests.
    ///
    /// # Errors
    /// [`CostError::UnknownPrice`] with the nearest ids, [`CostError::NoTokenPrice`] where the
    /// catalogue knows the model but no price for both kinds of tokens.
    pub fn find(&self, id: &str, on: Date) -> Result<ApiPrice, CostError> {
        self.find_for(id, &SHORT, on)
    }

    /// The price of `provider/model` on a day for requests of a shape.
    ///
    /// Where the provider charges all tokens of a long request at a higher rate, this is that rate.
    ///
    /// # Errors
    /// As [`Catalogue::find`] and [`ApiUsage::check`].
    pub fn find_for(&self, id: &str, usage: &ApiUsage, on: Date) -> Result<ApiPrice, CostError> {
        usage.check()?;
        if let Some(price) = self.added(id) {
            return Ok(price.clone().in_tier_of(usage.isl));
        }
        let known = self.bundled.then(|| bundled::model(id)).flatten();
        let Some(model) = known else {
            return Err(CostError::UnknownPrice { id: id.to_owned(), nearest: self.nearest(id) });
        };
        let price = model.price(on).ok_or_else(|| CostError::NoTokenPrice { id: id.to_owned() })?;
        Ok(price.in_tier_of(usage.isl))
    }

    /// Ids that look like `id`, best first.
    #[must_use]
    pub fn nearest(&self, id: &str) -> Vec<String> {
        let mut ids: Vec<String> = self.added.iter().map(ApiPrice::id).collect();
        if self.bundled {
            ids.extend(bundled::models().iter().map(|model| model.id.clone()));
        }
        nearest(id, ids.iter().map(String::as_str))
    }

    fn added(&self, id: &str) -> Option<&ApiPrice> {
        let (provider, model) = id.split_once('/')?;
        self.added.iter().find(|price| price.provider == provider && price.model == model)
    }
}

fn contains(text: &str, wanted: &str) -> bool {
    text.to_lowercase().contains(wanted)
}

/// The model without its organisation: `llama-3.1-8b-instruct` of `meta-llama/Llama-3.1-8B-Instruct`.
fn short_name(model: &str) -> String {
    model.rsplit('/').next().unwrap_or(model).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::units::UsdPerMillionTokens;
    use jiff::civil::date;

    const TODAY: Date = date(2026, 11, 22);

    #[test]
    fn a_known_price_carries_its_date_and_its_page() {
        let price = Catalogue::bundled().find("openai/gpt-6.1-sol", TODAY).unwrap();
        assert_eq!((price.input.get(), price.output.get()), (2.0, 10.0));
        assert_eq!(price.dated(), "checked 2026-10-14");
        assert!(!price.open);
        let other = Catalogue::bundled().find("groq/llama-3.1-8b-instant", TODAY).unwrap();
        assert_eq!(other.dated(), "catalogue of 2026-10-26");
        assert_eq!(other.source, "https://console.groq.com/docs/models");
        assert!(other.open);
    }

    #[test]
    fn prices_follow_the_date() {
        let catalogue = Catalogue::bundled();
        let id = "novita/meta-llama/llama-3.1-8b-instruct";
        let at = |day| catalogue.find(id, day).unwrap().input;
        assert_eq!(at(date(2026, 10, 17)), UsdPerMillionTokens::new(0.05));
        assert_eq!(at(date(2026, 10, 18)), UsdPerMillionTokens::new(0.02));
    }

    #[test]
    fn a_long_request_is_priced_at_its_tier_strictly_above_it() {
        let catalogue = Catalogue::bundled();
        let at = |isl| {
            let id = "anthropic/claude-sonnet-4-5";
            let usage = ApiUsage::plain(Tokens::new(isl), Tokens::new(1));
            let price = catalogue.find_for(id, &usage, TODAY).unwrap();
            (price.input.get(), price.tier_above.map(Tokens::get))
        };
        assert_eq!((at(200_000), at(200_001)), ((3.0, None), (6.0, Some(200_000))));
    }

    #[test]
    fn an_unknown_id_is_answered_with_known_ones() {
        let error = Catalogue::bundled().find("openai/gpt-6.1-soll", TODAY).unwrap_err();
        insta::assert_snapshot!(error, @r#"no price for "openai/gpt-6.1-soll" in the catalogue; did you mean openai/gpt-6.1-sol or openai/gpt-6-sol or aws/global.openai.gpt-6.1-sol?, or search with: freeweights prices TEXT"#);
    }

    #[test]
    fn what_has_no_token_price_is_no_price_of_zero() {
        let error = Catalogue::bundled().find("voyageai/voyage-3.5", TODAY).unwrap_err();
        assert!(matches!(error, CostError::NoTokenPrice { .. }), "{error}");
        assert!(Catalogue::bundled().list("", TODAY).iter().all(|p| p.input.get() > 0.0));
    }

    #[test]
    fn listing_filters_by_any_part_of_a_name() {
        let found = Catalogue::bundled().list("LLAMA-3.2-1b", TODAY);
        assert!(found.len() >= 3, "{found:?}");
        assert!(found.iter().all(|price| price.id().to_lowercase().contains("llama-3.2-1b")));
    }

    #[test]
    fn one_model_at_several_hosts_stands_together_the_cheapest_first() {
        let found = Catalogue::bundled().list("llama-3.3-70b-instruct", TODAY);
        let mut names: Vec<String> = found.iter().map(|price| short_name(&price.model)).collect();
        assert!(names.iter().filter(|name| *name == "llama-3.3-70b-instruct").count() > 5);
        names.dedup();
        let once = names.len();
        names.sort();
        names.dedup();
        assert_eq!(once, names.len(), "each name stands in one place");
        for pair in found.windows(2).filter(|p| short_name(&p[0].model) == short_name(&p[1].model))
        {
            assert!(pair[0].input <= pair[1].input, "{pair:?}");
        }
    }

    #[test]
    fn an_added_price_wins() {
        let mut mine = Catalogue::bundled().find("openai/gpt-6.1-sol", TODAY).unwrap();
        mine.input = UsdPerMillionTokens::new(1.5);
        let catalogue = Catalogue::bundled().with(vec![mine.clone()]);
        assert_eq!(catalogue.find("openai/gpt-6.1-sol", TODAY).unwrap(), mine);
        let listed = catalogue.list("openai/gpt-6.1-sol", TODAY);
        assert_eq!(listed.iter().filter(|price| price.id() == mine.id()).count(), 1);
        assert_eq!(listed[0], mine);
    }
}
