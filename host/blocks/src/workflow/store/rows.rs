//! Single operations on rows.

use crate::state::{Condition, Delete, Operation, Put};
use bytes::Bytes;

pub(in crate::workflow) fn put(key: String, value: Bytes) -> Operation {
    Operation::Put(Put::new(key, value))
}

pub(in crate::workflow) fn put_if(key: String, value: Bytes, condition: Condition) -> Operation {
    let mut put = Put::new(key, value);
    put.options.condition = condition;
    Operation::Put(put)
}

pub(in crate::workflow) fn delete(key: String) -> Operation {
    let key = key.into();
    let condition = Condition::Always;
    Operation::Delete(Delete { key, condition })
}
