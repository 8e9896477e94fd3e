//! Statistics of measured times: whether two samples can be distinguished, and histograms.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::time::Duration;

/// Returns the Kolmogorov-Smirnov distance of two samples: the largest difference of their cumulative
/// distributions. 0: no difference; 1: a single value distinguishes them.
pub fn distance(one: &[Duration], other: &[Duration]) -> f64 {
    let below = |times: &[Duration], limit: Duration| {
        let count = times.iter().filter(|time| **time <= limit).count();
        share(count, times.len())
    };
    one.iter()
        .chain(other)
        .map(|limit| (below(one, *limit) - below(other, *limit)).abs())
        .fold(0.0, f64::max)
}

/// Returns the distance that two samples of the same distribution, of these sizes, exceed with a
/// probability of one in a million.
pub fn chance_distance(one: usize, other: usize) -> f64 {
    // sqrt(-ln(p / 2) / 2) for p = 1e-6, times sqrt((n + m) / nm).
    2.694 * share(one + other, one * other).sqrt()
}

fn share(count: usize, of: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).expect("a sample's size"));
    number(count) / number(of)
}

/// Returns a percentile.
pub fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[(sorted.len() - 1) * percent / 100]
}

/// Draws a line of text for each sample: the counts in 40 equal steps between the smallest and the largest
/// time of all samples, from blank to `@`.
pub fn histogram(kinds: &[(String, Vec<Duration>)]) -> String {
    const STEPS: usize = 40;
    const SHADES: &[u8] = b" .:-=+*#%@";
    let all = || kinds.iter().flat_map(|(_, times)| times);
    let (least, most) = (all().min().copied(), all().max().copied());
    let (Some(least), Some(most)) = (least, most) else {
        return String::new();
    };
    let width = kinds.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let span = most.saturating_sub(least).as_nanos().max(1);
    let mut text = String::new();
    for (name, times) in kinds {
        let mut counts = [0; STEPS];
        for time in times {
            let step = time.saturating_sub(least).as_nanos() * (STEPS as u128 - 1) / span;
            counts[usize::try_from(step).expect("a step")] += 1;
        }
        let highest = counts.iter().copied().max().unwrap_or(1).max(1);
        let bar: String = counts
            .iter()
            .map(|count| char::from(SHADES[count * (SHADES.len() - 1) / highest]))
            .collect();
        let _ = writeln!(text, "{name:width$} |{bar}|");
    }
    let (least, most) = (least.as_millis(), most.as_millis());
    let _ = writeln!(text, "{:width$}  {least} ms{:>33} ms", "", most);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(millis: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        millis.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn distances() {
        let near = |one: f64, other: f64| (one - other).abs() < 1e-9;
        assert!(near(distance(&times(0..10), &times(0..10)), 0.0));
        assert!(near(distance(&times(0..10), &times(20..30)), 1.0));
        assert!(near(distance(&times(0..10), &times(5..15)), 0.5));
        assert!(near(
            distance(&times([1, 1, 1, 1]), &times([1, 1, 1, 9])),
            0.25
        ));
        // Published tables give 0.6 for n = m = 20 at p = 1e-3; for 1e-6 the value is larger.
        assert!((0.84..0.86).contains(&chance_distance(20, 20)));
        assert!(
            chance_distance(10, 40) < 1.0,
            "ten can be distinguished from forty"
        );
    }

    #[test]
    fn a_histogram_has_a_line_for_each_sample() {
        let kinds = [
            ("a".to_owned(), times(0..40)),
            ("bb".to_owned(), times([0])),
        ];
        let text = histogram(&kinds);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.starts_with("a  |@@@"), "{text}");
        assert!(text.contains("bb |@   "), "{text}");
        assert_eq!(percentile(&kinds[0].1, 50), Duration::from_millis(19));
    }
}
