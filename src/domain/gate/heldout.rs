//! The one place where held-out tasks may speak (`gate.md` §2): never for an edit, and never with more than one bit.

/// Whether the held-out tasks veto a candidate that was already accepted: its mean paired difference is more than one standard error
/// below zero.
pub fn vetoes(difference: f64, standard_error: f64) -> bool {
    difference < 0.0 && difference < -standard_error.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_does_not_veto() {
        assert!(!vetoes(-0.02, 0.03) && vetoes(-0.04, 0.03));
        assert!(!vetoes(0.0, 0.0) && vetoes(-0.01, 0.0));
    }
}
