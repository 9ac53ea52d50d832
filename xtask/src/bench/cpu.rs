//! Reads what a process has cost, and how busy the machine is.

use anyhow::{Context, bail};
use std::fs;

/// Linux counts a process's time for its readers in hundredths of a second, on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// Gives the CPU time of a process with all its threads, those that ended as well, user and system, in seconds.
///
/// # Errors
/// When the process is gone or the system has no `/proc`.
pub(super) fn seconds(pid: u32) -> anyhow::Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    parse(&stat).with_context(|| format!("cannot understand {path}"))
}

/// See proc_pid_stat(5): `utime` and `stime` are the fields 14 and 15; the command's name, which may hold spaces
/// and brackets, is the second.
fn parse(stat: &str) -> anyhow::Result<f64> {
    let Some((_, after_name)) = stat.rsplit_once(')') else { bail!("no name in brackets") };
    let mut ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let (Some(Ok(user)), Some(Ok(system))) = (ticks.next(), ticks.next()) else {
        bail!("no utime and stime")
    };
    Ok((user + system) as f64 / TICKS_PER_SECOND)
}

/// Gives the load averages as the system writes them, or `unknown`.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<&str> = text.split_whitespace().take(3).collect();
    if averages.is_empty() { "unknown".to_owned() } else { averages.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added_whatever_the_process_is_called() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 9 9 20 0 4 0 100 1000 10";
        assert_eq!(parse(stat).unwrap(), 3.0);
    }

    #[test]
    fn what_is_not_a_stat_line_is_refused() {
        assert!(parse("").is_err());
        assert!(parse("42 (x) S 1 2").is_err());
    }

    #[test]
    fn work_shows_in_the_processs_own_time() {
        let pid = std::process::id();
        let before = seconds(pid).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while seconds(pid).unwrap() < before + 0.05 {
            assert!(std::time::Instant::now() < deadline);
        }
    }
}
