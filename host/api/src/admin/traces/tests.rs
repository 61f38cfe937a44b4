//! Traces of spans that ended, as they are listed and shown.

use super::*;
use std::time::Duration;
use wythe_blocks::{
    Kind, Trace as Context,
    spans::{Ended as End, Http, Role},
};

fn span(trace: Context, app: &str, at: u64, took: u64) -> Ended {
    let http = Http {
        method: "GET",
        path: format!("/{app}"),
        status: Some(200),
    };
    Ended {
        trace,
        role: Role::Server,
        tenant: "shop".parse().unwrap(),
        app: app.parse().unwrap(),
        work: Work::App {
            kind: "http",
            about: About::Http(http),
        },
        start: SystemTime::UNIX_EPOCH + Duration::from_micros(at),
        took: Duration::from_micros(took),
        ended: End::Well,
    }
}

fn stored(trace: Context, at: u64, ended: End) -> Ended {
    Ended {
        work: Work::Component {
            block: "state",
            name: "statestore".parse().unwrap(),
            driver: "redb".into(),
            operation: "get",
            about: About::Nothing,
        },
        ended,
        ..span(trace, "cart", at, 10)
    }
}

/// Two traces: one through two apps, whose call of a component failed, and a later one.
fn spans() -> (Vec<Arc<Ended>>, [String; 2]) {
    let (one, other) = (Context::start(), Context::start());
    let ids = [one, other].map(|trace| format!("{:032x}", trace.trace));
    let cart = one.child();
    let all = [
        stored(cart.child(), 120, End::Failed(Kind::Timeout)),
        span(cart, "cart", 110, 50),
        span(one, "front", 100, 100),
        span(other, "front", 1_000, 7),
    ];
    (all.map(Arc::new).into(), ids)
}

fn page(list: List) -> Page {
    list.page(&spans().0).unwrap()
}

#[test]
fn the_newest_trace_comes_first_and_says_what_it_reached() {
    let (spans, [one, other]) = spans();
    let limit = 10;
    let page = List {
        limit,
        ..List::default()
    };
    let page = page.page(&spans).unwrap();
    let ids: Vec<_> = page.traces.iter().map(|trace| &trace.trace).collect();
    assert_eq!(ids, [&other, &one]);
    let found = &page.traces[1];
    assert_eq!(
        (found.name.as_str(), found.app.as_str()),
        ("GET /front", "front")
    );
    assert_eq!((found.start, found.took), (100, 100));
    // A component is no app.
    assert_eq!((found.spans, found.failed, found.apps), (3, 1, 2));
    assert_eq!((page.found, page.spans, page.since), (2, 4, Some(100)));
}

#[test]
fn a_list_is_of_those_that_are_looked_for_and_of_few() {
    let of = |list: List| page(List { limit: 10, ..list }).traces.len();
    let failed = List {
        failed: true,
        ..List::default()
    };
    assert_eq!(of(failed), 1);
    for (app, count) in [("front", 2), ("cart", 1), ("none", 0)] {
        let app = Some(app.to_owned());
        let list = List {
            app,
            ..List::default()
        };
        assert_eq!(of(list), count);
    }
    let skip = List {
        skip: 1,
        ..List::default()
    };
    assert_eq!(of(skip), 1);
    let none = page(List::default());
    assert_eq!((none.traces.len(), none.found), (0, 2));
    let long = List {
        limit: PAGE + 1,
        ..List::default()
    };
    assert!(long.page(&[]).is_err());
}

#[test]
fn figures_are_of_apps_and_of_components() {
    let figures = page(List::default()).figures;
    let shown = figures.iter().map(|figure| {
        let name = figure.app.as_deref().or(figure.component.as_deref());
        let times = (figure.half, figure.nearly_all, figure.longest);
        (name.unwrap_or_default(), figure.calls, figure.failed, times)
    });
    let expected = [
        ("cart", 1, 0, (50, 50, 50)),
        ("front", 2, 0, (7, 7, 100)),
        ("statestore", 1, 1, (10, 10, 10)),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

#[test]
fn a_trace_has_its_spans_in_order_and_not_too_many() {
    let (spans, [one, _]) = spans();
    let Answer::Trace { spans: shown, more } = get(&spans, &one).unwrap() else {
        panic!("no trace");
    };
    let names: Vec<_> = shown.iter().map(Span::title).collect();
    assert_eq!(names, ["GET /front", "GET /cart", "get statestore"]);
    assert_eq!(shown[1].parent.as_ref(), Some(&shown[0].span));
    assert_eq!(shown[2].error.as_deref(), Some("timeout"));
    assert_eq!(more, 0);
    for wrong in ["", "1", &"0".repeat(32), &"g".repeat(32), &"é".repeat(16)] {
        assert!(get(&spans, wrong).is_err(), "{wrong}");
    }
    let trace = Context::start();
    let many: Vec<_> = (0..SPANS as u64 + 5)
        .map(|at| Arc::new(span(trace, "cart", at, 1)))
        .collect();
    let Answer::Trace { spans, more } = get(&many, &format!("{:032x}", trace.trace)).unwrap()
    else {
        panic!("no trace");
    };
    assert_eq!((spans.len(), more), (SPANS, 5));
}
