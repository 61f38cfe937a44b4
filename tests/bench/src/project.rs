//! A project in a directory, and the host that runs it, put together as the command `wythe` does it.

use crate::guests;
use anyhow::{Result, anyhow, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wythe_api::{Audience, Ingress};
use wythe_blocks::{Call, Callee, Error, Host, Profile, Settings, Tenant, invocation};
use wythe_manifest::{App, Grants, Limits};
use wythe_runtime::{Guest, Loaded, Options, Runtime};

pub struct Project(PathBuf);

impl Project {
    pub fn at(directory: &Path) -> Self {
        Project(directory.to_owned())
    }

    /// `apps` is the list below `apps:`; `NAME.wasm` in it stands for the sample guest of that name.
    pub fn write(directory: &Path, apps: &str, resources: &str) -> Result<Self> {
        let manifest = format!("version: 1\nname: bench\napps:\n{apps}");
        Self::write_manifest(directory, &manifest, resources)
    }

    pub fn write_manifest(directory: &Path, manifest: &str, resources: &str) -> Result<Self> {
        let mut text = String::new();
        for line in manifest.lines() {
            text += &absolute(line);
            text.push('\n');
        }
        fs::create_dir_all(directory)?;
        fs::write(directory.join("wythe.yaml"), text)?;
        fs::write(directory.join("resources.yaml"), resources)?;
        Ok(Project(directory.to_owned()))
    }

    fn cache(&self) -> PathBuf {
        self.0.join("cache")
    }

    pub fn forget_compiled(&self) -> Result<()> {
        fs::remove_dir_all(self.cache()).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error.into()),
        })
    }

    pub fn apps(&self) -> Result<Vec<App>> {
        let path = self.0.join("wythe.yaml");
        let (manifest, problems) =
            wythe_manifest::parse_manifest(&fs::read_to_string(&path)?, &path);
        match manifest {
            Some(manifest) if !problems.has_errors() => Ok(manifest.apps),
            _ => bail!("{problems}"),
        }
    }

    /// A host without apps.
    pub async fn open(&self) -> Result<Wythe> {
        let options = Options {
            cache: Some(self.cache()),
            ..Options::default()
        };
        let runtime = Runtime::new(&options)?;
        let settings = Settings::new("default".parse()?, self.0.join("data"));
        let host = Arc::new(Host::default());
        let tenant = host.open(settings)?;
        self.open_in(&runtime, &tenant).await?;
        let apps = Vec::new();
        Ok(Wythe {
            host,
            tenant,
            runtime,
            apps,
        })
    }

    /// Opens its components in a tenant.
    async fn open_in(&self, runtime: &Arc<Runtime>, tenant: &Arc<Tenant>) -> Result<()> {
        let mut registry = wythe_drivers::registry();
        wythe_runtime::plugin::register(&mut registry, runtime, tenant);
        let path = self.0.join("resources.yaml");
        let (resources, problems) =
            wythe_manifest::parse_resources(&fs::read_to_string(&path)?, &path);
        if problems.has_errors() {
            bail!("{problems}");
        }
        let opened = tenant.open(&registry, &resources.components).await;
        opened.map_err(all)
    }

    /// Puts its components and apps into a tenant.
    pub async fn admit(&self, runtime: &Arc<Runtime>, tenant: &Arc<Tenant>) -> Result<()> {
        self.open_in(runtime, tenant).await?;
        for app in self.apps()? {
            admit(runtime, tenant, &app).await?;
        }
        Ok(())
    }

    /// A host with its apps, which can be called.
    pub async fn start(&self) -> Result<Wythe> {
        let mut wythe = self.open().await?;
        for app in self.apps()? {
            wythe.load(app).await?;
        }
        wythe.attach().await?;
        Ok(wythe)
    }

    /// Serves until the process is killed, and says where.
    pub async fn serve(&self) -> Result<()> {
        let wythe = self.start().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let host = wythe.host.clone();
        let audience = Audience::Strangers;
        let ingress = Ingress { host, audience };
        ingress
            .serve(listener, CancellationToken::new(), Duration::ZERO)
            .await;
        Ok(())
    }
}

/// A host in this process.
pub struct Wythe {
    pub host: Arc<Host>,
    pub tenant: Arc<Tenant>,
    pub runtime: Arc<Runtime>,
    pub apps: Vec<(App, Loaded)>,
}

impl Wythe {
    pub async fn load(&mut self, app: App) -> Result<()> {
        let loaded = admit(&self.runtime, &self.tenant, &app).await?;
        self.apps.push((app, loaded));
        Ok(())
    }

    /// Attaches what reaches the apps without being asked: events, changes of configuration, outside systems, their
    /// jobs.
    async fn attach(&self) -> Result<()> {
        for (_, Loaded { app, .. }) in &self.apps {
            self.tenant.start(app).await.map_err(all)?;
        }
        Ok(())
    }

    /// An app of this program, none of whose calls waits for a place.
    pub fn native(
        &self,
        id: &str,
        grants: Arc<Grants>,
        callee: Arc<dyn Callee>,
    ) -> Result<Arc<wythe_blocks::App>> {
        let limits = Limits {
            concurrency: 100_000,
            ..Limits::default()
        };
        let profile = Profile {
            grants,
            limits,
            ..Profile::new(self.tenant.name().clone(), id.parse()?)
        };
        Ok(wythe_blocks::App::new(profile, callee))
    }

    pub fn app(&self, id: &str) -> Result<&(App, Loaded)> {
        let found = self.apps.iter().find(|(app, _)| app.id.as_str() == id);
        found.ok_or_else(|| anyhow!("no app `{id}`"))
    }

    /// A caller to whom everything is granted, as the scopes are those of `app`.
    pub fn operator(&self, app: &str) -> Result<Call> {
        let deadline = Instant::now() + Duration::from_secs(3600);
        Ok(Call::operator(
            self.tenant.name().clone(),
            app.parse()?,
            deadline,
        ))
    }

    /// Asks an app at a path, and returns its answer.
    pub async fn ask(&self, app: &str, path: &str) -> Result<String> {
        let request = invocation::Request {
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Default::default(),
        };
        let caller = self.operator(app)?;
        let answer = self.tenant.invocation.invoke(&caller, app, request).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if answer.status != 200 {
            bail!("`{app}` answered {path} with {}: {text}", answer.status);
        }
        Ok(text)
    }

    pub async fn stop(self) {
        self.host.close(Duration::from_secs(5)).await;
    }
}

async fn admit(runtime: &Arc<Runtime>, tenant: &Arc<Tenant>, app: &App) -> Result<Loaded> {
    let loaded = Guest::load(runtime, tenant, app).await.map_err(all)?;
    let admitted = tenant.admit(&loaded.app, app.ingress.as_deref()).await;
    admitted.map_err(all)?;
    Ok(loaded)
}

fn all(errors: Vec<Error>) -> anyhow::Error {
    let texts: Vec<_> = errors.iter().map(Error::message).collect();
    anyhow!("{}", texts.join("\n"))
}

/// A relative path of a guest becomes the absolute one of the sample guest of that name.
fn absolute(line: &str) -> String {
    let Some((before, path)) = line.split_once("guest: ") else {
        return line.to_owned();
    };
    let path = Path::new(path.trim());
    match path.file_stem().and_then(|name| name.to_str()) {
        Some(name) if path.is_relative() => {
            format!("{before}guest: {}", guests::file(name).display())
        }
        _ => line.to_owned(),
    }
}
