//! The page of the host: its tenants, and what is not in force.

use super::{
    super::{
        desk::{Desk, empty, failure, state, status, table},
        link::Link,
        text::{self, Size},
    },
    Page,
};
use crate::admin::{
    Answer, Command,
    host::{self, Action, Problem, Status, Tenant},
};
use maud::{Markup, html};
use wythe_blocks::Result;

/// Tenants of one page.
const TENANTS: usize = 100;

/// The first page; where there is one tenant, that of the tenant.
pub async fn first(desk: &Desk<'_>) -> Result<Page> {
    let Answer::Host(host::Answer::Tenants(tenants)) = desk
        .host
        .ask(None, Command::Host(Action::Tenants {}))
        .await?
    else {
        return Err(super::super::desk::misfit());
    };
    let mut page = Page::new("", "Tenants".to_owned(), Ok(html! {}));
    if let [only] = tenants.as_slice()
        && only.served
    {
        page.to = Some(Link::of_tenant(desk.base, &only.tenant, ""));
        return Ok(page);
    }
    let status = status(desk.host).await;
    page.main = match status {
        Ok(status) => shown(desk, &tenants, &status),
        Err(error) => failure(&error),
    };
    Ok(page)
}

fn shown(desk: &Desk<'_>, tenants: &[Tenant], status: &Status) -> Markup {
    let skip = desk.query.number::<usize>("skip");
    let next = skip.saturating_add(TENANTS);
    let rows = tenants.iter().skip(skip).take(TENANTS);
    let head = [
        "Tenant",
        "State",
        "Reached by",
        "#Apps",
        "#Components",
        "#Log",
    ];
    html! {
        p.quiet { "Wythe " (status.version) ", process " (status.pid) ", " (tenants.len()) " tenants." }
        (problems(&status.problems))
        @if tenants.is_empty() {
            (empty("This host has no tenant.", &html! { "Make a directory with a " code { "wythe.yaml" } " below the root of " code { "wythe serve" } "." }))
        } @else {
            section #tenants data-live="5" aria-label="Tenants" { (table("Tenants", &head, rows.map(|one| row(desk, one)))) }
            @if next < tenants.len() {
                p.more { a href=(format!("{}?skip={next}", desk.base)) { "Next " (TENANTS) } }
            }
        }
    }
}

fn row(desk: &Desk<'_>, one: &Tenant) -> Markup {
    let words = match (one.served, one.problems) {
        (true, 0) if one.process => "ok, in its own process".to_owned(),
        (true, 0) => "ok".to_owned(),
        (true, count) => format!("changed wrongly: {count} problems"),
        (false, 0) if one.process => "its process does not answer".to_owned(),
        (false, 0) => "gone, its data is there".to_owned(),
        (false, count) => format!("not served: {count} problems"),
    };
    html! {
        th scope="row" {
            @if one.served { a href=(Link::of_tenant(desk.base, &one.tenant, "")) { (text::name(&one.tenant)) } }
            @else { (text::name(&one.tenant)) }
        }
        td { (state(one.served && one.problems == 0, &words)) }
        td { (text::name(&one.reached.join(", "))) }
        td.number { (one.apps) }
        td.number { (one.components) }
        td.number { (Size(one.log as u64)) " of " (Size(one.log_limit as u64)) }
    }
}

/// Changes that are not in force.
pub fn problems(problems: &[Problem]) -> Markup {
    html! {
        @if !problems.is_empty() {
            div.note.bad {
                p { strong { "Not in force" } }
                ul {
                    @for one in problems.iter().take(TENANTS) {
                        li {
                            (text::name(&one.about)) ": "
                            @if let Some(position) = &one.position { code { (text::line(position)) } " " }
                            (text::line(&one.message))
                        }
                    }
                }
            }
        }
    }
}
