//! Who proposes candidates (`system.md` §6): the engines, and how the places of a round are shared among several.

use super::ledger::Reputation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// One way to come by candidates. All work from the same landscape and are judged by the same gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Searches over native processors, parameters, mined patterns and demonstrations, steered by the landscape.
    #[default]
    Catalog,
    /// Control: valid random edits.
    Random,
    /// Control: independent proposals of the catalog, without what earlier rounds taught.
    BestOfN,
    /// Four roles of a meta-agent: Digester, Planner, Evolver, Critic.
    Aegis,
    /// Control: one session of a meta-agent does everything.
    Single,
    /// A program of the user's own, or a person: gets a folder, and what it changes there is the candidate.
    Command,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Catalog, Self::Random, Self::BestOfN, Self::Aegis, Self::Single, Self::Command];

    /// Its name in settings and manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Random => "random",
            Self::BestOfN => "best-of-n",
            Self::Aegis => "aegis",
            Self::Single => "single",
            Self::Command => "command",
        }
    }

    /// Whether it speaks to a model of the role `meta`.
    pub fn needs_meta(self) -> bool {
        match self {
            Self::Aegis | Self::Single => true,
            Self::Catalog | Self::Random | Self::BestOfN | Self::Command => false,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::as_str).join(", ");
        Self::ALL.into_iter().find(|engine| engine.as_str() == text).ok_or_else(|| format!("there is no engine {text:?}; use {names}"))
    }
}

/// The engines of a run, in the order named: at least one, none twice. Written `catalog` or `aegis,catalog`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Engines(Vec<Engine>);

impl Default for Engines {
    fn default() -> Self {
        Self(vec![Engine::default()])
    }
}

impl Engines {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Engine> + '_ {
        self.0.iter().copied()
    }

    /// Whether any speaks to a model of the role `meta`.
    pub fn needs_meta(&self) -> bool {
        self.iter().any(Engine::needs_meta)
    }

    /// Those that speak to no such model; `None` where none is left.
    pub fn without_meta(&self) -> Option<Self> {
        let left: Vec<Engine> = self.iter().filter(|engine| !engine.needs_meta()).collect();
        (!left.is_empty()).then_some(Self(left))
    }

    /// Whether this one is among them.
    pub fn contains(&self, engine: Engine) -> bool {
        self.0.contains(&engine)
    }

    /// How many of `places` each engine may fill, in order. Each gets one while there are as many places; the rest follow what shipped:
    /// `(shipped + 1) / (proposed + 2)` is the weight, the largest remainder gets the odd place, and among equals the one named first.
    /// With fewer places than engines those with the largest weights get one.
    pub fn shares(&self, places: usize, reputations: &BTreeMap<Engine, Reputation>) -> Vec<(Engine, usize)> {
        let weight = |engine: Engine| {
            let (shipped, proposed) = reputations.get(&engine).map_or((0, 0), |known| (known.shipped, known.proposed));
            (f64::from(shipped) + 1.0) / (f64::from(proposed) + 2.0)
        };
        let weights: Vec<f64> = self.iter().map(weight).collect();
        let total: f64 = weights.iter().sum();
        let first = usize::from(places >= self.0.len());
        let left = places - first * self.0.len();
        let due: Vec<f64> = weights.iter().map(|weight| left as f64 * weight / total).collect();
        let mut counts: Vec<usize> = due.iter().map(|due| first + due.floor() as usize).collect();
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by(|one, two| (due[*two] - due[*two].floor()).total_cmp(&(due[*one] - due[*one].floor())).then(one.cmp(two)));
        let odd = places.saturating_sub(counts.iter().sum());
        order.into_iter().take(odd).for_each(|at| counts[at] += 1);
        self.iter().zip(counts).collect()
    }
}

impl fmt::Display for Engines {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.iter().map(|engine| engine.as_str()).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Engines {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut engines = Vec::new();
        for name in text.split(',') {
            let engine: Engine = name.trim().parse()?;
            if engines.contains(&engine) {
                return Err(format!("{engine} is named twice"));
            }
            engines.push(engine);
        }
        Ok(Self(engines))
    }
}

impl From<Engines> for String {
    fn from(engines: Engines) -> Self {
        engines.to_string()
    }
}

impl TryFrom<String> for Engines {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(engine: &str, shipped: u32, proposed: u32) -> (Engine, Reputation) {
        (engine.parse().unwrap(), Reputation { proposed, shipped, ..Reputation::default() })
    }

    #[test]
    fn engines_survive_their_text() {
        let engines: Engines = "aegis, catalog".parse().unwrap();
        assert_eq!(engines.to_string(), "aegis,catalog");
        assert!("aegis,aegis".parse::<Engines>().unwrap_err().contains("twice"));
        assert!("oracle".parse::<Engines>().unwrap_err().contains("best-of-n"));
        assert_eq!(engines.without_meta(), Some(Engines::default()));
        assert_eq!("single".parse::<Engines>().unwrap().without_meta(), None);
        for engine in Engine::ALL {
            assert_eq!(engine.as_str().parse(), Ok(engine));
        }
    }

    #[test]
    fn places_follow_what_shipped_and_each_engine_gets_one() {
        let engines: Engines = "aegis,catalog".parse().unwrap();
        assert_eq!(engines.shares(4, &BTreeMap::new()), [(Engine::Aegis, 2), (Engine::Catalog, 2)]);
        let known = BTreeMap::from([shipped("catalog", 6, 6), shipped("aegis", 0, 6)]);
        assert_eq!(engines.shares(4, &known), [(Engine::Aegis, 1), (Engine::Catalog, 3)]);
        assert_eq!(engines.shares(1, &known), [(Engine::Aegis, 0), (Engine::Catalog, 1)]);
        assert_eq!(engines.shares(0, &known), [(Engine::Aegis, 0), (Engine::Catalog, 0)]);
    }

    proptest::proptest! {
        #[test]
        fn every_place_is_given_once(places in 0_usize..40, counts in proptest::collection::vec((0_u32..9, 0_u32..9), 6)) {
            let engines: Engines = "catalog,random,best-of-n,aegis,single,command".parse().unwrap();
            let known = Engine::ALL.iter().zip(counts).map(|(engine, (ships, more))| shipped(engine.as_str(), ships, ships + more)).collect();
            let shares = engines.shares(places, &known);
            proptest::prop_assert_eq!(shares.iter().map(|(_, count)| count).sum::<usize>(), places);
            proptest::prop_assert!(places < 6 || shares.iter().all(|(_, count)| *count > 0));
        }
    }
}
