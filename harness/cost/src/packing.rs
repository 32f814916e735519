//! How many servers hold the replicas of a model.

use crate::figure::Machines;

/// Servers that hold so many replicas, and the spares.
///
/// `ceil(replicas * GPUs per replica / GPUs per server) + spares`. Spares come after the ceil.
/// `None` where a server has no GPU, or there are more servers than can be counted.
#[must_use]
pub fn servers_for(
    replicas: Machines,
    gpus_per_replica: u32,
    gpus_per_server: u32,
    spares: Machines,
) -> Option<Machines> {
    let gpus = u64::from(replicas.get()) * u64::from(gpus_per_replica);
    if gpus_per_server == 0 {
        return None;
    }
    let serving = u32::try_from(gpus.div_ceil(u64::from(gpus_per_server))).ok()?;
    serving.checked_add(spares.get()).map(Machines::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(replicas: u32, replica: u32, server: u32, spares: u32) -> Option<u32> {
        servers_for(Machines::new(replicas), replica, server, Machines::new(spares))
            .map(Machines::get)
    }

    #[test]
    fn three_pairs_fit_a_server_of_eight_and_five_do_not() {
        // 3 * 2 = 6 of 8; 5 * 2 = 10 of 16, and a spare
        assert_eq!(servers(3, 2, 8, 0), Some(1));
        assert_eq!(servers(5, 2, 8, 1), Some(3));
        assert_eq!(servers(4, 2, 8, 0), Some(1));
        // A replica over two servers
        assert_eq!(servers(1, 16, 8, 0), Some(2));
        assert_eq!(servers(1, 1, 0, 0), None);
        assert_eq!(servers(u32::MAX, 8, 1, 0), None);
    }
}
