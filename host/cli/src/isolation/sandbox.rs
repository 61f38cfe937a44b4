//! The walls around a tenant's process: what it may open is held by Landlock, what it may ask of the kernel by seccomp, and
//! neither can be taken away again.

use super::{Orders, calls};
use crate::traces;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};
use rustix::process::{Resource, Rlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use wythe_manifest::Terms;

/// Rights over files that are there since Linux 6.2.
const FILES: ABI = ABI::V3;
/// Flags of `clone` that make namespaces, and that which makes a child of the host (`CLONE_PARENT`).
const NAMESPACES: u64 = 0x7e02_8000;
/// Threads and processes of a user who is one tenant's: several for each core, and far fewer than a system has numbers.
const THREADS: u64 = 4096;
/// The bits of a socket's type that are not flags.
const SOCKET_TYPE: u64 = 0xf;
/// Files that name hosts and time zones.
const SYSTEM: [&str; 12] = [
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/services",
    "/dev/urandom",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/usr/share/zoneinfo",
];

/// Says what this system lacks for the walls.
pub fn check() -> Result<(), String> {
    ruleset(is_alone())
        .and_then(Ruleset::create)
        .map_err(|error| no_landlock(&error, is_alone()))?;
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    if !status
        .lines()
        .any(|line| line.starts_with("Seccomp_filters:"))
    {
        return Err("it needs seccomp filters of Linux 5.9 or later".into());
    }
    filter().map(drop)
}

/// Says whether root runs the host, which then gives each tenant's process a user of its own.
pub fn is_alone() -> bool {
    rustix::process::geteuid().is_root()
}

fn no_landlock(error: &RulesetError, alone: bool) -> String {
    let version = match alone {
        true => "6.2",
        false => "6.12, or root and a user for each tenant",
    };
    format!("it needs Landlock, as of Linux {version}: {error}")
}

/// Shuts this process in, with all the threads that it will ever have: there is no other one yet.
pub fn enter(orders: &Orders, terms: &Terms) -> Result<(), String> {
    let is_alone = rustix::process::geteuid().as_raw() != orders.host;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let text = |error: rustix::io::Errno| error.to_string();
    // Memory of the tenant's is in no file.
    rustix::process::setrlimit(Resource::Core, none).map_err(text)?;
    // The limit is one of the user, who is the host's own otherwise.
    if is_alone {
        let maximum = rustix::process::getrlimit(Resource::Nproc).maximum;
        let threads = Some(maximum.map_or(THREADS, |maximum| maximum.min(THREADS)));
        let limit = Rlimit {
            current: threads,
            maximum: threads,
        };
        rustix::process::setrlimit(Resource::Nproc, limit).map_err(text)?;
    }
    let filter = filter()?;
    let created = ruleset(is_alone)
        .and_then(Ruleset::create)
        .map_err(|error| no_landlock(&error, is_alone))?;
    let created = rules(created, orders, terms)?;
    // It gives up new privileges as well.
    let status = created
        .restrict_self()
        .map_err(|error| format!("Landlock refuses: {error}"))?;
    if !status.no_new_privs {
        return Err("it cannot give up new privileges".into());
    }
    seccompiler::apply_filter(&filter).map_err(|error| format!("seccomp refuses: {error}"))
}

/// The rights that are held: all over files, signals to others, sockets without a file, and ports. A process that has the user of
/// another one is kept from it by Landlock alone.
fn ruleset(is_alone: bool) -> Result<Ruleset, RulesetError> {
    let signals = match is_alone {
        true => CompatLevel::BestEffort,
        false => CompatLevel::HardRequirement,
    };
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(FILES))?
        .set_compatibility(signals)
        .scope(Scope::from_all(ABI::V6))?
        // Both are beside the filter of calls, which lets nothing listen, and the rights over files, which open no device.
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessNet::BindTcp)?
        .handle_access(AccessFs::IoctlDev)
}

fn rules(
    created: RulesetCreated,
    orders: &Orders,
    terms: &Terms,
) -> Result<RulesetCreated, String> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let run = AccessFs::ReadFile | AccessFs::Execute;
    let write = AccessFs::from_all(FILES) & !BitFlags::from(AccessFs::Execute);
    let mut walls = Walls(created);
    let own = [orders.root.join(&orders.tenant), orders.own_data()];
    for path in own.iter().chain(&terms.paths.entries) {
        walls.open(path, write)?;
    }
    if let Some(path) = traces::authorities() {
        walls.open(&path, AccessFs::ReadFile.into())?;
    }
    walls.open_if_there(Path::new("/proc/self"), read)?;
    walls.open_if_there(Path::new("/dev/null"), read | AccessFs::WriteFile)?;
    for path in SYSTEM.iter().map(Path::new).chain(resolver().as_deref()) {
        walls.open_if_there(path, read)?;
    }
    // The compiler is this program, started again.
    walls.open_if_there(Path::new("/proc/self/exe"), run)?;
    for path in code() {
        walls.open_if_there(&path, run)?;
    }
    Ok(walls.0)
}

struct Walls(RulesetCreated);

impl Walls {
    /// Opens a place that has to be there, and that this user has to be able to read.
    fn open(&mut self, path: &Path, access: BitFlags<AccessFs>) -> Result<(), String> {
        let user = rustix::process::geteuid().as_raw();
        let readable = match path.is_dir() {
            true => fs::read_dir(path).map(drop),
            false => fs::File::open(path).map(drop),
        };
        let shown = path.display();
        readable.map_err(|error| {
            format!(
                "the tenant's process runs as user {user}, who cannot read {shown}: {error}; let it read that and enter the \
                 directories above it, as by `chmod`"
            )
        })?;
        self.open_if_there(path, access)
    }

    fn open_if_there(&mut self, path: &Path, access: BitFlags<AccessFs>) -> Result<(), String> {
        let Ok(descriptor) = PathFd::new(path) else {
            return Ok(());
        };
        // A file has no rights of a directory.
        let access = match path.is_dir() {
            true => access,
            false => access & AccessFs::from_file(FILES),
        };
        let failed = |error: RulesetError| format!("{}: {error}", path.display());
        (&mut self.0)
            .add_rule(PathBeneath::new(descriptor, access))
            .map(drop)
            .map_err(failed)
    }
}

/// The directory of the resolver's file, where a service below `/run` writes it anew now and then.
fn resolver() -> Option<PathBuf> {
    let file = fs::canonicalize("/etc/resolv.conf").ok()?;
    let directory = file.parent()?.to_owned();
    let run = Path::new("/run");
    // Of `/run` itself, nothing: sockets and secrets of others are there.
    (directory.starts_with(run) && directory != run).then_some(directory)
}

/// The files whose code this process runs: the libraries and their loader.
fn code() -> Vec<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut files: Vec<PathBuf> = maps
        .lines()
        .filter(|line| {
            line.split(' ')
                .nth(1)
                .is_some_and(|rights| rights.contains('x'))
        })
        .filter_map(|line| line.find('/').and_then(|start| line.get(start..)))
        .map(PathBuf::from)
        .collect();
    files.dedup();
    files
}

/// The filter of system calls.
fn filter() -> Result<BpfProgram, String> {
    let text = |error: seccompiler::BackendError| format!("no filter of system calls: {error}");
    let only = |conditions| SeccompRule::new(conditions).map_err(text);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = calls::ALLOWED
        .iter()
        .chain(calls::OLDER)
        .map(|call| (*call, Vec::new()))
        .collect();
    let masked = SeccompCmpOp::MaskedEq;
    let is = |argument, operator, value: u64| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value).map_err(text)
    };
    let equal = |argument, value: i32| is(argument, SeccompCmpOp::Eq, value as u64);
    let (stream, inet) = (libc::SOCK_STREAM as u64, [libc::AF_INET, libc::AF_INET6]);
    let inet: Result<Vec<_>, String> = inet
        .map(|domain| only(vec![equal(0, domain)?]))
        .into_iter()
        .collect();
    let unlike = |value: i32| is(0, SeccompCmpOp::Ne, value as u64);
    let bound = [
        // No sockets of this system: the host's own would be among them.
        (libc::SYS_socket, inet?),
        (
            libc::SYS_socketpair,
            vec![only(vec![is(1, masked(SOCKET_TYPE), stream)?])?],
        ),
        // `clone3`, whose flags no filter can read, is left out: then libraries do without it.
        (
            libc::SYS_clone,
            vec![only(vec![is(0, masked(NAMESPACES), 0)?])?],
        ),
        // It ends with the host, and nobody else looks into it.
        (
            libc::SYS_prctl,
            vec![only(vec![
                unlike(libc::PR_SET_PDEATHSIG)?,
                unlike(libc::PR_SET_DUMPABLE)?,
            ])?],
        ),
        // Limits and niceness of its own.
        (libc::SYS_prlimit64, vec![only(vec![equal(0, 0)?])?]),
        (libc::SYS_setpriority, vec![only(vec![equal(1, 0)?])?]),
    ];
    rules.extend(bound);
    let architecture = std::env::consts::ARCH.try_into().map_err(text)?;
    let absent = SeccompAction::Errno(libc::ENOSYS as u32);
    let filter = SeccompFilter::new(rules, absent, SeccompAction::Allow, architecture);
    filter.and_then(BpfProgram::try_from).map_err(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::ErrorKind,
        net::{TcpListener, TcpStream},
        os::unix::net::{UnixListener, UnixStream},
        process::Command,
    };

    /// The walls are those of a thread, where there are others.
    fn behind_walls<T: Send>(root: &Path, look: impl FnOnce() -> T + Send) -> T {
        let orders = Orders {
            tenant: "shop".into(),
            root: root.to_owned(),
            file: String::new(),
            data: root.join("data"),
            // Root gives a process another user than its own.
            host: match is_alone() {
                true => 1,
                false => rustix::process::geteuid().as_raw(),
            },
            json: false,
            verbose: 0,
            quiet: false,
            dev: false,
        };
        for directory in ["shop", "data/data/shop", "bank"] {
            fs::create_dir_all(root.join(directory)).unwrap();
            fs::write(root.join(directory).join("file"), "text").unwrap();
        }
        let terms = wythe_manifest::HostFile::default().terms(&"shop".parse().unwrap());
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                enter(&orders, &terms).unwrap();
                look()
            });
            thread.join().unwrap()
        })
    }

    #[test]
    fn only_what_is_its_own_can_be_opened() {
        check().unwrap();
        let root = tempfile::tempdir().unwrap();
        behind_walls(root.path(), || {
            let at = |name: &str| root.path().join(name);
            let denied = |path: &str| fs::read(at(path)).unwrap_err().kind();
            for own in ["shop/file", "data/data/shop/file"] {
                assert_eq!(fs::read(at(own)).unwrap(), b"text");
                fs::write(at(own), "new").unwrap();
            }
            for other in [
                "bank/file",
                "/etc/passwd",
                "/proc/1/status",
                "shop/../bank/file",
            ] {
                assert_eq!(denied(other), ErrorKind::PermissionDenied, "{other}");
            }
            assert!(fs::write(at("bank/new"), "").is_err() && fs::read_dir(at("")).is_err());
            // By no link, hard or soft, and no name that leads out.
            std::os::unix::fs::symlink(at("bank/file"), at("shop/link")).unwrap();
            assert_eq!(denied("shop/link"), ErrorKind::PermissionDenied);
            assert!(fs::hard_link(at("bank/file"), at("shop/hard")).is_err());
            assert!(fs::rename(at("bank/file"), at("shop/moved")).is_err());
        });
    }

    #[test]
    fn calls_that_a_server_does_not_need_do_not_exist() {
        let root = tempfile::tempdir().unwrap();
        let host = UnixListener::bind(root.path().join("host.sock")).unwrap();
        let outside = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = outside.local_addr().unwrap();
        behind_walls(root.path(), || {
            let none = |error: std::io::Error| error.raw_os_error() == Some(libc::ENOSYS);
            // The host's own socket, whoever may write to it.
            let socket = root.path().join("host.sock");
            assert!(none(UnixStream::connect(socket).unwrap_err()));
            assert!(none(TcpListener::bind("127.0.0.1:0").unwrap_err()));
            assert!(UnixStream::pair().is_ok() && TcpStream::connect(address).is_ok());
            let death = rustix::process::set_parent_process_death_signal(None);
            assert!(none(death.unwrap_err().into()));
            let ids = rustix::process::Pid::from_raw(1);
            let limits = rustix::process::getrlimit(Resource::Core);
            let others = rustix::process::prlimit(ids, Resource::Core, limits);
            assert!(none(others.unwrap_err().into()));
            // Another program is not run, and none gets rights that this one has not.
            let run = Command::new("/bin/true").spawn();
            assert_eq!(run.unwrap_err().kind(), ErrorKind::PermissionDenied);
        });
        drop(host);
    }
}
