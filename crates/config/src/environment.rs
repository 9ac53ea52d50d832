//! Where variables are read: the process's environment, or what a test says.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// Looks variables up by name.
#[derive(Clone)]
pub struct Environment(Arc<dyn Fn(&str) -> Option<String> + Send + Sync>);

impl Environment {
    /// Reads variables through `read`.
    pub fn new(read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Reads the variables of this process. A value that is not UTF-8 counts as unset.
    pub fn process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// Knows the given variables and no others.
    pub fn fixed<N: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let variables: BTreeMap<String, String> =
            variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self::new(move |name| variables.get(name).cloned())
    }

    /// Gives the value of `name`, which may be empty, or `None` when it is unset.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }
}

/// Shows no variable: most of them are secrets here.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
