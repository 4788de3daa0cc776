//! What a registry answers to someone it does not know (RFC 9110 section 11.6.1; distribution, "Token Authentication").
//!
//! Reads the header; asks nobody.

use http_auth::parser::ChallengeParser;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use url::Url;

/// How a registry wants to be convinced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    None,
    /// By user and password in every request.
    Basic,
    /// By a token from this place.
    Bearer {
        realm: Url,
        service: Option<String>,
    },
}

impl Challenge {
    /// Reads the challenges of an answer; a token is preferred. Schemes and realms that make no sense count as none.
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
        let mut best = Self::None;
        for value in headers.get_all(WWW_AUTHENTICATE) {
            for challenge in ChallengeParser::new(value.to_str().unwrap_or_default()).map_while(Result::ok) {
                let parameter = |name: &str| {
                    challenge
                        .params
                        .iter()
                        .find(|(key, _)| key.eq_ignore_ascii_case(name))
                        .map(|(_, value)| value.to_unescaped())
                };
                if challenge.scheme.eq_ignore_ascii_case("bearer") {
                    let realm = parameter("realm").and_then(|realm| realm.parse::<Url>().ok());
                    if let Some(realm) = realm.filter(|realm| matches!(realm.scheme(), "http" | "https")) {
                        return Self::Bearer { realm, service: parameter("service") };
                    }
                } else if challenge.scheme.eq_ignore_ascii_case("basic") {
                    best = Self::Basic;
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Challenge {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        Challenge::from_headers(&headers)
    }

    #[test]
    fn the_usual_ones() {
        let hub = Challenge::Bearer {
            realm: "https://auth.docker.io/token".parse().unwrap(),
            service: Some("registry.docker.io".to_owned()),
        };
        let header = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="a,b""#;
        assert_eq!(read(&[header]), hub);
        assert_eq!(read(&["Basic realm=\"x\"", header]), hub);
        assert_eq!(read(&[&format!("Basic realm=\"x\", {header}")]), hub);
        assert_eq!(read(&["basic realm=\"Registry Realm\""]), Challenge::Basic);
        assert_eq!(read(&[]), Challenge::None);
    }

    #[test]
    fn nonsense_is_none() {
        for nonsense in
            ["", "Bearer", "Bearer realm=\"file:///etc/passwd\"", "Bearer realm=\"::\"", "Digest realm=\"x\""]
        {
            assert_eq!(read(&[nonsense]), Challenge::None, "{nonsense}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_challenge_is_survived(header in "(Bearer|Basic|[a-z]{1,4})?[ ,=\"a-z/:.\\\\]{0,60}") {
            let _ = read(&[&header]);
        }
    }
}
