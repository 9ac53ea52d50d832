//! The one loop that turns claims into transactions.

use super::{Asked, before::Before, terms, told};
use crate::{
    backoff::Backoff,
    metrics::PlaneMetrics,
    state::{ActiveConfig, State},
};
use cliproxy_domain::{HistoryId, Incarnation, NodeClaims, NodeGrants, NodeId, WallTime};
use cliproxy_store::{Leased, Leasing, StoreError, Terms};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long the first claim of a group waits for others.
const GATHER: Duration = Duration::from_millis(5);
/// How many claims are answered together.
const GROUP: usize = 64;
/// How long the store may take; a node that was not answered by then claims again.
const PATIENCE: Duration = Duration::from_secs(2);
/// A clock that is set back by less than this makes no period run again.
const SET_BACK: Duration = Duration::from_secs(5);

/// What claims are answered by.
struct Clerk {
    state: Arc<State>,
    metrics: PlaneMetrics,
    terms: terms::Known,
    before: Before,
    history: HistoryId,
    /// The latest time by which anything was granted.
    latest: WallTime,
}

/// Answers until all senders are gone; or until `give_up`, after which nodes claim of another.
pub(crate) async fn run(
    mut asked: mpsc::Receiver<Asked>,
    state: Arc<State>,
    metrics: PlaneMetrics,
    give_up: CancellationToken,
) {
    let (history, latest) = (state.history(), state.clock.wall());
    let (terms, before) = (terms::Known::default(), Before::default());
    let mut clerk = Clerk { state, metrics, terms, before, history, latest };
    let (mut waiting, mut backoff) = (VecDeque::new(), Backoff::default());
    while let Some(group) = gather(&mut asked, &mut waiting).await {
        let answered = tokio::select! {
            biased;
            () = give_up.cancelled() => return,
            answered = clerk.answer(group) => answered,
        };
        match answered {
            Ok(()) => backoff = Backoff::default(),
            Err(error) => {
                clerk.metrics.store_errors.inc();
                backoff.report("claims of limits are not answered, as the store does not", &error);
            }
        }
    }
}

/// Waits for a claim and gathers those that come soon after it, one of each process: its next one waits for the next
/// group. `None` when no more can come.
async fn gather(asked: &mut mpsc::Receiver<Asked>, waiting: &mut VecDeque<Asked>) -> Option<Vec<Asked>> {
    let mut group = Vec::new();
    let mut who: BTreeSet<(NodeId, Incarnation)> = BTreeSet::new();
    let mut postponed = VecDeque::new();
    let mut take = |next: Asked, group: &mut Vec<Asked>| {
        if who.insert((next.claims.node.clone(), next.claims.incarnation)) {
            group.push(next);
        } else {
            postponed.push_back(next);
        }
    };
    while group.len() < GROUP
        && let Some(next) = waiting.pop_front()
    {
        take(next, &mut group);
    }
    if group.is_empty() {
        take(asked.recv().await?, &mut group);
    }
    let enough = tokio::time::sleep(GATHER);
    tokio::pin!(enough);
    while group.len() < GROUP {
        tokio::select! {
            biased;
            next = asked.recv() => match next {
                Some(next) => take(next, &mut group),
                None => break,
            },
            () = &mut enough => break,
        }
    }
    postponed.append(waiting);
    *waiting = postponed;
    Some(group)
}

impl Clerk {
    /// Answers a group. Where the store does not, nobody is answered: dropping a claim says so.
    async fn answer(&mut self, group: Vec<Asked>) -> Result<(), StoreError> {
        let Some(active) = self.state.active() else { return Ok(()) };
        let (claims, answers): (Vec<_>, Vec<_>) =
            group.into_iter().map(|asked| (asked.claims, asked.answer)).unzip();
        let late = |_| StoreError::Unavailable("no answer within 2 s".to_owned());
        let granted = tokio::time::timeout(PATIENCE, self.grant(&active, &claims)).await.map_err(late);
        let Some(leased) = granted.and_then(|granted| granted).inspect_err(|_| {
            self.metrics.quota.unanswered.inc_by(claims.len() as u64);
        })?
        else {
            return Ok(());
        };
        for claim in &claims {
            self.state.learning.heard(&claim.node);
        }
        self.metrics.quota.answered(&claims, &leased.grants);
        for (answer, grants) in answers.into_iter().zip(leased.grants) {
            // Whoever has gone claims again elsewhere, of the same books.
            let _ = answer.send(grants);
        }
        for recall in &leased.recalls {
            self.metrics.quota.recalls.inc();
            let (node, process) = (&recall.node, recall.incarnation);
            if !self.state.recalls.ask(node, process, &recall.grants, Duration::ZERO) {
                self.state.outbox.recall(node, process, &recall.grants, self.state.clock.wall());
            }
        }
        for crossed in &leased.crossed {
            told::tell(crossed, &self.metrics);
        }
        Ok(())
    }

    /// Has the store grant what is claimed; `None` when its history is about to be another one here.
    async fn grant(
        &mut self,
        active: &ActiveConfig,
        claims: &[NodeClaims],
    ) -> Result<Option<Leased>, StoreError> {
        let state = Arc::clone(&self.state);
        // What was granted in commits that are lost is not known to the store: until this replica has begun to listen to
        // those who hold it, it grants nothing.
        let history = state.store.history().await?;
        if history != state.history() {
            return Ok(None);
        }
        if history != self.history {
            self.before.forget();
            self.history = history;
        }
        let mut terms = self.terms(active);
        let uncounted = self.terms.uncounted(claims);
        if !uncounted.is_empty() {
            let spent = self.before.counted(&*state.store, active, &terms, &uncounted, self.latest).await?;
            terms = Arc::new(terms::knowing(&terms, &spent));
        }
        let began = state.clock.now();
        let mut leased = self.lease(claims.to_vec(), &terms).await?;
        self.metrics
            .quota
            .commit_seconds
            .observe(state.clock.now().saturating_duration_since(began).as_secs_f64());
        self.terms.counted(&uncounted);
        if !leased.unopened.is_empty() {
            self.open(active, claims, &terms, &mut leased).await?;
        }
        for grant in leased.grants.iter().flat_map(|grants| &grants.budgets) {
            if let Some(known) =
                terms.budgets.get(&grant.id).filter(|known| known.period.start == grant.period)
            {
                self.before.runs(&grant.id, known.period.end);
            }
        }
        Ok(Some(leased))
    }

    fn terms(&mut self, active: &ActiveConfig) -> Arc<Terms> {
        let now = self.now();
        let nodes = self.state.nodes.lately(now);
        let count = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        let learning = self.state.learning.of(self.state.clock.now(), || nodes);
        self.metrics.quota.learning.set(i64::from(learning.budgets || learning.rates));
        let terms = self.terms.at(now, active, count, learning);
        self.before.keep(&terms);
        terms
    }

    /// Gives the time, which does not go back for being set by a little: a period that is over stays so.
    fn now(&mut self) -> WallTime {
        let now = self.state.clock.wall();
        if now > self.latest || self.latest.since(now) > SET_BACK {
            self.latest = now;
        }
        self.latest
    }

    async fn lease(&self, claims: Vec<NodeClaims>, terms: &Arc<Terms>) -> Result<Leased, StoreError> {
        self.state.store.lease(Leasing { claims, terms: Arc::clone(terms), now: self.latest }).await
    }

    /// Begins periods that nothing was granted of yet, now that it is asked what was spent of them before, and adds what
    /// comes of it.
    async fn open(
        &self,
        active: &ActiveConfig,
        claims: &[NodeClaims],
        terms: &Terms,
        leased: &mut Leased,
    ) -> Result<(), StoreError> {
        let ids = std::mem::take(&mut leased.unopened);
        let before = self.before.counted(&*self.state.store, active, terms, &ids, self.latest).await?;
        let opening = Arc::new(terms::opening(terms, &before));
        let of_these = |claims: &NodeClaims| {
            let budgets = claims.budgets.iter().filter(|claim| before.contains_key(&claim.id)).cloned();
            NodeClaims { budgets: budgets.collect(), rates: Vec::new(), ..claims.clone() }
        };
        let more = self.lease(claims.iter().map(of_these).collect(), &opening).await?;
        for (grants, more) in leased.grants.iter_mut().zip(more.grants) {
            add(grants, more);
        }
        leased.recalls.extend(more.recalls);
        leased.crossed.extend(more.crossed);
        Ok(())
    }
}

/// Adds what was granted of budgets in a second transaction.
fn add(grants: &mut NodeGrants, more: NodeGrants) {
    for grant in more.budgets {
        grants.budgets.retain(|known| (&known.id, known.period) != (&grant.id, grant.period));
        grants.budgets.push(grant);
    }
}
