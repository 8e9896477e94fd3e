//! A picture of lines: SVG by hand, on white, so that it reads on a dark page as well.

use std::fmt::Write;

/// A line with its name: how far, and how long, both in milliseconds.
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 70.0;
/// Where names begin.
const RIGHT: f64 = 580.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 420.0;
/// Between two names.
const APART: f64 = 17.0;
/// Told apart by those who see few colours too (Okabe and Ito).
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555",
];

/// The wait against the distance.
pub fn draw(lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let far = points().map(|point| point.0).fold(1.0, f64::max);
    let step = step(points().map(|point| point.1).fold(1.0, f64::max));
    let long = (points().map(|point| point.1).fold(1.0, f64::max) / step).ceil() * step;
    let x = |of: f64| LEFT + of / far * (RIGHT - LEFT);
    let y = |of: f64| BOTTOM - of / long * (BOTTOM - TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n\
         <title>Wait between password and code prompt, by distance to the servers</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    text(
        &mut svg,
        (LEFT, 28.0),
        "start",
        "Wait for the code prompt, in ms",
    );
    let mut tick = 0.0;
    while tick <= long {
        rule(&mut svg, (LEFT, y(tick)), (RIGHT, y(tick)));
        text(
            &mut svg,
            (LEFT - 8.0, y(tick) + 4.0),
            "end",
            &tick.to_string(),
        );
        tick += step;
    }
    let mut ticks: Vec<f64> = lines
        .first()
        .map(|line| line.points.iter().map(|point| point.0).collect())
        .unwrap_or_default();
    ticks.dedup();
    for tick in ticks {
        rule(&mut svg, (x(tick), BOTTOM), (x(tick), BOTTOM + 5.0));
        text(
            &mut svg,
            (x(tick), BOTTOM + 20.0),
            "middle",
            &tick.to_string(),
        );
    }
    text(
        &mut svg,
        (f64::midpoint(LEFT, RIGHT), BOTTOM + 44.0),
        "middle",
        "Round trip to the servers, in ms",
    );
    let ends = lines
        .iter()
        .map(|line| line.points.last().map_or(0.0, |point| y(point.1)));
    let names = spread(&ends.collect::<Vec<f64>>());
    for (place, (line, name)) in lines.iter().zip(names).enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let path: Vec<String> = line
            .points
            .iter()
            .map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1)))
            .collect();
        let dashes = if place < COLOURS.len() { "none" } else { "6 4" };
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>",
            path.join(" ")
        );
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
            RIGHT + 10.0,
            name + 4.0,
            escaped(&line.name)
        );
    }
    svg + "</svg>\n"
}

/// Round, and about six to the longest.
fn step(longest: f64) -> f64 {
    let least = longest / 7.0;
    let ten = 10_f64.powf(least.log10().floor());
    let rounds = [1.0, 2.0, 5.0].into_iter();
    let mut steps = rounds.map(|of| of * ten);
    steps.find(|step| *step >= least).unwrap_or(10.0 * ten)
}

/// Where names stand, so that none lies on another: as near to their lines' ends as can be.
fn spread(ends: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ends.len()).collect();
    order.sort_by(|one, other| ends[*other].total_cmp(&ends[*one]));
    let mut places = ends.to_vec();
    let mut free = f64::INFINITY;
    // From the bottom up: the short waits are the crowded ones.
    for line in order {
        places[line] = ends[line].min(free);
        free = places[line] - APART;
    }
    places
}

fn rule(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#ccc\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(svg: &mut String, at: (f64, f64), anchor: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
        at.0,
        at.1,
        escaped(text)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
