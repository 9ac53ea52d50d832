//! The guide as its reader sees it: sections with blocks and numbered steps.

const GUIDE: &str = include_str!("../../fixtures/operations-guide.md");

/// What stands below a heading, up to the next one of its level or above.
#[derive(Debug, Default)]
pub struct Section {
    blocks: Vec<Block>,
    steps: Vec<String>,
}

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub language: String,
    pub text: String,
}

/// Cuts the section below a heading out of the guide, as `## Load Balancing`.
pub fn section(heading: &str) -> Section {
    cut(GUIDE, heading)
}

fn cut(page: &str, heading: &str) -> Section {
    let level = level(heading);
    let mut lines = page.lines();
    assert!(level > 0 && lines.by_ref().any(|line| line == heading), "the guide has no {heading:?}");
    let mut section = Section::default();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text: String =
                lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
            section.blocks.push(Block { language: language.to_owned(), text });
        } else if (1..=level).contains(&self::level(line)) {
            break;
        } else if let Some((_, step)) =
            line.split_once(". ").filter(|(number, _)| number.parse::<u32>().is_ok())
        {
            section.steps.push(step.to_owned());
        }
    }
    section
}

/// Counts the signs of a heading; 0 where a line is none.
fn level(line: &str) -> usize {
    let signs = line.bytes().take_while(|byte| *byte == b'#').count();
    if line[signs..].starts_with(' ') { signs } else { 0 }
}

impl Section {
    /// Gives the blocks of a language, in order.
    pub fn blocks(&self, language: &str) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(move |block| block.language == language)
    }

    /// Gives the only block of a language.
    pub fn block(&self, language: &str) -> &Block {
        let found: Vec<_> = self.blocks(language).collect();
        assert_eq!(found.len(), 1, "blocks of {language}");
        found[0]
    }

    /// Gives the numbered step that has `words`, which the test then carries out.
    pub fn step(&self, words: &str) -> &str {
        let found = self.steps.iter().find(|step| step.contains(words));
        found.unwrap_or_else(|| panic!("no step has {words:?}: {:?}", self.steps))
    }
}

/// Reads the call that a step names, as ``Check it: `GET /v0/…` ``: its method and its path, where `provider` stands
/// for `{provider}`.
pub fn call(step: &str, provider: &str) -> (http::Method, String) {
    let quoted = step.split('`').nth(1).unwrap_or_else(|| panic!("no call in {step:?}"));
    let (method, path) = quoted.split_once(' ').unwrap_or_else(|| panic!("no call in {step:?}"));
    (method.parse().expect("a method"), path.replace("{provider}", provider))
}

#[test]
fn a_section_ends_at_the_next_heading_of_its_level() {
    let page = "# A\n## B\n1. do `GET /x/{provider}`\n```yaml\n# C\na: 1\n```\n### D\n```json\n1\n```\n## E\n```yaml\nb\n```\n";
    let section = cut(page, "## B");
    assert_eq!(section.block("yaml").text, "# C\na: 1\n");
    assert_eq!(section.block("json").text, "1\n");
    assert_eq!(call(section.step("do"), "p"), (http::Method::GET, "/x/p".to_owned()));
}
