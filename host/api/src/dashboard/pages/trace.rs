//! One trace as a waterfall: every span below the one that caused it, on one axis of time.

use super::super::{
    desk::{Desk, misfit, state, table},
    text::{self, Time, Took},
};
use crate::admin::{
    Answer, Command,
    traces::{self, Action, Span},
};
use maud::{Markup, html};
use std::collections::{BTreeSet, HashMap, HashSet};
use wythe_blocks::Result;

/// The deepest level that is shown as one of its own.
const LEVELS: usize = 8;

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let id = desk.query.text("id");
    let command = Command::Traces(Action::Get { trace: id.clone() });
    let Answer::Traces(traces::Answer::Trace { spans, more }) = desk.ask(command).await? else {
        return Err(misfit());
    };
    let axis = Axis::of(&spans);
    let failed = spans.iter().filter(|span| span.failed).count();
    let called = spans.iter().filter(|span| span.component.is_none());
    let apps: BTreeSet<_> = called.map(|span| span.app.as_str()).collect();
    let rows = in_order(&spans)
        .into_iter()
        .map(|(level, span)| row(level, span, &axis));
    Ok(html! {
        div #trace data-live="5" {
            dl.facts {
                div { dt { "Begin" } dd.small { (Time(axis.begin / 1_000)) } }
                div { dt { "Took" } dd { (Took(axis.length)) } }
                div { dt { "Spans" } dd { (spans.len() + more) } }
                div { dt { "Apps" } dd { (apps.len()) } }
                div { dt { "Failed" } dd { (failed) } }
            }
            p.quiet { "Id " code { (text::name(&id)) } }
            p { "Apps: " @for (number, app) in apps.iter().enumerate() { @if number > 0 { ", " } a href=(desk.link("app").with("id", app)) { (text::name(app)) } } }
            div.legend { span { "app" } span.part { "component" } span.failed { "failed" } }
            div.fall { (table("Spans of the trace", &["Span", "Time", "#Took", "Outcome"], rows)) }
            @if more > 0 { p.quiet { "And " (more) " spans more." } }
        }
    })
}

/// The time from the first begin to the last end, in microseconds.
struct Axis {
    begin: u64,
    length: u64,
}

impl Axis {
    fn of(spans: &[Span]) -> Self {
        let begin = spans
            .iter()
            .map(|span| span.start)
            .min()
            .unwrap_or_default();
        let ends = spans
            .iter()
            .map(|span| span.start.saturating_add(span.took));
        let length = ends.max().unwrap_or_default() - begin;
        Axis {
            begin,
            length: length.max(1),
        }
    }

    /// The begin of a span and its length, in parts of the axis; what is short can be seen all the same.
    fn bar(&self, span: &Span) -> (f64, f64) {
        let part = |time: u64| time as f64 * 100.0 / self.length as f64;
        let (from, long) = (part(span.start - self.begin), part(span.took).max(0.4));
        (from.min(99.6), long.min(100.0 - from.min(99.6)))
    }
}

/// The spans, each after its parent and before the parent's next one, with their levels. Spans whose parent is not there
/// are of the first level.
fn in_order(spans: &[Span]) -> Vec<(usize, &Span)> {
    let known: HashSet<&str> = spans.iter().map(|span| span.span.as_str()).collect();
    let mut below: HashMap<&str, Vec<&Span>> = HashMap::new();
    let mut open: Vec<(usize, &Span)> = Vec::new();
    for span in spans.iter().rev() {
        match span
            .parent
            .as_deref()
            .filter(|parent| known.contains(parent) && *parent != span.span)
        {
            Some(parent) => below.entry(parent).or_default().push(span),
            None => open.push((0, span)),
        }
    }
    let mut order = Vec::with_capacity(spans.len());
    while let Some((level, span)) = open.pop() {
        order.push((level, span));
        // What was taken is not there a second time, so that a circle ends.
        let own = below.remove(span.span.as_str()).unwrap_or_default();
        open.extend(own.into_iter().map(|span| (level + 1, span)));
    }
    order
}

fn row(level: usize, span: &Span, axis: &Axis) -> Markup {
    let (from, long) = axis.bar(span);
    let after = span.start - axis.begin;
    let level = level.min(LEVELS);
    html! {
        th scope="row" {
            span class={ "in in-" (level) } {
                (text::name(&span.app))
                @if let Some(component) = &span.component { " → " (text::name(component)) }
                br;
                span.quiet { (text::name(&span.title())) }
            }
        }
        td {
            svg.part[span.component.is_some()].failed[span.failed] role="img" aria-label=(label(after, span.took)) {
                rect.rail x="0" y="6" width="100%" height="2" {}
                rect x=(format!("{from:.3}%")) y="1" width=(format!("{long:.3}%")) height="12" rx="2" {}
            }
        }
        td.number { (Took(span.took)) }
        td {
            @match (&span.error, span.status) {
                (Some(error), _) if span.failed => (state(false, error)),
                (_, Some(status)) => (status),
                (Some(error), None) => (text::name(error)),
                (None, None) => "ok",
            }
        }
    }
}

fn label(after: u64, took: u64) -> String {
    let text = html! { "begins after " (Took(after)) ", takes " (Took(took)) };
    text.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: Option<&str>, start: u64, took: u64) -> Span {
        Span {
            span: id.into(),
            parent: parent.map(Into::into),
            app: "cart".into(),
            component: None,
            name: "GET".into(),
            about: "/".into(),
            status: Some(200),
            start,
            took,
            failed: false,
            error: None,
        }
    }

    #[test]
    fn spans_stand_below_their_parents_whatever_they_say() {
        let spans = [
            span("a", None, 10, 90),
            span("b", Some("a"), 20, 10),
            span("c", Some("b"), 21, 5),
            span("d", Some("a"), 40, 10),
            span("e", Some("gone"), 50, 10),
            span("f", Some("f"), 60, 10),
        ];
        let order: Vec<_> = in_order(&spans)
            .into_iter()
            .map(|(level, span)| (level, span.span.as_str()))
            .collect();
        assert_eq!(
            order,
            [(0, "a"), (1, "b"), (2, "c"), (1, "d"), (0, "e"), (0, "f")]
        );
        // Two that are each other's parent are no trace of this host's; they end.
        let circle = [span("a", Some("b"), 0, 1), span("b", Some("a"), 0, 1)];
        assert!(in_order(&circle).is_empty());
    }

    #[test]
    fn a_bar_is_within_its_axis_and_can_be_seen() {
        let spans = [
            span("a", None, 1_000, 1_000),
            span("b", None, 2_000, 0),
            span("c", None, 1_500, 250),
        ];
        let axis = Axis::of(&spans);
        assert_eq!((axis.begin, axis.length), (1_000, 1_000));
        assert_eq!(axis.bar(&spans[0]), (0.0, 100.0));
        assert_eq!(axis.bar(&spans[2]), (50.0, 25.0));
        let (from, long) = axis.bar(&spans[1]);
        assert!(from + long <= 100.0 && long > 0.3);
        assert_eq!(Axis::of(&[]).length, 1);
    }
}
