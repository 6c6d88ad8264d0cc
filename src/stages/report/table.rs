//! A table as data: the page and Markdown print the same one. Text of others is in it as they wrote it, and is made harmless here.

use crate::domain::untrusted::{escaped, plain};
use maud::{Markup, html};
use std::fmt::Write;

/// A column's head.
#[derive(Clone, Copy, Debug)]
pub(super) enum Head {
    /// Words, to the left.
    Words(&'static str),
    /// Figures, to the right.
    Figure(&'static str),
}

/// Heads and rows of the same length; the first column names the row.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// What is in it.
    pub caption: &'static str,
    /// Columns.
    pub heads: Vec<Head>,
    /// Rows.
    pub rows: Vec<Vec<String>>,
}

impl Head {
    fn text(self) -> &'static str {
        match self {
            Self::Words(text) | Self::Figure(text) => text,
        }
    }

    /// Class in the style sheet.
    fn class(self) -> Option<&'static str> {
        match self {
            Self::Words(_) => None,
            Self::Figure(_) => Some("figure"),
        }
    }
}

impl Table {
    /// For the page.
    pub fn html(&self) -> Markup {
        html! {
            div class="sheet" { div class="scroll" { table {
                caption { (self.caption) }
                thead { tr { @for head in &self.heads { th scope="col" class=[head.class()] { (head.text()) } } } }
                tbody {
                    @for row in &self.rows {
                        tr {
                            @for (index, (cell, head)) in row.iter().zip(&self.heads).enumerate() {
                                @if index == 0 { th scope="row" { (plain(cell)) } } @else { td class=[head.class()] { (plain(cell)) } }
                            }
                        }
                    }
                }
            } } }
        }
    }

    /// For Markdown, with an empty line before it.
    pub fn markdown(&self) -> String {
        let heads: Vec<&str> = self.heads.iter().map(|head| head.text()).collect();
        let rules: Vec<&str> = self.heads.iter().map(|head| if head.class().is_some() { "---:" } else { "---" }).collect();
        let mut text = format!("\n{}.\n\n| {} |\n|{}|\n", self.caption, heads.join(" | "), rules.join("|"));
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
            // Writing into a String cannot fail.
            _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        text
    }
}
