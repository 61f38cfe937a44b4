//! The commands of the crypto block, as an operator gives them: keys by name, and work done with them.

use super::{Answer, Binary};
use serde::{Deserialize, Serialize};
use wythe_blocks::{
    Call, Result, Tenant,
    crypto::{self, Cipher, EncryptOptions, MAX_DATA, Transform},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crypto {
    pub component: String,
    /// The app whose scopes apply.
    pub app: String,
    pub action: Action,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    Keys,
    Public {
        key: String,
    },
    Encrypt {
        key: String,
        chacha: bool,
        data: Binary,
    },
    Decrypt {
        key: Option<String>,
        data: Binary,
    },
    Sign {
        key: String,
        algorithm: String,
        digest: Binary,
    },
    Verify {
        key: String,
        algorithm: String,
        digest: Binary,
        signature: Binary,
    },
}

/// A key with what it is good for, or with what is wrong with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listed {
    pub name: String,
    pub wrap: Vec<String>,
    pub sign: Vec<String>,
    pub problem: Option<String>,
}

pub(super) async fn execute(tenant: &Tenant, caller: &Call, command: Crypto) -> Result<Answer> {
    let (crypto, component) = (&tenant.crypto, &command.component);
    let open = |key: String| async move { crypto.open_key(caller, component, &key).await };
    Ok(match command.action {
        Action::Keys => {
            let keys = crypto.keys(caller, component).await?.into_iter();
            Answer::Keys {
                keys: keys.map(listed).collect(),
            }
        }
        Action::Public { key } => Answer::Text {
            text: open(key).await?.public()?,
        },
        Action::Encrypt { key, chacha, data } => {
            let options = options(chacha);
            let transform = open(key).await?.encryptor(caller, options).await?;
            all(caller, transform, &data.0).await?
        }
        Action::Decrypt { key, data } => decrypt(tenant, caller, component, key, &data.0).await?,
        Action::Sign {
            key,
            algorithm,
            digest,
        } => {
            let (key, algorithm) = (open(key).await?, algorithm.parse()?);
            let signature = key.sign(caller, &digest.0, algorithm);
            Answer::Bytes(Binary(signature.await?))
        }
        Action::Verify {
            key,
            algorithm,
            digest,
            signature,
        } => {
            let (key, algorithm) = (open(key).await?, algorithm.parse()?);
            let good = key.verify(caller, &digest.0, &signature.0, algorithm);
            Answer::Verified { good: good.await? }
        }
    })
}

fn options(chacha: bool) -> EncryptOptions {
    let cipher = match chacha {
        true => Cipher::ChaCha20Poly1305,
        false => Cipher::AesGcm,
    };
    EncryptOptions {
        cipher,
        ..EncryptOptions::default()
    }
}

async fn decrypt(
    tenant: &Tenant,
    caller: &Call,
    component: &str,
    key: Option<String>,
    data: &[u8],
) -> Result<Answer> {
    let key = match key {
        Some(key) => key,
        None => crypto::key_of(data)?,
    };
    let key = tenant.crypto.open_key(caller, component, &key).await?;
    all(caller, key.decryptor(), data).await
}

async fn all(caller: &Call, mut transform: Transform, data: &[u8]) -> Result<Answer> {
    let mut out = Vec::with_capacity(data.len());
    for chunk in data.chunks(MAX_DATA) {
        out.append(&mut transform.push(caller, chunk).await?);
    }
    out.append(&mut transform.finish().await?);
    Ok(Answer::Bytes(Binary(out)))
}

fn listed((name, info): (String, Result<crypto::KeyInfo>)) -> Listed {
    match info {
        Ok(info) => Listed {
            name,
            wrap: info.wrap.iter().map(ToString::to_string).collect(),
            sign: info.sign.iter().map(ToString::to_string).collect(),
            problem: None,
        },
        Err(error) => Listed {
            name,
            wrap: Vec::new(),
            sign: Vec::new(),
            problem: Some(error.message().to_owned()),
        },
    }
}
