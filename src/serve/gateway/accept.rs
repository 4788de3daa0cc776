//! Which media types a request accepts (RFC 9110, section 12.5.1), with their parameters.
//!
//! Pure. Knows the form of `Accept`. Must not know which types there are.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// One media type that is accepted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Accepted<'a> {
    /// Type and subtype, as they were sent.
    media_type: &'a str,
    parameters: &'a str,
    /// How much it is wanted: above 0, at most 1.
    weight: f32,
}

/// What all `Accept` fields of a request accept, the most wanted first; of equals, the first.
pub(super) fn accepted(headers: &HeaderMap) -> Vec<Accepted<'_>> {
    let fields = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut all: Vec<_> = fields.flat_map(|field| field.split(',')).filter_map(Accepted::parse).collect();
    all.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    all
}

impl<'a> Accepted<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (media_type, parameters) = text.split_once(';').unwrap_or((text, ""));
        let media_type = media_type.trim();
        let mut accepted = Self { media_type, parameters, weight: 1.0 };
        if let Some(weight) = accepted.parameter("q") {
            accepted.weight = weight.parse().ok().filter(|weight| (0.0..=1.0).contains(weight))?;
        }
        (!media_type.is_empty() && accepted.weight > 0.0).then_some(accepted)
    }

    /// Whether it is exactly this type.
    pub(super) fn is(&self, media_type: &str) -> bool {
        self.media_type.eq_ignore_ascii_case(media_type)
    }

    /// Whether this type is one of those that it stands for.
    pub(super) fn covers(&self, media_type: &str) -> bool {
        let main = media_type.split('/').next().unwrap_or_default();
        self.is(media_type)
            || self.media_type == "*/*"
            || self.media_type.strip_suffix("/*").is_some_and(|own| own.eq_ignore_ascii_case(main))
    }

    /// The value of a parameter, without quotes.
    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        let parameters = self.parameters.split(';').filter_map(|parameter| parameter.split_once('='));
        let mut named = parameters.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim().trim_matches('"'))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(fields: &[&str]) -> HeaderMap {
        fields.iter().map(|field| (ACCEPT, HeaderValue::from_str(field).unwrap())).collect()
    }

    #[test]
    fn the_most_wanted_comes_first() {
        let headers =
            headers(&["a/b;q=0.5, c/d ; order=dfs; dups=\"y\"", "e/f;q=0, g/h;q=nonsense, i/j;q=0.7, *, ,k/l;q=2"]);
        let all = accepted(&headers);
        let types: Vec<_> = all.iter().map(|accepted| accepted.media_type).collect();
        assert_eq!(types, ["c/d", "*", "i/j", "a/b"]);
        assert_eq!((all[0].parameter("Order"), all[0].parameter("dups")), (Some("dfs"), Some("y")));
        assert_eq!(all[0].parameter("version"), None);
    }

    #[test]
    fn wildcards_cover_and_are_not() {
        let headers = headers(&["application/*, */*;q=0.1, Text/Plain;q=0.2"]);
        let all = accepted(&headers);
        assert!(all[0].covers("application/json") && !all[0].covers("text/plain") && !all[0].is("application/json"));
        assert!(all[1].is("text/plain") && all[1].covers("text/plain") && !all[1].covers("text/html"));
        assert!(all[2].covers("image/png"));
    }

    proptest! {
        #[test]
        fn any_field_is_read(field in "[ -~]{0,60}") {
            let headers = headers(&[&field]);
            for accepted in accepted(&headers) {
                prop_assert!(accepted.weight > 0.0 && accepted.weight <= 1.0);
                let _ = (accepted.parameter("q"), accepted.covers("a/b"));
            }
        }
    }
}
