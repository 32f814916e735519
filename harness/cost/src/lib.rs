//! Prices, scenarios and the total cost of ownership of a measured machine.
