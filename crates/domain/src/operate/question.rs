//! What is asked about a request that might come: the parameters of `GET …/explain`.

use super::{MAX_NAME, OrderError, cut};
use crate::{
    api::{Dialect, Operation},
    client::Client,
    snapshot::Snapshot,
};

/// A request that might come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name that a client would ask for.
    pub model: String,
    /// The API that he would speak.
    pub api: Dialect,
    /// Whether he would ask for a stream.
    pub stream: bool,
    /// The name of his session, when he has one.
    pub session: Option<String>,
    /// What he would want done.
    pub operation: Operation,
    /// The name of the client that he is; none for one of whom nothing is known.
    pub client: Option<String>,
}

const PARAMETERS: [&str; 6] = ["model", "api", "stream", "session", "operation", "client"];
const APIS: [(Dialect, &str); 4] = [
    (Dialect::OpenAiChat, "openai_chat"),
    (Dialect::OpenAiResponses, "openai_responses"),
    (Dialect::Anthropic, "anthropic"),
    (Dialect::Gemini, "gemini"),
];
const OPERATIONS: [(Operation, &str); 3] = [
    (Operation::Generate, "generate"),
    (Operation::CountTokens, "count_tokens"),
    (Operation::Embed, "embed"),
];
const FLAGS: [(bool, &str); 2] = [(true, "true"), (false, "false")];

impl Question {
    /// Asks about a model, for a client of Chat Completions that wants a whole answer.
    ///
    /// # Errors
    /// [`OrderError`] when the name is empty or too long.
    pub fn about(model: &str) -> Result<Self, OrderError> {
        if model.is_empty() || model.len() > MAX_NAME {
            let remedy = "give the name that a client would ask for, of 1 to 200 bytes, as model=gpt-5";
            return Err(OrderError::field("model", format_args!("{:?}", cut(model)), remedy));
        }
        Ok(Self {
            model: model.to_owned(),
            api: Dialect::OpenAiChat,
            stream: false,
            session: None,
            operation: Operation::Generate,
            client: None,
        })
    }

    /// Reads the parameters of a query, decoded.
    ///
    /// # Errors
    /// [`OrderError`] names the parameter, what it holds, and what to do.
    pub fn read(parameters: &[(String, String)]) -> Result<Self, OrderError> {
        single(parameters, &PARAMETERS)?;
        let of =
            |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let mut question = Self::about(of("model").unwrap_or_default())?;
        if let Some(word) = of("api") {
            question.api = choose("api", word, &APIS)?;
        }
        if let Some(word) = of("stream") {
            question.stream = choose("stream", word, &FLAGS)?;
        }
        if let Some(word) = of("operation") {
            question.operation = choose("operation", word, &OPERATIONS)?;
        }
        // An empty name names no session, as in a request.
        question.session = of("session").filter(|name| !name.is_empty()).map(str::to_owned);
        question.client = of("client").filter(|name| !name.is_empty()).map(str::to_owned);
        Ok(question)
    }

    /// Finds the client that would ask; none where nobody in particular would.
    ///
    /// # Errors
    /// [`OrderError::UnknownClient`] when the configuration has no client of that name.
    pub fn asker<'s>(&self, snapshot: &'s Snapshot) -> Result<Option<&'s Client>, OrderError> {
        let Some(name) = &self.client else { return Ok(None) };
        let unknown = || OrderError::UnknownClient {
            name: cut(name),
            known: snapshot.clients.keys().cloned().collect(),
        };
        snapshot.clients.get(name.as_str()).map(Some).ok_or_else(unknown)
    }
}

/// Refuses parameters that are not known, and those that are there twice.
///
/// # Errors
/// [`OrderError`] names the first of them.
pub fn single(parameters: &[(String, String)], known: &'static [&'static str]) -> Result<(), OrderError> {
    for (index, (name, value)) in parameters.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            return Err(OrderError::UnknownParameter { name: cut(name), known });
        }
        if parameters[..index].iter().any(|(earlier, _)| earlier == name) {
            let field = known.iter().copied().find(|field| field == name).unwrap_or_default();
            let value = format!("{:?} after it was given before", cut(value));
            return Err(OrderError::field(field, value, "give it once"));
        }
    }
    Ok(())
}

/// Reads one of a few words.
pub(super) fn choose<T: Copy>(
    field: &'static str,
    word: &str,
    choices: &[(T, &str)],
) -> Result<T, OrderError> {
    choices.iter().find(|(_, known)| *known == word).map(|(value, _)| *value).ok_or_else(|| {
        let words: Vec<_> = choices.iter().map(|(_, word)| *word).collect();
        let remedy = format!("give one of {}, or leave it out", words.join(", "));
        OrderError::field(field, format_args!("{:?}", cut(word)), remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &[(&str, &str)]) -> Result<Question, OrderError> {
        let pairs: Vec<_> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Question::read(&pairs)
    }

    #[test]
    fn every_parameter_is_read_and_all_but_the_model_may_be_left_out() {
        let all = read(&[
            ("model", "smart"),
            ("api", "gemini"),
            ("stream", "true"),
            ("session", "s"),
            ("operation", "embed"),
            ("client", "ci"),
        ]);
        let expected = Question {
            model: "smart".to_owned(),
            api: Dialect::Gemini,
            stream: true,
            session: Some("s".to_owned()),
            operation: Operation::Embed,
            client: Some("ci".to_owned()),
        };
        assert_eq!(all, Ok(expected));
        assert_eq!(read(&[("model", "smart")]), Question::about("smart"));
        let unnamed = read(&[("model", "smart"), ("session", ""), ("client", "")]);
        assert_eq!(unnamed, Question::about("smart"));
    }

    #[test]
    fn what_takes_no_parameters_says_so() {
        let refused = single(&[("x".to_owned(), String::new())], &[]).unwrap_err().to_string();
        assert_eq!(refused, "there is no parameter `x`; this takes none");
    }

    #[test]
    fn a_refusal_names_the_parameter_and_the_remedy() {
        let cases: [(&[(&str, &str)], &str); 6] = [
            (
                &[],
                "model is \"\"; give the name that a client would ask for, of 1 to 200 bytes, as model=gpt-5",
            ),
            (
                &[("model", "m"), ("modle", "x")],
                "there is no parameter `modle`; known are model, api, stream, session, operation, \
                 client",
            ),
            (&[("model", "m"), ("model", "n")], "model is \"n\" after it was given before; give it once"),
            (
                &[("model", "m"), ("api", "openai")],
                "api is \"openai\"; give one of openai_chat, openai_responses, anthropic, gemini, or leave it out",
            ),
            (&[("model", "m"), ("stream", "1")], "stream is \"1\"; give one of true, false, or leave it out"),
            (
                &[("model", "m"), ("operation", "chat")],
                "operation is \"chat\"; give one of generate, count_tokens, embed, or leave it out",
            ),
        ];
        for (query, expected) in cases {
            assert_eq!(read(query).unwrap_err().to_string(), expected);
        }
    }
}
