//! What a page of documentation asks its reader to do.
//!
//! A comment on the line before a block says what the block is:
//!
//! | comment | the block |
//! | --- | --- |
//! | `<!-- test: file: NAME -->` | is the content of a file |
//! | `<!-- test: simulate -->` | starts simulated providers, in the background |
//! | `<!-- test: start -->` | is one `cliproxy` command that goes on |
//! | `<!-- test: start, simulated: NAMES -->` | likewise, with these providers simulated |
//! | `<!-- test: run -->` | ends well |
//! | `<!-- test: run, prints: TEXT -->` | ends well and prints the text |
//! | `<!-- test: run, in the end: TEXT -->` | prints the text sooner or later, when it is run again and again |
//! | `<!-- test: not run: REASON -->` | needs what the tests do not have |
//!
//! `<!-- test: stop: SUBCOMMAND -->` stands alone: what was started so ends with exit code 0. Blocks of bash, Python and YAML
//! have a comment, unless all that they do is build or test this repository.

/// One thing to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    File { name: String, text: String },
    Simulate { listen: String, name: String },
    Start { command: String, simulated: Vec<String> },
    Run { language: String, text: String, expected: Expected },
    Stop { subcommand: String },
}

/// How a block must end.
#[derive(Debug, PartialEq, Eq)]
pub enum Expected {
    Success,
    Prints(String),
    InTheEnd(String),
}

const MARK: &str = "<!-- test: ";
/// Commands that are not run: the tests stand on what they make.
const BUILDING: [&str; 4] = ["cargo ", "git clone ", "cd ", "./test"];

/// Reads the steps of a page, each with the number of its line. An error begins with the line's number.
pub fn steps(text: &str) -> Result<Vec<(usize, Step)>, String> {
    let mut steps = Vec::new();
    let mut mark: Option<&str> = None;
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((number, line)) = lines.next() {
        if let Some(comment) = line.strip_prefix(MARK) {
            let comment = comment.strip_suffix(" -->").ok_or(format!("{number}: the comment has no end"))?;
            match comment.strip_prefix("stop: ") {
                Some(subcommand) => steps.push((number, Step::Stop { subcommand: subcommand.to_owned() })),
                None => mark = Some(comment),
            }
            continue;
        }
        let Some(language) = line.strip_prefix("```") else {
            if mark.is_some() {
                return Err(format!("{number}: no block follows the comment"));
            }
            continue;
        };
        let block: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let found = match mark.take() {
            Some(mark) => read(mark, language, &block),
            None => unmarked(language, &block).map(|()| Vec::new()),
        };
        let found = found.map_err(|error| format!("{number}: {error}"))?;
        steps.extend(found.into_iter().map(|step| (number, step)));
    }
    Ok(steps)
}

/// Reads a block with its comment.
fn read(mark: &str, language: &str, block: &[&str]) -> Result<Vec<Step>, String> {
    let text = || block.join("\n") + "\n";
    let run = |expected| Step::Run { language: language.to_owned(), text: text(), expected };
    let (verb, argument) = mark.split_once(": ").unwrap_or((mark, ""));
    Ok(match verb {
        "file" => vec![Step::File { name: argument.to_owned(), text: text() }],
        "simulate" => block.iter().map(|line| simulated(line)).collect::<Result<_, _>>()?,
        "start" | "start, simulated" => vec![Step::Start {
            command: command(block)?,
            simulated: argument.split_whitespace().map(str::to_owned).collect(),
        }],
        "run" => vec![run(Expected::Success)],
        "run, prints" => vec![run(Expected::Prints(argument.to_owned()))],
        "run, in the end" => vec![run(Expected::InTheEnd(argument.to_owned()))],
        "not run" if !argument.is_empty() => Vec::new(),
        _ => return Err(format!("`{mark}` is not a known comment")),
    })
}

fn simulated(line: &str) -> Result<Step, String> {
    let after = |name: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != name).skip(1);
        words.next().map(str::to_owned).ok_or(format!("no {name} in `{line}`"))
    };
    if !line.contains("mock-provider") {
        return Err(format!("`{line}` starts no mock provider"));
    }
    Ok(Step::Simulate { listen: after("--listen")?, name: after("--name")? })
}

fn command(block: &[&str]) -> Result<String, String> {
    match block {
        [line] => Ok((*line).to_owned()),
        _ => Err("what is started is one line".to_owned()),
    }
}

/// Refuses a block without a comment that somebody may try.
fn unmarked(language: &str, block: &[&str]) -> Result<(), String> {
    let builds = |line: &&str| line.is_empty() || BUILDING.iter().any(|start| line.starts_with(start));
    match language {
        "bash" | "console" | "sh" if block.iter().all(builds) => Ok(()),
        "bash" | "console" | "sh" | "python" | "yaml" => {
            Err(format!("a block of {language} without a comment"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<Step>, String> {
        steps(text).map(|steps| steps.into_iter().map(|(_, step)| step).collect())
    }

    #[test]
    fn steps_come_in_the_order_of_the_page() {
        let text = "\
Words.
<!-- test: file: a.yaml -->
```yaml
a: 1
```
<!-- test: start, simulated: x y -->
```bash
cliproxy serve
```
<!-- test: run, prints: b: c -->
```bash
echo b
```
<!-- test: stop: serve -->
";
        let run = Step::Run {
            language: "bash".to_owned(),
            text: "echo b\n".to_owned(),
            expected: Expected::Prints("b: c".to_owned()),
        };
        let file = Step::File { name: "a.yaml".to_owned(), text: "a: 1\n".to_owned() };
        let start = Step::Start {
            command: "cliproxy serve".to_owned(),
            simulated: vec!["x".to_owned(), "y".to_owned()],
        };
        let stop = Step::Stop { subcommand: "serve".to_owned() };
        assert_eq!(of(text), Ok(vec![file, start, run, stop]));
    }

    #[test]
    fn each_simulated_provider_is_a_line() {
        let text = "<!-- test: simulate -->\n```bash\nmock-provider --listen 127.0.0.1:1 --name a &\n```\n";
        let step = Step::Simulate { listen: "127.0.0.1:1".to_owned(), name: "a".to_owned() };
        assert_eq!(of(text), Ok(vec![step]));
    }

    #[test]
    fn no_block_is_passed_over_by_mistake() {
        for text in [
            "```bash\ncurl x\n```\n",
            "```yaml\na: 1\n```\n",
            "<!-- test: rnu -->\n```bash\nx\n```\n",
            "<!-- test: run -->\n\n```bash\nx\n```\n",
            "<!-- test: not run -->\n```bash\nx\n```\n",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
        assert_eq!(of("```bash\ncargo run --release -- demo\n./test\n```\n"), Ok(vec![]));
        assert_eq!(of("<!-- test: not run: no such program here -->\n```bash\nx\n```\n"), Ok(vec![]));
    }
}
