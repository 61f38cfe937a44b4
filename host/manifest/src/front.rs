//! The front of a project: what every request from outside has to show, and the pages of others that may ask.

use crate::name::shown;
use crate::problem::Source;
use crate::reader::At;

/// Origins of one project.
const MAX_ORIGINS: usize = 100;
/// Bytes of an origin.
const MAX_ORIGIN: usize = 300;
const ANY: &str = "*";

/// The variable of the environment that has the token of a project.
#[derive(Clone, Debug)]
pub struct TokenVariable {
    /// Its name.
    pub name: String,
    /// The place where it was written.
    pub source: Source,
}

/// The pages of other origins whose scripts may ask (CORS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// The origins, as browsers name them.
    pub origins: Origins,
    /// True where a browser may send cookies and the like; default false.
    pub credentials: bool,
}

/// The origins that may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Every one.
    Any,
    /// These, in lower case.
    Named(Vec<String>),
}

impl Origins {
    /// Returns whether pages of an origin may ask.
    pub fn allow(&self, origin: &str) -> bool {
        match self {
            Origins::Any => true,
            Origins::Named(names) => names.iter().any(|name| name.eq_ignore_ascii_case(origin)),
        }
    }
}

/// Reads the key `apiToken` of a manifest.
pub(crate) fn read_token(at: &At) -> Option<TokenVariable> {
    let fields = at.fields(&["env"])?;
    fields.demand(
        "env",
        "the variable of the environment with the token",
        |at| {
            Some(TokenVariable {
                name: at.filled()?.to_owned(),
                source: at.source(),
            })
        },
    )
}

/// Reads the key `cors` of a manifest.
pub(crate) fn read_cors(at: &At) -> Option<Cors> {
    let fields = at.fields(&["allowedOrigins", "allowCredentials"])?;
    let credentials = match fields.get("allowCredentials") {
        Some(at) => at.boolean()?,
        None => false,
    };
    let origins = fields.demand(
        "allowedOrigins",
        "a list of origins, such as `https://shop.example.com`",
        read_origins,
    )?;
    if credentials && origins == Origins::Any {
        fields.at.error(
            "`allowCredentials` with the origin `*` would let every page act for whoever looks at it; name the origins",
        );
        return None;
    }
    Some(Cors {
        origins,
        credentials,
    })
}

fn read_origins(at: &At) -> Option<Origins> {
    let items = at.items();
    if let Some(at) = items.get(MAX_ORIGINS) {
        at.error(&format!("more than {MAX_ORIGINS} origins"));
        return None;
    }
    if let [only] = items.as_slice()
        && only.filled()? == ANY
    {
        return Some(Origins::Any);
    }
    let names = items.iter().filter_map(read_origin);
    let names: Vec<_> = names.collect();
    (names.len() == items.len()).then_some(Origins::Named(names))
}

fn read_origin(at: &At) -> Option<String> {
    let text = at.filled()?;
    let host = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let is_plain = |host: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
        !host.is_empty() && host.bytes().all(letter)
    };
    if text.len() > MAX_ORIGIN || !host.is_some_and(is_plain) {
        at.error(&format!(
            "expected an origin such as `https://shop.example.com`, without a path, or `*` alone, found `{}`",
            shown(text)
        ));
        return None;
    }
    Some(text.to_ascii_lowercase())
}
