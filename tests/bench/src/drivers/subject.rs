//! A component under measure: the type of its driver, the server that it asks, and its settings.

use crate::{child::scratch, project::Project};
use anyhow::{Context, Result, bail};
use servers::{
    Etcd, Kafka, MariaDb, Memcached, Missing, Mosquitto, Nats, Postgres, RabbitMq, Redis, Server,
};
use std::path::Path;
use tempfile::TempDir;
use wythe_manifest::Component;

/// Metadata of a component: names and values.
pub type Settings = Vec<(&'static str, String)>;

pub struct Subject {
    /// The type, as a component names it.
    pub kind: &'static str,
    /// Starts the server; absent for a driver that is embedded.
    pub start: Option<fn() -> Result<Server, Missing>>,
    /// The settings, by the server's port.
    pub settings: fn(u16) -> Settings,
}

/// A subject whose server answers, and the directory of its project.
pub struct Running {
    pub port: u16,
    pub directory: TempDir,
    resources: String,
    server: Option<Server>,
}

impl Subject {
    /// Starts the server, which may take a while.
    pub async fn start(&self, component: &str) -> Result<Running> {
        let server = match self.start {
            Some(start) => Some(tokio::task::spawn_blocking(start).await??),
            None => None,
        };
        let port = server.as_ref().map_or(0, |server| server.address().port());
        let settings = (self.settings)(port);
        let settings = settings.iter();
        let settings =
            settings.map(|(name, value)| format!("{{ name: {name}, value: {value:?} }}"));
        let settings = settings.collect::<Vec<_>>().join(", ");
        Ok(Running {
            port,
            directory: scratch()?,
            resources: format!(
                "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: {component} }}
spec: {{ type: {}, version: v1, metadata: [{settings}] }}
",
                self.kind
            ),
            server,
        })
    }
}

impl Running {
    pub fn project(&self, apps: &str) -> Result<Project> {
        Project::write(
            &self.directory.path().join("project"),
            apps,
            &self.resources,
        )
    }

    /// The component as its file has it.
    pub fn component(&self) -> Result<Component> {
        let path = Path::new("resources.yaml");
        let (resources, problems) = wythe_manifest::parse_resources(&self.resources, path);
        if problems.has_errors() {
            bail!("{problems}");
        }
        let component = resources.components.into_iter().next();
        component.context("a component")
    }

    /// Ends the server, and waits for its end.
    pub async fn end(self) -> Result<()> {
        tokio::task::spawn_blocking(move || drop(self.server)).await?;
        Ok(())
    }
}

pub fn redis() -> Result<Server, Missing> {
    Server::start(Redis::default())
}

pub fn postgres() -> Result<Server, Missing> {
    Server::start(Postgres)
}

pub fn mariadb() -> Result<Server, Missing> {
    Server::start(MariaDb::default())
}

pub fn nats() -> Result<Server, Missing> {
    Server::start(Nats::default())
}

/// A server whose streams lose nothing as it ends, which an older one has not.
pub fn streams() -> Result<Server, Missing> {
    Nats::check_streams()?;
    nats()
}

pub fn etcd() -> Result<Server, Missing> {
    Server::start(Etcd::default())
}

pub fn memcached() -> Result<Server, Missing> {
    Server::start(Memcached::default())
}

pub fn rabbitmq() -> Result<Server, Missing> {
    Server::start(RabbitMq::default())
}

pub fn mosquitto() -> Result<Server, Missing> {
    Server::start(Mosquitto::default())
}

pub fn kafka() -> Result<Server, Missing> {
    Server::start(Kafka::default())
}

/// A server of this machine.
pub fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

pub fn postgres_at(port: u16) -> String {
    format!("host=127.0.0.1 port={port} user=postgres")
}
