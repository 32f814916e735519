//! What APIs charge, with the date each price was checked.
//!
//! Not here yet: imports of other catalogues, cached and batch rates, subscription plans.

mod baseline;
mod catalogue;
mod checks;
mod price;

pub use baseline::{Comparator, comparators};
pub use catalogue::Catalogue;
pub use price::{ApiPrice, Class, DateBasis, STALE_AFTER};
