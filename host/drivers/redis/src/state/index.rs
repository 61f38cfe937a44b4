//! The index of keys: the server's own walk over keys has no order, and a list must have one.

use super::{INDEX, LIST, entry};
use crate::{
    client::{Call, Client, Lua},
    failure::{Effect, bytes, odd, parts, text},
};
use redis::Value;
use std::sync::LazyLock;
use wythe_blocks::{
    Error, Result,
    state::{MAX_ANSWER, Page},
};

/// The mark of an index that has all keys that were there before it.
const BUILT: &str = "||wythe||keys||built";
/// Keys of one step of the walk by which an index is made.
const STEP: usize = 1_000;
/// Keys beyond which nobody waits for an index.
const MAX_KEYS: usize = 1_000_000;

static ADD: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("add.lua")));

/// Makes the index of a database that has none: of what Dapr wrote, or an earlier component without an index.
pub(super) async fn build(client: &Client) -> Result<()> {
    let mut exists = redis::cmd("EXISTS");
    exists.arg(BUILT);
    if client.ask(Effect::Read, "the index", &exists).await? == Value::Int(1) {
        return Ok(());
    }
    let (mut cursor, mut seen) = ("0".to_owned(), 0);
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(&cursor)
            .arg("COUNT")
            .arg(STEP)
            .arg("TYPE")
            .arg("hash");
        let answer = client.ask(Effect::Read, "the index", &scan).await?;
        let [next, keys] = <[Value; 2]>::try_from(parts(answer)?).map_err(|_| odd())?;
        let mut call = Call::default();
        call.keys.push(INDEX.into());
        for key in parts(keys)? {
            call.arguments.push(bytes(key)?);
        }
        seen += call.arguments.len();
        if seen > MAX_KEYS {
            return Err(Error::exhausted(format!(
                "the database has more than {MAX_KEYS} keys, of which no index was made yet: use a database of its own, or set `keyIndex` to false"
            )));
        }
        client.run(Effect::Write, "the index", &ADD, &call).await?;
        cursor = text(next)?;
        if cursor == "0" {
            break;
        }
    }
    let mut mark = redis::cmd("SET");
    mark.arg(BUILT).arg("1");
    client.ask(Effect::Write, "the index", &mark).await?;
    Ok(())
}

/// Takes the mark away: writes without an index are not in it, and a later start with one walks again.
pub(super) async fn give_up(client: &Client) -> Result<()> {
    let mut delete = redis::cmd("DEL");
    delete.arg(BUILT);
    let deleted = client.ask(Effect::Write, "the index", &delete).await;
    deleted.map(drop)
}

/// One page of the entries whose keys have the prefix.
pub(super) async fn list(
    client: &Client,
    prefix: &str,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page> {
    let from = match cursor {
        Some(cursor) if cursor >= prefix => format!("({cursor}"),
        _ if prefix.is_empty() => "-".to_owned(),
        _ => format!("[{prefix}"),
    };
    let budget = MAX_ANSWER.to_string();
    let call = Call {
        keys: vec![INDEX.into()],
        arguments: vec![
            from.into(),
            beyond(prefix).into(),
            limit.to_string().into(),
            budget.into(),
        ],
    };
    // It may take keys out of the index whose rows have ended, which changes nothing that anybody sees.
    let answer = client.run(Effect::Read, "the list", &LIST, &call).await?;
    let mut parts = parts(answer)?.into_iter();
    let next = text(parts.next().ok_or_else(odd)?)?;
    let entries = parts.map(|part| {
        let mut fields = super::parts(part)?;
        if fields.is_empty() {
            return Err(odd());
        }
        let key = text(fields.remove(0))?;
        Ok((key, entry(fields)?))
    });
    let entries = entries.collect::<Result<Vec<_>>>()?;
    Ok(Page {
        entries,
        next: Some(next).filter(|next| !next.is_empty()),
    })
}

/// The end of all keys with a prefix, as the server takes it: no byte of a text is 255.
fn beyond(prefix: &str) -> Vec<u8> {
    let mut bytes = prefix.as_bytes().to_vec();
    match bytes.last_mut() {
        None => b"+".to_vec(),
        Some(last) => {
            *last += 1;
            bytes.insert(0, b'(');
            bytes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        assert_eq!(beyond(""), b"+");
        assert_eq!(beyond("a||"), b"(a|}");
        assert_eq!(beyond("ÿ"), b"(\xc3\xc0");
    }
}
