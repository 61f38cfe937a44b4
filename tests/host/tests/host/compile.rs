//! A stranger's file and the compiler: it is judged before it is compiled, and compiled in a process with limits.

use crate::{case, crash::command};
use anyhow::{Context, Result, ensure};
use host_tests::{MEMORY, Project, guest};
use libtest_mimic::Trial;
use std::{fs, path::Path, process::Output, time::Duration};
use wythe_manifest::ByteSize;
use wythe_runtime::{Compiler, Options, Runtime};

/// The size of the function that takes much memory to compile: its locals, and loops in which all of them are mixed.
const LOCALS: u32 = 1_000;
const LOOPS: u32 = 650;
/// The size of the function that takes long: blocks in each other with a jump to each of them, and how often.
const BLOCKS: u32 = 1_000;
const NESTS: usize = 400;
/// Guards against a host that starts, and then waits for somebody to stop it.
const PATIENCE: Duration = Duration::from_secs(120);

const APP: &str = "- appID: app\n    guest: ./app.wasm\n    ingress: /\n";

pub fn trials() -> Vec<Trial> {
    vec![
        case("compile::memory_is_limited", memory),
        case("compile::time_is_limited_and_a_slow_one_is_told", time),
        case("compile::types_nested_without_end_are_an_error", nested),
        case("compile::inspect_compiles_nothing", inspected),
        case("compile::refused_imports_are_not_compiled", refused),
        case("compile::known_code_starts_no_process", known),
        case("compile::without_a_compiler_it_is_done_here", here),
    ]
}

fn leb(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn sized(content: &[u8]) -> Vec<u8> {
    [&leb(content.len() as u32), content].concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], sized(content).as_slice()].concat()
}

fn component(sections: &[u8]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0", sections].concat()
}

/// A component that is an app, as far as loading goes, with one more function.
fn app_with(body: &[u8]) -> Vec<u8> {
    let app = r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func $f (canon lift (core func $i "f"))) (instance $e (export "handle" (func $f))) (export "wythe:blocks/invocation-handler@0.1.0" (instance $e)))"#;
    let app = wat::parse_str(app).expect("good wat");
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[1, 0]),
        section(10, &[leb(1), sized(body)].concat()),
    ];
    component(&[&app[8..], section(1, &module.concat()).as_slice()].concat())
}

/// Every value lives through every loop, which is what fills a register allocator.
fn large() -> Vec<u8> {
    let mix = |local: u32| {
        let get = |local: u32| [vec![0x20], leb(local % LOCALS)].concat();
        let set = [vec![0x6a, 0x21], leb((local * 13 + 5) % LOCALS)].concat();
        [get(local), get(local * 7 + 3), set].concat()
    };
    let mixed: Vec<u8> = (0..LOCALS).flat_map(mix).collect();
    let one = [&[0x03, 0x40], mixed.as_slice(), &[0x0b]].concat();
    let locals = [leb(1), leb(LOCALS), vec![0x7f]].concat();
    app_with(&[locals, one.repeat(LOOPS as usize), vec![0x0b]].concat())
}

fn slow() -> Vec<u8> {
    let begin = [0x02, 0x40].repeat(BLOCKS as usize);
    let targets: Vec<u8> = (0..BLOCKS).flat_map(leb).collect();
    let jump = [vec![0x41, 0, 0x0e], leb(BLOCKS), targets, vec![0]].concat();
    let one = [begin, jump, vec![0x0b; BLOCKS as usize]].concat();
    app_with(&[vec![0], one.repeat(NESTS), vec![0x0b]].concat())
}

fn project(component: &[u8]) -> Project {
    let project = Project::new(APP).with("memory", MEMORY);
    project.write("app.wasm", component);
    project
}

/// Runs the project in a process of its own, with no compiled code of earlier runs.
async fn run(project: &Project, variables: &[(&str, &str)]) -> Result<Output> {
    let mut command = tokio::process::Command::from(command());
    command
        .args(["run", "--no-build", "--listen", "127.0.0.1:0"])
        .arg(project.path())
        .env("WYTHE_CACHE_DIR", project.path().join("compiled"))
        .envs(variables.iter().copied())
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.context("it does not end")??;
    ensure!(!output.status.success(), "it started");
    Ok(output)
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn memory() -> Result<()> {
    let output = run(&project(&large()), &[("WYTHE_COMPILE_MEMORY", "96MiB")]).await?;
    let words = words(&output);
    for part in ["app.wasm` (", "96MiB of memory", "WYTHE_COMPILE_MEMORY"] {
        ensure!(words.contains(part), "no {part:?} in {words}");
    }
    Ok(())
}

/// The process ends at its limit of time, which is after the word that it compiles.
async fn time() -> Result<()> {
    let output = run(&project(&slow()), &[("WYTHE_COMPILE_TIME", "1500ms")]).await?;
    let words = words(&output);
    for part in [
        "compiling `",
        "app.wasm` (",
        "within 1.5s",
        "WYTHE_COMPILE_TIME",
    ] {
        ensure!(words.contains(part), "no {part:?} in {words}");
    }
    Ok(())
}

/// A reader of types that calls itself would use up its stack, and this process with it.
async fn nested() -> Result<()> {
    let depth = 200_000;
    let deep = [0x41, 0x01, 0x01].repeat(depth);
    let types = [&[1], deep.as_slice(), &[0x41, 0]].concat();
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("deep.wasm");
    fs::write(&file, component(&section(7, &types)))?;
    let error = runtime(directory.path(), Compiler::TIME)?
        .inspect(&file)
        .await;
    let error = error.err().context("it was read")?;
    ensure!(error.message().contains("deep.wasm"), "{error}");
    Ok(())
}

/// A runtime with the compiler of the command, and a cache of its own.
fn runtime(directory: &Path, time: Duration) -> Result<std::sync::Arc<Runtime>> {
    let compiler = Compiler {
        program: std::env::current_exe()?,
        arguments: vec!["compile-component".into()],
        variables: vec![("WYTHE_AS_COMMAND".into(), "1".into())],
        memory: ByteSize(1 << 30),
        time,
    };
    let options = Options {
        cache: Some(directory.join("compiled")),
        compiler: Some(compiler),
        ..Options::default()
    };
    Ok(Runtime::new(&options)?)
}

/// Files of compiled code in a cache.
fn compiled(directory: &Path) -> Result<usize> {
    let files = fs::read_dir(directory.join("compiled"))?.collect::<std::io::Result<Vec<_>>>()?;
    let code = files.iter().filter(|file| {
        let path = file.path();
        path.extension()
            .is_some_and(|extension| extension == "cwasm")
    });
    Ok(code.count())
}

async fn inspected() -> Result<()> {
    let project = project(&slow());
    let file = project.path().join("app.wasm");
    let output = command()
        .args(["inspect", "-o", "json"])
        .arg(&file)
        .env("WYTHE_CACHE_DIR", project.path().join("compiled"))
        .output()?;
    ensure!(output.status.success(), "{}", words(&output));
    let reported: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    ensure!(
        reported["is"][0] == "app with invocation-handler",
        "{reported}"
    );
    ensure!(compiled(project.path())? == 0, "code was made");
    Ok(())
}

async fn refused() -> Result<()> {
    let apps = "- appID: hello\n    guest: hello.wasm\n    ingress: /\n";
    let project = Project::new(apps).with("memory", MEMORY);
    let words = words(&run(&project, &[]).await?);
    ensure!(
        words.contains("imports `wythe:blocks/state@0.1.0`, which is not granted"),
        "{words}"
    );
    ensure!(compiled(project.path())? == 0, "code was made");
    Ok(())
}

/// The second runtime has a compiler that would fail at once.
async fn known() -> Result<()> {
    let directory = tempfile::tempdir()?;
    for time in [Compiler::TIME, Duration::ZERO] {
        let runtime = runtime(directory.path(), time)?;
        let inspection = runtime.inspect(&guest("hello")).await?;
        let bytes = fs::read(guest("hello"))?.into();
        runtime.compile("hello", bytes, &inspection).await?;
    }
    ensure!(compiled(directory.path())? == 1);
    Ok(())
}

async fn here() -> Result<()> {
    let runtime = Runtime::new(&Options::default())?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("app.wasm");
    fs::write(&file, wat::parse_str("(component)")?)?;
    let inspection = runtime.inspect(&file).await?;
    let bytes = fs::read(&file)?.into();
    runtime.compile("app.wasm", bytes, &inspection).await?;
    Ok(())
}
