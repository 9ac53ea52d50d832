//! What the program says to the person at the terminal. Logs go elsewhere.

use std::io::Write as _;

/// Prints a text and a line end to the standard output. A reader that has gone is no error.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints what stands beside the answer, and a line end, to the standard error: a script reads the answer alone.
pub fn note(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{text}");
}

/// Prints an error and a line end to the standard error.
pub fn error(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "error: {text}");
}

/// Prints a warning and a line end to the standard error.
pub fn warn(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "warning: {text}");
}
