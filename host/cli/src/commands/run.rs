//! `wythe run`: build, boot, bind, say so, serve until a signal, drain.

use crate::{
    args::{Common, Format, Run},
    boot::{self, Booted, Plan},
    build::{self, Built},
    check, control, dashboard,
    hold::Hold,
    live::{Live, Stamps},
    port, project,
    report::{self, Outcome},
    serve, signals, traces,
    watch::Watch,
};
use serde::Serialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wythe_api::metrics;
use wythe_blocks::{descriptors, text::size, time::milliseconds};

/// The time to close a host that could not begin to serve.
const CLOSE: Duration = Duration::from_secs(5);

pub async fn run(common: &Common, args: &Run) -> Outcome {
    descriptors::raise();
    let shutdown = signals::drain(serve::LIMIT).map_err(anyhow::Error::new)?;
    let (plan, warnings) = check::good(args.choice(), args.data_dir.as_deref()).await?;
    report::show(common, &warnings);
    let plan = Arc::new(plan);
    let traces = traces::start(traces::of_project(&plan), traces::Out::Standard)?;
    let data = args.data_dir.clone();
    let data = data.unwrap_or_else(|| boot::data_directory(&plan.manifest));
    project::refuse_second(&data).await?;
    let started = tokio::select! {
        () = shutdown.cancelled() => return Ok(ExitCode::from(130)),
        started = start(common, args, &plan, &data) => started?,
    };
    let (mut booted, built, took, _hold) = started;
    // All of them were told.
    booted.warnings.extend(warnings);
    let listeners = match open(common, args, &plan, &booted, (&data, &shutdown)).await {
        Ok(listeners) => listeners,
        Err(failure) => {
            booted.host.close(CLOSE).await;
            return Err(failure);
        }
    };
    Ready::new(&plan, &booted, &listeners, &data, took).show(common, &plan, &built, &data);
    let audience = args.audience();
    let complete = serve::serve(&booted.host, audience, listeners.http, shutdown).await;
    traces.close().await;
    if !complete {
        tracing::warn!("some work did not end in time and was cut short");
    }
    Ok(ExitCode::SUCCESS)
}

async fn start(
    common: &Common,
    args: &Run,
    plan: &Plan,
    data: &Path,
) -> Outcome<(Booted, Vec<Built>, Duration, Hold)> {
    let built = match args.no_build {
        true => Vec::new(),
        false => build::all(common, plan).await?,
    };
    let hold = project::hold(data).await?;
    let start = Instant::now();
    let booted = boot::boot(plan, data).await?;
    report::show(common, &booted.warnings);
    Ok((booted, built, start.elapsed(), hold))
}

/// The ports of a host, bound.
struct Listeners {
    http: TcpListener,
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    /// The URL of the dashboard.
    dashboard: Option<String>,
}

/// Everything beside the apps: ports, the control socket, the watch, the sweep.
async fn open(
    common: &Common,
    args: &Run,
    plan: &Arc<Plan>,
    booted: &Booted,
    (data, shutdown): (&Path, &CancellationToken),
) -> Outcome<Listeners> {
    let http = port::bind(args.listen, "--listen").await?;
    let address = http.local_addr().map_err(anyhow::Error::new)?;
    let mut listeners = Listeners {
        http,
        address,
        metrics: None,
        dashboard: None,
    };
    if let Some(wanted) = args.metrics {
        let listener = port::bind(wanted, "--metrics").await?;
        listeners.metrics = listener.local_addr().ok();
        metrics::serve(&booted.host, listener, shutdown.clone());
    }
    if let Err(error) = control::serve(&booted.host, data, shutdown) {
        tracing::warn!("`wythe invoke`, `publish` and `state` cannot reach this host: {error:#}");
    }
    if let Some(wanted) = args.dashboard() {
        let url = dashboard::start(common, data, wanted, booted.host.tasks()).await?;
        listeners.dashboard = Some(url);
    }
    if args.watch {
        let watch = Watch {
            common: *common,
            project: args.choice(),
            live: Live::new(booted, plan.clone(), &Stamps::new()),
            tenant: booted.tenant.clone(),
            host: booted.host.clone(),
            is_built: !args.no_build,
        };
        watch.start()?;
    }
    serve::sweep(&booted.host);
    Ok(listeners)
}

/// The facts that a person or a program wants to know of a host that serves.
#[derive(Serialize)]
struct Ready {
    name: String,
    url: String,
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    dashboard: Option<String>,
    data: PathBuf,
    control: PathBuf,
    pid: u32,
    apps: Vec<App>,
    components: Vec<Component>,
    ready_ms: u64,
}

#[derive(Serialize)]
struct App {
    id: String,
    ingress: Option<String>,
    digest: String,
    bytes: u64,
}

#[derive(Serialize)]
struct Component {
    name: String,
    r#type: String,
}

impl Ready {
    fn new(
        plan: &Plan,
        booted: &Booted,
        listeners: &Listeners,
        data: &Path,
        took: Duration,
    ) -> Self {
        let apps = plan.manifest.apps.iter().zip(&booted.apps);
        let apps = apps.map(|(app, loaded)| App {
            id: app.id.to_string(),
            ingress: app.ingress.clone(),
            digest: loaded.app.digest(),
            bytes: std::fs::metadata(&app.guest).map_or(0, |metadata| metadata.len()),
        });
        let components = plan.resources.components.iter().map(|component| Component {
            name: component.name.to_string(),
            r#type: component.kind(),
        });
        Ready {
            name: plan.manifest.name.to_string(),
            url: format!("http://{}/", listeners.address),
            address: listeners.address,
            metrics: listeners.metrics,
            dashboard: listeners.dashboard.clone(),
            data: boot::absolute(data),
            control: boot::absolute(&control::path(data)),
            pid: std::process::id(),
            apps: apps.collect(),
            components: components.collect(),
            ready_ms: milliseconds(took),
        }
    }

    fn show(&self, common: &Common, plan: &Plan, built: &[Built], data: &Path) {
        match common.output {
            Format::Json => report::print_json(self),
            Format::Text if common.quiet => {}
            Format::Text => report::print_text(self.text(plan, built, data)),
        }
    }

    fn text(&self, plan: &Plan, built: &[Built], data: &Path) -> String {
        let mut lines = Vec::new();
        if !built.is_empty() {
            let sizes = built.iter();
            let sizes = sizes.map(|app| format!("{} {}", app.app, size(app.bytes)));
            let took = built.iter().map(|app| app.milliseconds).sum();
            let took = report::time(Duration::from_millis(took));
            lines.push(format!(
                "  Built    {}  ({took})",
                sizes.collect::<Vec<_>>().join(", ")
            ));
        }
        let components = self.components.iter();
        let components = components.map(|one| format!("{}={}", one.name, one.r#type));
        let hint = match plan.defaults.is_empty() {
            true => "",
            false => "  (defaults; say otherwise in resources/*.yaml)",
        };
        lines.push(format!(
            "  Blocks   {}{hint}",
            components.collect::<Vec<_>>().join("  ")
        ));
        let took = report::time(Duration::from_millis(self.ready_ms));
        lines.push(format!("  Ready    in {took}"));
        lines.extend(self.routes());
        if let Some(metrics) = self.metrics {
            lines.push(format!("    Metrics  http://{metrics}/metrics"));
        }
        if let Some(dashboard) = &self.dashboard {
            lines.push(format!("    Dashboard  {dashboard}"));
        }
        let data = format!("{}/", data.display());
        lines.push(format!("    Data     {data:<32} Ctrl-C stops"));
        lines.push(String::new());
        lines.join("\n")
    }

    fn routes(&self) -> Vec<String> {
        let route = |app: &App| {
            let prefix = app.ingress.as_ref()?;
            let url = format!("http://{}{prefix}", self.address);
            Some(format!("    App      {url:<32} {}", app.id))
        };
        let routes: Vec<String> = self.apps.iter().filter_map(route).collect();
        if routes.is_empty() {
            return vec![format!(
                "    App      {:<32} answers nothing: no app has `ingress`",
                self.url
            )];
        }
        routes
    }
}
