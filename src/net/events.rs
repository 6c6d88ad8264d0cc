//! Server-sent events: cuts a byte stream into the data of its events, whatever the pieces it comes in.

/// Collects bytes and gives the data of each finished event.
#[derive(Debug, Default)]
pub struct Events {
    /// Bytes not yet cut into lines; a reader appends here.
    pub buffer: Vec<u8>,
    /// Where the next line starts in `buffer`.
    start: usize,
    /// Up to where no line end was found.
    searched: usize,
    /// Data of the event being read.
    data: String,
    has_data: bool,
}

impl Events {
    /// The data of the next finished event, its lines joined; `None` until more bytes come. Comments and other fields are skipped.
    pub fn next_event(&mut self) -> Option<String> {
        loop {
            let Some(found) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') else {
                self.buffer.drain(..self.start);
                self.start = 0;
                self.searched = self.buffer.len();
                return None;
            };
            let end = self.searched + found;
            let line = &self.buffer[self.start..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let is_blank = line.is_empty();
            if let Some(value) = line.strip_prefix(b"data:") {
                let value = value.strip_prefix(b" ").unwrap_or(value);
                if self.has_data {
                    self.data.push('\n');
                }
                self.data.push_str(&String::from_utf8_lossy(value));
                self.has_data = true;
            }
            self.start = end + 1;
            self.searched = self.start;
            if is_blank && self.has_data {
                self.has_data = false;
                return Some(std::mem::take(&mut self.data));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_in_pieces_of_any_size() {
        let stream = b": hello\r\ndata: one\r\n\r\nevent: x\ndata: two\ndata: \xc3\xa9\n\n\n\ndata: cut off";
        for size in 1..stream.len() {
            let mut events = Events::default();
            let mut seen = Vec::new();
            for piece in stream.chunks(size) {
                events.buffer.extend_from_slice(piece);
                while let Some(data) = events.next_event() {
                    seen.push(data);
                }
            }
            assert_eq!(seen, ["one", "two\n\u{e9}"], "pieces of {size}");
        }
    }
}
