//! Code fences that models put around what they were asked for.

/// The text within one code fence that encloses everything; otherwise the text as it is, trimmed.
pub fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let Some(body) = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```")) else { return text };
    match body.split_once('\n') {
        Some((language, rest)) if language.trim().chars().all(char::is_alphanumeric) => rest.trim(),
        Some(_) | None => body.trim(),
    }
}

/// The text within the first code fence, wherever it stands.
pub fn first_fenced(text: &str) -> Option<&str> {
    let start = text.find("```")?;
    let end = text[start + 3..].find("```")? + start + 6;
    Some(unfenced(&text[start..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_come_off() {
        assert_eq!(unfenced("```json\n{}\n```"), "{}");
        assert_eq!(unfenced("```{}```"), "{}");
        assert_eq!(unfenced("plain"), "plain");
        assert_eq!(unfenced("```"), "```");
        assert_eq!(first_fenced("so: ```\n1\n``` and ```2```"), Some("1"));
        assert_eq!(first_fenced("``` open"), None);
    }
}
