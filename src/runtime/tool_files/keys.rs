//! Keys of servers. A harness names the variable, but not whom its key is for: that says the user, in a second variable beside it, and the key
//! goes nowhere else.

use crate::net::Secret;
use std::net::IpAddr;

/// What the name of a key's variable has behind it in that of the variable that says whom it is for.
const ORIGIN: &str = "_ORIGIN";

/// The key in the variable `name`, for the server of `file` at `url`.
///
/// # Errors
/// A fragment with the cure: there is no key, or it is not for this address.
pub(super) fn find(environment: fn(&str) -> Option<String>, file: &str, url: &str, name: &str) -> Result<Secret, String> {
    let value = |name: &str| environment(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let key = value(name).ok_or_else(|| format!("find the key of {file}: {name} is not set"))?;
    let refuse = |problem: &str| Err(format!("send the key of {file}: {name}{ORIGIN} {problem}"));
    let Some(origin) = value(&format!("{name}{ORIGIN}")) else {
        return refuse("is not set: set it to the one origin that the key is for, such as https://api.example.com");
    };
    let origin = origin.trim_end_matches('/');
    match host(origin) {
        None => return refuse(&format!("is {origin:?}: it must be an origin such as https://api.example.com")),
        Some(host) if origin.starts_with("http:") && !is_loopback(host) => return refuse("must begin with https:// but for this machine"),
        Some(_) => {}
    }
    // Letter by letter: whatever follows a slash is no part of where it goes.
    if !url.strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        return refuse(&format!("allows {origin}, not {url}"));
    }
    Ok(Secret::new(key))
}

/// The host of an origin; absent where it is none.
fn host(origin: &str) -> Option<&str> {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"))?;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".-:[]".contains(letter);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        Some(_) | None => (authority, ""),
    };
    (!host.is_empty() && authority.chars().all(is_plain) && port.chars().all(|digit| digit.is_ascii_digit())).then_some(host)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        let value = match name {
            "FAR" | "NEAR" | "OPEN" | "BAD" | "ALONE" => "sesame",
            "FAR_ORIGIN" => "https://api.example.com/",
            "NEAR_ORIGIN" => "http://127.0.0.1:8080",
            "OPEN_ORIGIN" => "http://api.example.com",
            "BAD_ORIGIN" => "https://me@api.example.com",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn a_key_goes_where_the_user_says_and_nowhere_else() {
        let sent = |name: &str, url: &str| find(environment, "tools/t.toml", url, name).map(drop);
        for url in ["https://api.example.com", "https://api.example.com/mcp?x=1"] {
            assert_eq!(sent("FAR", url), Ok(()));
        }
        assert_eq!(sent("NEAR", "http://127.0.0.1:8080/mcp"), Ok(()));
        let elsewhere = ["@evil.com/", ".evil.com/", ":81/", "\\@evil.com/", "?@evil.com", "\t.evil.com/"]
            .map(|rest| format!("https://api.example.com{rest}"));
        for url in elsewhere.iter().map(String::as_str).chain(["https://evil.com/https://api.example.com/", "http://api.example.com/"]) {
            let refused = sent("FAR", url).unwrap_err();
            assert!(refused.contains("FAR_ORIGIN allows https://api.example.com, not "), "{url}: {refused}");
        }
        assert!(sent("OPEN", "http://api.example.com/").unwrap_err().contains("must begin with https://"));
        assert!(sent("BAD", "https://me@api.example.com/").unwrap_err().contains("must be an origin"));
        assert!(sent("ALONE", "https://a.b/").unwrap_err().contains("ALONE_ORIGIN is not set: set it to"));
        assert!(sent("NONE", "https://a.b/").unwrap_err().contains("NONE is not set"));
    }
}
