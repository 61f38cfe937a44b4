//! The frame around every page: title, sections, what was just done, and where the visitor is.

use super::{
    gate::{Note, Visitor},
    link::Link,
    text,
};
use maud::{DOCTYPE, Markup, html};

/// The sections of a tenant: the path of each, and its name.
pub const SECTIONS: [(&str, &str); 11] = [
    ("", "Overview"),
    ("requests", "Requests"),
    ("logs", "Logs"),
    ("components", "Components"),
    ("events", "Events"),
    ("workflows", "Workflows"),
    ("actors", "Actors"),
    ("jobs", "Jobs"),
    ("locks", "Locks"),
    ("configuration", "Configuration"),
    ("quotas", "Quotas"),
];

/// The place of a page.
pub struct Frame<'a> {
    /// The path that all others begin with; absent before the gate.
    pub base: Option<&'a str>,
    pub tenant: Option<&'a str>,
    /// The section that it is in.
    pub section: &'a str,
    pub title: &'a str,
    pub note: Option<Note>,
    pub visitor: Option<&'a Visitor>,
}

impl Frame<'_> {
    pub fn around(&self, main: &Markup) -> Markup {
        let title = text::shown(self.title, 120);
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) @if let Some(tenant) = self.tenant { " – " (tenant) } " – Wythe" }
                    link rel="stylesheet" href="/style.css";
                    link rel="icon" href="/icon.svg" type="image/svg+xml";
                    script src="/script.js" defer {}
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    (self.header())
                    div.columns.alone[self.tenant.is_none()] {
                        (self.sections())
                        main #main tabindex="-1" {
                            h1 { bdi { (title) } }
                            @if let Some(note) = &self.note { (noted(note)) }
                            (main)
                        }
                    }
                }
            }
        }
    }

    fn header(&self) -> Markup {
        html! {
            header.top {
                @if let Some(base) = self.base {
                    a.brand href=(base) { (mark()) "Wythe" }
                } @else {
                    span.brand { (mark()) "Wythe" }
                }
                @if let (Some(tenant), Some(base)) = (self.tenant, self.base) {
                    a.tenant href=(Link::of_tenant(base, tenant, "")) { span.unseen { "Tenant " } (text::name(tenant)) }
                }
                div.live #live {}
                @if let (Some(visitor), Some(base)) = (self.visitor, self.base) {
                    form method="post" action=(format!("{base}leave")) {
                        input type="hidden" name="form" value=(visitor.form);
                        button.plain { "Log out" }
                    }
                }
            }
        }
    }

    fn sections(&self) -> Markup {
        let (Some(base), Some(tenant)) = (self.base, self.tenant) else {
            return html! {};
        };
        html! {
            nav aria-label="Sections" {
                ul {
                    @for (path, name) in SECTIONS {
                        li {
                            a href=(Link::of_tenant(base, tenant, path)) aria-current=[(path == self.section).then_some("page")] { (name) }
                        }
                    }
                }
            }
        }
    }
}

fn noted(note: &Note) -> Markup {
    html! {
        div.note.good[!note.failed].bad[note.failed] role="status" {
            p { (text::line(&note.text)) }
            @if let Some(answer) = &note.answer { (text::value(answer.as_bytes())) }
        }
    }
}

/// The mark of Wythe: three courses of bricks.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" {
            rect x="0" y="1" width="7" height="4" {} rect x="8" y="1" width="8" height="4" {}
            rect x="0" y="6" width="3" height="4" {} rect x="4" y="6" width="8" height="4" {} rect x="13" y="6" width="3" height="4" {}
            rect x="0" y="11" width="7" height="4" {} rect x="8" y="11" width="8" height="4" {}
        }
    }
}
