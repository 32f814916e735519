//! What APIs charge, with the date each price was checked.
//!
//! [`Catalogue`] holds the bundled prices and any that [`import()`] read from a file; [`ApiUsage`]
//! says what a request asks of them, and [`ApiPrice::per_request`] what that costs: in the tier of
//! its length, with its cached and batched shares.
//!
//! Not here: subscription plans, and fees for anything but text tokens.

mod baseline;
mod bundled;
mod catalogue;
mod checks;
mod import;
mod price;
mod rates;
mod usage;

pub use baseline::{Baseline, Comparator, baseline_of, comparators};
pub use catalogue::Catalogue;
pub use import::{Imported, PriceImportError, Skipped, import};
pub use price::{ApiPrice, Class, DateBasis, STALE_AFTER};
pub use rates::{PriceTier, TokenRates, cached_input, discounted, mean_over_day, with_batch};
pub use usage::ApiUsage;
