//! `docker-compose.yml` and `Dockerfile`, as far as they can be held without containers: one service builds the image, the
//! certificates that are made are those that are used, and every process takes what it is told.

use crate::CLIPROXY;
use cliproxy_testkit::{Launch, process::Finished};
use std::{collections::BTreeMap, path::Path};

/// Where the containers have their certificates.
const CERTIFICATES: &str = "/etc/cliproxy/certificates";

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("it is there")
}

/// Gives the services with their lines. The file is written as its indentation says, two spaces a step.
fn services(file: &str) -> BTreeMap<String, Vec<String>> {
    let mut services: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut name = None;
    for line in file.lines().skip_while(|line| *line != "services:").skip(1) {
        if !line.is_empty() && !line.starts_with(' ') {
            break;
        }
        if let Some(found) = line.strip_prefix("  ").filter(|rest| !rest.starts_with([' ', '#'])) {
            name = found.strip_suffix(':').map(str::to_owned);
        } else if let Some(name) = &name {
            services.entry(name.clone()).or_default().push(line.trim().to_owned());
        }
    }
    services
}

/// Gives the words of a service's command.
fn command(lines: &[String]) -> Vec<&str> {
    let words = lines.iter().skip_while(|line| *line != "command:").skip(1);
    let words = words.filter(|line| !line.starts_with('#'));
    words.map_while(|line| line.strip_prefix("- ")).collect()
}

async fn run(subcommand: &str, arguments: impl IntoIterator<Item = String>) -> Finished {
    let launch = Launch::new(CLIPROXY, subcommand)
        .env("DATABASE_URL", "postgres://cliproxy:trial@postgres/cliproxy")
        .env("PROVIDER_URL", "http://provider:4010")
        .env("PROVIDER_KEY", "any")
        .env("PROVIDER_MODEL", "any")
        .env("OPERATOR_TOKEN_SHA256", &"0".repeat(64));
    arguments.into_iter().fold(launch, Launch::arg).run().await
}

#[tokio::test]
async fn every_process_of_the_containers_takes_what_it_is_told_with_the_certificates_that_are_made() {
    let file = read("docker-compose.yml");
    let services = services(&file);
    let folder = tempfile::tempdir().expect("a folder");
    let here = |word: &str| word.replace(CERTIFICATES, &folder.path().display().to_string());

    let made = command(&services["certificates"]);
    assert_eq!(made[..2], ["ctl", "certificates"]);
    let finished = run("ctl certificates", made[2..].iter().map(|word| here(word))).await;
    assert!(finished.status.success(), "{}", finished.stderr);

    let mut checked = Vec::new();
    for (name, lines) in &services {
        let words = command(lines);
        let Some(("controlplane" | "dataplane", arguments)) =
            words.split_first().map(|(first, rest)| (*first, rest))
        else {
            continue;
        };
        let has = |wanted: String| assert!(arguments.contains(&&*wanted), "{name}: no {wanted}");
        match words[0] {
            "controlplane" => {
                has(format!("--set=control_plane.name=\"{name}\""));
                has(format!("--set=control_plane.advertise_url=\"https://{name}:8319\""));
            }
            _ => has(format!("--node-name={name}")),
        }
        // `config check` takes what configures; what else a process takes is in the reference of the command line.
        // A doubled dollar is one that Docker leaves to the process.
        let sets = arguments.iter().filter(|word| word.starts_with("--set="));
        let sets: Vec<String> = sets.map(|word| here(word).replace("$$", "$")).collect();
        let guarded = words[0] == "controlplane" || sets.iter().any(|set| set.contains("admin_tokens"));
        assert!(guarded, "{name} lets everybody in its container be the operator of all");
        let config = arguments.iter().find_map(|word| word.strip_prefix("--config=/etc/cliproxy/"));
        let config = config.map(|config| format!("--config={}/docker/{config}", env!("CARGO_MANIFEST_DIR")));
        let finished = run("config check", config.into_iter().chain(sets)).await;
        assert!(finished.status.success(), "{name}: {}", finished.stderr);
        checked.push(name.as_str());
    }
    assert_eq!(checked, ["cp-a", "cp-b", "node-a", "node-b", "node-c"]);
}

#[test]
fn one_service_builds_the_image_that_all_use() {
    let file = read("docker-compose.yml");
    let builds = services(&file);
    let builds: Vec<&String> = builds
        .iter()
        .filter(|(_, lines)| lines.iter().any(|line| line == "build: ."))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(builds, ["certificates"], "several that export one image at once fail");
    assert_eq!(file.matches("build:").count(), 1);
}

#[test]
fn the_image_has_the_programs_and_ports_that_the_services_use() {
    let (image, file) = (read("Dockerfile"), read("docker-compose.yml"));
    for program in ["/source/target/release/cliproxy ", "/source/target/release/mock-provider "] {
        assert!(image.contains(program), "{program}");
    }
    assert!(image.contains("EXPOSE 8317 8318 8319"));
    let toolchain = format!("FROM rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    assert!(image.contains(&toolchain), "the toolchain that is demanded: {toolchain}");
    for folder in ["/var/lib/cliproxy", CERTIFICATES] {
        assert!(image.contains(folder) && file.contains(folder), "{folder} belongs to the image's user");
    }
}
