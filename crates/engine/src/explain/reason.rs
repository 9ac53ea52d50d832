//! One sentence that says what was chosen and why.

use super::view::View;
use crate::select::{ENOUGH, Excluded, Load, Pick, Ranking, Ready, quota_unit};
use cliproxy_domain::{QuotaUnit, Strategy};
use std::fmt::Write;

/// So many of what is left out are named.
const NAMED: usize = 8;

/// Says what was chosen first and why, or why nothing was.
pub(super) fn reason<L: Load>(view: &View<'_, L>) -> String {
    let Some(first) = view.order.picks.first().copied() else { return nothing(view) };
    let (Some(tier), Some(by_strategy)) = (view.survey.tiers().next(), view.by_strategy(0)) else {
        return String::new();
    };
    let place = tier.iter().position(|ready| ready.index == first.candidate);
    let mut text = format!("{}: ", name(view, first.candidate, Some(first.credential)));
    text += &match place {
        Some(place) if view.scene.session.is_some() => for_session(view, tier, by_strategy, first, place),
        Some(place) => by(view, tier, by_strategy, place),
        None => "first in order".to_owned(),
    };
    text += &rising(view, tier, first);
    if first.probes {
        text += "; its rest is past its end, and this request finds out whether it goes on";
    }
    if view.order.health_ignored {
        text += "; health was not looked at, as most targets are unhealthy or nothing else can be called";
    }
    text
}

fn for_session<L: Load>(
    view: &View<'_, L>,
    tier: &[Ready<'_>],
    ranking: &Ranking,
    first: Pick,
    place: usize,
) -> String {
    let before = match view.set.strategy {
        Strategy::Cost if tops(ranking, tier) < tier.len() => format!("{}; ", by(view, tier, ranking, place)),
        _ => String::new(),
    };
    let Some((candidate, credential)) = view.home else { return format!("{before}the session's choice") };
    if view.is_home(first) {
        return format!("{before}the session's own credential");
    }
    let own = name(view, candidate, Some(credential));
    let is_meant = |out: &&Excluded| {
        out.candidate == candidate && out.credential.is_none_or(|excluded| excluded == credential)
    };
    let why = match view.order.excluded.iter().find(is_meant) {
        Some(excluded) => format!("is left out ({})", left_out(excluded)),
        None => match view.seen(Pick { candidate, credential, probes: false }) {
            Some(seen) if seen.part < 1.0 => format!("takes {} of its sessions yet", percent(seen.part)),
            _ => "has more than its share of the open calls".to_owned(),
        },
    };
    format!("{before}the session's next credential, as its own, {own}, {why}")
}

/// Says why the target at `place` is first where no session is.
fn by<L: Load>(view: &View<'_, L>, tier: &[Ready<'_>], ranking: &Ranking, place: usize) -> String {
    let (all, tops, priority) = (tier.len(), tops(ranking, tier), tier[place].candidate.priority);
    if all == 1 {
        return format!("the only target of priority {priority} that can be tried");
    }
    let what = what(view.set.strategy, tier, ranking, place);
    if !ranking.is_top(place) {
        return match what {
            Some(what) => format!("the next of {all} by its {what}"),
            None => format!("the next of {all}"),
        };
    }
    let explored = ranking.standing(place).is_some_and(|standing| standing.key == f64::NEG_INFINITY);
    match (view.set.strategy, what) {
        (Strategy::RoundRobin, _) => {
            let weight = tier[place].candidate.weight;
            let equal = tier.iter().all(|ready| ready.candidate.weight == weight);
            let among = if equal { "its turn among" } else { "its turn by weight among" };
            format!("{among} {all} {}targets of priority {priority}", if equal { "equal " } else { "" })
        }
        (Strategy::Latency, None) if explored => {
            format!("explored, as it gave fewer than {ENOUGH} answers lately")
        }
        (Strategy::Latency, None) => {
            format!("its turn among {tops} targets that gave fewer than {ENOUGH} answers lately")
        }
        (Strategy::Latency, Some(_)) if tops > 1 => {
            format!(
                "its turn among {tops} targets within 10 % of the lowest latency ({})",
                ms(ranking.lowest())
            )
        }
        (Strategy::QuotaAware, None) if tops == 1 => format!("the only one of {all} without a quota"),
        (Strategy::QuotaAware, None) => format!("its turn among {tops} targets without a quota"),
        (Strategy::Cost, None) => format!("its turn among {tops} targets without a price"),
        (_, Some(what)) if tops > 1 => {
            format!("its turn among {tops} targets of {all} with the {}", best(view.set.strategy, &what))
        }
        (_, Some(what)) => format!("{} of {all}", best(view.set.strategy, &what)),
    }
}

fn best(strategy: Strategy, what: &str) -> String {
    let most = if strategy == Strategy::QuotaAware { "most" } else { "lowest" };
    format!("{most} {what}")
}

/// Names what the strategy goes by, with its amount; none where it is not known.
fn what(strategy: Strategy, tier: &[Ready<'_>], ranking: &Ranking, place: usize) -> Option<String> {
    let score = ranking.standing(place)?.score?;
    Some(match strategy {
        Strategy::RoundRobin => return None,
        Strategy::Latency => format!("latency ({})", ms(score)),
        Strategy::Cost => format!("cost ({score} USD per 1,000 tokens)"),
        Strategy::QuotaAware => match quota_unit(tier) {
            Some(QuotaUnit::Usd) => format!("quota left ({score} USD)"),
            Some(unit) => format!("quota left ({score} {})", unit.as_str()),
            None => format!("quota left ({})", percent(score)),
        },
    })
}

fn tops(ranking: &Ranking, tier: &[Ready<'_>]) -> usize {
    (0..tier.len()).filter(|place| ranking.is_top(*place)).count()
}

/// Says which targets of the tier take a part of their share.
fn rising<L: Load>(view: &View<'_, L>, tier: &[Ready<'_>], first: Pick) -> String {
    let mut text = String::new();
    for ready in tier.iter().filter(|ready| ready.part < 1.0).take(NAMED) {
        let part = percent(ready.part);
        let _ = if ready.index == first.candidate {
            write!(text, "; it takes {part} of its share after a rest")
        } else {
            write!(text, "; {} takes {part} of its share after a rest", name(view, ready.index, None))
        };
    }
    text
}

fn nothing<L: Load>(view: &View<'_, L>) -> String {
    let excluded = &view.order.excluded;
    let out = excluded
        .iter()
        .map(|out| format!("{} ({})", name(view, out.candidate, out.credential), left_out(out)));
    let incapable =
        view.set.excluded.iter().map(|(target, why)| format!("{} ({})", target.provider, why.as_str()));
    let all = excluded.len() + view.set.excluded.len();
    let named: Vec<String> = out.chain(incapable).take(NAMED).collect();
    let mut text = format!("nothing can be tried: {}", named.join(", "));
    if all > NAMED {
        let _ = write!(text, " and {} more", all - NAMED);
    }
    if let Some(soonest) = view.order.soonest {
        let _ = write!(text, "; the first is back at {soonest}");
    }
    text
}

fn left_out(excluded: &Excluded) -> String {
    let mut text = excluded.reason.as_str().to_owned();
    if let Some(cause) = excluded.cause.filter(|cause| cause.as_str() != text) {
        let _ = write!(text, ": {}", cause.as_str());
    }
    if let Some(until) = excluded.until {
        let _ = write!(text, " until {until}");
    }
    text
}

/// Names a target, with its credential where one is meant, and with its model where the provider has several.
fn name<L>(view: &View<'_, L>, candidate: usize, credential: Option<usize>) -> String {
    let Some(candidate) = view.set.candidates.get(candidate) else { return String::new() };
    let mut text = candidate.target.provider.to_string();
    let provider = view.scene.outlook.providers.get(candidate.slot);
    if let Some(credential) = credential.and_then(|at| provider?.credentials.get(at)) {
        let _ = write!(text, "/{}", credential.name);
    }
    if view.set.candidates.iter().filter(|other| other.slot == candidate.slot).count() > 1 {
        let _ = write!(text, " for {}", candidate.target.model);
    }
    text
}

fn ms(milliseconds: f64) -> String {
    format!("{milliseconds:.0} ms")
}

fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}
