//! What of a limit is whose by rights: first what everybody needs, to an equal height, then an equal part of the rest.

use super::Holder;
use crate::time::WallTime;

/// Gives what one that needs `demand` should have beside the `others`. Who is silent keeps what it holds.
///
/// Where there is not enough, everybody gets what it needs up to the same height (max-min fairness): who needs little
/// gets all of it. Where there is more than enough, the rest is divided evenly, so that what comes suddenly finds room
/// where it comes.
pub(super) fn part<'a>(
    limit: u64,
    others: impl Iterator<Item = &'a Holder>,
    demand: u64,
    now: WallTime,
) -> u64 {
    let mut pool = limit;
    let mut demands = Vec::new();
    for holder in others {
        if now < holder.expires_at {
            demands.push(holder.demand);
        } else {
            pool = pool.saturating_sub(holder.hold(now));
        }
    }
    demands.sort_unstable();
    let mut left = pool;
    let mut sharing = demands.len() as u64 + 1;
    // Among equals the one that asks comes last, and gets what cannot be divided.
    for other in demands.iter().take_while(|other| **other <= demand) {
        left -= (*other).min(left / sharing);
        sharing -= 1;
    }
    let mine = demand.min(left / sharing);
    let all = demands.iter().fold(demand, |sum, other| sum.saturating_add(*other));
    let rest = pool.saturating_sub(all);
    mine + rest / (demands.len() as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_000);

    fn holder(demand: u64) -> Holder {
        Holder {
            req: 1,
            share: 0,
            held: 7,
            safe_share: 0,
            demand,
            expires_at: NOW.plus(super::super::TTL),
            upstream: None,
        }
    }

    fn fair(limit: u64, others: &[u64], demand: u64) -> u64 {
        let others: Vec<_> = others.iter().map(|demand| holder(*demand)).collect();
        part(limit, others.iter(), demand, NOW)
    }

    #[test]
    fn one_alone_gets_all_of_it() {
        assert_eq!(fair(60, &[], 0), 60);
        assert_eq!(fair(60, &[], 500), 60);
    }

    #[test]
    fn where_there_is_enough_everybody_gets_what_it_needs_and_a_part_of_the_rest() {
        assert_eq!(fair(100, &[10, 20], 40), 40 + 10);
        assert_eq!(fair(100, &[10, 40], 20), 20 + 10);
    }

    #[test]
    fn where_there_is_not_enough_who_needs_little_gets_all_of_it() {
        assert_eq!(fair(100, &[500, 500], 10), 10);
        assert_eq!(fair(100, &[500, 10], 500), 45);
        assert_eq!(fair(100, &[0, 0, 0], 500), 100, "who needs nothing takes nothing from who does");
    }

    #[test]
    fn what_cannot_be_divided_goes_to_who_asks() {
        assert_eq!(fair(3, &[9, 9, 9], 9), 1);
        assert_eq!(fair(1, &[9, 9, 9], 9), 1);
        assert_eq!(fair(0, &[9], 9), 0);
    }

    #[test]
    fn who_is_silent_keeps_what_it_holds_and_shares_nothing_else() {
        let silent = Holder { expires_at: NOW, ..holder(1_000) };
        assert_eq!(part(100, [silent].iter(), 500, NOW), 93);
    }
}
