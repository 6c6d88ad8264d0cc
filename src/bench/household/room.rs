//! What stands in the rooms of generated households: our own tables of receptacles, objects and what fits where.

/// A kind of room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Room {
    /// With fridge, microwave and sink.
    Kitchen,
    /// With sofa and television.
    LivingRoom,
    /// With bed and desk.
    Bedroom,
    /// With toilet and sink.
    Bathroom,
}

impl Room {
    /// `kitchen`, `living_room`, `bedroom` or `bathroom`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kitchen => "kitchen",
            Self::LivingRoom => "living_room",
            Self::Bedroom => "bedroom",
            Self::Bathroom => "bathroom",
        }
    }

    /// Receptacle types with the least and most of each.
    pub(super) fn furniture(self) -> &'static [Furniture] {
        match self {
            Self::Kitchen => KITCHEN,
            Self::LivingRoom => LIVING_ROOM,
            Self::Bedroom => BEDROOM,
            Self::Bathroom => BATHROOM,
        }
    }

    /// Objects that may be found here.
    pub(super) fn things(self) -> impl Iterator<Item = &'static Thing> {
        THINGS.iter().filter(move |thing| thing.rooms.contains(&self))
    }
}

/// A receptacle type in a room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Furniture {
    /// Type as in ids, e.g. `CounterTop`.
    pub kind: &'static str,
    /// Fewest in a room.
    pub least: usize,
    /// Most in a room.
    pub most: usize,
}

/// An object type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thing {
    /// Type as in ids, e.g. `SoapBar`.
    pub kind: &'static str,
    /// Rooms where it is found.
    pub rooms: &'static [Room],
    /// What can be done with it.
    pub uses: &'static [Use],
    /// Receptacle types that can hold it.
    pub places: &'static [&'static str],
}

/// What can be done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Take,
    Clean,
    Heat,
    Cool,
    Slice,
    Toggle,
}

impl Use {
    /// The predicate that says so.
    pub fn predicate(self) -> &'static str {
        match self {
            Self::Take => "pickupable",
            Self::Clean => "cleanable",
            Self::Heat => "heatable",
            Self::Cool => "coolable",
            Self::Slice => "sliceable",
            Self::Toggle => "toggleable",
        }
    }
}

/// Receptacle types with a door, lid or slide.
pub(super) const OPENABLE: &[&str] = &["Cabinet", "Drawer", "Fridge", "Microwave", "Safe", "LaundryHamper"];

const fn some(kind: &'static str, least: usize, most: usize) -> Furniture {
    Furniture { kind, least, most }
}

const KITCHEN: &[Furniture] = &[
    some("Fridge", 1, 1),
    some("Microwave", 1, 1),
    some("SinkBasin", 1, 1),
    some("CounterTop", 1, 2),
    some("Cabinet", 1, 5),
    some("Drawer", 0, 4),
    some("DiningTable", 1, 1),
    some("GarbageCan", 1, 1),
    some("CoffeeMachine", 1, 1),
    some("StoveBurner", 0, 2),
    some("Shelf", 0, 2),
];
const LIVING_ROOM: &[Furniture] = &[
    some("Sofa", 1, 1),
    some("ArmChair", 1, 2),
    some("CoffeeTable", 1, 1),
    some("SideTable", 1, 2),
    some("TVStand", 1, 1),
    some("Shelf", 1, 3),
    some("Drawer", 1, 4),
    some("Cabinet", 0, 3),
    some("Safe", 0, 1),
    some("GarbageCan", 1, 1),
];
const BEDROOM: &[Furniture] = &[
    some("Bed", 1, 1),
    some("Desk", 1, 1),
    some("Dresser", 1, 1),
    some("SideTable", 1, 2),
    some("Shelf", 1, 3),
    some("Drawer", 2, 5),
    some("Safe", 0, 1),
    some("LaundryHamper", 0, 1),
    some("GarbageCan", 1, 1),
    some("ArmChair", 0, 1),
];
const BATHROOM: &[Furniture] = &[
    some("SinkBasin", 1, 2),
    some("Toilet", 1, 1),
    some("BathtubBasin", 1, 1),
    some("CounterTop", 1, 1),
    some("TowelHolder", 1, 2),
    some("HandTowelHolder", 0, 1),
    some("GarbageCan", 1, 1),
    some("Cabinet", 1, 4),
    some("Drawer", 0, 3),
    some("Shelf", 0, 2),
];

const K: &[Room] = &[Room::Kitchen];
const L: &[Room] = &[Room::LivingRoom];
const B: &[Room] = &[Room::Bedroom];
const W: &[Room] = &[Room::Bathroom];
const LB: &[Room] = &[Room::LivingRoom, Room::Bedroom];

const FOOD: &[&str] = &["CounterTop", "DiningTable", "Fridge", "Microwave", "SinkBasin", "GarbageCan"];
const PRODUCE: &[&str] = &["CounterTop", "DiningTable", "Fridge", "SinkBasin", "GarbageCan"];
const VESSEL: &[&str] = &["CounterTop", "DiningTable", "Cabinet", "Shelf", "Fridge", "Microwave", "SinkBasin", "CoffeeMachine"];
const DISH: &[&str] = &["CounterTop", "DiningTable", "Cabinet", "Shelf", "Fridge", "Microwave", "SinkBasin"];
const PAN: &[&str] = &["CounterTop", "DiningTable", "Cabinet", "StoveBurner", "SinkBasin", "Fridge"];
const CUTLERY: &[&str] = &["CounterTop", "DiningTable", "Drawer", "SinkBasin"];
const SPICE: &[&str] = &["CounterTop", "DiningTable", "Cabinet", "Drawer", "Shelf"];
const SMALL: &[&str] =
    &["CoffeeTable", "SideTable", "TVStand", "Shelf", "Drawer", "Safe", "Desk", "Dresser", "Sofa", "ArmChair", "DiningTable"];
const READING: &[&str] =
    &["CoffeeTable", "SideTable", "TVStand", "Shelf", "Drawer", "Desk", "Dresser", "Sofa", "ArmChair", "Bed", "Cabinet"];
const SOFT: &[&str] = &["Sofa", "ArmChair", "Bed"];
const SCREEN: &[&str] = &["CoffeeTable", "Sofa", "ArmChair", "Bed", "Desk", "Dresser", "SideTable"];
const LAMP: &[&str] = &["SideTable", "Desk", "Dresser", "CoffeeTable", "TVStand"];
const WASH: &[&str] = &["CounterTop", "SinkBasin", "BathtubBasin", "Toilet", "Cabinet", "Drawer", "Shelf", "GarbageCan"];
const BOTTLE: &[&str] = &["CounterTop", "Toilet", "Cabinet", "Drawer", "Shelf", "GarbageCan"];

const TAKE: &[Use] = &[Use::Take];
const EAT: &[Use] = &[Use::Take, Use::Clean, Use::Heat, Use::Cool];
const EAT_SLICED: &[Use] = &[Use::Take, Use::Clean, Use::Heat, Use::Cool, Use::Slice];
const LEAF: &[Use] = &[Use::Take, Use::Clean, Use::Cool, Use::Slice];
const BAKED: &[Use] = &[Use::Take, Use::Heat, Use::Cool, Use::Slice];
const RINSE: &[Use] = &[Use::Take, Use::Clean];
const CHILL: &[Use] = &[Use::Take, Use::Clean, Use::Cool];

const fn thing(kind: &'static str, rooms: &'static [Room], uses: &'static [Use], places: &'static [&'static str]) -> Thing {
    Thing { kind, rooms, uses, places }
}

const THINGS: &[Thing] = &[
    thing("Apple", K, EAT_SLICED, FOOD),
    thing("Tomato", K, EAT_SLICED, FOOD),
    thing("Potato", K, EAT_SLICED, FOOD),
    thing("Egg", K, EAT, FOOD),
    thing("Bread", K, BAKED, FOOD),
    thing("Lettuce", K, LEAF, PRODUCE),
    thing("Mug", K, EAT, VESSEL),
    thing("Cup", K, EAT, DISH),
    thing("Plate", K, EAT, DISH),
    thing("Bowl", K, EAT, DISH),
    thing("Pan", K, CHILL, PAN),
    thing("Pot", K, CHILL, PAN),
    thing("Knife", K, RINSE, CUTLERY),
    thing("Fork", K, RINSE, CUTLERY),
    thing("Spoon", K, RINSE, CUTLERY),
    thing("Ladle", K, RINSE, CUTLERY),
    thing("SaltShaker", K, TAKE, SPICE),
    thing("PepperShaker", K, TAKE, SPICE),
    thing("Book", LB, TAKE, READING),
    thing("Newspaper", L, TAKE, READING),
    thing("RemoteControl", L, TAKE, SMALL),
    thing("KeyChain", LB, TAKE, SMALL),
    thing("CreditCard", LB, TAKE, SMALL),
    thing("Watch", L, TAKE, SMALL),
    thing("Vase", L, TAKE, SMALL),
    thing("Statue", L, TAKE, SMALL),
    thing("Box", L, TAKE, SCREEN),
    thing("Laptop", LB, TAKE, SCREEN),
    thing("Pillow", LB, TAKE, SOFT),
    thing("CellPhone", B, TAKE, SMALL),
    thing("AlarmClock", B, TAKE, SMALL),
    thing("Pen", B, TAKE, SMALL),
    thing("Pencil", B, TAKE, SMALL),
    thing("CD", B, TAKE, SMALL),
    thing("DeskLamp", LB, &[Use::Toggle], LAMP),
    thing("SoapBar", W, RINSE, WASH),
    thing("Cloth", W, RINSE, WASH),
    thing("DishSponge", W, RINSE, WASH),
    thing("SoapBottle", W, TAKE, BOTTLE),
    thing("SprayBottle", W, TAKE, BOTTLE),
    thing("Candle", W, TAKE, BOTTLE),
    thing("ToiletPaper", W, TAKE, BOTTLE),
    thing("Plunger", W, TAKE, &["Cabinet", "BathtubBasin"]),
    thing("Towel", W, TAKE, &["TowelHolder", "BathtubBasin", "CounterTop"]),
    thing("HandTowel", W, TAKE, &["HandTowelHolder", "CounterTop", "SinkBasin"]),
];
