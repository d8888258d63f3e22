//! What the clients met, added up.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::super::timeline::{Answered, Timeline};
use super::orders::Orders;
use super::{Answer, Kind, Sample};

/// What counts as around a switch.
const AROUND: Duration = Duration::from_millis(300);

/// What the clients met.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) requests: usize,
    /// How often `current` moved.
    pub(crate) switches: usize,
    failed: Vec<String>,
    mixed: Vec<String>,
    stale: Vec<String>,
    early: Vec<String>,
    /// Looks that found no `current`.
    gaps: usize,
    orders: Orders,
    steady: Latency,
    around: Latency,
}

#[derive(Debug, Default)]
struct Latency {
    count: usize,
    p50: f64,
    p99: f64,
}

impl Latency {
    fn of(mut millis: Vec<f64>) -> Self {
        millis.sort_by(f64::total_cmp);
        let at = |share: f64| {
            millis.get(((millis.len() as f64 * share) as usize).min(millis.len().saturating_sub(1)))
        };
        let [p50, p99] = [0.5, 0.99].map(|share| at(share).copied().unwrap_or_default());
        Self { count: millis.len(), p50, p99 }
    }
}

/// Each release that answered, with what its code calls itself.
fn markers(samples: &[Sample], marker: impl Fn(&str) -> Option<String>) -> Vec<(&str, Option<String>)> {
    let answers = samples.iter().filter_map(|sample| sample.answer.as_ref().ok());
    let revisions: BTreeSet<(&str, &str)> = answers
        .filter_map(|answer| Some((answer.release.as_deref()?, answer.revision.as_deref()?)))
        .collect();
    revisions.into_iter().map(|(id, sha)| (id, marker(sha))).collect()
}

/// Every sign names the same release: one marker, and it is the revision's own.
fn is_whole(answer: &Answer, marker: impl Fn(&str) -> Option<String>) -> bool {
    let own = answer.revision.as_deref().and_then(marker);
    answer.markers.len() == 1 && own.is_none_or(|own| answer.markers.contains(&own))
}

impl Report {
    /// Judges each sample by when its release was active; `marker` tells what the code of a revision calls itself.
    pub(super) fn of(
        samples: &[Sample],
        timeline: &Timeline,
        orders: Orders,
        marker: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let mut report = Self {
            requests: samples.len(),
            switches: timeline.switches.len().saturating_sub(1),
            gaps: timeline.gaps,
            orders,
            ..Self::default()
        };
        let markers = markers(samples, &marker);
        for sample in samples {
            match &sample.answer {
                Ok(answer) => {
                    if !is_whole(answer, &marker) {
                        report.mixed.push(sample.told(answer));
                    }
                    report.judge(timeline, sample, answer, &markers);
                }
                Err(error) => report.failed.push(format!("{:?}: {error}", sample.kind)),
            }
        }
        report.measure(samples, timeline);
        report
    }

    fn judge(
        &mut self,
        timeline: &Timeline,
        sample: &Sample,
        answer: &Answer,
        markers: &[(&str, Option<String>)],
    ) {
        let releases: Vec<&str> = match &answer.release {
            Some(release) => vec![release],
            // A static file names its release by its marker alone.
            None => {
                let own = markers.iter().filter(|(_, own)| own.as_ref() == answer.markers.first());
                own.map(|(id, _)| *id).collect()
            }
        };
        match timeline.judge(&releases, sample.start, sample.end) {
            Answered::InTime => {}
            Answered::Stale => self.stale.push(sample.told(answer)),
            Answered::Early => self.early.push(sample.told(answer)),
        }
    }

    fn measure(&mut self, samples: &[Sample], timeline: &Timeline) {
        let millis = |sample: &&Sample| (sample.end - sample.start).as_secs_f64() * 1000.0;
        let (near, far): (Vec<&Sample>, Vec<&Sample>) = samples
            .iter()
            .filter(|sample| sample.kind != Kind::Slow)
            .partition(|sample| timeline.is_near(sample.start, AROUND));
        self.around = Latency::of(near.iter().map(millis).collect());
        self.steady = Latency::of(far.iter().map(millis).collect());
    }

    /// Fails the test unless every request was answered by one whole release at its time.
    #[track_caller]
    pub(crate) fn assert_flawless(&self) {
        assert!(self.requests > 0, "nothing was asked");
        let flaws = [&self.failed, &self.mixed, &self.stale, &self.early, &self.orders.lost];
        let clean = flaws.iter().all(|flaws| flaws.is_empty()) && self.orders.invented == 0 && self.gaps == 0;
        assert!(clean, "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, switches, failed, mixed, stale, early, gaps, orders, steady, around } = self;
        writeln!(
            f,
            "{requests} requests over {switches} switches: {} failed, {} mixed, {} stale, {} early",
            failed.len(),
            mixed.len(),
            stale.len(),
            early.len()
        )?;
        writeln!(
            f,
            "{} orders: {} lost, {} invented; looks without `current`: {gaps}",
            orders.taken,
            orders.lost.len(),
            orders.invented
        )?;
        for (name, latency) in [("steady", steady), ("within 300 ms of a switch", around)] {
            writeln!(f, "{name}: p50 {:.1} ms, p99 {:.1} ms of {}", latency.p50, latency.p99, latency.count)?;
        }
        for flaw in
            [failed, mixed, stale, early, &orders.lost].into_iter().flat_map(|flaws| flaws.iter().take(5))
        {
            writeln!(f, "  {flaw}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(markers: &[&str]) -> Answer {
        let markers = markers.iter().map(|marker| (*marker).to_owned()).collect();
        Answer { release: Some("a".to_owned()), revision: Some("sha".to_owned()), markers }
    }

    #[test]
    fn a_mixture_is_noticed() {
        let marker = |_: &str| Some("7".to_owned());
        assert!(is_whole(&answer(&["7"]), marker));
        assert!(!is_whole(&answer(&["7", "8"]), marker), "code of one, template of another");
        assert!(!is_whole(&answer(&["8"]), marker), "the code of another revision");
        assert!(!is_whole(&answer(&[]), marker), "no sign of anybody");
    }
}
