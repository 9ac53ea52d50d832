//! The ledger against what providers wrote down: nothing lost but what nodes held that died, nothing counted twice.

use crate::{truth::Answered, world::World};
use cliproxy_domain::WallTime;
use cliproxy_store::Store as _;
use std::collections::BTreeMap;

/// Calls answered, refused for their number and failed, and tokens in and out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums([u64; 5]);

impl Sums {
    fn add(&mut self, other: Sums) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }

    /// Tells whether no sum is above the other's.
    fn within(self, most: Sums) -> bool {
        self.0.iter().zip(most.0).all(|(sum, most)| *sum <= most)
    }

    fn minus(self, other: Sums) -> Sums {
        let mut rest = self;
        rest.0.iter_mut().zip(other.0).for_each(|(sum, less)| *sum = sum.saturating_sub(less));
        rest
    }
}

/// Gives the keys whose sums in the ledger are not what they must be.
pub fn check(world: &World) -> Vec<String> {
    let truth = world.truth.lock().expect("no panic");
    let (mut given, mut may_miss) = (BTreeMap::<_, Sums>::new(), BTreeMap::<_, Sums>::new());
    for answered in &truth.answered {
        let key = (answered.provider.clone(), answered.credential.clone(), answered.model.clone());
        given.entry(key.clone()).or_default().add(of(answered));
        if may_be_lost(world, answered) {
            may_miss.entry(key).or_default().add(of(answered));
        }
    }
    let counted = counted(world);
    let mut wrong = Vec::new();
    for (key, given) in &given {
        let counted = counted.get(key).copied().unwrap_or_default();
        let may_miss = may_miss.get(key).copied().unwrap_or_default();
        if !counted.within(*given) {
            wrong.push(format!(
                "no usage twice: {key:?} is {counted:?} in the ledger, providers gave {given:?}"
            ));
        }
        if !given.minus(counted).within(may_miss) {
            wrong.push(format!(
                "no usage lost: {key:?} is {counted:?} in the ledger, providers gave {given:?}, and nodes that died \
                 held at most {may_miss:?}"
            ));
        }
    }
    let unknown = counted.keys().filter(|key| !given.contains_key(*key));
    wrong.extend(
        unknown.map(|key| format!("no usage twice: {key:?} is in the ledger, and no provider gave it")),
    );
    wrong
}

fn of(answered: &Answered) -> Sums {
    match (answered.status, answered.tokens) {
        (200, (input, output)) => Sums([1, 0, 0, input, output]),
        (429, _) => Sums([0, 1, 0, 0, 0]),
        _ => Sums([0, 0, 1, 0, 0]),
    }
}

/// Tells whether a node held it, not yet committed, when it died.
fn may_be_lost(world: &World, answered: &Answered) -> bool {
    let mut deaths = world.plan.crashes_of(&answered.node);
    deaths.any(|death| (world.plan.unreported_since(death.from)..=death.from).contains(&answered.at))
}

fn counted(world: &World) -> BTreeMap<(String, String, String), Sums> {
    let always = WallTime(0)..WallTime(i64::MAX);
    let rows = now_or_never(world.store.usage(always)).expect("the database is mended");
    let mut books: BTreeMap<_, Sums> = BTreeMap::new();
    for row in rows {
        let key = (row.key.provider.to_string(), row.key.credential.to_string(), row.key.model.to_string());
        let (attempts, tokens) = (row.attempts, row.tokens);
        // Calls that were not answered at all are in nobody's book but the ledger.
        let sums = [attempts.ok, attempts.rate_limited, attempts.err_5xx, tokens.input, tokens.output];
        // Clients and prices are not told apart: the providers' logs know nothing of them.
        let known = books.entry(key).or_default();
        known.0.iter_mut().zip(sums).for_each(|(known, more)| *known += more);
    }
    books.retain(|_, sums| *sums != Sums::default());
    books
}

/// Gives what a store in memory answers: reading, it waits for nothing.
pub fn now_or_never<T, E: std::fmt::Debug>(answer: impl Future<Output = Result<T, E>>) -> Option<T> {
    use futures_util::FutureExt as _;
    answer.now_or_never()?.ok()
}
