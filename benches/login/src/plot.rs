//! Draws a line chart as SVG, with a white background so that it is readable on a dark page.

use std::fmt::Write;

/// A named line of points: round-trip time and wait, in milliseconds.
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 70.0;
/// The left edge of the labels.
const RIGHT: f64 = 580.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 420.0;
/// The distance between two labels.
const LABEL_HEIGHT: f64 = 17.0;
/// A palette for readers with colour vision deficiency (Okabe and Ito).
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555",
];

/// The scale of both axes.
struct Scale {
    max_distance: f64,
    max_wait: f64,
    /// The distance between two marks of the wait.
    step: f64,
}

/// Draws the wait against the round-trip time.
pub fn draw(lines: &[Line]) -> String {
    let scale = Scale::for_all(lines);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n\
         <title>Wait between password and code prompt, by distance to the servers</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    scale.waits(&mut svg);
    if let Some(line) = lines.first() {
        scale.distances(&mut svg, line);
    }
    let ends = lines.iter().map(|line| line.points.last());
    let ends = ends.map(|point| point.map_or(BOTTOM, |point| scale.y(point.1)));
    let labels = spread(&ends.collect::<Vec<f64>>());
    for (index, (line, label)) in lines.iter().zip(labels).enumerate() {
        scale.line(&mut svg, index, line, label);
    }
    svg + "</svg>\n"
}

impl Scale {
    fn for_all(lines: &[Line]) -> Self {
        let max = |of: fn(&(f64, f64)) -> f64| {
            let points = lines.iter().flat_map(|line| &line.points);
            points.map(of).fold(1.0, f64::max)
        };
        let max_wait = max(|point| point.1);
        let step = step(max_wait);
        Self {
            max_distance: max(|point| point.0),
            max_wait: (max_wait / step).ceil() * step,
            step,
        }
    }

    fn x(&self, far: f64) -> f64 {
        LEFT + far / self.max_distance * (RIGHT - LEFT)
    }

    fn y(&self, long: f64) -> f64 {
        BOTTOM - long / self.max_wait * (BOTTOM - TOP)
    }

    fn waits(&self, svg: &mut String) {
        text(
            svg,
            (LEFT, 28.0),
            "start",
            "Wait for the code prompt, in ms",
        );
        let mut wait = 0.0;
        while wait <= self.max_wait {
            let y = self.y(wait);
            rule(svg, (LEFT, y), (RIGHT, y));
            text(svg, (LEFT - 8.0, y + 4.0), "end", &wait.to_string());
            wait += self.step;
        }
    }

    fn distances(&self, svg: &mut String, line: &Line) {
        for (far, _) in &line.points {
            let x = self.x(*far);
            rule(svg, (x, BOTTOM), (x, BOTTOM + 5.0));
            text(svg, (x, BOTTOM + 20.0), "middle", &far.to_string());
        }
        let middle = (f64::midpoint(LEFT, RIGHT), BOTTOM + 44.0);
        text(svg, middle, "middle", "Round trip to the servers, in ms");
    }

    /// Draws a line, and its label at this height.
    fn line(&self, svg: &mut String, index: usize, line: &Line, label: f64) {
        let colour = COLOURS[index % COLOURS.len()];
        let dashes = if index < COLOURS.len() { "none" } else { "6 4" };
        let points = line.points.iter();
        let points: Vec<String> = points
            .map(|(far, long)| format!("{:.1},{:.1}", self.x(*far), self.y(*long)))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" \
             stroke-dasharray=\"{dashes}\"/>",
            points.join(" ")
        );
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
            RIGHT + 10.0,
            label + 4.0,
            escaped(&line.name)
        );
    }
}

/// Returns a round distance between marks, so that there are about six.
fn step(max: f64) -> f64 {
    let min = max / 7.0;
    let ten = 10_f64.powf(min.log10().floor());
    let rounds = [1.0, 2.0, 5.0].into_iter();
    let mut steps = rounds.map(|of| of * ten);
    steps.find(|step| *step >= min).unwrap_or(10.0 * ten)
}

/// Returns the heights of the labels: as near to the ends of their lines as possible without overlap.
fn spread(ends: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ends.len()).collect();
    order.sort_by(|one, other| ends[*other].total_cmp(&ends[*one]));
    let mut heights = ends.to_vec();
    let mut free = f64::INFINITY;
    // From the bottom up, because the short waits are close together.
    for line in order {
        heights[line] = ends[line].min(free);
        free = heights[line] - LABEL_HEIGHT;
    }
    heights
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
