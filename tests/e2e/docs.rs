//! What the documents tell a reader to do, done from top to bottom.
//!
//! A comment before a block says what the test does with it; `docs/page.rs` has the list. The documents use the
//! usual ports and the commands as they are; here every address is replaced by the one of the process in question.

mod names;
mod page;

use crate::{CLIPROXY, clients};
use cliproxy_testkit::{
    Launch, Process,
    mock::{MockProvider, Script},
    poll_until,
    process::Finished,
    provider,
};
use page::{Expected, Step};
use std::{collections::BTreeMap, path::Path, time::Duration};

/// The variables that hold keys in the documents; the simulated providers take any.
const KEYS: [&str; 4] = ["ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_2", "OPENAI_API_KEY", "GEMINI_API_KEY"];
/// For one block.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_readme_does_what_it_says() {
    follow("README.md").await;
}

#[tokio::test]
async fn getting_started_does_what_it_says() {
    follow("docs/guide/getting-started.md").await;
}

#[tokio::test]
async fn a_cluster_does_what_it_says() {
    follow("docs/guide/cluster.md").await;
}

#[tokio::test]
async fn coding_agents_does_what_it_says() {
    follow("docs/guide/coding-agents.md").await;
}

#[tokio::test]
async fn operating_it_does_what_it_says() {
    follow("docs/guide/operations.md").await;
}

#[tokio::test]
async fn clients_do_what_it_says() {
    follow("docs/guide/clients.md").await;
}

#[tokio::test]
async fn certificates_does_what_it_says() {
    follow("docs/guide/certificates.md").await;
}

#[tokio::test]
async fn several_nodes_do_what_it_says() {
    follow("docs/guide/failover.md").await;
}

#[tokio::test]
async fn limits_do_what_it_says() {
    follow("docs/guide/quotas.md").await;
}

#[tokio::test]
async fn the_reference_of_operations_does_what_it_says() {
    follow("docs/reference/operations.md").await;
}

#[test]
fn every_page_of_the_guide_is_followed() {
    let pages = std::fs::read_dir(root().join("docs/guide")).expect("the guide is there");
    let mut names: Vec<_> = pages.map(|page| page.expect("a page").file_name()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "certificates.md",
            "clients.md",
            "cluster.md",
            "coding-agents.md",
            "failover.md",
            "getting-started.md",
            "operations.md",
            "quotas.md"
        ],
        "a test above follows each page"
    );
}

async fn follow(page: &str) {
    let text = std::fs::read_to_string(root().join(page)).expect("the page is there");
    let steps = page::steps(&text).unwrap_or_else(|error| panic!("{page}:{error}"));
    assert!(steps.iter().any(|(_, step)| matches!(step, Step::Run { .. })), "{page} runs nothing");
    let mut reader = Reader::new();
    for (line, step) in steps {
        // Shown when the step fails.
        println!("{page}:{line}: {step:?}");
        reader.follow(step).await;
    }
    reader.stop_all().await;
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Somebody who follows a page.
struct Reader {
    /// Where commands run.
    folder: tempfile::TempDir,
    /// The page's files, with its own addresses.
    files: BTreeMap<String, String>,
    /// Subcommands, and the processes that run them.
    running: Vec<(String, Process)>,
    mocks: Vec<MockProvider>,
    /// The page's addresses and the real ones; its folder of certificates as well.
    addresses: BTreeMap<String, String>,
}

impl Reader {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Installed, as the page says.
        let programs = folder.path().join("bin");
        std::fs::create_dir(&programs).expect("a folder");
        std::os::unix::fs::symlink(CLIPROXY, programs.join("cliproxy")).expect("a link");
        // Processes run in folders of their own; certificates are made where commands run.
        let certificates = folder.path().join("certs").display().to_string();
        Self {
            folder,
            files: BTreeMap::new(),
            running: Vec::new(),
            mocks: Vec::new(),
            addresses: BTreeMap::from([("./certs".to_owned(), certificates)]),
        }
    }

    async fn follow(&mut self, step: Step) {
        match step {
            Step::File { name, text } => self.write(name, text),
            Step::Simulate { listen, name } => {
                let mock = provider(&name, Script::default());
                self.addresses.insert(listen, mock.addr().to_string());
                self.mocks.push(mock);
            }
            Step::Start { command, simulated } => self.start(&command, &simulated).await,
            Step::Run { language, text, expected } => self.run(&language, &text, &expected).await,
            Step::Stop { subcommand } => {
                let found = self.running.iter().position(|(running, _)| *running == subcommand);
                let index = found.unwrap_or_else(|| panic!("no {subcommand} is running"));
                stop(self.running.remove(index).1).await;
            }
        }
    }

    /// Writes a file, for the processes that run already as well.
    fn write(&mut self, name: String, text: String) {
        let here = self.replaced(&text);
        let folders = self.running.iter().map(|(_, process)| process.folder()).chain([self.folder.path()]);
        for folder in folders {
            // In one step, as editors do: a watcher never sees half of it.
            let new = folder.join(format!("{name}.new"));
            std::fs::write(&new, &here).expect("the file can be written");
            std::fs::rename(&new, folder.join(&name)).expect("the file can be replaced");
        }
        self.files.insert(name, text);
    }

    /// Starts `cliproxy …`, on free ports, and waits until it is ready.
    async fn start(&mut self, command: &str, simulated: &[String]) {
        let mut words = command.split_whitespace();
        assert_eq!(words.next(), Some("cliproxy"), "{command}");
        let subcommand = words.next().expect("a subcommand");
        let mut launch = Launch::new(CLIPROXY, subcommand);
        // A second process has another address on the page; here each has a free port.
        let mut clients = "127.0.0.1:8317".to_owned();
        while let Some(word) = words.next() {
            match word {
                "--listen" => clients = words.next().expect("an address").to_owned(),
                word => launch = launch.arg(word),
            }
        }
        for (name, text) in &self.files {
            launch = launch.file(name, self.replaced(text));
        }
        for key in KEYS {
            launch = launch.env(key, "simulated");
        }
        if !simulated.is_empty() {
            let mock = provider("simulated", Script::default());
            for name in simulated {
                launch = launch.arg("--set").arg(format!("providers.{name}.base_url={}", mock.base_url()));
            }
            self.mocks.push(mock);
        }
        let process = launch.ready().await;
        if subcommand != "controlplane" {
            self.know(&clients, process.address().await.to_string());
        }
        if subcommand != "dataplane" {
            self.know("127.0.0.1:8318", process.operators().await.to_string());
            self.know("127.0.0.1:8319", process.nodes().await.to_string());
        }
        self.running.push((subcommand.to_owned(), process));
    }

    fn know(&mut self, usual: &str, actual: String) {
        self.addresses.insert(usual.to_owned(), actual);
    }

    async fn run(&self, language: &str, text: &str, expected: &Expected) {
        let text = self.replaced(text);
        match expected {
            Expected::Success => {
                self.attempt(language, &text).await.unwrap_or_else(|failure| panic!("{failure}"));
            }
            Expected::Prints(wanted) => {
                let printed =
                    self.attempt(language, &text).await.unwrap_or_else(|failure| panic!("{failure}"));
                assert!(printed.contains(wanted), "no {wanted:?} in {printed}");
            }
            Expected::InTheEnd(wanted) => {
                let attempt = || async {
                    let printed = self.attempt(language, &text).await.ok()?;
                    printed.contains(wanted).then_some(())
                };
                poll_until(wanted, PATIENCE, attempt).await;
            }
        }
    }

    /// Runs a block to its end; gives what it printed, or how it failed.
    async fn attempt(&self, language: &str, text: &str) -> Result<String, String> {
        let folder = self.folder.path().display();
        let launch = match language {
            "bash" => Launch::new("bash", "-euo pipefail -c").arg(format!("cd '{folder}'\n{text}")),
            "python" => Launch::new(&clients::python().to_string_lossy(), "-c").arg(text),
            other => panic!("blocks of {other} are not run"),
        };
        let path = std::env::var("PATH").unwrap_or_default();
        let mut launch = launch.env("PATH", &format!("{folder}/bin:{path}")).env("HOME", &folder.to_string());
        for key in KEYS {
            launch = launch.env(key, "simulated");
        }
        let Finished { status, stdout, stderr } = launch.run().await;
        if status.success() {
            return Ok(stdout);
        }
        Err(format!("{status}\n{text}\n--- printed\n{stdout}\n--- complained\n{stderr}"))
    }

    /// Puts the real addresses in.
    fn replaced(&self, text: &str) -> String {
        self.addresses.iter().fold(text.to_owned(), |text, (usual, actual)| text.replace(usual, actual))
    }

    async fn stop_all(self) {
        for (_, process) in self.running.into_iter().rev() {
            stop(process).await;
        }
        for mock in self.mocks {
            mock.stop().await;
        }
    }
}

async fn stop(mut process: Process) {
    process.terminate();
    let status = process.wait_exit(PATIENCE).await;
    assert!(status.success(), "it ended with {status}");
}
