//! Quotas: what the tenant uses of each.

use super::super::{
    desk::{Desk, empty, state, table},
    text::{self, Count, Size, Took},
};
use crate::admin::host::{Quota, Unit};
use maud::{Markup, html};
use wythe_blocks::Result;

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let status = desk.status().await?;
    if status.quotas.is_empty() {
        let next = html! { "Quotas are what the operator of " code { "wythe serve" } " allows a tenant, in " code { "wythe-host.yaml" } "." };
        return Ok(empty(
            "This tenant has no quotas: its operator is whoever runs it.",
            &next,
        ));
    }
    let rows = status.quotas.iter().map(row);
    Ok(html! {
        div #quotas data-live="3" { (table("Quotas", &["Quota", "#Used", "#Limit", "Share", "#Refused"], rows)) }
    })
}

fn row(one: &Quota) -> Markup {
    let percent = (u128::from(one.used) * 100 / u128::from(one.limit.max(1))).min(999);
    html! {
        th scope="row" { (text::name(&one.quota)) }
        td.number { (amount(one.used, one.unit)) }
        td.number { (amount(one.limit, one.unit)) }
        td {
            meter min="0" max=(one.limit.max(1)) high=(one.limit / 10 * 9) value=(one.used) aria-label=(format!("{} of its limit", one.quota)) {}
            " " (percent) " %"
        }
        td.number { @if one.refused > 0 { (state(false, &one.refused.to_string())) } @else { "0" } }
    }
}

fn amount(amount: u64, unit: Unit) -> Markup {
    html! {
        @match unit {
            Unit::Count => (Count(amount)),
            Unit::Bytes => (Size(amount)),
            Unit::PerSecond => { (Count(amount)) "/s" },
            Unit::BytesPerSecond => { (Size(amount)) "/s" },
            Unit::Milliseconds => (Took(amount.saturating_mul(1_000))),
        }
    }
}
