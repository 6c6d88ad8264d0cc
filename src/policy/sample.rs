//! Draws a token from log-probabilities.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A token and its log-probability at temperature 1. Temperature zero takes the likeliest, the lowest id of equals.
pub fn draw(log_probabilities: impl Iterator<Item = f32>, temperature: f64, random: &mut ChaCha8Rng) -> (u32, f32) {
    let all: Vec<f32> = log_probabilities.collect();
    let mut best = 0;
    for (token, value) in all.iter().enumerate() {
        if *value > all[best] {
            best = token;
        }
    }
    let chosen = if temperature > 0.0 { tempered(&all, best, temperature, random) } else { best };
    (chosen as u32, all[chosen])
}

fn tempered(all: &[f32], best: usize, temperature: f64, random: &mut ChaCha8Rng) -> usize {
    let weight = |value: f32| ((f64::from(value) - f64::from(all[best])) / temperature).exp();
    let total: f64 = all.iter().map(|value| weight(*value)).sum();
    let mut left = random.random::<f64>() * total;
    for (token, value) in all.iter().enumerate() {
        left -= weight(*value);
        if left < 0.0 {
            return token;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn zero_takes_the_likeliest_and_one_follows_the_probabilities() {
        let probabilities = [0.2_f32, 0.5, 0.3];
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let mut draws = |temperature| draw(probabilities.iter().map(|p| p.ln()), temperature, &mut random).0;
        assert_eq!(draws(0.0), 1);
        let mut counts = [0_u32; 3];
        for _ in 0..4000 {
            counts[draws(1.0) as usize] += 1;
        }
        for (count, probability) in counts.iter().zip(probabilities) {
            assert!((*count as f32 / 4000.0 - probability).abs() < 0.03);
        }
    }
}
