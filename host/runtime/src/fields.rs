//! Header fields that a guest makes: the app's account has their bytes for as long as they are there.

use crate::ctx::Ctx;
use std::collections::HashMap;
use wasmtime::{
    Result, StoreContextMut,
    component::{Linker, Resource, ResourceType},
};
use wasmtime_wasi_http::{FieldMap, WasiHttpView};
use wythe_blocks::{Account, Permit};

/// Bytes that a field takes beside its name and its value, more or less.
const OF_FIELD: usize = 64;

/// Bytes of the fields of one instance, by their handles. Those that went into a message count until their handle is
/// another's.
#[derive(Default)]
pub struct Held(HashMap<u32, Permit>);

type Entries = Vec<(String, Vec<u8>)>;
type Made<E> = Result<(std::result::Result<Resource<FieldMap>, E>,)>;
type Done<E> = Result<(std::result::Result<(), E>,)>;

fn size(name: &str, value: &[u8]) -> usize {
    OF_FIELD + name.len() + value.len()
}

fn whole(fields: &FieldMap) -> usize {
    let fields = fields.iter();
    fields
        .map(|(name, value)| size(name.as_str(), value.as_bytes()))
        .sum()
}

impl Held {
    /// Draws for fields that are about to grow by so much; a copy draws for all of itself when it is first changed.
    fn grow(&mut self, account: &Account, handle: u32, now: usize, more: usize) -> Result<()> {
        match self.0.get_mut(&handle) {
            Some(permit) => permit.grow(more)?,
            None => drop(self.0.insert(handle, account.take(now + more)?)),
        }
        Ok(())
    }

    /// Gives back what was counted for fields that were replaced.
    fn fit(&mut self, handle: u32, now: usize) {
        if let Some(permit) = self.0.get_mut(&handle) {
            permit.shrink(permit.bytes().saturating_sub(now));
        }
    }
}

impl Ctx {
    fn grow(&mut self, fields: &Resource<FieldMap>, more: usize) -> Result<()> {
        let now = whole(self.table.get(fields)?);
        let account = &self.identity.account;
        self.fields.grow(account, fields.rep(), now, more)
    }

    fn fit(&mut self, handle: u32) -> Result<()> {
        let fields = Resource::<FieldMap>::new_borrow(handle);
        let now = whole(self.table.get(&fields)?);
        self.fields.fit(handle, now);
        Ok(())
    }
}

/// Replaces the library's functions that make and change fields; the rest of the interface stays as it is.
macro_rules! count {
    ($linker:ident, $wasi:ident, $interface:literal) => {{
        use wasmtime_wasi_http::$wasi::bindings::http::types::{HeaderError, Host, HostFields};
        let mut types = $linker.instance($interface)?;
        let kind = ResourceType::host::<FieldMap>();
        types.resource("fields", kind, |mut store, handle| {
            let ctx: &mut Ctx = store.data_mut();
            ctx.fields.0.remove(&handle);
            HostFields::drop(&mut ctx.http(), Resource::new_own(handle))
        })?;
        types.func_wrap(
            "[static]fields.from-list",
            |mut store: StoreContextMut<'_, Ctx>, (entries,): (Entries,)| -> Made<HeaderError> {
                let ctx = store.data_mut();
                let bytes = entries.iter().map(|(name, value)| size(name, value)).sum();
                let permit = ctx.identity.account.take(bytes)?;
                Ok((match HostFields::from_list(&mut ctx.http(), entries) {
                    Ok(fields) => {
                        ctx.fields.0.insert(fields.rep(), permit);
                        Ok(fields)
                    }
                    Err(error) => Err(ctx.http().convert_header_error(error)?),
                },))
            },
        )?;
        types.func_wrap(
            "[method]fields.append",
            |mut store: StoreContextMut<'_, Ctx>,
             (fields, name, value): (Resource<FieldMap>, String, Vec<u8>)|
             -> Done<HeaderError> {
                let ctx = store.data_mut();
                ctx.grow(&fields, size(&name, &value))?;
                let done = HostFields::append(&mut ctx.http(), fields, name, value);
                Ok((match done {
                    Ok(()) => Ok(()),
                    Err(error) => Err(ctx.http().convert_header_error(error)?),
                },))
            },
        )?;
        types.func_wrap(
            "[method]fields.set",
            |mut store: StoreContextMut<'_, Ctx>,
             (fields, name, values): (Resource<FieldMap>, String, Vec<Vec<u8>>)|
             -> Done<HeaderError> {
                let (ctx, handle) = (store.data_mut(), fields.rep());
                let more = values.iter().map(|value| size(&name, value)).sum();
                ctx.grow(&fields, more)?;
                let done = HostFields::set(&mut ctx.http(), fields, name, values);
                ctx.fit(handle)?;
                Ok((match done {
                    Ok(()) => Ok(()),
                    Err(error) => Err(ctx.http().convert_header_error(error)?),
                },))
            },
        )?;
    }};
}

/// Counts fields of both versions of WASI; the linker has them already.
pub fn count(linker: &mut Linker<Ctx>) -> Result<()> {
    linker.allow_shadowing(true);
    count!(linker, p2, "wasi:http/types@0.2.12");
    count!(linker, p3, "wasi:http/types@0.3.0");
    linker.allow_shadowing(false);
    Ok(())
}
