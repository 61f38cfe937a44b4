//! `wythe serve`: many tenants, each from its directory; what changes there is done without a restart.

use crate::{
    args::{self, Common, Format},
    boot::{self, Ground},
    control, dashboard,
    hold::Hold,
    live::{
        root::{Root, unenforced},
        watch,
    },
    port, private, project,
    report::{self, Outcome, Problem},
    serve, signals, traces,
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
use wythe_api::{
    Certificates, Listeners,
    admin::host::{House, Tenant},
    metrics,
};
use wythe_blocks::{descriptors, time::milliseconds};
use wythe_manifest::{HostFile, HostTls, Source};

/// The address where neither the operator's file nor an argument names one.
const LISTEN: &str = "127.0.0.1:8080";
/// The time to close a host that did not begin to serve.
const CLOSE: Duration = Duration::from_secs(5);

pub async fn serve(common: &Common, args: &args::Serve) -> Outcome {
    descriptors::raise();
    let shutdown = signals::drain(serve::LIMIT).map_err(anyhow::Error::new)?;
    let file = read(&args.root)?;
    let addresses = Addresses::new(args, &file)?;
    let traces = traces::start(file.tracing.as_ref(), traces::Out::Standard)?;
    let data = args.data_dir.clone();
    let data = data.unwrap_or_else(|| args.root.join(".wythe"));
    let (ground, _hold) = ground(&data).await?;
    let began = Instant::now();
    let certificates = certificates(&ground, &file)?;
    let root = Arc::new(Root::new(
        common,
        ground.clone(),
        (&args.root, args.dev),
        file,
        (certificates.clone(), addresses.plain),
    ));
    let opened = async {
        let opened = open(&ground, &addresses, certificates, &shutdown).await?;
        watch::first(&root).await;
        Outcome::Ok((opened, dashboard(common, args, &ground).await?))
    };
    let opened = tokio::select! {
        () = shutdown.cancelled() => {
            ground.host.close(CLOSE).await;
            return Ok(ExitCode::from(130));
        }
        opened = opened => opened,
    };
    if opened.is_err() {
        ground.host.close(CLOSE).await;
    }
    let ((listeners, metrics), dashboard) = opened?;
    watch::start(root, &args.root, &ground.host);
    let tenants = tenants(&ground, &shutdown).await;
    let ready = Ready::new(&ground, &tenants, (&listeners, metrics), began.elapsed())?;
    Ready { dashboard, ..ready }.show(common);
    let complete = serve::serve(&ground.host, args.audience(), listeners, shutdown).await;
    traces.close().await;
    if !complete {
        tracing::warn!("some work did not end in time and was cut short");
    }
    Ok(ExitCode::SUCCESS)
}

/// The operator's file, which is good before anything is served. What is wrong about one tenant keeps that one away.
fn read(root: &Path) -> Outcome<HostFile> {
    if !root.is_dir() {
        let message = format!(
            "`{}` is no directory; expected that of the tenants",
            root.display()
        );
        return Err(Problem::new(message).into());
    }
    let (file, problems) = wythe_manifest::load_host_file(root);
    match problems.has_errors() {
        true => Err(Problem::all(problems).into()),
        false => Ok(file),
    }
}

/// The addresses to listen on.
struct Addresses {
    plain: Option<SocketAddr>,
    tls: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
}

impl Addresses {
    fn new(args: &args::Serve, file: &HostFile) -> Outcome<Self> {
        let tls = file.tls.as_ref().map(|tls| &tls.listen);
        let (plain, tls) = (
            address(args.listen, file.listen.as_ref())?,
            address(None, tls)?,
        );
        let plain = match (plain, tls) {
            // Where nothing is said, something is answered; beside HTTPS, nothing in clear.
            (None, None) => Some(port::address(LISTEN).map_err(Problem::new)?),
            (plain, _) => plain,
        };
        if let Some(problem) = unenforced(plain, file) {
            return Err(problem.into());
        }
        let metrics = address(args.metrics, file.metrics.as_ref())?;
        Ok(Addresses {
            plain,
            tls,
            metrics,
        })
    }
}

/// The certificate of the host, which is good before any port is bound.
fn certificates(ground: &Ground, file: &HostFile) -> Outcome<Option<Arc<Certificates>>> {
    let routes = ground.host.routes();
    let read = |tls: &HostTls| Certificates::read(&tls.files, tls.clients.as_ref(), routes);
    Ok(file.tls.as_ref().map(read).transpose()?)
}

/// The address of an argument, else that of the file.
fn address(
    named: Option<SocketAddr>,
    written: Option<&(String, Source)>,
) -> Outcome<Option<SocketAddr>> {
    let Some((text, place)) = written.filter(|_| named.is_none()) else {
        return Ok(named);
    };
    let read = port::address(text);
    Ok(Some(read.map_err(|error| {
        Problem::new(format!("`{text}`: {error}")).at(place)
    })?))
}

/// A host without tenants, whose data is nobody else's.
async fn ground(data: &Path) -> Outcome<(Ground, Hold)> {
    private::check(data, "data")?;
    let hold = project::hold(data).await?;
    Ok((Ground::new(data)?, hold))
}

/// Everything beside the tenants: ports, the control socket, the sweep.
async fn open(
    ground: &Ground,
    addresses: &Addresses,
    certificates: Option<Arc<Certificates>>,
    shutdown: &CancellationToken,
) -> Outcome<(Listeners, Option<SocketAddr>)> {
    let (host, data) = (&ground.host, &ground.data);
    let mut listeners = Listeners {
        plain: None,
        tls: None,
    };
    if let Some(wanted) = addresses.plain {
        listeners.plain = Some(port::bind(wanted, "--listen").await?);
    }
    if let Some((wanted, certificates)) = addresses.tls.zip(certificates) {
        let listener = port::bind(wanted, "tls.listen:").await?;
        listeners.tls = Some((listener, certificates));
    }
    let mut bound = None;
    if let Some(wanted) = addresses.metrics {
        let listener = port::bind(wanted, "--metrics").await?;
        bound = listener.local_addr().ok();
        metrics::serve(host, listener, shutdown.clone());
    }
    if let Err(error) = control::serve(host, data, shutdown) {
        tracing::warn!("`wythe status` and others cannot reach this host: {error:#}");
    }
    serve::sweep(host);
    Ok((listeners, bound))
}

/// Starts the dashboard, where it is asked for, and answers its URL.
async fn dashboard(
    common: &Common,
    args: &args::Serve,
    ground: &Ground,
) -> Outcome<Option<String>> {
    let Some(wanted) = args.dashboard else {
        return Ok(None);
    };
    let url = dashboard::start(common, &ground.data, wanted, ground.host.tasks()).await?;
    Ok(Some(url))
}

/// The tenants that are served, those in processes of their own among them.
async fn tenants(ground: &Ground, shutdown: &CancellationToken) -> Vec<Tenant> {
    let house = House {
        host: ground.host.clone(),
        data: ground.data.join("data"),
        stop: shutdown.clone(),
    };
    house.tenants().await
}

/// The facts that a person or a program wants to know of a host that serves.
#[derive(Serialize)]
struct Ready {
    /// The URL of HTTP, or of HTTPS where that is all.
    url: String,
    address: SocketAddr,
    /// The address of HTTPS.
    tls: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    dashboard: Option<String>,
    control: PathBuf,
    pid: u32,
    tenants: usize,
    apps: usize,
    /// Tenants, or the operator's file, with something that is not in force.
    wrong: usize,
    ready_ms: u64,
}

impl Ready {
    fn new(
        ground: &Ground,
        tenants: &[Tenant],
        (listeners, metrics): (&Listeners, Option<SocketAddr>),
        took: Duration,
    ) -> Outcome<Self> {
        let tls = listeners.tls.as_ref().map(|(listener, _)| listener);
        let bound = |listener: &TcpListener| listener.local_addr().map_err(anyhow::Error::new);
        let plain = listeners.plain.as_ref().map(bound).transpose()?;
        let tls = tls.map(bound).transpose()?;
        let (scheme, address) = match (plain, tls) {
            (Some(address), _) => ("http", address),
            (None, Some(address)) => ("https", address),
            (None, None) => return Err(Problem::new("no address is listened on").into()),
        };
        let served = tenants.iter().filter(|one| one.served);
        let notices = ground.host.notices();
        // Of others the notices are the host's own.
        let is_reported =
            |one: &&Tenant| one.process && one.problems > 0 && notices.of(&one.tenant).is_empty();
        let wrong = tenants.iter().filter(is_reported).count();
        Ok(Ready {
            url: format!("{scheme}://{address}/"),
            address,
            tls,
            metrics,
            dashboard: None,
            control: boot::absolute(&control::path(&ground.data)),
            pid: std::process::id(),
            apps: tenants.iter().map(|one| one.apps).sum(),
            tenants: served.count(),
            wrong: notices.list().len() + wrong,
            ready_ms: milliseconds(took),
        })
    }

    fn show(&self, common: &Common) {
        match common.output {
            Format::Json => report::print_json(self),
            Format::Text if common.quiet => {}
            Format::Text => report::print_text(self.text()),
        }
    }

    fn text(&self) -> String {
        let took = report::time(Duration::from_millis(self.ready_ms));
        let (tenants, apps) = (self.tenants, self.apps);
        let mut text = format!("  Ready    {tenants} tenants with {apps} apps in {took}\n");
        let first = match self.tls == Some(self.address) {
            true => "HTTPS",
            false => "HTTP ",
        };
        text += &format!("    {first}    {:<32} Ctrl-C stops\n", self.url);
        if let Some(tls) = self.tls.filter(|tls| *tls != self.address) {
            text += &format!("    HTTPS    https://{tls}/\n");
        }
        if let Some(metrics) = self.metrics {
            text += &format!("    Metrics  http://{metrics}/metrics\n");
        }
        if let Some(dashboard) = &self.dashboard {
            text += &format!("    Dashboard  {dashboard}\n");
        }
        if self.wrong > 0 {
            text += &format!("    Wrong    {} of them; see `wythe status`\n", self.wrong);
        }
        text
    }
}
