//! A script in force: its rules compiled, with what is left of their `times`.

use crate::{
    script::{Behaviour, Fixture, Key, Latency, Operation, Reply, Rule, Script},
    text::LARGEST_TOKEN,
};
use cliproxy_domain::ModelPattern;
use std::{
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// Why a script is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// Where, as `rules[0]`: counted from 0.
    place: String,
    problem: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.place, self.problem)
    }
}

impl std::error::Error for ScriptError {}

/// A script that is being played.
#[derive(Debug)]
pub(crate) struct Rules {
    script: Script,
    compiled: Vec<Compiled>,
    /// What is done to requests for models, when they are not left to the rules.
    health: Option<Arc<Plan>>,
    /// The state of the generator behind `probability`.
    draws: AtomicU64,
}

#[derive(Debug)]
struct Compiled {
    model: Option<ModelPattern>,
    left: Option<AtomicU64>,
    plan: Arc<Plan>,
}

/// What the rule that fits a request says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) latency: Latency,
    pub(crate) reply: Reply,
    pub(crate) behaviour: Behaviour,
}

impl Rules {
    /// Checks and compiles a script.
    pub(crate) fn new(script: Script) -> Result<Self, ScriptError> {
        for (number, rule) in script.rules.iter().enumerate() {
            check(rule).map_err(|problem| ScriptError { place: format!("rules[{number}]"), problem })?;
        }
        check_behaviour(&script.health)
            .map_err(|problem| ScriptError { place: "health".to_owned(), problem })?;
        let health = (script.health != Behaviour::Answer)
            .then(|| Arc::new(Plan { behaviour: script.health.clone(), ..Plan::default() }));
        let compile = |rule: &Rule| Compiled {
            model: rule.model.as_ref().map(ModelPattern::new),
            left: rule.times.map(AtomicU64::new),
            plan: Arc::new(Plan {
                latency: rule.latency,
                reply: rule.reply.clone(),
                behaviour: rule.behaviour.clone(),
            }),
        };
        let compiled = script.rules.iter().map(compile).collect();
        Ok(Self { compiled, health, draws: AtomicU64::new(script.seed), script })
    }

    /// Gives the script as it was set.
    pub(crate) fn script(&self) -> &Script {
        &self.script
    }

    /// Gives the plan for a request; it uses up one of the rule's `times`.
    pub(crate) fn plan(&self, model: &str, key: &str, stream: bool, operation: Operation) -> Arc<Plan> {
        static WELL: LazyLock<Arc<Plan>> = LazyLock::new(Arc::default);
        if let (Operation::Models, Some(health)) = (operation, &self.health) {
            return Arc::clone(health);
        }
        for (rule, compiled) in self.script.rules.iter().zip(&self.compiled) {
            let fits = compiled.model.as_ref().is_none_or(|pattern| pattern.matches(model))
                && rule.key.as_ref().is_none_or(|wanted| is_label_of(key, wanted))
                && rule.stream.is_none_or(|wanted| wanted == stream)
                && rule.operation.is_none_or(|wanted| wanted == operation)
                && rule.probability.is_none_or(|share| self.draw() < share)
                && compiled.left.as_ref().is_none_or(take_one);
            if fits {
                return Arc::clone(&compiled.plan);
            }
        }
        Arc::clone(&WELL)
    }

    /// Gives the name to show for a key, or `None` when it is not accepted.
    pub(crate) fn key_label(&self, key: &str) -> Option<Arc<str>> {
        match &self.script.keys {
            Some(keys) => {
                keys.iter().find(|known: &&Key| known.key == key).map(|known| known.name.as_str().into())
            }
            None => Some(last_four(key)),
        }
    }

    /// Tells whether a model is served.
    pub(crate) fn serves(&self, model: &str) -> bool {
        self.script.models.as_ref().is_none_or(|models| models.iter().any(|known| known == model))
    }

    /// Draws the next number from 0 to 1 (SplitMix64, so that a seed repeats the sequence).
    fn draw(&self) -> f64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.draws.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn take_one(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

/// Shows a key without a name: `…` and its last four characters, of a short key at most half.
pub(crate) fn last_four(key: &str) -> Arc<str> {
    let length = key.chars().count();
    let tail: String = key.chars().skip(length - (length / 2).min(4)).collect();
    format!("…{tail}").into()
}

fn is_label_of(label: &str, wanted: &str) -> bool {
    label == wanted || label.strip_prefix('…') == Some(wanted)
}

fn check(rule: &Rule) -> Result<(), String> {
    if let Some(share) = rule.probability
        && !(0.0..=1.0).contains(&share)
    {
        return Err(format!("probability: {share} is not between 0 and 1"));
    }
    if let Some(size) = rule.reply.token_bytes
        && !(1..=LARGEST_TOKEN).contains(&size)
    {
        return Err(format!("reply.token_bytes: {size} is not between 1 and {LARGEST_TOKEN}"));
    }
    if rule.reply.chunk_bytes == Some(0) {
        return Err("reply.chunk_bytes: 0 bytes make no piece; leave it out or use at least 1".into());
    }
    if rule.reply.total_bytes.is_some() && rule.reply.tokens.is_some() {
        return Err("reply: total_bytes and tokens exclude each other; keep one".into());
    }
    check_headers("reply.headers", rule.reply.headers.iter())?;
    check_behaviour(&rule.behaviour)
}

fn check_behaviour(behaviour: &Behaviour) -> Result<(), String> {
    match behaviour {
        Behaviour::Error { status: Some(status), .. }
        | Behaviour::Html { status }
        | Behaviour::Empty { status } => check_status(*status),
        Behaviour::Fixture(fixture) => check_fixture(fixture),
        _ => Ok(()),
    }
}

fn check_fixture(fixture: &Fixture) -> Result<(), String> {
    check_status(fixture.status)?;
    check_headers("do.fixture.headers", fixture.headers.iter())?;
    if fixture.body.is_some() && !fixture.chunks.is_empty() {
        return Err("do.fixture: body and chunks exclude each other; keep one".into());
    }
    Ok(())
}

fn check_status(status: u16) -> Result<(), String> {
    if (200..=599).contains(&status) {
        return Ok(());
    }
    Err(format!("do: status {status} is not between 200 and 599"))
}

fn check_headers<'a>(
    place: &str,
    headers: impl Iterator<Item = (&'a String, &'a String)>,
) -> Result<(), String> {
    for (name, value) in headers {
        if http::HeaderName::try_from(name).is_err() || http::HeaderValue::try_from(value).is_err() {
            return Err(format!("{place}: {name:?} is not a header that HTTP can carry"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::ErrorKind;

    fn failing() -> Rule {
        Rule::new(Behaviour::error(ErrorKind::ServerError))
    }

    fn fails(rules: &Rules, model: &str, key: &str) -> bool {
        rules.plan(model, key, false, Operation::Generate).behaviour != Behaviour::Answer
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = vec![
            Rule::new(Behaviour::Answer).for_model("gpt-good"),
            failing().for_model("gpt-*").for_key("first"),
        ];
        let rules = Rules::new(rules.into()).unwrap();
        assert!(fails(&rules, "gpt-bad", "first"));
        assert!(!fails(&rules, "gpt-good", "first"));
        assert!(!fails(&rules, "gpt-bad", "second"));
        assert!(!fails(&rules, "claude", "first"));
    }

    #[test]
    fn a_rule_with_times_is_used_up() {
        let rules = Rules::new(failing().times(2).into()).unwrap();
        let seen: Vec<bool> = (0..4).map(|_| fails(&rules, "m", "k")).collect();
        assert_eq!(seen, [true, true, false, false]);
    }

    #[test]
    fn a_seed_repeats_the_draws() {
        let draws = |seed| {
            let script = Script { seed, rules: vec![failing().probability(0.3)], ..Script::default() };
            let rules = Rules::new(script).unwrap();
            (0..1_000).map(|_| fails(&rules, "m", "k")).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
        let share = draws(1).iter().filter(|failed| **failed).count();
        assert!((240..360).contains(&share), "{share} of 1000");
    }

    #[test]
    fn keys_without_a_name_show_four_characters() {
        let rules = Rules::new(Script::default()).unwrap();
        assert_eq!(&*rules.key_label("sk-long-secret").unwrap(), "…cret");
        assert_eq!(&*rules.key_label("abc").unwrap(), "…c");
        assert!(is_label_of("…cret", "cret"));
    }

    #[test]
    fn impossible_scripts_are_refused_by_name() {
        let refusal = |rule: Rule| Rules::new(vec![failing(), rule].into()).unwrap_err().to_string();
        assert_eq!(refusal(failing().probability(2.0)), "rules[1].probability: 2 is not between 0 and 1");
        let reply = Reply { token_bytes: Some(0), ..Reply::default() };
        assert!(refusal(failing().reply(reply)).starts_with("rules[1].reply.token_bytes: 0"));
        assert!(refusal(Rule::new(Behaviour::Html { status: 99 })).contains("status 99"));
        let script = Script { health: Behaviour::Empty { status: 1 }, ..Script::default() };
        let refused = Rules::new(script).unwrap_err().to_string();
        assert_eq!(refused, "health.do: status 1 is not between 200 and 599");
    }
}
