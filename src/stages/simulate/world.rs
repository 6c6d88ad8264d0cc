//! Worlds with known truth: tasks with success rates, and a meta-agent that offers candidates of known effect (`gate.md` §4a).

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// What kind of candidates a world's meta-agent offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum World {
    /// 40 % useless, 30 % eroding, 15 % good, 15 % mixed.
    Benign,
    /// 30 % useless, 52 % eroding and harder, 8 % good, 10 % mixed.
    Hostile,
}

/// Success rates stay in here.
const RATES: (f64, f64) = (0.01, 0.99);
/// Mean gain from which a candidate counts as good.
pub const GOOD: f64 = 0.015;
/// Share of tasks an edit could fix.
const FIXABLE: f64 = 0.7;

impl World {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Benign, Self::Hostile];

    /// Its name in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Hostile => "hostile",
        }
    }

    /// Shares of useless, eroding and good candidates; the rest is mixed.
    fn shares(self) -> (f64, f64, f64) {
        match self {
            Self::Benign => (0.40, 0.30, 0.15),
            Self::Hostile => (0.30, 0.52, 0.08),
        }
    }

    /// Loss of an eroding candidate, and the share of its touched tasks that lose: each uniform between two bounds.
    fn erosion(self) -> ((f64, f64), (f64, f64)) {
        match self {
            Self::Benign => ((0.02, 0.12), (0.2, 0.6)),
            Self::Hostile => ((0.04, 0.18), (0.3, 0.8)),
        }
    }
}

/// The tasks of one run.
#[derive(Clone, Debug)]
pub struct Tasks {
    /// Success rates of the first harness.
    pub rates: Vec<f64>,
    /// Which an edit could fix.
    pub fixable: Vec<bool>,
}

impl Tasks {
    /// Draws the tasks of a run.
    pub fn draw(count: u32, rng: &mut ChaCha8Rng) -> Self {
        let rates = (0..count)
            .map(|_| {
                let kind: f64 = rng.random();
                let (low, high) = match kind {
                    k if k < 0.4 => (0.9, 1.0),
                    k if k < 0.7 => (0.05, 0.2),
                    _ => (0.2, 0.9),
                };
                kept(rng.random_range(low..high))
            })
            .collect();
        let fixable = (0..count).map(|_| rng.random_bool(FIXABLE)).collect();
        Self { rates, fixable }
    }
}

/// A rate within its bounds.
pub fn kept(rate: f64) -> f64 {
    rate.clamp(RATES.0, RATES.1)
}

/// A candidate whose effect is known.
#[derive(Clone, Debug)]
pub struct Offer {
    /// What it adds to each task's success rate.
    pub effect: Vec<f64>,
    /// Tasks it touches.
    pub touched: Vec<u32>,
    /// Tasks it claims.
    pub claimed: Vec<u32>,
    /// What the critic thinks of it; higher is better.
    pub esteem: f64,
}

impl Offer {
    /// True mean change of success on an incumbent with these rates.
    pub fn truth(&self, rates: &[f64]) -> f64 {
        let change: f64 = rates.iter().zip(&self.effect).map(|(rate, effect)| kept(rate + effect) - rate).sum();
        change / rates.len().max(1) as f64
    }

    /// The rates under it.
    pub fn applied(&self, rates: &[f64]) -> Vec<f64> {
        rates.iter().zip(&self.effect).map(|(rate, effect)| kept(rate + effect)).collect()
    }
}

/// What the meta-agent goes by.
pub struct Seen<'a> {
    /// The world.
    pub world: World,
    /// Chance that it claims a task it improves.
    pub recall: f64,
    /// The incumbent's true rates.
    pub rates: &'a [f64],
    /// Which tasks could be fixed.
    pub fixable: &'a [bool],
    /// Which tasks it saw fail.
    pub failed: &'a [bool],
}

impl Seen<'_> {
    /// Draws one candidate.
    pub fn offer(&self, rng: &mut ChaCha8Rng) -> Offer {
        let count = self.rates.len();
        let mut effect = vec![0.0; count];
        let share: f64 = if rng.random_bool(0.35) { 1.0 } else { rng.random_range(0.05..0.4) };
        let mut touched = self.weighted((share * count as f64).ceil() as usize, |_| true, rng);
        let (useless, eroding, good) = self.world.shares();
        let kind: f64 = rng.random();
        if kind < useless {
        } else if kind < useless + eroding {
            self.erode(&touched, &mut effect, rng);
        } else {
            let wanted = rng.random_range(3..=10);
            for task in self.weighted(wanted, |task| self.fixable[task] && self.rates[task] < 0.6, rng) {
                effect[task as usize] += rng.random_range(0.3..0.8);
            }
            if kind >= useless + eroding + good {
                let wanted = rng.random_range(2..=8);
                let mut losing: Vec<u32> =
                    (0..count as u32).filter(|task| self.rates[*task as usize] > 0.5 && effect[*task as usize] <= 0.0).collect();
                for task in drawn(&mut losing, wanted, rng) {
                    effect[task as usize] -= rng.random_range(0.3..0.8);
                }
            }
        }
        touched.extend((0..count as u32).filter(|task| effect[*task as usize] != 0.0));
        touched.sort_unstable();
        touched.dedup();
        let claimed = self.claims(&touched, &effect, rng);
        let mut offer = Offer { effect, touched, claimed, esteem: 0.0 };
        offer.esteem = offer.truth(self.rates) + 0.04 * normal(rng);
        offer
    }

    fn erode(&self, touched: &[u32], effect: &mut [f64], rng: &mut ChaCha8Rng) {
        let (loss, share) = self.world.erosion();
        let losing = (rng.random_range(share.0..share.1) * touched.len() as f64).round() as usize;
        for task in drawn(&mut touched.to_vec(), losing, rng) {
            effect[task as usize] -= rng.random_range(loss.0..loss.1);
        }
    }

    /// Improved tasks as far as the manifest knows them, and some that only failed by chance or stay broken.
    fn claims(&self, touched: &[u32], effect: &[f64], rng: &mut ChaCha8Rng) -> Vec<u32> {
        let improved: Vec<u32> = touched.iter().copied().filter(|task| effect[*task as usize] > 0.0).collect();
        let false_claims = if improved.is_empty() { rng.random_range(4..=8) } else { rng.random_range(1..=improved.len()) };
        let mut others: Vec<u32> =
            touched.iter().copied().filter(|task| self.failed[*task as usize] && effect[*task as usize] <= 0.0).collect();
        let mut claimed: Vec<u32> = improved.into_iter().filter(|_| rng.random_bool(self.recall)).collect();
        claimed.extend(drawn(&mut others, false_claims, rng));
        claimed
    }

    /// Tasks drawn without replacement, those seen to fail with three times the weight.
    fn weighted(&self, wanted: usize, eligible: impl Fn(usize) -> bool, rng: &mut ChaCha8Rng) -> Vec<u32> {
        let mut keyed: Vec<(f64, u32)> = (0..self.rates.len())
            .filter(|task| eligible(*task))
            .map(|task| {
                let weight = if self.failed[task] { 3.0 } else { 1.0 };
                (-(1.0 - rng.random::<f64>()).ln() / weight, task as u32)
            })
            .collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        keyed.truncate(wanted);
        keyed.into_iter().map(|(_, task)| task).collect()
    }
}

/// Some of the items, drawn without replacement.
fn drawn(items: &mut Vec<u32>, wanted: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
    let wanted = wanted.min(items.len());
    (0..wanted)
        .map(|_| {
            let place = rng.random_range(0..items.len());
            items.swap_remove(place)
        })
        .collect()
}

/// A draw from the standard normal distribution (Box and Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
