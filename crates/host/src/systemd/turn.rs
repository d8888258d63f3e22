//! The order of units at a boot and at its end, where systemd starts and stops everything together.
//!
//! Between a service and those that come later stands a target of their generation: it is after the
//! one, and the others want it and are after it. So no unit names another, and each keeps its template.

use std::fmt::Write;
use std::path::Path;

use super::unit::first_line;
use crate::label;

/// The targets of one root, by their template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turns {
    prefix: String,
    /// The template's text.
    pub(super) text: String,
}

/// What ends others is itself in no order.
const NONE: u32 = u32::MAX;
/// The instance that is after all ports, which belong to no generation.
const PORTS: &str = "ports";

impl Turns {
    /// The targets of the root at `root`.
    pub(super) fn of(root: &Path) -> Self {
        let text =
            format!("{}[Unit]\nDescription=turn %i of services\nStopWhenUnneeded=yes\n", first_line(root));
        Self { prefix: format!("{}-turn-{}", label::of_root(root), label::mark(&text)), text }
    }

    /// `shop-turn-1a2b3c@.target`.
    pub(super) fn template(&self) -> String {
        format!("{}@.target", self.prefix)
    }

    /// The lines of a unit that is the `order`th to start, of a generation or of none.
    pub(super) fn lines(&self, order: u32, of_generation: bool) -> String {
        let ports = self.target(PORTS);
        let turn = |number: u32| self.target(&format!("{number}-%i"));
        let mut lines = String::new();
        let mut line = |text: String| writeln!(lines, "{text}").expect("a string takes everything");
        match order {
            NONE => {}
            0 => line(format!("Before={ports}")),
            _ if !of_generation => line(format!("Wants={ports}\nAfter={ports}")),
            _ => {
                // All of them: who is between need not be there.
                let turns: Vec<String> = [ports].into_iter().chain((2..=order).map(turn)).collect();
                let turns = turns.join(" ");
                line(format!("Wants={turns}\nAfter={turns}\nBefore={}", turn(order + 1)));
            }
        }
        lines
    }

    fn target(&self, instance: &str) -> String {
        format!("{}@{instance}.target", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_turn_is_after_all_that_come_before() {
        let turns = Turns { prefix: "t".to_owned(), text: String::new() };
        assert_eq!(turns.lines(0, false), "Before=t@ports.target\n");
        assert_eq!(
            turns.lines(1, true),
            "Wants=t@ports.target\nAfter=t@ports.target\nBefore=t@2-%i.target\n"
        );
        let third = "t@ports.target t@2-%i.target t@3-%i.target";
        assert_eq!(turns.lines(3, true), format!("Wants={third}\nAfter={third}\nBefore=t@4-%i.target\n"));
        assert_eq!(turns.lines(3, false), "Wants=t@ports.target\nAfter=t@ports.target\n");
        assert_eq!(turns.lines(NONE, true), "");
    }
}
