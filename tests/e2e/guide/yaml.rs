//! Several blocks of YAML in one file, as somebody would paste them together.

/// A map of the guide's YAML: keys with a value, or with a map below.
#[derive(Default)]
struct Map(Vec<(String, Node)>);

enum Node {
    Value(String),
    Map(Map),
}

/// Puts blocks into one: a key that several have stands there once, a value as the last of them has it.
pub fn merged<'a>(blocks: impl IntoIterator<Item = &'a str>) -> String {
    let mut all = Map::default();
    for block in blocks {
        all.take(block);
    }
    let mut text = String::new();
    all.write(0, &mut text);
    text
}

impl Map {
    fn take(&mut self, block: &str) {
        let mut path: Vec<(usize, &str)> = Vec::new();
        for line in block.lines() {
            let content = line.trim_start();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let depth = line.len() - content.len();
            let (key, value) = content.split_once(':').unwrap_or_else(|| panic!("no key in {line:?}"));
            assert!(!key.starts_with('-'), "lists are not merged: {line:?}");
            path.retain(|(above, _)| *above < depth);
            let map = path.iter().fold(&mut *self, |map, (_, key)| map.below(key));
            let value = value.trim();
            if value.is_empty() || value.starts_with('#') {
                map.below(key);
                path.push((depth, key));
            } else {
                map.set(key, value);
            }
        }
    }

    fn below(&mut self, key: &str) -> &mut Map {
        match self.entry(key, || Node::Map(Map::default())) {
            Node::Map(map) => map,
            Node::Value(value) => panic!("{key} is {value} and a map"),
        }
    }

    fn set(&mut self, key: &str, value: &str) {
        *self.entry(key, || Node::Value(String::new())) = Node::Value(value.to_owned());
    }

    fn entry(&mut self, key: &str, new: impl FnOnce() -> Node) -> &mut Node {
        let found = self.0.iter().position(|(known, _)| known == key);
        let index = found.unwrap_or_else(|| {
            self.0.push((key.to_owned(), new()));
            self.0.len() - 1
        });
        &mut self.0[index].1
    }

    fn write(&self, depth: usize, text: &mut String) {
        for (key, node) in &self.0 {
            let indent = " ".repeat(depth);
            match node {
                Node::Value(value) => text.push_str(&format!("{indent}{key}: {value}\n")),
                Node::Map(map) => {
                    text.push_str(&format!("{indent}{key}:\n"));
                    map.write(depth + 2, text);
                }
            }
        }
    }
}

#[test]
fn keys_of_several_blocks_stand_together() {
    let text = merged(["a:\n  b:\n    c: 1 # one\n    d: 2\n\nz:\n  y: 1\n", "a:\n  b:\n    c: 3\n  e: 4\n"]);
    assert_eq!(text, "a:\n  b:\n    c: 3\n    d: 2\n  e: 4\nz:\n  y: 1\n");
}
