//! Configuration files for tests.

use serde_json::{Map, Value, json};

/// A configuration, written as JSON, which is YAML as well. Listeners are not part of it: the runner puts them on
/// free ports.
#[derive(Clone, Debug)]
pub struct Config {
    root: Value,
}

impl Default for Config {
    fn default() -> Self {
        Self { root: json!({"providers": {}}) }
    }
}

impl Config {
    /// Starts a configuration without providers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a provider with one credential `default`, whose key is `sk-upstream-<name>`.
    pub fn provider(self, name: &str, kind: &str, base_url: &str) -> Self {
        let value = json!({"kind": kind, "base_url": base_url, "api_key": upstream_key(name)});
        self.set(&["providers", name], value)
    }

    /// Gives a provider these credentials instead: names and keys.
    pub fn credentials(mut self, provider: &str, credentials: &[(&str, &str)]) -> Self {
        let list: Vec<Value> =
            credentials.iter().map(|(name, key)| json!({"name": name, "api_key": key})).collect();
        if let Some(provider) = self.root["providers"][provider].as_object_mut() {
            provider.remove("api_key");
        }
        self.root["providers"][provider]["credentials"] = Value::Array(list);
        self
    }

    /// Adds a name that clients ask for, with targets of equal rank: providers and models.
    pub fn alias(self, alias: &str, targets: &[(&str, &str)]) -> Self {
        let targets: Vec<Value> =
            targets.iter().map(|(provider, model)| json!({"provider": provider, "model": model})).collect();
        self.set(&["models", alias], json!({"targets": targets}))
    }

    /// Sets the key at the end of `path` and makes the maps on the way.
    pub fn set(mut self, path: &[&str], value: impl Into<Value>) -> Self {
        let mut place = &mut self.root;
        for step in path {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place = &mut place[*step];
        }
        *place = value.into();
        self
    }

    /// Sets a key of `server.timeouts`, as `500ms`.
    pub fn timeout(self, key: &str, value: &str) -> Self {
        self.set(&["server", "timeouts", key], value)
    }

    /// Writes the file's text.
    pub fn text(&self) -> String {
        format!("{:#}\n", self.root)
    }
}

/// Gives the key that [`Config::provider`] gives a provider.
pub fn upstream_key(provider: &str) -> String {
    format!("sk-upstream-{provider}")
}

impl From<&Config> for String {
    fn from(config: &Config) -> Self {
        config.text()
    }
}

impl From<Config> for String {
    fn from(config: Config) -> Self {
        config.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_where_the_path_says() {
        let config = Config::new()
            .provider("a", "openai", "http://h")
            .credentials("a", &[("main", "k")])
            .timeout("total", "2s");
        let value: Value = serde_json::from_str(&config.text()).unwrap();
        assert_eq!(value["server"]["timeouts"]["total"], "2s");
        assert_eq!(value["providers"]["a"]["credentials"][0]["api_key"], "k");
        assert!(value["providers"]["a"].get("api_key").is_none());
    }
}
