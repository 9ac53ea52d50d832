//! The vendors' own SDKs, through the gateway. What they do is in `tests/clients/sdk.py`; here are a gateway and a
//! simulated provider for each vendor's cases.

use cliproxy_testkit::{Config, Launch, mock::Script, poll_until, provider};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// A vendor: how its cases are called, and what its SDK talks to.
struct Vendor {
    /// Parts of the names of its cases.
    cases: &'static [&'static str],
    kind: &'static str,
    models: &'static [&'static str],
}

const OPENAI: Vendor = Vendor {
    cases: &["chat_", "responses_", "embeddings_", "openai_"],
    kind: "openai",
    models: &["gpt-5", "text-embedding-3-small"],
};
const ANTHROPIC: Vendor = Vendor {
    cases: &["messages_", "message_", "anthropic_"],
    kind: "anthropic",
    models: &["claude-sonnet-4-5"],
};
const GEMINI: Vendor =
    Vendor { cases: &["gemini_"], kind: "gemini", models: &["gemini-2.5-pro", "gemini-embedding-001"] };

/// Keys of each provider. The error cases have the gateway rest those that a provider refused: up to three for
/// each request, and a case needs one that does not rest.
const CREDENTIALS: usize = 100;
/// For all cases of a vendor.
const PATIENCE: Duration = Duration::from_secs(180);

const SCRIPT: &str = include_str!("../clients/sdk.py");

#[tokio::test]
async fn openai_sdk_works_through_the_gateway() {
    run(&OPENAI).await;
}

#[tokio::test]
async fn anthropic_sdk_works_through_the_gateway() {
    run(&ANTHROPIC).await;
}

#[tokio::test]
async fn google_sdk_works_through_the_gateway() {
    run(&GEMINI).await;
}

#[test]
fn every_case_belongs_to_one_vendor() {
    let cases = cases();
    assert!(cases.len() > 20, "{cases:?}");
    for case in cases {
        let vendors = [OPENAI, ANTHROPIC, GEMINI].iter().filter(|vendor| vendor.has(case)).count();
        assert_eq!(vendors, 1, "vendors of {case}");
    }
}

impl Vendor {
    fn has(&self, case: &str) -> bool {
        self.cases.iter().any(|part| case.contains(part))
    }
}

/// Gives the names of the script's cases.
fn cases() -> Vec<&'static str> {
    let after_mark = SCRIPT.split("\n@case\ndef ").skip(1);
    after_mark.filter_map(|rest| rest.split_once('(').map(|(name, _)| name)).collect()
}

async fn run(vendor: &Vendor) {
    let mock = provider("mock", Script::default());
    let names: Vec<(String, String)> =
        (0..CREDENTIALS).map(|n| (format!("key-{n}"), format!("sk-upstream-{n}"))).collect();
    let credentials: Vec<(&str, &str)> = names.iter().map(|(name, key)| (&**name, &**key)).collect();
    let config = Config::new()
        .provider("vendor", vendor.kind, &mock.base_url())
        .credentials("vendor", &credentials)
        .set(&["providers", "vendor", "models"], vendor.models);
    let gateway = Launch::new(crate::CLIPROXY, "serve").config(config).ready().await;

    let mut launch = Launch::new(&python().to_string_lossy(), "-u").arg(script().to_string_lossy());
    for case in vendor.cases {
        launch = launch.arg(*case);
    }
    let mut sdk = launch
        .env("GATEWAY", &format!("http://{}", gateway.address().await))
        .env("MOCK_URL", &mock.base_url())
        .env("OPENAI_MODEL", "gpt-5")
        .env("ANTHROPIC_MODEL", "claude-sonnet-4-5")
        .env("GEMINI_MODEL", "gemini-2.5-pro")
        .start();
    let status = sdk.wait_exit(PATIENCE).await;
    assert!(status.success(), "{status}:\n{}\n{}", sdk.stdout().join("\n"), sdk.stderr());
    let expected = cases().into_iter().filter(|case| vendor.has(case)).count();
    let passed = || sdk.stdout().iter().filter(|line| line.starts_with("ok ")).count();
    // Its last lines may be on their way still.
    poll_until("line for each case", Duration::from_secs(5), || async {
        (passed() == expected).then_some(())
    })
    .await;
}

/// Finds the interpreter that has the SDKs.
pub fn python() -> PathBuf {
    let python = install_folder("clients").join("bin/python");
    assert!(python.exists(), "{} is missing; ./test installs the SDKs there", python.display());
    python
}

/// Gives the folder of this name in the target folder, where `./test` installs programs.
pub fn install_folder(name: &str) -> PathBuf {
    let target =
        Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is a folder in the target folder");
    target.join(name)
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/sdk.py")
}
