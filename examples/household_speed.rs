//! Prints how many household steps a second one core makes, admissible commands included.
//!
//! `cargo run --release --example household_speed [GAME_FILE]`; without a file it plays generated scenes.
#![expect(clippy::print_stdout, reason = "an example that reports to the terminal")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use harnessx::bench::household::{Game, Play, TaskKind, generate};

/// How long each game is played.
const LASTING: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(path) = std::env::args().nth(1) {
        measure(&path, Game::read(path.as_ref())?);
        return Ok(());
    }
    for kind in TaskKind::ALL {
        measure(kind.as_str(), generate(1, kind).game);
    }
    Ok(())
}

/// Plays admissible commands in a mixed order and prints the rate.
fn measure(name: &str, game: Game) {
    let game = Arc::new(game);
    let (mut steps, mut choice) = (0_u64, 1_usize);
    let start = Instant::now();
    while start.elapsed() < LASTING {
        let mut play = Play::new(Arc::clone(&game));
        for _ in 0..50 {
            let commands = play.admissible();
            choice = choice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            steps += 1;
            if play.step(&commands[(choice >> 33) % commands.len()]).done {
                break;
            }
        }
    }
    let rate = steps as f64 / start.elapsed().as_secs_f64();
    println!("{name}: {rate:.0} steps/s");
}
