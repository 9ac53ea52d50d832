//! What a target cannot be told: left out or emulated with a warning, or refused.

use cliproxy_domain::{Need, OnLoss};
use std::borrow::Cow;

/// Collects what a translation lost, or refuses to lose anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    on_loss: OnLoss,
    list: Vec<(Cow<'static, str>, &'static str)>,
}

/// How many losses are told. A client chooses how many unknown fields it sends; a header has its limits.
const MAX_TOLD: usize = 16;
/// Bytes of a field's name that are told.
const MAX_NAME: usize = 64;

impl Losses {
    /// Starts with none.
    pub fn new(on_loss: OnLoss) -> Self {
        Self { on_loss, list: Vec::new() }
    }

    /// Notes that `field` was left out.
    ///
    /// # Errors
    /// When nothing may be lost.
    pub fn dropped(&mut self, field: impl Into<Cow<'static, str>>) -> Result<(), Refused> {
        self.note(field.into(), "dropped")
    }

    /// Notes that `field` was done otherwise; `how` is one word, as `emulated`, `clamped` or `raised`.
    ///
    /// # Errors
    /// When nothing may be lost.
    pub fn changed(&mut self, field: impl Into<Cow<'static, str>>, how: &'static str) -> Result<(), Refused> {
        self.note(field.into(), how)
    }

    /// Notes what concerns the answer, where it is too late to refuse.
    pub fn tell(&mut self, field: impl Into<Cow<'static, str>>, how: &'static str) {
        self.push(told(field.into()), how);
    }

    fn note(&mut self, field: Cow<'static, str>, how: &'static str) -> Result<(), Refused> {
        let field = told(field);
        if self.on_loss == OnLoss::Refuse {
            let message = format!(
                "`{field}` would be {how} on its way to this provider, and translation.on_loss is refuse: leave it out, or use a provider of this API"
            );
            return Err(Refused::new(field, message));
        }
        self.push(field, how);
        Ok(())
    }

    fn push(&mut self, field: Cow<'static, str>, how: &'static str) {
        if self.list.len() < MAX_TOLD
            && !self.list.iter().any(|(known, with)| *known == field && *with == how)
        {
            self.list.push((field, how));
        }
    }

    /// Counts what was lost, as far as it is told.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Tells whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Writes the value of `x-cliproxy-warnings`, as `seed=dropped, temperature=clamped`; none when nothing was
    /// lost.
    pub fn header(&self) -> Option<String> {
        let one = |(field, how): &(Cow<'static, str>, &'static str)| format!("{field}={how}");
        (!self.list.is_empty()).then(|| self.list.iter().map(one).collect::<Vec<_>>().join(", "))
    }
}

/// Gives a field's name as it may be told. Names are the client's, of any length: what no header can carry becomes
/// `_`, and the rest of a long one is left out.
fn told(field: Cow<'static, str>) -> Cow<'static, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-[]".contains(c);
    if field.len() <= MAX_NAME && field.chars().all(plain) {
        return field;
    }
    Cow::Owned(field.chars().take(MAX_NAME).map(|c| if plain(c) { c } else { '_' }).collect())
}

/// Why a request cannot be read, or not be said in another dialect. Told as 400; `field` names the place in the
/// client's own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// The field at fault, as `messages[2].content[0].image_url`.
    pub field: Cow<'static, str>,
    /// What is wrong with it and what to do. Holds nothing of the content.
    pub message: String,
    /// What the target lacks, where that is the reason: another target may have it.
    pub need: Option<Need>,
}

impl Refused {
    /// Refuses because of a field.
    pub fn new(field: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), need: None }
    }

    /// Refuses because the target lacks something.
    pub fn lacking(need: Need, field: impl Into<Cow<'static, str>>) -> Self {
        let field = field.into();
        let message = format!(
            "`{field}` asks for {}, which no provider of this model has (`{}` in model_traits): leave it out, or use another model",
            described(need),
            need.as_str()
        );
        Self { field, message, need: Some(need) }
    }
}

/// Says what a need is, to somebody who does not know its name.
fn described(need: Need) -> &'static str {
    match need {
        Need::Images => "images in the prompt",
        Need::Files => "files in the prompt",
        Need::FileUrls => "a file by its URL",
        Need::Audio => "sound in the prompt",
        Need::MediaOutput => "sound or images in the answer",
        Need::Tools => "tools",
        Need::StructuredOutput => "an answer that follows a schema",
        Need::Choices => "more than one answer",
        Need::Logprobs => "log probabilities",
        Need::ServerState => "something that only the provider that keeps it knows",
        Need::Embeddings => "embeddings",
        Need::TokenArrays => "embeddings of token numbers",
        Need::TokenCounts => "a count of tokens",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_in_one_header_once_each() {
        let mut losses = Losses::new(OnLoss::Warn);
        losses.dropped("seed").unwrap();
        losses.changed("temperature", "clamped").unwrap();
        losses.dropped("seed").unwrap();
        assert_eq!(losses.header().unwrap(), "seed=dropped, temperature=clamped");
        assert_eq!(Losses::default().header(), None);
    }

    #[test]
    fn nothing_is_lost_where_losses_are_refused() {
        let refused = Losses::new(OnLoss::Refuse).dropped("seed").unwrap_err();
        assert_eq!(refused.field, "seed");
        assert!(refused.message.contains("translation.on_loss"), "{refused}");
    }

    #[test]
    fn a_refusal_repeats_no_more_of_a_clients_name_than_the_header() {
        let refused = Losses::new(OnLoss::Refuse).dropped("x\n".repeat(10_000)).unwrap_err();
        assert_eq!(refused.field, "x_".repeat(32));
        assert!(refused.message.len() < 300, "{refused}");
    }

    #[test]
    fn a_clients_names_cannot_break_the_header() {
        let mut losses = Losses::new(OnLoss::Warn);
        losses.dropped("a\r\nb: c,é".to_owned()).unwrap();
        for number in 0..100 {
            losses.dropped(format!("{number}{}", "x".repeat(1000))).unwrap();
        }
        let header = losses.header().unwrap();
        assert!(header.starts_with("a__b__c__=dropped, "), "{header}");
        assert!(header.len() < 2048 && header.bytes().all(|b| b.is_ascii_graphic() || b == b' '));
    }
}
