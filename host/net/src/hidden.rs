//! A secret that is a part of what tells one connection from another.

use std::hash::{Hash, Hasher};
use wythe_manifest::Secret;

/// A secret that can be compared, and is not shown.
#[derive(Clone)]
pub struct Hidden(pub Secret);

impl PartialEq for Hidden {
    fn eq(&self, other: &Self) -> bool {
        self.0.reveal() == other.0.reveal()
    }
}

impl Eq for Hidden {}

impl Hash for Hidden {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.reveal().hash(state);
    }
}
