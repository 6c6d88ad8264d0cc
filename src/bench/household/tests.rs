//! Checks of whole games: hand-made ones, generated ones, damaged ones.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Game, Level, Play, TaskKind, generate, plan};

/// A two-place household with one of each trick.
const TINY: &str = "(define (problem p) (:domain alfred)
(:objects agent1 - agent l0 l1 l2 - location
  DeskType ShelfType FridgeType SinkBasinType - rtype MugType KnifeType LettuceType LampType PlateType - otype
  Desk_bar_1 Shelf_bar_1 Shelf_bar_2 Fridge_bar_1 Sink_bar_1_bar_SinkBasin - receptacle
  Mug_bar_1 Mug_bar_2 Knife_bar_1 Lettuce_bar_1 Lamp_bar_1 Plate_bar_1 - object)
(:init (= (total-cost) 0) (atLocation agent1 l0)
  (receptacleAtLocation Desk_bar_1 l1) (receptacleAtLocation Shelf_bar_1 l1) (receptacleAtLocation Shelf_bar_2 l1)
  (receptacleAtLocation Fridge_bar_1 l2) (receptacleAtLocation Sink_bar_1_bar_SinkBasin l2)
  (receptacleType Desk_bar_1 DeskType) (receptacleType Shelf_bar_1 ShelfType) (receptacleType Shelf_bar_2 ShelfType)
  (receptacleType Fridge_bar_1 FridgeType) (receptacleType Sink_bar_1_bar_SinkBasin SinkBasinType) (openable Fridge_bar_1)
  (objectType Mug_bar_1 MugType) (objectType Mug_bar_2 MugType) (objectType Knife_bar_1 KnifeType)
  (objectType Lettuce_bar_1 LettuceType) (objectType Lamp_bar_1 LampType) (objectType Plate_bar_1 PlateType)
  (pickupable Mug_bar_1) (pickupable Knife_bar_1) (pickupable Lettuce_bar_1) (pickupable Plate_bar_1)
  (isReceptacleObject Plate_bar_1) (inReceptacleObject Mug_bar_2 Plate_bar_1)
  (toggleable Lamp_bar_1) (sliceable Lettuce_bar_1) (cleanable Mug_bar_1) (coolable Mug_bar_1) (coolable Lettuce_bar_1)
  (inReceptacle Mug_bar_1 Desk_bar_1) (objectAtLocation Mug_bar_1 l1)
  (inReceptacle Knife_bar_1 Desk_bar_1) (objectAtLocation Knife_bar_1 l1)
  (inReceptacle Plate_bar_1 Shelf_bar_1) (objectAtLocation Plate_bar_1 l1)
  (inReceptacle Lamp_bar_1 Fridge_bar_1) (objectAtLocation Lamp_bar_1 l2)
  (inReceptacle Lettuce_bar_1 Fridge_bar_1) (objectAtLocation Lettuce_bar_1 l2)
  (canContain DeskType MugType) (canContain ShelfType MugType) (canContain SinkBasinType MugType)
  (canContain FridgeType LettuceType) (canContain ShelfType KnifeType))
(:goal (exists (?o - object) (and (objectType ?o LettuceType) (isSliced ?o) (isCool ?o)))))";

fn tiny() -> Play {
    Play::new(Arc::new(Game::from_problem(TINY, "slice it.".to_owned(), "tiny").unwrap()))
}

fn say(play: &mut Play, command: &str) -> String {
    play.step(command).observation
}

#[test]
fn the_opening_lists_receptacles_and_task() {
    let play = tiny();
    assert_eq!(
        play.opening(),
        "-= Welcome to TextWorld, ALFRED! =-\n\nYou are in the middle of a room. Looking quickly around you, you see a desk 1, \
         a fridge 1, a shelf 2, a shelf 1, and a sinkbasin 1.\n\nYour task is to: slice it."
    );
    assert_eq!(play.admissible()[0], "go to desk 1");
}

#[test]
fn looking_before_moving_shows_nothing() {
    let mut play = tiny();
    assert!(say(&mut play, "look").ends_with("you see nothing."));
    assert_eq!(say(&mut play, "go to shelf 1"), "You arrive at shelf 1. On the shelf 1, you see nothing.");
    assert_eq!(say(&mut play, "look"), "You are facing the desk 1, shelf 2, and shelf 1. Next to it, you see nothing.");
}

#[test]
fn an_object_taken_out_of_a_shared_place_lies_next_to_it() {
    let mut play = tiny();
    for command in ["go to desk 1", "take mug 2 from desk 1", "move mug 2 to shelf 1", "take mug 2 from shelf 1"] {
        say(&mut play, command);
    }
    assert!(say(&mut play, "look").ends_with("Next to it, you see nothing."));
    assert_eq!(say(&mut play, "move mug 2 to shelf 2"), "You move the mug 2 to the shelf 2.");
    assert!(say(&mut play, "look").ends_with("Next to it, you see a mug 2, and a mug 2."));
}

#[test]
fn what_is_not_admissible_changes_nothing() {
    let mut play = tiny();
    say(&mut play, "go to desk 1");
    let before = play.admissible();
    for command in ["", "Look", "go to desk 1", "take mug 1 from desk 1", "look around", "examine mug 2", "use lamp 1"] {
        assert_eq!(say(&mut play, command), "Nothing happens.", "{command:?}");
    }
    assert_eq!(play.admissible(), before);
    assert_eq!(say(&mut play, " inventory \t"), "You are not carrying anything.");
}

#[test]
fn closed_doors_keep_things_in_but_not_from_use_and_knives() {
    let mut play = tiny();
    for command in ["go to desk 1", "take knife 1 from desk 1", "go to fridge 1"] {
        say(&mut play, command);
    }
    assert!(!play.admissible().iter().any(|command| command.starts_with("take")));
    assert_eq!(say(&mut play, "use lamp 1"), "You turn on the lamp 1.");
    assert_eq!(say(&mut play, "use lamp 1"), "You turn on the lamp 1.");
    assert_eq!(say(&mut play, "slice lettuce 1 with knife 1"), "You sliced the lettuce 1 with the knife 1.");
}

#[test]
fn examining_tells_what_was_done_to_an_object() {
    let mut play = tiny();
    for command in ["go to desk 1", "take mug 2 from desk 1"] {
        say(&mut play, command);
    }
    assert_eq!(say(&mut play, "examine mug 2"), "There's nothing special about mug 2.");
    say(&mut play, "go to sinkbasin 1");
    say(&mut play, "cool mug 2 with fridge 1");
    assert_eq!(say(&mut play, "examine mug 2"), "This is a cold mug 2.");
    say(&mut play, "clean mug 2 with sinkbasin 1");
    assert_eq!(say(&mut play, "examine mug 2"), "This is a cool and clean mug 2.");
    for command in ["move mug 2 to sinkbasin 1", "go to shelf 1", "take plate 1 from shelf 2"] {
        say(&mut play, command);
    }
    assert_eq!(say(&mut play, "examine plate 1"), "This is a normal plate 1. In it, you see a mug 1.");
}

#[test]
fn the_goal_ends_the_play_once() {
    let mut play = tiny();
    for command in ["go to desk 1", "take knife 1 from desk 1", "go to fridge 1", "slice lettuce 1 with knife 1"] {
        assert_eq!(play.step(command).reward, 0);
    }
    for command in ["go to desk 1", "move knife 1 to shelf 1", "go to fridge 1", "open fridge 1"] {
        assert_eq!(play.step(command).reward, 0);
    }
    assert_eq!(play.step("take lettuce 1 from fridge 1").reward, 0);
    let last = play.step("cool lettuce 1 with fridge 1");
    assert_eq!((last.reward, last.done), (1, true));
}

pub(crate) fn game_file() -> Vec<u8> {
    let grammar = "grammar :: \"Your task is to: x.\"";
    serde_json::to_vec(&serde_json::json!({"pddl_domain": "(define)", "grammar": grammar, "pddl_problem": TINY})).unwrap()
}

#[test]
fn a_file_without_its_domain_says_so() {
    let error = Game::parse(br#"{"grammar": "x", "pddl_problem": "x"}"#, "a.tw-pddl").unwrap_err();
    assert_eq!(error.to_string(), "parse a.tw-pddl, line 1: no pddl_domain in the game file");
}

#[test]
fn other_rules_are_played_with_a_warning() {
    let game = Game::parse(&game_file(), "a").unwrap();
    assert_eq!(game.warnings().len(), 2);
    assert_eq!(game.task_sentence(), "x.");
}

#[test]
fn damaged_gzip_is_an_error() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&game_file()).unwrap();
    let bytes = encoder.finish().unwrap();
    assert!(Game::parse(&bytes, "a").is_ok());
    assert!(Game::parse(&bytes[..bytes.len() / 2], "a").unwrap_err().to_string().starts_with("unpack a"));
}

#[test]
fn a_seed_always_gives_the_same_scene() {
    let (one, two) = (generate(7, TaskKind::HeatThenPlace), generate(7, TaskKind::HeatThenPlace));
    assert_eq!((&one.problem, one.game.task_sentence()), (&two.problem, two.game.task_sentence()));
    assert_ne!(one.problem, generate(8, TaskKind::HeatThenPlace).problem);
}

#[test]
fn every_generated_game_can_be_won_in_thirty_steps() {
    let (mut longest, mut rooms) = (0, std::collections::BTreeMap::new());
    for kind in TaskKind::ALL {
        for seed in 0..300 {
            let scene = generate(seed, kind);
            *rooms.entry((kind.as_str(), scene.room.as_str())).or_insert(0) += 1;
            let count = scene.game.routes.len();
            assert!((8..=16).contains(&count), "{seed} {kind:?}: {count} receptacles");
            assert!(scene.level != Level::Hard || count >= 13, "{seed} {kind:?}");
            let mut play = Play::new(Arc::new(scene.game));
            assert!(!play.won(), "{seed} {kind:?} is won at the start");
            let commands = plan(&play, 30).unwrap_or_else(|| panic!("{seed} {kind:?} cannot be won"));
            longest = longest.max(commands.len());
            for (place, command) in commands.iter().enumerate() {
                assert!(play.admissible().contains(command), "{seed} {kind:?} {command}");
                assert_eq!(play.step(command).done, place + 1 == commands.len(), "{seed} {kind:?} {command}");
            }
        }
    }
    println!("longest plan: {longest} commands; rooms: {rooms:?}");
}

proptest! {
    #[test]
    fn damaged_files_are_errors_and_never_panics(cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
                                                 end in any::<prop::sample::Index>()) {
        let mut bytes = game_file();
        for (place, byte) in &cuts {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
        let _ = Game::parse(&bytes, "fuzz");
        bytes.truncate(end.index(bytes.len()));
        let _ = Game::parse(&bytes, "fuzz");
    }

    #[test]
    fn damaged_problems_never_panic_in_play(place in any::<prop::sample::Index>(), piece in "[()a-z?= -]{0,12}", length in 0usize..40) {
        let mut text = TINY.to_owned();
        let at = place.index(text.len());
        let end = (at + length).min(text.len());
        text.replace_range(at..end, &piece);
        if let Ok(game) = Game::from_problem(&text, "x.".to_owned(), "fuzz") {
            let mut play = Play::new(Arc::new(game));
            play.opening();
            for _ in 0..12 {
                let commands = play.admissible();
                play.step(&commands[at % commands.len()]);
            }
        }
    }
}
