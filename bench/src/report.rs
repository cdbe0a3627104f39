//! Tables and verdicts, as Markdown for the terminal and for `docs/benchmarks.md`.

use crate::machine;

/// A table whose cells are text already.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&cell| cell.to_owned()).collect(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(crate) fn print(&self) {
        let line = |cells: &[String]| println!("| {} |", cells.join(" | "));
        println!();
        line(&self.head);
        println!("|{}", "---|".repeat(self.head.len()));
        for row in &self.rows {
            line(row);
        }
    }
}

/// What a figure must keep to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn keeps(self, measured: f64) -> bool {
        match self {
            Self::AtLeast(least) => measured >= least,
            Self::AtMost(most) => measured <= most,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!(">= {least}"),
            Self::AtMost(most) => format!("<= {most}"),
        }
    }
}

/// One budget and what came of it; `None` when it could not be measured.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) work: String,
    pub(crate) bound: Bound,
    pub(crate) measured: Option<f64>,
}

/// How a program of benchmarks ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Kept,
    Missed,
    /// Nothing was missed, but something was not measured.
    Unmeasured,
}

/// Prints the budgets; a smoke run judges none.
pub(crate) fn judge(budgets: &[Budget], smoke: bool) -> Verdict {
    let mut table = Table::new(&["Budget", "must be", "measured", "verdict"]);
    let mut verdict = Verdict::Kept;
    for budget in budgets {
        let (measured, word) = match budget.measured.filter(|measured| measured.is_finite()) {
            None => {
                if verdict == Verdict::Kept {
                    verdict = Verdict::Unmeasured;
                }
                ("-".to_owned(), "not measured")
            }
            Some(measured) if budget.bound.keeps(measured) => (format!("{measured:.2}"), "kept"),
            Some(measured) => {
                verdict = Verdict::Missed;
                (format!("{measured:.2}"), "MISSED")
            }
        };
        let word = if smoke { "smoke run, not judged" } else { word };
        table.row(vec![budget.work.clone(), budget.bound.text(), measured, word.to_owned()]);
    }
    table.print();
    if smoke { Verdict::Kept } else { verdict }
}

/// The facts that figures mean nothing without.
pub(crate) fn heading(title: &str, programs: &[String]) {
    println!("\n## {title}\n");
    println!("{}; {}.", machine::facts(), programs.join("; "));
}

/// A figure with as many digits as it deserves.
pub(crate) fn figure(value: f64) -> String {
    if !value.is_finite() {
        "-".to_owned()
    } else if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// The middle of what several rounds gave.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
    let lower = values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN);
    f64::midpoint(lower, upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn one_missed_budget_is_a_missed_run() {
        let budget =
            |measured| Budget { work: String::new(), bound: Bound::AtLeast(2.0), measured };
        assert_eq!(judge(&[budget(Some(2.0))], false), Verdict::Kept);
        assert_eq!(judge(&[budget(Some(2.0)), budget(None)], false), Verdict::Unmeasured);
        assert_eq!(judge(&[budget(Some(1.9)), budget(None)], false), Verdict::Missed);
        assert_eq!(judge(&[budget(Some(f64::NAN))], false), Verdict::Unmeasured);
        assert_eq!(judge(&[budget(Some(1.9))], true), Verdict::Kept);
    }
}
