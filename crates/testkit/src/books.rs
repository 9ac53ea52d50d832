//! What the control planes' database says was used, beside what the provider's log says was answered.
//!
//! The provider's log is the truth: it has each request once, with the tokens that it was told of. The database is asked
//! by Postgres' own client, past the program.

use crate::{Postgres, mock::Log};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::AddAssign,
};

/// What was used of one credential and model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Answers.
    pub answers: u64,
    /// Refusals and failures.
    pub errors: u64,
    /// Input tokens of the answers.
    pub input: u64,
    /// Output tokens of the answers.
    pub output: u64,
}

impl AddAssign for Used {
    fn add_assign(&mut self, other: Self) {
        self.answers += other.answers;
        self.errors += other.errors;
        self.input += other.input;
        self.output += other.output;
    }
}

/// Usage by credential and model.
pub type Books = BTreeMap<(String, String), Used>;

/// Reads the books of a database. Empty as long as it has none, or does not answer.
pub fn of_database(postgres: &Postgres, database: &str) -> Books {
    const SQL: &str = "SELECT credential, model, sum(ok), \
        sum(err_4xx + rate_limited + err_5xx + timeout + connect_err), sum(tok_in), sum(tok_out) \
        FROM usage_1m GROUP BY credential, model";
    let rows = postgres.try_sql(database, SQL).unwrap_or_default();
    rows.lines().map(read_row).collect()
}

fn read_row(row: &str) -> ((String, String), Used) {
    let columns: Vec<&str> = row.split('|').collect();
    let number = |at: usize| columns.get(at).and_then(|text| text.parse().ok());
    match (columns.as_slice(), number(2), number(3), number(4), number(5)) {
        ([credential, model, ..], Some(answers), Some(errors), Some(input), Some(output)) => {
            (((*credential).into(), (*model).into()), Used { answers, errors, input, output })
        }
        _ => panic!("not a row of usage: {row:?}"),
    }
}

/// Reads the books of a provider's log: of finished requests for answers, not those that only asked for models.
pub fn of_log(log: &Log) -> Books {
    let mut books = Books::new();
    for row in log.by.iter().filter(|row| !row.model.is_empty()) {
        *books.entry((row.key.to_string(), row.model.to_string())).or_default() += Used {
            answers: row.totals.completed,
            errors: row.totals.errors,
            input: row.totals.input_tokens,
            output: row.totals.output_tokens,
        };
    }
    books.retain(|_, used| *used != Used::default());
    books
}

/// How the database differs from the provider's log, over all credentials and models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// What the database lacks.
    pub lost: Used,
    /// What the database has and the log has not: what was counted twice.
    pub twice: Used,
}

impl Difference {
    /// Compares what was `counted` with the `truth`.
    pub fn between(counted: &Books, truth: &Books) -> Self {
        let mut difference = Self::default();
        let keys: BTreeSet<_> = counted.keys().chain(truth.keys()).collect();
        for key in keys {
            let of = |books: &Books| books.get(key).copied().unwrap_or_default();
            difference.lost += beyond(of(truth), of(counted));
            difference.twice += beyond(of(counted), of(truth));
        }
        difference
    }

    /// Tells whether both say the same.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Gives by how much each number passes the other's.
fn beyond(more: Used, less: Used) -> Used {
    Used {
        answers: more.answers.saturating_sub(less.answers),
        errors: more.errors.saturating_sub(less.errors),
        input: more.input.saturating_sub(less.input),
        output: more.output.saturating_sub(less.output),
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, twice } = self;
        let tokens = |used: &Used| used.input + used.output;
        write!(f, "lost {} answers, {} errors, {} tokens; ", lost.answers, lost.errors, tokens(lost))?;
        write!(f, "twice {} answers, {} errors, {} tokens", twice.answers, twice.errors, tokens(twice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn books(rows: &[(&str, u64, u64)]) -> Books {
        let used = |answers, output| Used { answers, output, ..Used::default() };
        rows.iter()
            .map(|(key, answers, output)| (((*key).into(), "m".into()), used(*answers, *output)))
            .collect()
    }

    #[test]
    fn what_one_credential_lost_is_not_made_up_by_what_another_has_twice() {
        let truth = books(&[("a", 5, 50), ("b", 3, 30)]);
        assert!(Difference::between(&truth, &truth).is_none());
        let counted = books(&[("a", 4, 50), ("b", 4, 30), ("c", 1, 0)]);
        let difference = Difference::between(&counted, &truth);
        assert_eq!((difference.lost.answers, difference.twice.answers), (1, 2));
        let counted = books(&[("a", 5, 49)]);
        let difference = Difference::between(&counted, &truth);
        assert_eq!(
            (difference.lost.answers, difference.lost.output, difference.twice),
            (3, 31, Used::default())
        );
    }

    #[test]
    fn rows_are_read_by_column() {
        let used = Used { answers: 3, errors: 1, input: 20, output: 7 };
        assert_eq!(read_row("main|gpt|3|1|20|7"), (("main".into(), "gpt".into()), used));
    }
}
