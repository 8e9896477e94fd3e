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

/// What is far and long on the paper.
struct Paper {
    furthest: f64,
    longest: f64,
    /// Between two marks of the wait.
    step: f64,
}

/// The wait against the distance.
pub fn draw(lines: &[Line]) -> String {
    let paper = Paper::for_all(lines);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n\
         <title>Wait between password and code prompt, by distance to the servers</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    paper.waits(&mut svg);
    if let Some(line) = lines.first() {
        paper.distances(&mut svg, line);
    }
    let ends = lines.iter().map(|line| line.points.last());
    let ends = ends.map(|point| point.map_or(BOTTOM, |point| paper.y(point.1)));
    let names = spread(&ends.collect::<Vec<f64>>());
    for (place, (line, name)) in lines.iter().zip(names).enumerate() {
        paper.line(&mut svg, place, line, name);
    }
    svg + "</svg>\n"
}

impl Paper {
    fn for_all(lines: &[Line]) -> Self {
        let most = |of: fn(&(f64, f64)) -> f64| {
            let points = lines.iter().flat_map(|line| &line.points);
            points.map(of).fold(1.0, f64::max)
        };
        let longest = most(|point| point.1);
        let step = step(longest);
        Self {
            furthest: most(|point| point.0),
            longest: (longest / step).ceil() * step,
            step,
        }
    }

    fn x(&self, far: f64) -> f64 {
        LEFT + far / self.furthest * (RIGHT - LEFT)
    }

    fn y(&self, long: f64) -> f64 {
        BOTTOM - long / self.longest * (BOTTOM - TOP)
    }

    fn waits(&self, svg: &mut String) {
        text(
            svg,
            (LEFT, 28.0),
            "start",
            "Wait for the code prompt, in ms",
        );
        let mut wait = 0.0;
        while wait <= self.longest {
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

    /// A line, and its name at this height.
    fn line(&self, svg: &mut String, place: usize, line: &Line, name: f64) {
        let colour = COLOURS[place % COLOURS.len()];
        let dashes = if place < COLOURS.len() { "none" } else { "6 4" };
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
            name + 4.0,
            escaped(&line.name)
        );
    }
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
