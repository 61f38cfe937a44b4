//! The purpose of a key, as its JWK says it by the members `use`, `key_ops` and `alg` (RFC 7517, sections 4.2 to 4.4).
//! Keys of other forms say nothing, and do all that they can.

use super::Material;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use wythe_blocks::crypto::{SignatureAlgorithm, WrapAlgorithm};

/// Operation with a key. A message is encrypted by wrapping its own key, and decrypted by unwrapping that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Sign,
    Verify,
    Wrap,
    Unwrap,
}

/// Operations that RFC 7517 names. The others are read, so that members can be compared, and never done with a key
/// here.
const OPERATIONS: [&str; 8] = [
    "sign",
    "verify",
    "wrapKey",
    "unwrapKey",
    "encrypt",
    "decrypt",
    "deriveKey",
    "deriveBits",
];
const SIGNATURE: &str = "sig";
const ENCRYPTION: &str = "enc";

/// The members as they came.
pub(super) struct Members<'a> {
    pub(super) usage: &'a Member,
    pub(super) key_ops: &'a Member,
    pub(super) alg: &'a Member,
}

pub(super) type Member = Option<Value>;

/// A member that is `null` is there, and wrong.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Member, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Purpose of a key as it was said, read and found consistent.
#[derive(Default)]
pub(super) struct Purpose {
    usage: Option<&'static str>,
    /// Operations of RFC 7517, in the order in which they came.
    operations: Option<Vec<&'static str>>,
    algorithm: Option<Algorithm>,
}

/// An algorithm that this host has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Wrap(WrapAlgorithm),
    Sign(SignatureAlgorithm),
}

impl Purpose {
    /// The error says which member is wrong, and nothing of what is in it.
    pub(super) fn new(members: Members<'_>, key: &Material) -> Result<Self, String> {
        let purpose = Purpose {
            usage: members.usage.as_ref().map(usage).transpose()?,
            operations: members.key_ops.as_ref().map(operations).transpose()?,
            algorithm: members
                .alg
                .as_ref()
                .map(|alg| algorithm(alg, key))
                .transpose()?,
        };
        purpose.check()?;
        let able = key.operations();
        if able.iter().any(|able| purpose.allows(*able)) {
            return Ok(purpose);
        }
        let able: Vec<_> = able.into_iter().map(Operation::name).collect();
        Err(format!(
            "`use`, `key_ops` and `alg` leave nothing that it can do, which is {}; messages are encrypted by `wrapKey` and \
             decrypted by `unwrapKey`",
            able.join(", ")
        ))
    }

    /// RFC 7517 asks that the members agree.
    fn check(&self) -> Result<(), String> {
        let named = self.operations.as_deref().unwrap_or_default();
        let is_of = |usage| named.iter().all(|name| usage_of(name) == usage);
        if self.usage.is_some_and(|usage| !is_of(usage)) {
            return Err(
                "`use` and `key_ops` disagree; `sig` goes with sign and verify, `enc` with the others"
                    .into(),
            );
        }
        let Some(by) = self.algorithm else {
            return Ok(());
        };
        if self.usage.is_some_and(|usage| usage != by.usage()) {
            return Err(format!(
                "`use` and `alg` disagree; that algorithm goes with `{}`",
                by.usage()
            ));
        }
        match is_of(by.usage()) {
            true => Ok(()),
            false => {
                Err("`key_ops` and `alg` disagree; an algorithm signs or wraps, not both".into())
            }
        }
    }

    /// Says whether the operation may be done at all, by any algorithm.
    pub(super) fn allows(&self, operation: Operation) -> bool {
        let usage = usage_of(operation.name());
        self.usage.is_none_or(|said| said == usage)
            && self.algorithm.is_none_or(|said| said.usage() == usage)
            && self
                .operations
                .as_ref()
                .is_none_or(|said| said.contains(&operation.name()))
    }

    pub(super) fn allows_by(&self, operation: Operation, by: Algorithm) -> bool {
        self.allows(operation) && self.algorithm.is_none_or(|said| said == by)
    }

    /// Writes what the public half is for: it checks what the private one signs, and wraps what that one unwraps.
    pub(super) fn write_public(&self, jwk: &mut Map<String, Value>) {
        if let Some(usage) = self.usage {
            jwk.insert("use".into(), usage.into());
        }
        if let Some(said) = &self.operations {
            let mut public: Vec<_> = said.iter().filter_map(|name| counterpart(name)).collect();
            public.sort_unstable();
            public.dedup();
            jwk.insert("key_ops".into(), public.into());
        }
        if let Some(algorithm) = self.algorithm {
            jwk.insert("alg".into(), algorithm.name().into());
        }
    }
}

/// Shows the purpose as in the JWK, for an error.
impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let operations = self.operations.as_ref();
        let said = [
            self.usage.map(|usage| format!("`use` is {usage}")),
            operations.map(|named| format!("`key_ops` is {}", named.join(", "))),
            self.algorithm.map(|by| format!("`alg` is {}", by.name())),
        ];
        let said: Vec<_> = said.into_iter().flatten().collect();
        f.write_str(&said.join(", "))
    }
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Sign => "sign",
            Operation::Verify => "verify",
            Operation::Wrap => "wrapKey",
            Operation::Unwrap => "unwrapKey",
        }
    }

    pub(super) fn verb(self) -> &'static str {
        match self {
            Operation::Sign => "sign",
            Operation::Verify => "verify",
            Operation::Wrap => "wrap",
            Operation::Unwrap => "unwrap",
        }
    }
}

impl Algorithm {
    /// Name by RFC 7518 and its registry; Dapr's name for the mode that has none there.
    fn name(self) -> &'static str {
        use SignatureAlgorithm::*;
        use WrapAlgorithm::*;
        match self {
            Algorithm::Wrap(by) => match by {
                A128Kw => "A128KW",
                A192Kw => "A192KW",
                A256Kw => "A256KW",
                A128Cbc => "A128CBC-NOPAD",
                A192Cbc => "A192CBC-NOPAD",
                A256Cbc => "A256CBC-NOPAD",
                RsaOaep => "RSA-OAEP",
                RsaOaep256 => "RSA-OAEP-256",
                RsaOaep384 => "RSA-OAEP-384",
                RsaOaep512 => "RSA-OAEP-512",
            },
            Algorithm::Sign(by) => match by {
                Es256 => "ES256",
                Es384 => "ES384",
                Es512 => "ES512",
                EdDsa => "EdDSA",
                Ps256 => "PS256",
                Ps384 => "PS384",
                Ps512 => "PS512",
                Rs256 => "RS256",
                Rs384 => "RS384",
                Rs512 => "RS512",
            },
        }
    }

    /// Name by the contract.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Algorithm::Wrap(by) => by.as_str(),
            Algorithm::Sign(by) => by.as_str(),
        }
    }

    fn usage(self) -> &'static str {
        match self {
            Algorithm::Wrap(_) => ENCRYPTION,
            Algorithm::Sign(_) => SIGNATURE,
        }
    }
}

fn usage(value: &Value) -> Result<&'static str, String> {
    let known = [SIGNATURE, ENCRYPTION];
    let found = known.into_iter().find(|known| value == known);
    found.ok_or_else(|| "`use` is none that this host knows; expected sig or enc".into())
}

fn operations(value: &Value) -> Result<Vec<&'static str>, String> {
    let list = value.as_array();
    let list = list.ok_or("`key_ops` is no list; expected one such as [\"verify\"]")?;
    let mut named = Vec::new();
    for value in list {
        let found = OPERATIONS.into_iter().find(|known| value == known);
        let name = found.ok_or_else(|| {
            let names = OPERATIONS.join(", ");
            format!("`key_ops` has one that this host does not know; expected some of {names}")
        })?;
        if named.contains(&name) {
            return Err(format!("`key_ops` has {name} twice"));
        }
        named.push(name);
    }
    Ok(named)
}

fn algorithm(value: &Value, key: &Material) -> Result<Algorithm, String> {
    let algorithms = key.algorithms();
    // The name that RFC 9864 has for it.
    let value = match value.as_str() {
        Some("Ed25519") => "EdDSA",
        other => other.unwrap_or_default(),
    };
    let found = algorithms.iter().find(|known| known.name() == value);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = algorithms.iter().map(|known| known.name()).collect();
        format!(
            "`alg` is none that this host has for such a key; expected {}, or no `alg`",
            names.join(", ")
        )
    })
}

fn usage_of(operation: &str) -> &'static str {
    match operation {
        "sign" | "verify" => SIGNATURE,
        _ => ENCRYPTION,
    }
}

/// Operation of a pair's public half for an operation of either half.
fn counterpart(operation: &str) -> Option<&'static str> {
    match operation {
        "sign" | "verify" => Some("verify"),
        "wrapKey" | "unwrapKey" => Some("wrapKey"),
        "encrypt" | "decrypt" => Some("encrypt"),
        _ => None,
    }
}
