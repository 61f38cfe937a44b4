//! A driver of jobs as a plugin: its records, its trait, and the macro that exports it.
use super::Plugin;
use crate::Result;

#[doc(inline)]
pub use crate::contract::app::wythe::blocks::jobs::{FailurePolicy, Job, Misfire, Trigger};
#[doc(inline)]
pub use crate::contract::jobs_driver::exports::wythe::plugin::jobs_driver::{
    Change, Features, Page, Row,
};

/// A keeper of jobs, as rows by app and name; `jobs_plugin!` exports it. The host schedules and runs them; times are
/// milliseconds since 1970.
pub trait JobsDriver: Plugin {
    fn describe(&self) -> Features;

    /// Writes a row; an error of kind `conflict` if there is one of this app and name and `overwrite` is false.
    fn put(&mut self, row: Row, overwrite: bool) -> Result<()>;

    fn get(&mut self, app: &str, name: &str) -> Result<Option<Row>>;

    /// Deletes a row; deleting what is absent is fine.
    fn delete(&mut self, app: &str, name: &str) -> Result<()>;

    /// Lists at most `limit` rows of an app whose names start with `prefix` and come after `cursor`, in byte order.
    fn list(&mut self, app: &str, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page>;

    /// The rows of an app whose `wake` is not after `until`, the earliest first. A row that was handed out is not handed
    /// out again before it was written, or `lease` milliseconds are over.
    fn take(&mut self, app: &str, until: u64, limit: u32, lease: u64) -> Result<Vec<Row>>;

    /// The earliest `wake` of the app's rows that are not handed out.
    fn next(&mut self, app: &str) -> Result<Option<u64>>;

    /// Writes a change: `conflict` for a row that has another version or is gone. Of many changes each is asked for by
    /// itself, in order.
    fn settle(&mut self, change: Change) -> Result<()>;
}

/// Exports the world `jobs-plugin` for a type that implements [`JobsDriver`].
#[macro_export]
macro_rules! jobs_plugin {
    ($driver:ident) => {
        const _: () = {
            use $crate::plugin::{ContractError, jobs::{self, JobsDriver}};
            use ::std::{option::Option, result::Result, string::String, vec::Vec};

            $crate::__lifecycle!($driver);

            impl $crate::contract::jobs_driver::exports::wythe::plugin::jobs_driver::Guest for $driver {
                fn describe() -> jobs::Features {
                    DRIVER.with(|slot| slot.surely(|driver| JobsDriver::describe(driver)))
                }
                fn put(row: jobs::Row, overwrite: bool) -> Result<(), ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| JobsDriver::put(driver, row, overwrite)))
                }
                fn get(app: String, name: String) -> Result<Option<jobs::Row>, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| JobsDriver::get(driver, &app, &name)))
                }
                fn delete(app: String, name: String) -> Result<(), ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| JobsDriver::delete(driver, &app, &name)))
                }
                fn list(app: String, prefix: String, cursor: Option<String>, limit: u32) -> Result<jobs::Page, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| JobsDriver::list(driver, &app, &prefix, cursor.as_deref(), limit)))
                }
                fn take(app: String, until: u64, limit: u32, lease: u64) -> Result<Vec<jobs::Row>, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| JobsDriver::take(driver, &app, until, limit, lease)))
                }
                fn next(app: String) -> Result<Option<u64>, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| JobsDriver::next(driver, &app)))
                }
                fn settle(changes: Vec<jobs::Change>) -> Vec<Result<(), ContractError>> {
                    let settle = |change| DRIVER.with(|slot| slot.with(|driver| JobsDriver::settle(driver, change)));
                    changes.into_iter().map(settle).collect()
                }
            }
            $crate::contract::jobs_driver::export_jobs_driver!($driver with_types_in $crate::contract::jobs_driver);
        };
    };
}
