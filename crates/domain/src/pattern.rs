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
    fn many_stars_do_not_take_exponential_time() {
        let pattern = ModelPattern::new("a*".repeat(60) + "b");
        assert!(!pattern.matches(&"a".repeat(2_000)));
    }
}
