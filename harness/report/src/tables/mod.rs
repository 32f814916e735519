//! The tables, one a file. Each is a [`crate::Grid`], so each comes in every format.

mod ahead;
mod assumptions;
mod bill;
mod claims;
mod compared;
mod cost;
mod drawn;
mod fleet;
mod history;
mod host;
mod leaderboard;
mod ledger;
mod measurements;
mod prices;
mod served;
mod tornado;
mod words;

pub use ahead::{outlook, tenures};
pub use assumptions::{assumptions, listed_figures};
pub use bill::bill;
pub use claims::claims;
pub use compared::{compared, environment, same_in_every_row};
pub use cost::cost;
pub use drawn::{drawn, odds};
pub(crate) use fleet::tokens_a_year;
pub use fleet::{fleet_costs, fleet_fan, fleet_levels, fleet_profile, fleet_sizes};
pub use history::history;
pub use host::host;
pub use leaderboard::leaderboard;
pub use ledger::ledger;
pub use measurements::measurements;
pub(crate) use measurements::status;
pub use prices::prices;
pub use served::served;
pub use tornado::{tornado, tornado_for_people};
