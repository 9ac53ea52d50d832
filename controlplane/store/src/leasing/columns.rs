//! Whose a limit is, as databases keep it.

use cliproxy_domain::{BudgetId, LimitSubject, QuotaUnit, RateId, RateKind};

/// The columns that name a limit. Whose it is stands in the first three; the last is the unit of a budget or the kind of
/// a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Columns<'a> {
    /// `provider`, `credential` or `client`.
    pub subject: &'a str,
    /// The name of the provider or of the client.
    pub owner: &'a str,
    /// The name of the credential; empty where it is not one's.
    pub credential: &'a str,
    /// What is counted, as the configuration spells it.
    pub counts: &'a str,
}

impl<'a> Columns<'a> {
    /// Names a budget.
    pub fn of_budget(id: &'a BudgetId) -> Self {
        Self::of(&id.subject, id.unit.as_str())
    }

    /// Names a rate.
    pub fn of_rate(id: &'a RateId) -> Self {
        Self::of(&id.subject, id.kind.as_str())
    }

    fn of(subject: &'a LimitSubject, counts: &'a str) -> Self {
        let (subject, owner, credential) = match subject {
            LimitSubject::Provider(provider) => ("provider", provider.as_str(), ""),
            LimitSubject::Credential(provider, credential) => {
                ("credential", provider.as_str(), credential.as_str())
            }
            LimitSubject::Client(client) => ("client", client.as_str(), ""),
        };
        Self { subject, owner, credential, counts }
    }

    /// Reads the name of a budget; `None` when no version of this program wrote it.
    pub fn budget(self) -> Option<BudgetId> {
        let unit = QuotaUnit::ALL.into_iter().find(|unit| unit.as_str() == self.counts)?;
        Some(BudgetId { subject: self.whose()?, unit })
    }

    /// Reads the name of a rate; `None` when no version of this program wrote it.
    pub fn rate(self) -> Option<RateId> {
        let kind = RateKind::ALL.into_iter().find(|kind| kind.as_str() == self.counts)?;
        Some(RateId { subject: self.whose()?, kind })
    }

    fn whose(self) -> Option<LimitSubject> {
        Some(match self.subject {
            "provider" => LimitSubject::Provider(self.owner.into()),
            "credential" => LimitSubject::Credential(self.owner.into(), self.credential.into()),
            "client" => LimitSubject::Client(self.owner.into()),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_limit_comes_back_as_it_was() {
        let subjects = [
            LimitSubject::Provider("claude".into()),
            LimitSubject::Credential("claude".into(), "main".into()),
            LimitSubject::Client("claude".into()),
        ];
        for subject in subjects {
            for unit in QuotaUnit::ALL {
                let id = BudgetId { subject: subject.clone(), unit };
                assert_eq!(Columns::of_budget(&id).budget(), Some(id.clone()));
                assert_eq!(Columns::of_budget(&id).rate(), None);
            }
            for kind in RateKind::ALL {
                let id = RateId { subject: subject.clone(), kind };
                assert_eq!(Columns::of_rate(&id).rate(), Some(id.clone()));
            }
        }
        let unknown = Columns { subject: "pool", owner: "a", credential: "", counts: "tokens" };
        assert_eq!(unknown.budget(), None);
    }
}
