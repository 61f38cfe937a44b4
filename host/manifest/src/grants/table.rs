//! The keys of `grants`: what one entry of each allows, and how it is written. The README has this table.

use super::Grants;

/// One key of `grants`.
#[derive(Debug)]
pub struct Grant {
    pub key: &'static str,
    /// The thing that one entry allows.
    pub allows: &'static str,
    /// The forms of an entry.
    pub form: &'static str,
    /// An entry begins with the name of a component, or of an app.
    pub(super) is_naming: bool,
    has_entries: fn(&Grants) -> bool,
}

macro_rules! grants {
    ($($key:ident: $is_naming:literal, $allows:literal, $form:literal;)+) => {
        /// Every key of `grants`, in the order of the README.
        pub const GRANTS: &[Grant] = &[$(Grant {
            key: stringify!($key),
            allows: $allows,
            form: $form,
            is_naming: $is_naming,
            has_entries: |grants| grants.$key.iter().next().is_some(),
        }),+];
    };
}

grants! {
    state: true, "a state component", "`name`, `*`";
    publish: true, "to send events to a topic", "`component/topic`, `component/*`, `component`, `*`";
    subscribe: true, "to receive the events of a topic", "the same";
    invoke: true, "calls to an app", "`app-id`, `*`";
    http: false, "requests to a host", "`[scheme://]host[:port]`, `*.host`, an address, `*` (public hosts only)";
    secrets: true, "a secret, to use", "`store/name`, `store/*`, `store`, `*`";
    reveal: true, "a secret, to see; `secrets` must allow it as well", "the same";
    configuration: true, "a configuration component", "`name`, `*`";
    lock: true, "a lock component", "`name`, `*`";
    crypto: true, "a key", "`component/key`, `component/*`, `component`, `*`";
    bindings: true, "an operation of an output binding", "`component/operation`, `component/*`, `component`, `*`";
    listen: true, "an input binding", "`name`, `*`";
    jobs: false, "a job of the app's own, by its name", "`name`, `prefix*`, `*`";
    workflow: false, "to start and manage a workflow, by its name; activities of another app need `invoke`", "the same";
    actors: false, "calls to a type of actors", "`type`, `*`";
}

impl Grants {
    /// Returns whether an interface that needs a key may be imported; each call is then checked by name.
    pub fn has(&self, key: &str) -> bool {
        match key {
            // An empty list is a grant to ask for nothing. Other apps of the host are reached by HTTP too.
            "http" => self.http.is_some() || !self.invoke.is_empty(),
            _ => {
                let mut rows = GRANTS.iter();
                rows.any(|row| row.key == key && (row.has_entries)(self))
            }
        }
    }
}
