//! Processor time of a process and everything below it, from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use crate::outcome::Outcome;
use crate::programs::output;

/// One line of `/proc/<id>/stat`: whose child it is, and the ticks that it and those of its
/// children that have ended and been waited for have used.
struct Usage {
    parent: u32,
    ticks: u64,
}

/// Seconds of processor time (user and system) used so far by the trees below `roots`.
pub(crate) fn seconds(roots: &[u32]) -> Outcome<f64> {
    let usages = all()?;
    let ticks: u64 = usages
        .iter()
        .filter(|&(&process, _)| belongs(process, roots, &usages))
        .map(|(_, usage)| usage.ticks)
        .sum();
    Ok(ticks as f64 / ticks_per_second())
}

/// Seconds that this very process has used, without its children.
pub(crate) fn own_seconds() -> Outcome<f64> {
    let text = fs::read_to_string("/proc/self/stat").map_err(|error| format!("/proc: {error}"))?;
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(|time| time.parse().unwrap_or(0_u64)).sum();
    Ok(ticks as f64 / ticks_per_second())
}

fn belongs(process: u32, roots: &[u32], usages: &HashMap<u32, Usage>) -> bool {
    let parent = |&process: &u32| usages.get(&process).map(|usage| usage.parent);
    std::iter::successors(Some(process), parent).any(|ancestor| roots.contains(&ancestor))
}

fn all() -> Outcome<HashMap<u32, Usage>> {
    let entries = fs::read_dir("/proc").map_err(|error| format!("/proc: {error}"))?;
    Ok(entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|process: u32| {
            // A process may end between the listing and the reading.
            let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            Some((process, usage_in(&text)?))
        })
        .collect())
}

/// `id (name) state parent …`; a name may hold spaces and brackets.
fn usage_in(text: &str) -> Option<Usage> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let parent = fields.get(1)?.parse().ok()?;
    let times = fields.get(11..15)?;
    let ticks = times.iter().map(|time| time.parse().unwrap_or(0_u64)).sum();
    Some(Usage { parent, ticks })
}

fn ticks_per_second() -> f64 {
    let said = output(Command::new("getconf").arg("CLK_TCK")).ok();
    said.and_then(|text| text.trim().parse().ok()).unwrap_or(100.0)
}

#[cfg(test)]
mod tests {
    use super::usage_in;

    #[test]
    fn a_name_may_hold_brackets() {
        let text = "7 (a) b) S 3 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 5 6 7";
        let usage = usage_in(text).unwrap();
        assert_eq!((usage.parent, usage.ticks), (3, 100));
    }
}
