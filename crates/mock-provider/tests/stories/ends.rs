//! The program ends when it is asked to.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

#[test]
fn either_signal_ends_it_in_order() {
    for signal in ["INT", "TERM"] {
        let mut process = Command::new(env!("CARGO_BIN_EXE_mock-provider"))
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert!(line.starts_with("listening on "), "{line}");
        let sent =
            Command::new("/bin/sh").args(["-c", &format!("kill -s {signal} {}", process.id())]).status();
        assert!(sent.unwrap().success());
        let status = process.wait().unwrap();
        assert!(status.success(), "{signal}: {status}");
    }
}
