//! What was found while reading, for those who look at the whole of it afterwards.

use crate::{environment::Environment, error::Report, source::Span};
use cliproxy_domain::{LimitSubject, Quota};
use std::cell::RefCell;

/// What was found while reading, and where variables come from.
pub struct Findings<'e> {
    /// Where variables are read.
    pub environment: &'e Environment,
    reports: RefCell<Vec<Report>>,
    warnings: RefCell<Vec<String>>,
    plain_keys: RefCell<Vec<Span>>,
    budgets: RefCell<Vec<NotedBudget>>,
}

/// A budget and where it stands. Whether it can hold is only known once all is read.
#[derive(Clone)]
pub struct NotedBudget {
    /// Whose it is.
    pub subject: LimitSubject,
    /// What it says.
    pub quota: Quota,
    /// Its path, as `providers.claude.quota`.
    pub path: String,
    /// The place of its key, or of the whole item of a list.
    pub place: Span,
    /// The place of its unit, where that is given.
    pub unit: Option<Span>,
}

impl<'e> Findings<'e> {
    /// Starts with nothing found.
    pub fn new(environment: &'e Environment) -> Self {
        Self {
            environment,
            reports: RefCell::default(),
            warnings: RefCell::default(),
            plain_keys: RefCell::default(),
            budgets: RefCell::default(),
        }
    }

    /// Notes something that must be put right.
    pub fn refuse(&self, report: Report) {
        const MOST: usize = 100;
        let mut reports = self.reports.borrow_mut();
        if reports.len() < MOST && !reports.contains(&report) {
            reports.push(report);
        }
    }

    /// Notes something that works but should be known.
    pub fn warn(&self, warning: impl Into<String>) {
        self.warnings.borrow_mut().push(warning.into());
    }

    /// Notes something that works but should be known, at its place: `path: message`.
    pub fn warn_at(&self, span: &Span, path: &str, message: &str) {
        let (line, column) = span.line_column();
        let file = span.source.name();
        self.warn(format!("{file}:{line}:{column}: `{path}`: {message}"));
    }

    /// Notes a provider's or a client's key that stands in a text as it is.
    pub fn note_plain_key(&self, span: &Span) {
        self.plain_keys.borrow_mut().push(span.clone());
    }

    /// Gives the places of keys that stand in a text as they are.
    pub fn plain_keys(&self) -> Vec<Span> {
        self.plain_keys.borrow().clone()
    }

    /// Notes a budget that is sound by itself.
    pub fn note_budget(&self, budget: NotedBudget) {
        self.budgets.borrow_mut().push(budget);
    }

    /// Gives the budgets, in the order in which they were read.
    pub fn budgets(&self) -> Vec<NotedBudget> {
        self.budgets.borrow().clone()
    }

    /// Gives the reports and the warnings.
    pub fn into_parts(self) -> (Vec<Report>, Vec<String>) {
        (self.reports.into_inner(), self.warnings.into_inner())
    }
}
