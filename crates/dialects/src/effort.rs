//! How much to think, in every dialect's spelling (`golden/effort.json`).

use cliproxy_domain::Effort;
use std::cmp::Ordering;

/// Reads a budget of tokens as an effort.
pub(crate) fn from_budget(tokens: u64) -> Effort {
    const STEPS: [(u64, Effort); 6] = [
        (0, Effort::None),
        (1_024, Effort::Minimal),
        (4_096, Effort::Low),
        (12_288, Effort::Medium),
        (24_576, Effort::High),
        (49_152, Effort::XHigh),
    ];
    STEPS.iter().find(|(most, _)| tokens <= *most).map_or(Effort::Max, |(_, effort)| *effort)
}

/// Gives the budget of tokens that an effort stands for; 0 for none.
pub(crate) fn budget(effort: Effort) -> u64 {
    match effort {
        Effort::None => 0,
        Effort::Minimal => 1_024,
        Effort::Low => 2_048,
        Effort::Medium => 8_192,
        Effort::High => 16_384,
        Effort::XHigh => 32_768,
        Effort::Max => 65_536,
    }
}

/// Gives Anthropic's word beside adaptive thinking; none for no thinking.
pub(crate) fn anthropic(effort: Effort) -> Option<&'static str> {
    match effort {
        Effort::None => None,
        Effort::Minimal | Effort::Low => Some("low"),
        Effort::Medium => Some("medium"),
        Effort::High => Some("high"),
        Effort::XHigh => Some("xhigh"),
        Effort::Max => Some("max"),
    }
}

/// Gives Gemini's level; none for no thinking.
pub(crate) fn gemini_level(effort: Effort) -> Option<&'static str> {
    match effort {
        Effort::None => None,
        Effort::Minimal => Some("MINIMAL"),
        Effort::Low => Some("LOW"),
        Effort::Medium => Some("MEDIUM"),
        Effort::High => Some("HIGH"),
        Effort::XHigh | Effort::Max => Some("XHIGH"),
    }
}

/// Reads Gemini's level, in any case.
pub(crate) fn from_gemini_level(level: &str) -> Option<Effort> {
    Effort::parse(&level.to_ascii_lowercase()).filter(|effort| *effort != Effort::None)
}

/// Gives the nearest of `known` to what was asked for, the lower of two that are as near; all are taken where none
/// is known. Thinking that was asked for does not become none while there is another.
pub(crate) fn nearest(asked: Effort, known: &[Effort]) -> Effort {
    let distance = |effort: &Effort| {
        let off = (*effort == Effort::None) != (asked == Effort::None);
        (off, (*effort as i32 - asked as i32).abs(), *effort)
    };
    known.iter().min_by_key(|effort| distance(effort)).copied().unwrap_or(asked)
}

/// Names what became of an effort, in the words of the warnings; none where it stayed.
pub(crate) fn change(asked: Effort, given: Effort) -> Option<&'static str> {
    match given.cmp(&asked) {
        Ordering::Equal => None,
        Ordering::Greater => Some("raised"),
        Ordering::Less => Some("lowered"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn golden() -> Value {
        serde_json::from_slice(&crate::fixtures::read("golden/effort.json")).unwrap()
    }

    #[test]
    fn efforts_and_budgets_are_as_the_golden_table_says() {
        let golden = golden();
        for effort in Effort::ALL {
            let name = effort.as_str();
            assert_eq!(golden["effort_to_budget"][name], budget(effort), "{name}");
            assert_eq!(golden["effort_to_gemini_level"][name].as_str(), gemini_level(effort), "{name}");
            let written = &golden["effort_to_anthropic"][name];
            assert_eq!(written["output_config"]["effort"].as_str(), anthropic(effort), "{name}");
        }
        let mut below = 0;
        for step in golden["budget_to_effort"].as_array().unwrap() {
            let effort = Effort::parse(step["effort"].as_str().unwrap()).unwrap();
            let most = step["max_budget"].as_u64().unwrap_or(u64::MAX);
            assert_eq!((from_budget(below), from_budget(most)), (effort, effort));
            below = most.saturating_add(1);
        }
    }

    #[test]
    fn an_effort_that_a_model_lacks_becomes_the_nearest() {
        use Effort::{High, Low, Max, Medium, Minimal, None};
        assert_eq!(nearest(Max, &[Low, Medium, High]), High);
        assert_eq!(nearest(Minimal, &[None, Low, High]), Low);
        assert_eq!(nearest(None, &[Low, High]), Low);
        assert_eq!(nearest(Medium, &[]), Medium);
    }
}
