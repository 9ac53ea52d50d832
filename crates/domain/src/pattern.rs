//! Patterns that tell which models a provider serves.

use std::fmt;

/// A glob over model names: `*` is any run of characters, `?` one character, `[0-9]` one of a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelPattern(String);

impl ModelPattern {
    /// Wraps a pattern. An unclosed `[` stands for itself.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Shows the pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Gives the model's name when the pattern has no wildcard.
    pub fn literal(&self) -> Option<&str> {
        (!self.0.contains(['*', '?', '['])).then_some(self.0.as_str())
    }

    /// Tells whether the whole of `name` matches. Time is at most `pattern × name` steps.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where the last `*` stood, and how much of the name it has taken so far.
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            if p < pattern.len() && pattern[p] == b'*' {
                star = Some((p, n));
                p += 1;
            } else if let Some(width) = match_one(&pattern[p..], name[n]) {
                p += width;
                n += 1;
            } else if let Some((star_p, star_n)) = star {
                star = Some((star_p, star_n + 1));
                p = star_p + 1;
                n = star_n + 1;
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|&b| b == b'*')
    }

    /// Tells whether there is a name that both match. Time is at most the product of their lengths.
    pub fn meets(&self, other: &ModelPattern) -> bool {
        match (self.literal(), other.literal()) {
            (Some(name), _) => return other.matches(name),
            (None, Some(name)) => return self.matches(name),
            (None, None) => {}
        }
        let (ours, theirs) = (steps(&self.0), steps(&other.0));
        // Which places of theirs may be reached together with the place of ours that is looked at.
        let mut reached = vec![false; theirs.len() + 1];
        reached[0] = true;
        for place in 0..=ours.len() {
            let our = ours.get(place);
            let mut next = vec![false; theirs.len() + 1];
            for at in 0..=theirs.len() {
                if !reached[at] {
                    continue;
                }
                let their = theirs.get(at);
                // A run may be over, or take what the other side has next.
                match (our, their) {
                    (_, Some(Step::Run)) => reached[at + 1] = true,
                    (Some(Step::Run), Some(Step::One(bytes))) if *bytes != NONE => reached[at + 1] = true,
                    _ => {}
                }
                match (our, their) {
                    (Some(Step::Run), _) => next[at] = true,
                    (Some(Step::One(bytes)), Some(Step::Run)) if *bytes != NONE => next[at] = true,
                    (Some(Step::One(a)), Some(Step::One(b))) if (0..4).any(|i| a[i] & b[i] != 0) => {
                        next[at + 1] = true;
                    }
                    _ => {}
                }
            }
            if place == ours.len() {
                return reached[theirs.len()];
            }
            reached = next;
        }
        false
    }
}

/// No byte at all, as of `[]`.
const NONE: [u64; 4] = [0; 4];

/// A part of a pattern.
enum Step {
    /// Any run of bytes, also none.
    Run,
    /// One byte of a set, a bit for each.
    One([u64; 4]),
}

/// Takes a pattern apart as [`ModelPattern::matches`] reads it.
fn steps(pattern: &str) -> Vec<Step> {
    let mut rest = pattern.as_bytes();
    let mut steps = Vec::new();
    while let Some(&first) = rest.first() {
        if first == b'*' {
            steps.push(Step::Run);
            rest = &rest[1..];
            continue;
        }
        let mut bytes = NONE;
        let mut width = 1;
        for byte in 0..=u8::MAX {
            if let Some(taken) = match_one(rest, byte) {
                bytes[usize::from(byte >> 6)] |= 1 << (byte & 63);
                width = taken;
            }
        }
        if bytes == NONE
            && let Some(close) = rest.iter().position(|&b| b == b']')
        {
            width = close + 1;
        }
        steps.push(Step::One(bytes));
        rest = &rest[width..];
    }
    steps
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Matches one byte against the head of `pattern`; gives how many pattern bytes that took.
fn match_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern.first()? {
        b'?' => Some(1),
        b'[' => {
            let Some(close) = pattern.iter().position(|&b| b == b']') else {
                return (byte == b'[').then_some(1);
            };
            let set = &pattern[1..close];
            let mut i = 0;
            while i < set.len() {
                if i + 2 < set.len() && set[i + 1] == b'-' {
                    if (set[i]..=set[i + 2]).contains(&byte) {
                        return Some(close + 1);
                    }
                    i += 3;
                } else {
                    if set[i] == byte {
                        return Some(close + 1);
                    }
                    i += 1;
                }
            }
            None
        }
        literal => (literal == byte).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        let cases = [
            ("claude-*", "claude-sonnet-4-5", true),
            ("claude-*", "xclaude-1", false),
            ("gpt-?", "gpt-5", true),
            ("gpt-?", "gpt-55", false),
            ("o[0-9]*", "o3-mini", true),
            ("o[0-9]*", "omni", false),
            ("*", "anything", true),
            ("*", "", true),
            ("a*b*c", "a--b--b--c", true),
            ("a*b*c", "a--b--", false),
            ("exact", "exact", true),
            ("br[oken", "br[oken", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(ModelPattern::new(pattern).matches(name), expected, "{pattern} against {name}");
        }
    }

    #[test]
    fn patterns_meet_where_one_name_fits_both() {
        let cases = [
            ("claude-*", "claude-sonnet-*", true),
            ("claude-*", "gpt-*", false),
            ("*-mini", "gpt-*", true),
            ("o[0-9]*", "o3-mini", true),
            ("o[0-9]*", "o?-*", true),
            ("o[0-4]*", "o[5-9]*", false),
            ("*", "x*", true),
            ("*", "", true),
            ("a*b", "b*a", false),
            ("a*b*", "*b*a", true),
            ("a?", "*bc", false),
            ("a[]*", "a*", false),
            ("br[*", "br*", true),
            ("claude/*", "*", true),
        ];
        for (one, other, expected) in cases {
            let (one, other) = (ModelPattern::new(one), ModelPattern::new(other));
            assert_eq!(one.meets(&other), expected, "{one} and {other}");
            assert_eq!(other.meets(&one), expected, "{other} and {one}");
        }
    }

    proptest::proptest! {
        #[test]
        fn patterns_that_match_one_name_meet(a in "[ab*?\\[\\]-]{0,5}", b in "[ab*?\\[\\]-]{0,5}", name in "[ab]{0,4}") {
            let (a, b) = (ModelPattern::new(a), ModelPattern::new(b));
            if a.matches(&name) && b.matches(&name) {
                proptest::prop_assert!(a.meets(&b), "{a} and {b} both match {name}");
            }
        }
    }

    #[test]
    fn many_stars_do_not_take_exponential_time() {
        let pattern = ModelPattern::new("a*".repeat(60) + "b");
        assert!(!pattern.matches(&"a".repeat(2_000)));
    }
}
