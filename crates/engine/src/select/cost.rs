//! `cost`: the lowest mean price of 1,000 tokens.

use super::{
    Ready,
    ranking::{Ranking, Standing},
};
use cliproxy_domain::Price;

/// Prompt and generated tokens, as parts of each other.
type Mix = (u64, u64);

/// The mix while nothing was observed.
const USUAL: Mix = (3, 1);

/// Ranks a tier by what 1,000 tokens cost: those that cost exactly the same share, those without a price come last.
pub(super) fn rank(ticket: u64, tier: &[Ready<'_>]) -> Ranking {
    let observed: Vec<Option<Mix>> = tier.iter().map(observed).collect();
    // What clients ask of the model is the better guess at what they would ask of a target that had no traffic lately:
    // by another mix than the others' it would look cheaper or dearer than it is, and traffic would swing.
    let others = observed
        .iter()
        .flatten()
        .fold((0u64, 0u64), |sum, mix| (sum.0.saturating_add(mix.0), sum.1.saturating_add(mix.1)));
    let others = if others == (0, 0) { USUAL } else { others };
    let standing = |(ready, mix): (&Ready<'_>, &Option<Mix>)| match ready.candidate.price {
        Some(price) => {
            let cost = picodollars(price, mix.unwrap_or(others));
            Standing { key: cost as f64, score: Some(cost as f64 / 1e12), note: "" }
        }
        None => Standing { key: f64::INFINITY, score: None, note: "no price" },
    };
    Ranking::by(tier.iter().zip(&observed).map(standing).collect(), 1.0, ticket)
}

fn observed(ready: &Ready<'_>) -> Option<Mix> {
    let measured = ready.provider.measured(ready.candidate.target.model.as_str())?;
    let mix = (measured.input_tokens, measured.output_tokens);
    (mix != (0, 0)).then_some(mix)
}

/// Gives the cost of 1,000 tokens in `mix`, in 10⁻¹² of a US dollar. Whole numbers, so that the same price of prompt
/// and answer is the same cost in any mix.
fn picodollars(price: Price, (input, output): Mix) -> u128 {
    let of = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
    let sum = of(input, price.input).saturating_add(of(output, price.output));
    let (thousandfold, tokens) = (sum.saturating_mul(1_000), u128::from(input) + u128::from(output));
    // As a rule both fit, and dividing twice the width takes many times as long.
    match (u64::try_from(thousandfold), u64::try_from(tokens)) {
        (Ok(thousandfold), Ok(tokens)) => u128::from(thousandfold / tokens.max(1)),
        _ => thousandfold / tokens.max(1),
    }
}
