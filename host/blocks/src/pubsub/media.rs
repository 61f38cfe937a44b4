//! Media types as RFC 9110 compares them: without regard to case, and apart from their parameters.

/// The type and subtype of a media type in small letters; both empty where it is none.
fn essence(media_type: &str) -> (String, String) {
    let essence = media_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    match essence.split_once('/') {
        Some((kind, subtype)) => (kind.to_owned(), subtype.to_owned()),
        None => Default::default(),
    }
}

pub(super) fn is_json(media_type: &str) -> bool {
    let (kind, subtype) = essence(media_type);
    subtype.ends_with("+json") || (subtype == "json" && (kind == "application" || kind == "text"))
}

pub(super) fn is_text(media_type: &str) -> bool {
    let (kind, subtype) = essence(media_type);
    kind == "text" || subtype == "xml" || subtype.ends_with("+xml")
}

pub(super) fn is_envelope(media_type: &str) -> bool {
    let (kind, subtype) = essence(media_type);
    kind == "application" && subtype == "cloudevents+json"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_parameters_do_not_matter() {
        for json in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "text/json",
            "application/problem+json ;a=b",
            "application/vnd.api+JSON",
        ] {
            assert!(is_json(json), "{json}");
        }
        for other in [
            "",
            "json",
            "application/jsonp",
            "text/plain;a=+json",
            "image/json",
        ] {
            assert!(!is_json(other), "{other}");
        }
        assert!(is_text("TEXT/plain;charset=utf-8") && is_text("image/svg+xml"));
        assert!(is_text("application/xml") && !is_text("application/xmlish"));
        assert!(is_envelope("application/CloudEvents+json; charset=utf-8"));
    }
}
