//! What operators take back of a budget from a node that is gone.

use super::{
    Body, Given, MAX_NAME, OrderError,
    body::{text, unknown},
    checked, cut,
};
use crate::version::Incarnation;

/// What is taken back, before it is held against what nodes hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseAsked {
    /// Whose budget it is, as `client ci`.
    pub subject: String,
    /// What it counts, in the configuration's word.
    pub unit: String,
    /// The node.
    pub node: String,
    /// Which of its processes; none for all that are gone.
    pub incarnation: Option<Incarnation>,
    /// Why; empty when he gave no reason.
    pub reason: String,
}

const CALL: &str = "releasing a budget";

impl ReleaseAsked {
    /// The fields that its body takes.
    pub const FIELDS: [&str; 5] = ["subject", "unit", "node", "incarnation", "reason"];

    /// Reads what is taken back.
    ///
    /// # Errors
    /// [`OrderError`] names the field, what it holds, and what to do.
    pub fn read(body: Body) -> Result<Self, OrderError> {
        let (mut asked, mut reason) = (Self::default(), None);
        for (field, given) in body.into_fields() {
            match field.as_str() {
                "subject" => asked.subject = text("subject", given)?,
                "unit" => asked.unit = text("unit", given)?,
                "node" => asked.node = text("node", given)?,
                "incarnation" => asked.incarnation = Some(incarnation(given)?),
                "reason" => reason = Some(text("reason", given)?),
                _ => return Err(unknown(&field, &given, CALL, &Self::FIELDS)),
            }
        }
        asked.reason = reason.unwrap_or_default();
        asked.checked()
    }

    /// Checks what is taken back.
    ///
    /// # Errors
    /// [`OrderError`] names the field, what it holds, and what to do.
    pub fn checked(mut self) -> Result<Self, OrderError> {
        let named = [("subject", &self.subject), ("unit", &self.unit), ("node", &self.node)];
        for (field, value) in named {
            if value.is_empty() || value.len() > 2 * MAX_NAME {
                let remedy = "give it as GET /v0/operations/quotas lists it";
                return Err(OrderError::field(field, format_args!("{:?}", cut(value)), remedy));
            }
        }
        self.reason = checked::reason(Some(std::mem::take(&mut self.reason)))?;
        Ok(self)
    }
}

fn incarnation(given: Given) -> Result<Incarnation, OrderError> {
    let parsed = match &given {
        Given::Text(text) | Given::Other(text) => text.parse().ok(),
        Given::Flag(_) => None,
    };
    parsed.map(Incarnation).ok_or_else(|| {
        OrderError::field(
            "incarnation",
            given,
            "give the number that GET /v0/operations/quotas lists, or leave it out",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<ReleaseAsked, String> {
        ReleaseAsked::read(serde_json::from_str(json).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_field_is_read_and_the_process_may_be_a_number_or_a_text() {
        let given =
            r#"{"subject": "client ci", "unit": "usd", "node": "n", "incarnation": 7, "reason": "why"}"#;
        let expected = ReleaseAsked {
            subject: "client ci".to_owned(),
            unit: "usd".to_owned(),
            node: "n".to_owned(),
            incarnation: Some(Incarnation(7)),
            reason: "why".to_owned(),
        };
        assert_eq!(read(given), Ok(expected.clone()));
        assert_eq!(read(&given.replace('7', "\"7\"")), Ok(expected));
    }

    #[test]
    fn a_refusal_names_the_field_the_value_and_the_remedy() {
        let cases = [
            ("{}", "subject is \"\"; give it as GET /v0/operations/quotas lists it"),
            (
                r#"{"incarnation": -1}"#,
                "incarnation is -1; give the number that GET /v0/operations/quotas lists, or leave it out",
            ),
            (
                r#"{"dry_run": true}"#,
                "there is no field `dry_run` (its value is true); releasing a budget takes subject, unit, node, \
                 incarnation, reason",
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(read(json), Err(expected.to_owned()), "{json}");
        }
    }
}
