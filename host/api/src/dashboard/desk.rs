//! The place of one request: the host that is asked, the tenant that is meant, and the parts that pages have in common.

use super::{
    gate::Visitor,
    link::{Fields, Link},
    text,
};
use crate::admin::{
    Answer, Command, OPERATOR,
    host::{self, Action, Status},
};
use futures::future::BoxFuture;
use maud::{Markup, html};
use wythe_blocks::{Error, Kind, Result};

/// Rows of one page of a list.
pub const PAGE: u32 = 100;
/// Rows of a table, whatever it is of.
const ROWS: usize = 1_000;
/// Bytes of the value of a field.
const VALUE: usize = 1_000;
/// Apps as which something is asked until one of them may see it.
const APPS: usize = 20;

/// The way to the host that the dashboard is of.
pub trait Ask: Send + Sync + 'static {
    /// Does a command of this tenant, or of the host.
    fn ask(&self, tenant: Option<String>, command: Command) -> BoxFuture<'_, Result<Answer>>;
}

/// One request of somebody who is let in.
pub struct Desk<'a> {
    pub host: &'a dyn Ask,
    /// The path that all others begin with.
    pub base: &'a str,
    pub visitor: &'a Visitor,
    pub tenant: String,
    pub query: Fields,
}

impl Desk<'_> {
    /// Does a command of the tenant.
    pub async fn ask(&self, command: Command) -> Result<Answer> {
        self.host.ask(Some(self.tenant.clone()), command).await
    }

    /// The status of the tenant alone.
    pub async fn status(&self) -> Result<Status> {
        let mut status = status(self.host).await?;
        status.retain(|tenant| tenant == self.tenant);
        Ok(status)
    }

    /// Does a command as the app that is chosen, else as the operator or the first app that may: components can be for
    /// some apps alone. Returns the app as well.
    pub async fn ask_as(
        &self,
        apps: &[&str],
        command: impl Fn(String) -> Command,
    ) -> Result<(String, Answer)> {
        let first = self.app().to_owned();
        let asked = self.ask(command(first.clone())).await;
        let is_scoped = asked.as_ref().is_err_and(|error| {
            matches!(error.kind(), Kind::NotFound | Kind::Denied) && self.query.get("app").is_none()
        });
        for app in apps.iter().take(APPS).filter(|_| is_scoped) {
            if let Ok(answer) = self.ask(command((*app).to_owned())).await {
                return Ok(((*app).to_owned(), answer));
            }
        }
        Ok((first, asked?))
    }

    pub fn link(&self, page: &str) -> Link {
        Link::of_tenant(self.base, &self.tenant, page)
    }

    /// The app as which something is looked at.
    pub fn app(&self) -> &str {
        self.query.get("app").unwrap_or(OPERATOR)
    }

    /// A form that does something; `fields` are there beside its token.
    pub fn form(&self, action: &str, fields: &Markup) -> Markup {
        html! {
            form method="post" action=(self.link("do/").as_str().to_owned() + action) {
                input type="hidden" name="form" value=(self.visitor.form);
                (fields)
            }
        }
    }

    /// A button that does something at once, with fields that are set.
    pub fn button(&self, action: &str, label: &str, fields: &[(&str, &str)]) -> Markup {
        self.form(
            action,
            &html! {
                @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
                button { (label) }
            },
        )
    }

    /// A link to this page with other values of its query.
    pub fn more(&self, page: &str, name: &str, value: &str, label: &str) -> Markup {
        let rest = self.query.but(name);
        let link = rest.fold(self.link(page), |link, (name, value)| {
            link.with(name, value)
        });
        html! { p.more { a href=(link.with(name, value)) { (label) } } }
    }
}

/// The status of the host.
pub async fn status(host: &dyn Ask) -> Result<Status> {
    match host.ask(None, Command::Host(Action::Status {})).await? {
        Answer::Host(host::Answer::Status(status)) => Ok(status),
        _ => Err(misfit()),
    }
}

/// An answer to another question.
pub fn misfit() -> Error {
    Error::internal("the host gave another answer than expected; is it of another version?")
}

/// A table with a caption that is read and not seen, in a frame that scrolls by itself where it is too wide. A column whose
/// name begins with `#` has numbers. Rows beyond the first thousand are counted below it.
pub fn table(caption: &str, head: &[&str], rows: impl ExactSizeIterator<Item = Markup>) -> Markup {
    let more = rows.len().saturating_sub(ROWS);
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" {
            table {
                caption.unseen { (caption) }
                thead { tr { @for name in head { th.number[name.starts_with('#')] scope="col" { (name.trim_start_matches('#')) } } } }
                tbody { @for row in rows.take(ROWS) { tr { (row) } } }
            }
        }
        @if more > 0 { p.quiet { "And " (more) " more." } }
    }
}

/// The words where there is nothing, with what to do next.
pub fn empty(words: &str, next: &Markup) -> Markup {
    html! { div.empty { p { (words) } p.quiet { (next) } } }
}

/// The words of a failure.
pub fn failure(error: &Error) -> Markup {
    html! {
        div.note.bad role="alert" {
            p { strong { (error.kind().as_str()) } " " (text::line(error.message())) }
        }
    }
}

/// A state in a word, marked as good or bad.
pub fn state(is_good: bool, word: &str) -> Markup {
    html! { span.state.good[is_good].bad[!is_good] { (text::name(word)) } }
}

/// A field with its label. What is in it is shown as everywhere: a name with characters that nobody sees is none to send.
pub fn field(label: &str, name: &str, value: &str, hint: &str) -> Markup {
    html! {
        label { span { (label) } input name=(name) value=(text::shown(value, VALUE)) placeholder=(hint) autocomplete="off" spellcheck="false"; }
    }
}

/// A field of several lines.
pub fn area(label: &str, name: &str, hint: &str) -> Markup {
    html! {
        label.wide { span { (label) } textarea name=(name) rows="3" placeholder=(hint) spellcheck="false" {} }
    }
}

/// A choice of one of these.
pub fn choice<'a>(
    label: &str,
    name: &str,
    chosen: Option<&str>,
    all: impl IntoIterator<Item = &'a str>,
) -> Markup {
    html! {
        label {
            span { (label) }
            select name=(name) {
                @for one in all { option value=(one) selected[Some(one) == chosen] { (text::shown(one, 120)) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_beyond_the_bound_are_counted() {
        let of = |rows: usize| {
            let rows = (0..rows).map(|row| html! { td { (row) } });
            table("Rows", &["#Row"], rows).into_string()
        };
        let (whole, cut) = (of(ROWS), of(ROWS + 7));
        assert!(whole.contains("<td>999</td>") && !whole.contains("more."));
        assert!(cut.contains("<td>999</td>") && !cut.contains("<td>1000</td>"));
        assert!(cut.contains("And 7 more."), "{}", &cut[cut.len() - 100..]);
    }
}
