//! Links of the dashboard and what a query says: whatever a guest is called, its name is one value of a query.

use maud::Render;
use url::form_urlencoded::{byte_serialize, parse};

/// A path below the dashboard's own, with a query.
pub struct Link(String);

impl Link {
    /// A page of a tenant.
    pub fn of_tenant(base: &str, tenant: &str, page: &str) -> Self {
        let tenant: String = byte_serialize(tenant.as_bytes()).collect();
        Link(format!("{base}t/{tenant}/{page}"))
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let sign = match self.0.contains('?') {
            true => '&',
            false => '?',
        };
        self.0.push(sign);
        self.0.extend(byte_serialize(name.as_bytes()));
        self.0.push('=');
        self.0.extend(byte_serialize(value.as_bytes()));
        self
    }

    #[must_use]
    pub fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Render for Link {
    fn render_to(&self, out: &mut String) {
        self.0.as_str().render_to(out);
    }
}

/// The fields of a query or a form; what is empty is not there.
pub struct Fields(Vec<(String, String)>);

impl Fields {
    pub fn new(text: &[u8]) -> Self {
        let fields = parse(text).filter(|(_, value)| !value.is_empty());
        Fields(
            fields
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A field that is text, empty where it is not there.
    pub fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// A field that is a number, 0 where it is none.
    pub fn number<T: std::str::FromStr + Default>(&self, name: &str) -> T {
        let number = self.get(name).and_then(|text| text.parse().ok());
        number.unwrap_or_default()
    }

    /// The fields but those of one name.
    pub fn but(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.0.iter().filter(move |(own, _)| own != name);
        fields.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_value_of_a_query() {
        let hostile = "\"><script>&x=1#?/../../é\u{202e}";
        let link = Link::of_tenant("/key/", "shop", "workflow").with("id", hostile);
        let link = link.with_some("app", None).with("of", "a b");
        let text = link.as_str();
        assert!(text.starts_with("/key/t/shop/workflow?id="), "{text}");
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/?&=%+-._*".contains(&byte))
        );
        let (_, query) = text.split_once('?').unwrap();
        let fields = Fields::new(query.as_bytes());
        assert_eq!(fields.get("id"), Some(hostile));
        assert_eq!(fields.get("of"), Some("a b"));
        assert!(fields.but("id").eq([("of", "a b")]));
        let rest = Fields::new(b"%26+=1&of=2");
        let link = rest
            .but("of")
            .fold(Link("/".into()), |link, (name, value)| {
                link.with(name, value)
            });
        assert_eq!(link.as_str(), "/?%26+=1");
        let tenant = Link::of_tenant("/key/", "../a/b", "").0;
        assert_eq!(tenant, "/key/t/..%2Fa%2Fb/");
    }

    #[test]
    fn fields_are_read_whatever_they_are() {
        let fields = Fields::new(b"skip=7&bad=x&empty=&twice=1&twice=2&%ff=%ff");
        assert_eq!(fields.number::<u32>("skip"), 7);
        assert_eq!(fields.number::<u32>("bad"), 0);
        assert_eq!(fields.get("empty"), None);
        assert_eq!(fields.get("twice"), Some("1"));
        assert_eq!(fields.text("none"), "");
    }
}
