//! The files that a user writes: `wythe.yaml` and resource files become types that cannot be wrong.
//!
//! Nothing stops at the first mistake. Whatever could be read is returned next to the list of [`Problems`], each with
//! its file, line and column.
//!
//! ```
//! use std::path::Path;
//! use wythe_manifest::{decode, parse_resources};
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields, rename_all = "camelCase")]
//! struct Config {
//!     max_entries: u64,
//! }
//!
//! let text = "
//! apiVersion: dapr.io/v1alpha1
//! kind: Component
//! metadata: { name: statestore }
//! spec:
//!   type: state.in-memory
//!   metadata:
//!     - name: maxEntries
//!       value: 500
//! ";
//! let (resources, problems) = parse_resources(text, Path::new("resources/state.yaml"));
//! assert!(problems.is_empty());
//! let config: Config = decode(&resources.components[0])?;
//! assert_eq!(config.max_entries, 500);
//! # Ok::<(), wythe_manifest::Problems>(())
//! ```

mod addresses;
mod anchored_path;
mod app;
mod component;
mod configuration;
mod decode;
mod document;
mod endpoint;
mod expression;
mod file;
mod front;
mod grants;
mod health;
mod host_pattern;
mod limits;
mod manifest;
mod metadata;
mod name;
mod naming;
mod path;
mod problem;
mod quantity;
mod reader;
mod resiliency;
mod resolve;
mod resources;
mod same;
mod scalar;
mod secret;
mod subscription;
mod suggest;
mod terms;
mod tracing;
mod yaml;

#[cfg(any(fuzzing, test))]
pub mod fuzzing;
#[cfg(test)]
mod tests;

pub use addresses::is_private;
pub use anchored_path::AnchoredPath;
pub use app::App;
pub use component::Component;
pub use configuration::{
    Access, AccessControl, ApiLists, CallerPolicy, ClientName, Configuration, Decision, DeniedType,
    Handler, Operation, SecretScope, Subject,
};
pub use decode::{decode, mistakes};
pub use document::{Document, parse_document};
pub use endpoint::Endpoint;
pub use expression::{Counts, Expression, Trip};
pub use file::{OpenFile, Stamp, Unreadable};
pub use front::{Cors, Origins, TokenVariable};
pub use grants::{ActorPattern, GRANTS, Grant, Grants, Mention, NamePattern, PartPattern, Pattern};
pub use health::HealthCheck;
pub use host_pattern::{HostPattern, ServerPattern};
pub use limits::{Limits, Reuse};
pub use manifest::{Manifest, load, parse_manifest};
pub use metadata::{Item, Metadata, SecretReference, Value};
pub use name::{ComponentName, InvalidName, Name};
pub use naming::check_names;
pub use path::{path_segments, percent_decoded, wrong_with_path};
pub use problem::{Problem, Problems, Severity, Source};
pub use quantity::{ByteSize, Duration, InvalidQuantity};
pub use resiliency::{
    Aim, Breaker, BreakerScope, Codes, Matching, Named, Pace, Resiliency, Retry, Target, Written,
};
pub use resources::{Resources, load_resources, parse_resources};
pub use same::Same;
pub use secret::Secret;
pub use subscription::{Positions, Rule, Subscription};
pub use suggest::{did_you_mean, slip_of};
pub use terms::{
    Allowed, CertificateFiles, ClientAuthority, HOST_FILE, HostFile, HostName, HostTls, Isolation,
    Metered, Quota, Quotas, SIGNATURE_EXTENSION, SigningKey, SigningKeys, TenantTls, Terms,
    TypePattern, Unit, Unsigned, Users, load_host_file, parse_host_file,
};
pub use tracing::{Otlp, OtlpProtocol, Tracing, decoded, headers};
