//! Smooth weighted round robin as a function of a ticket: no state to share.

/// The most steps that one pick may take; larger sums of weights are scaled down to it.
const MAX_PERIOD: u64 = 1_000;

/// Orders indexes of `weights` for a ticket: the one whose turn it is first, then those that follow in the
/// schedule, each once.
pub(super) fn turn(weights: &[u32], ticket: u64) -> Vec<usize> {
    let count = weights.len();
    if weights.windows(2).all(|pair| pair[0] == pair[1]) {
        let first = usize::try_from(ticket % count.max(1) as u64).unwrap_or(0);
        return (0..count).map(|i| (first + i) % count).collect();
    }
    let weights = reduced(weights);
    let period: u64 = weights.iter().sum();
    let mut current = vec![0i64; count];
    let mut step = || smooth_step(&weights, &mut current, period);
    for _ in 0..ticket % period {
        step();
    }
    let mut order = Vec::with_capacity(count);
    // Every index comes up at least once in a period.
    for _ in 0..period {
        let index = step();
        if !order.contains(&index) {
            order.push(index);
            if order.len() == count {
                break;
            }
        }
    }
    order
}

/// One step of smooth weighted round robin, as nginx has it: each gains its weight, the richest is chosen and
/// pays the sum.
fn smooth_step(weights: &[u64], current: &mut [i64], period: u64) -> usize {
    let mut best = 0;
    for (i, weight) in weights.iter().enumerate() {
        current[i] += i64::try_from(*weight).unwrap_or(i64::MAX);
        if current[i] > current[best] {
            best = i;
        }
    }
    current[best] -= i64::try_from(period).unwrap_or(i64::MAX);
    best
}

/// Divides weights by their greatest common divisor, and scales them down to [`MAX_PERIOD`], each at least 1.
fn reduced(weights: &[u32]) -> Vec<u64> {
    fn gcd(a: u64, b: u64) -> u64 {
        if b == 0 { a } else { gcd(b, a % b) }
    }
    let divisor = weights.iter().fold(0, |d, weight| gcd(d, u64::from(*weight).max(1)));
    let weights: Vec<u64> = weights.iter().map(|weight| u64::from(*weight).max(1) / divisor).collect();
    let sum: u64 = weights.iter().sum();
    if sum <= MAX_PERIOD {
        return weights;
    }
    weights.iter().map(|weight| (weight * MAX_PERIOD / sum).max(1)).collect()
}
