//! From ids to the names that players see, as `ALFWorld`'s demangler does it with its shuffle off.
//!
//! `Mug_bar__plus_00_dot_50...` becomes `mug 2`: the type is what stands before the first `_bar_`; numbers per type are handed
//! out from the end of the sorted list of ids.

use std::collections::HashMap;

/// Names of the ids, in their order; `ids` are lower-case and sorted.
pub(super) fn demangle(ids: &[&str]) -> Vec<String> {
    let mut left: HashMap<String, usize> = HashMap::new();
    for kind in ids.iter().filter_map(|id| kind_of(id)) {
        *left.entry(kind).or_insert(0) += 1;
    }
    ids.iter()
        .map(|id| match kind_of(id) {
            // The original puts a blank after a name without a number.
            None => format!("{} ", plain(id)),
            Some(kind) => {
                let number = left.get_mut(&kind).map_or(0, |count| {
                    let number = *count;
                    *count = count.saturating_sub(1);
                    number
                });
                format!("{} {number}", plain(&kind))
            }
        })
        .collect()
}

/// The type in an id; none where the id has no `_bar_`.
fn kind_of(id: &str) -> Option<String> {
    let (kind, _) = id.split_once("_bar_")?;
    Some(if id.contains("basin") { format!("{kind}basin") } else { kind.to_owned() })
}

/// The id's escapes put back as the signs that they stand for.
fn plain(id: &str) -> String {
    id.replace("_minus_", "-").replace("_plus_", "+").replace("_dot_", ".").replace("_comma_", ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_id_gets_number_one() {
        assert_eq!(demangle(&["mug_bar_1", "mug_bar_2", "sink_bar_1_bar_sinkbasin"]), ["mug 2", "mug 1", "sinkbasin 1"]);
    }

    #[test]
    fn basin_is_appended_even_twice() {
        assert_eq!(demangle(&["bathtubbasin_bar_1"]), ["bathtubbasinbasin 1"]);
    }

    #[test]
    fn an_id_without_parts_keeps_a_blank() {
        assert_eq!(demangle(&["oddball"]), ["oddball "]);
    }
}
