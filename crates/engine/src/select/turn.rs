//! Turns by weight as a function of a ticket: no state to share, and nothing to step through.
//!
//! A member of weight `w` has turns at `(2k + 1) / w` for k = 0, 1, 2 … in units of half a period; all members' turns
//! in the order of these times are the schedule, and ticket `t` has its turn number `t`. So a member's turns are spread
//! over the period, and their number in it is exactly the weight.

/// The largest sum of weights whose turns are exact; larger ones are scaled down to it. Up to here the times of turns
/// differ as `f64` where they differ at all, and so does their order.
const MAX_SUM: u64 = 1 << 25;

/// One that takes turns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Member {
    /// Its place among those that the caller knows.
    pub(crate) place: usize,
    /// How many turns it had before this ticket.
    pub(crate) had: u64,
    /// The part of its turns that it takes; all of them from 1 on.
    pub(crate) part: f64,
    weight: u32,
    /// The time of its next turn.
    due: f64,
}

impl Member {
    /// Lets `place` take turns by `weight`.
    pub(crate) fn new(place: usize, weight: u32, part: f64) -> Self {
        Self { place, had: 0, weight: weight.max(1), part, due: 0.0 }
    }

    fn is_rising(&self) -> bool {
        self.part < 1.0
    }
}

/// Orders `members`, which come in the order of their places, for a ticket: the one whose turn it is first, then the
/// others as their turns follow, each once. Gives how many of them stand where their turns put them; those that
/// follow rise, and belong behind all that do not.
///
/// One that rises takes its part of its turns. It leaves the others to those that do not rise, in turn again, and then
/// stands last. While it is not its turn, and where `decided` says that no turn is left to take, it stands behind.
pub(crate) fn in_turn(members: &mut [Member], ticket: u64, decided: bool) -> usize {
    schedule(members, ticket);
    let Some(first) = members.first().copied() else { return 0 };
    if !members.iter().any(Member::is_rising) {
        return members.len();
    }
    let takes = !first.is_rising() || !decided && takes(first.had, first.part);
    let others = if takes {
        &mut members[1..]
    } else {
        members.rotate_left(1);
        let last = members.len() - 1;
        &mut members[..last]
    };
    others.sort_by(|a, b| b.part.total_cmp(&a.part));
    let whole = others.iter().filter(|member| !member.is_rising()).count();
    if takes {
        return 1 + whole;
    }
    others[..whole].sort_unstable_by_key(|member| member.place);
    schedule(&mut others[..whole], first.had);
    whole
}

/// Tells whether one that rises takes its turn number `turn`. Multiples of the golden ratio fill the circle evenly,
/// so that of any run of turns it takes its part, and a turn that it takes it takes with any larger part.
fn takes(turn: u64, part: f64) -> bool {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    unit(turn.wrapping_mul(GOLDEN)) < part
}

/// Maps all of `u64` to 0 up to 1, the latter not included.
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// Orders `members` by their next turns at `ticket`, and counts the turns that they had.
fn schedule(members: &mut [Member], ticket: u64) {
    let count = members.len() as u64;
    let Some(weight) = members.first().map(|member| member.weight) else { return };
    if members.iter().all(|member| member.weight == weight) {
        let (rounds, first) = (ticket / count, ticket % count);
        for (place, member) in (0..).zip(members.iter_mut()) {
            member.had = rounds + u64::from(place < first);
        }
        members.rotate_left(usize::try_from(first).unwrap_or(0));
        return;
    }
    let sum = scale(members);
    let (periods, within) = (ticket / sum, ticket % sum);
    count_turns(members, within, sum);
    // Places break ties between times, here as where turns were counted.
    members.sort_unstable_by(|a, b| a.due.total_cmp(&b.due).then(a.place.cmp(&b.place)));
    for member in members {
        member.had += periods * u64::from(member.weight);
    }
}

/// Scales weights down where their sum is larger than [`MAX_SUM`], each to at least 1, and gives the sum.
fn scale(members: &mut [Member]) -> u64 {
    let sum: u64 = members.iter().map(|member| u64::from(member.weight)).sum();
    if sum <= MAX_SUM {
        return sum;
    }
    for member in members.iter_mut() {
        let scaled = u128::from(member.weight) * u128::from(MAX_SUM) / u128::from(sum);
        member.weight = u32::try_from(scaled).unwrap_or(u32::MAX).max(1);
    }
    members.iter().map(|member| u64::from(member.weight)).sum()
}

/// Finds how many turns each had in the first `ticket` of a period of `sum`, and when its next is.
fn count_turns(members: &mut [Member], ticket: u64, sum: u64) {
    let mut given = 0;
    for member in members.iter_mut() {
        // Turns up to the time `ticket / sum` of the period. Numerator and divisor are whole and below 2^53, and the
        // quotient's distance to the next whole number is never below its precision: the floor is exact.
        let twice = (2 * u64::from(member.weight) * ticket + sum) as f64;
        member.had = (twice / (2 * sum) as f64) as u64;
        member.due = time(member.had, member.weight);
        given += member.had;
    }
    // That is off by a few, as many turns may be due at once.
    while given < ticket {
        let Some(next) = members.iter_mut().reduce(|a, b| if b.due < a.due { b } else { a }) else { return };
        next.had += 1;
        next.due = time(next.had, next.weight);
        given += 1;
    }
    while given > ticket {
        let last = |member: &Member| member.had.checked_sub(1).map_or(-1.0, |had| time(had, member.weight));
        let Some(latest) = members.iter_mut().reduce(|a, b| if last(b) >= last(a) { b } else { a }) else {
            return;
        };
        latest.had -= 1;
        latest.due = time(latest.had, latest.weight);
        given -= 1;
    }
}

/// Gives the time of a member's turn number `turn`.
fn time(turn: u64, weight: u32) -> f64 {
    (2 * turn + 1) as f64 / f64::from(weight)
}

#[cfg(test)]
mod tests;
