//! Finds a system call in a list by binary search. The kernel evaluates a new filter once for each system
//! call number and compiles it, so a filter with short paths is cheaper to install.
#![forbid(unsafe_code)]

use libc::c_long;

use super::program::{IF_AT_LEAST, KILL, Program, low};

/// The target of a comparison.
#[derive(Clone, Copy)]
enum Target {
    /// Another comparison, by its index.
    Node(usize),
    /// The call is in the list.
    Kill,
    /// The call is not in the list.
    Pass,
}

/// A comparison with a number.
struct Node {
    number: u32,
    at_least: Target,
    less: Target,
}

/// Kills the process at one of these calls, and continues at any other. The number of the call is loaded.
pub(super) fn kill(program: &mut Program, calls: &[c_long]) -> Result<(), String> {
    let bounds = bounds(calls);
    let mut nodes = Vec::new();
    let Target::Node(_) = search(&mut nodes, &bounds, 0, bounds.len()) else {
        return Ok(());
    };
    for (index, node) in nodes.iter().enumerate() {
        let next = index.saturating_add(1);
        let jump = |target| {
            let to = match target {
                Target::Node(to) => to,
                Target::Kill => nodes.len(),
                Target::Pass => nodes.len().saturating_add(1),
            };
            to.checked_sub(next)
                .and_then(|steps| u8::try_from(steps).ok())
                .ok_or("seccomp: a jump is too long")
        };
        let (at_least, less) = (jump(node.at_least)?, jump(node.less)?);
        program.jump(IF_AT_LEAST, node.number, at_least, less);
    }
    program.end(KILL);
    Ok(())
}

/// Returns the numbers, in order, at which the verdict changes: the first of each run of consecutive
/// numbers, and the one after its last.
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

/// Builds the tree for the intervals from `first` to `last`: interval 0 is below all bounds, and the odd
/// ones are in the list.
fn search(nodes: &mut Vec<Node>, bounds: &[u32], first: usize, last: usize) -> Target {
    let middle = first.midpoint(last.saturating_add(1));
    let Some(number) = middle.checked_sub(1).and_then(|index| bounds.get(index)) else {
        return Target::Pass;
    };
    if first == last {
        return if first & 1 == 0 {
            Target::Pass
        } else {
            Target::Kill
        };
    }
    let index = nodes.len();
    nodes.push(Node {
        number: *number,
        at_least: Target::Pass,
        less: Target::Pass,
    });
    let less = search(nodes, bounds, first, middle.saturating_sub(1));
    let at_least = search(nodes, bounds, middle, last);
    if let Some(node) = nodes.get_mut(index) {
        (node.at_least, node.less) = (at_least, less);
    }
    Target::Node(index)
}

#[cfg(test)]
mod tests {
    use super::{super::lists::KILL_SYSCALLS, *};

    /// Whether the filter kills the process at this number.
    fn kills(program: &Program, number: u32) -> bool {
        let mut index = 0;
        loop {
            let Some(step) = program.0.get(index) else {
                return false;
            };
            if step.code != IF_AT_LEAST {
                return step.k == KILL;
            }
            let jump = if number >= step.k { step.jt } else { step.jf };
            index += 1 + usize::from(jump);
        }
    }

    #[test]
    fn the_filter_kills_at_exactly_the_listed_calls() {
        let lists: [&[c_long]; 7] = [
            KILL_SYSCALLS,
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
                let expected = calls.contains(&c_long::from(number));
                assert_eq!(kills(&program, number), expected, "{number} of {calls:?}");
            }
        }
    }

    #[test]
    fn a_jump_that_is_too_long_is_an_error() {
        let calls: Vec<c_long> = (0..200).map(|number| number * 2).collect();
        assert!(kill(&mut Program::default(), &calls).is_err());
    }
}
