//! Finds a call among many by halves. The kernel walks through a new filter once for each number that
//! there is, and compiles it, so a filter of few comparisons on each path is cheaper to set up.
#![forbid(unsafe_code)]

use libc::c_long;

use super::{IF_AT_LEAST, KILL, Program, low};

/// Where a comparison leads.
#[derive(Clone, Copy)]
enum Target {
    /// Another comparison, by its place.
    Node(usize),
    /// One of the calls.
    Kill,
    /// None of them.
    Pass,
}

/// A comparison: at least this number, or less.
struct Node {
    number: u32,
    at_least: Target,
    less: Target,
}

/// Ends the process at one of these calls, and goes on at any other. The call's number is loaded.
pub fn kill(program: &mut Program, calls: &[c_long]) -> Result<(), String> {
    let bounds = bounds(calls);
    let mut nodes = Vec::new();
    let Target::Node(_) = search(&mut nodes, &bounds, 0, bounds.len()) else {
        return Ok(());
    };
    for (place, node) in nodes.iter().enumerate() {
        let behind = place.saturating_add(1);
        let jump = |target| {
            let to = match target {
                Target::Node(to) => to,
                Target::Kill => nodes.len(),
                Target::Pass => nodes.len().saturating_add(1),
            };
            to.checked_sub(behind)
                .and_then(|steps| u8::try_from(steps).ok())
                .ok_or("seccomp: a jump is too long")
        };
        let (at_least, less) = (jump(node.at_least)?, jump(node.less)?);
        program.jump(IF_AT_LEAST, node.number, at_least, less);
    }
    program.end(KILL);
    Ok(())
}

/// The numbers, in order, at which the verdict changes: the first of each run of calls, and the one
/// behind its last.
fn bounds(calls: &[c_long]) -> Vec<u32> {
    let mut numbers: Vec<u32> = calls.iter().map(|number| low(*number)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut bounds: Vec<u32> = Vec::new();
    for number in numbers {
        if bounds.last() == Some(&number) {
            bounds.pop();
        } else {
            bounds.push(number);
        }
        bounds.push(number.saturating_add(1));
    }
    bounds
}

/// The tree for the runs from `first` to `last`: run 0 is below all bounds, and the odd ones are killed.
fn search(nodes: &mut Vec<Node>, bounds: &[u32], first: usize, last: usize) -> Target {
    let middle = first.midpoint(last.saturating_add(1));
    let Some(number) = middle.checked_sub(1).and_then(|place| bounds.get(place)) else {
        return Target::Pass;
    };
    if first == last {
        return if first & 1 == 0 {
            Target::Pass
        } else {
            Target::Kill
        };
    }
    let place = nodes.len();
    nodes.push(Node {
        number: *number,
        at_least: Target::Pass,
        less: Target::Pass,
    });
    let less = search(nodes, bounds, first, middle.saturating_sub(1));
    let at_least = search(nodes, bounds, middle, last);
    if let Some(node) = nodes.get_mut(place) {
        (node.at_least, node.less) = (at_least, less);
    }
    Target::Node(place)
}

#[cfg(test)]
mod tests {
    use super::{super::lists::EVIL, *};

    /// Whether the filter ends the process at this number.
    fn kills(program: &Program, number: u32) -> bool {
        let mut place = 0;
        loop {
            let Some(step) = program.0.get(place) else {
                return false;
            };
            if step.code != IF_AT_LEAST {
                return step.k == KILL;
            }
            let jump = if number >= step.k { step.jt } else { step.jf };
            place += 1 + usize::from(jump);
        }
    }

    #[test]
    fn it_kills_these_calls_and_no_others() {
        let lists: [&[c_long]; 7] = [
            EVIL,
            &[],
            &[0],
            &[5],
            &[0, 1, 2, 9],
            &[7, 3, 3, 4, 1],
            &[1, 3, 5, 7, 9, 11, 13],
        ];
        for calls in lists {
            let mut program = Program::default();
            kill(&mut program, calls).unwrap();
            for number in 0..1000 {
                let wanted = calls.contains(&c_long::from(number));
                assert_eq!(kills(&program, number), wanted, "{number} of {calls:?}");
            }
        }
    }

    #[test]
    fn a_jump_that_is_too_long_is_an_error() {
        let calls: Vec<c_long> = (0..200).map(|number| number * 2).collect();
        assert!(kill(&mut Program::default(), &calls).is_err());
    }
}
