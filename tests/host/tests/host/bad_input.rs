//! Bad input, named: what a person can get wrong in files, and the exact text that tells them.

mod agreement;

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project};
use libtest_mimic::Trial;

/// A component of an app whose grants are the second part; the problem that is told.
struct Refused {
    name: &'static str,
    /// Wat text, or bytes as they are.
    file: &'static str,
    grants: &'static str,
    problem: &'static str,
}

const IMPORT: &str = "wythe.yaml:4";

/// An export that makes a component an app, as far as loading goes.
const APP: &str = r#"(core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func $f (canon lift (core func $i "f"))) (instance $e (export "handle" (func $f))) (export "wythe:blocks/invocation-handler@0.1.0" (instance $e))"#;

const REFUSED: &[Refused] = &[
    Refused {
        name: "no_wasm",
        file: "#!/bin/sh\n",
        grants: "",
        problem: "`app.wasm` is no wasm file; expected a component built for the target wasm32-wasip2",
    },
    Refused {
        name: "empty_file",
        file: "",
        grants: "",
        problem: "`app.wasm` is no wasm file; expected a component built for the target wasm32-wasip2",
    },
    Refused {
        name: "core_module",
        file: "(module)",
        grants: "",
        problem: "`app.wasm` is a core wasm module; expected a component: build it for the target wasm32-wasip2",
    },
    Refused {
        name: "compiled_file",
        file: "\x7fELF\x02\x01\x01\0\0\0",
        grants: "",
        problem: "`app.wasm` is a compiled file; expected a component (.wasm), which the host compiles itself",
    },
    Refused {
        name: "malformed_component",
        file: "\0asm\r\0\x01\0nonsense",
        grants: "",
        problem: "`app.wasm` is no valid component: ",
    },
    Refused {
        name: "exports_nothing",
        file: "(component)",
        grants: "",
        problem: "app `app` exports none of wasi:http/incoming-handler, wasi:http/handler, wythe:blocks/invocation-handler, wythe:blocks/subscriber, wythe:blocks/binding-listener, wythe:blocks/configuration-listener, wythe:blocks/job-runner, wythe:blocks/actor-handler, wythe:blocks/workflow-handler and wythe:blocks/activity-handler",
    },
    Refused {
        name: "import_that_nobody_has",
        file: r#"(component (import "acme:weather/forecast@1.0.0" (instance (export "today" (func)))) APP)"#,
        grants: "",
        problem: "app `app` imports `acme:weather/forecast@1.0.0`, which this host does not have; `wythe wit` writes out what it has",
    },
    Refused {
        name: "import_of_another_version",
        file: r#"(component (import "wythe:blocks/state@2.0.0" (instance (export "x" (func)))) APP)"#,
        grants: "{ state: [statestore] }",
        problem: "app `app` imports `wythe:blocks/state@2.0.0`, which this host does not have; it has `wythe:blocks/state` in version 0.1.0",
    },
    Refused {
        name: "state_that_is_not_granted",
        file: r#"(component (import "wythe:blocks/state@0.1.0" (instance (export "x" (func)))) APP)"#,
        grants: "",
        problem: "app `app` imports `wythe:blocks/state@0.1.0`, which is not granted; add `grants: { state: [statestore] }` at wythe.yaml:4",
    },
    Refused {
        name: "pubsub_that_is_not_granted",
        file: r#"(component (import "wythe:blocks/pubsub@0.1.0" (instance (export "x" (func)))) APP)"#,
        grants: "",
        problem: "app `app` imports `wythe:blocks/pubsub@0.1.0`, which is not granted; add `grants: { publish: [pubsub] }` at wythe.yaml:4",
    },
    Refused {
        name: "http_that_is_not_granted",
        file: r#"(component (import "wasi:http/outgoing-handler@0.2.0" (instance (export "x" (func)))) APP)"#,
        grants: "",
        problem: "app `app` imports `wasi:http/outgoing-handler@0.2.0`, which is not granted; add `grants: { http: [\"api.example.com\"] }` at wythe.yaml:4",
    },
    Refused {
        name: "function_that_an_interface_lacks",
        file: r#"(component (import "wythe:blocks/state@0.1.0" (instance (export "x" (func)))) APP)"#,
        grants: "{ state: [statestore] }",
        problem: "app `app` does not fit this host's interfaces: ",
    },
];

pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<_> = REFUSED
        .iter()
        .map(|refused| {
            Trial::test(
                format!("bad_input::component::{}", refused.name),
                move || {
                    let runtime = tokio::runtime::Builder::new_multi_thread()
                        .worker_threads(2)
                        .enable_all()
                        .build()?;
                    runtime
                        .block_on(refuse(refused))
                        .map_err(|error| format!("{error:#}").into())
                },
            )
        })
        .collect();
    trials.extend([
        case("bad_input::all_refused_imports_are_told_at_once", all),
        case("bad_input::file_that_is_not_there", missing),
        case("bad_input::plugin_where_an_app_belongs", plugin),
        case("bad_input::spins_in_its_start_function", start),
        case("bad_input::spins_while_the_host_passes_a_string", realloc),
        case("bad_input::wants_more_memory_than_it_may", memory),
        case("bad_input::wants_a_larger_table_than_it_may", table),
        case("bad_input::unknown_driver", driver),
        case("bad_input::unknown_setting_of_a_driver", setting),
        case("bad_input::unknown_block", block),
        case("bad_input::feature_that_a_driver_lacks", feature),
        case("bad_input::store_that_does_not_exist", store),
        case("bad_input::store_that_is_out_of_scope", scoped),
        case(
            "bad_input::many_calls_at_once_on_one_instance_with_blocks",
            concurrent,
        ),
    ]);
    trials.extend(agreement::trials());
    trials
}

fn bytes(text: &str) -> Vec<u8> {
    if text.starts_with('(') {
        wat::parse_str(text.replace("APP", APP)).expect("good wat")
    } else {
        text.as_bytes().to_vec()
    }
}

fn project(file: &str, grants: &str, more: &str) -> Project {
    let grants = if grants.is_empty() {
        String::new()
    } else {
        format!("    grants: {grants}\n")
    };
    let apps = format!("  - appID: app\n    guest: ./app.wasm\n{grants}{more}");
    let project = Project::new(&apps).with("memory", MEMORY);
    project.write("app.wasm", bytes(file));
    project
}

async fn refuse(refused: &Refused) -> Result<()> {
    let problems = project(refused.file, refused.grants, "").problems().await;
    ensure!(problems.len() == 1, "{problems:?}");
    let exact = problems[0] == refused.problem;
    let begins = refused.problem.ends_with(": ") && problems[0].starts_with(refused.problem);
    ensure!(exact || begins, "{}", problems[0]);
    Ok(())
}

async fn all() -> Result<()> {
    let file = r#"(component
        (import "wythe:blocks/state@0.1.0" (instance (export "x" (func))))
        (import "wythe:blocks/invocation@0.1.0" (instance (export "x" (func))))
        (import "acme:other/thing" (instance (export "x" (func)))) APP)"#;
    let problems = project(file, "", "").problems().await;
    ensure!(problems.len() == 3, "{problems:?}");
    ensure!(
        problems
            .iter()
            .filter(|problem| problem.ends_with(IMPORT))
            .count()
            == 2,
        "{problems:?}"
    );
    Ok(())
}

async fn missing() -> Result<()> {
    let project = project("(component)", "", "");
    std::fs::remove_file(project.path().join("app.wasm"))?;
    let problems = project.problems().await;
    ensure!(
        problems
            == [
                "no component file at app.wasm: No such file or directory (os error 2); build it first, as `wythe build` does where the app has a `build:` command"
            ],
        "{problems:?}"
    );
    Ok(())
}

async fn plugin() -> Result<()> {
    let problems = Project::new("  - appID: app\n    guest: bad.wasm\n")
        .with("memory", MEMORY)
        .problems()
        .await;
    ensure!(
        problems.len() == 1
            && problems[0].ends_with("; it is a plugin: name it in a component of type state.wasm"),
        "{problems:?}"
    );
    Ok(())
}

/// An app that calls `app` and tells what came of it.
async fn reported(file: &str, limits: &str) -> Result<String> {
    let apps = format!(
        "  - appID: app\n    guest: ./app.wasm\n    limits: {limits}\n  - appID: hostile\n    guest: hostile.wasm\n    ingress: /\n    grants: {{ state: [statestore], publish: [pubsub], invoke: [app], http: [] }}\n"
    );
    let project = Project::new(&apps).with("memory", MEMORY);
    project.write("app.wasm", bytes(file));
    let running = project.start().await?;
    let text = running.get("/invoke?app=app&path=/").await?.text();
    ensure!(running.get("/env").await?.status == 200);
    Ok(text)
}

async fn start() -> Result<()> {
    let file = r#"(component
        (core module $s (func $f (loop $l (br $l))) (start $f))
        (core instance (instantiate $s)) APP)"#;
    let text = reported(file, "{ cpuTime: 200ms }").await?;
    ensure!(text.contains("`app` used its 200ms of CPU time"), "{text}");
    Ok(())
}

/// The handler is never reached: the loop is where the host asks the guest for memory.
async fn realloc() -> Result<()> {
    let file = r#"(component
        (core module $m
            (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (loop $l (br $l)) unreachable)
            (func (export "handle") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable))
        (core instance $i (instantiate $m))
        (type $caller' (record (field "app" string) (field "tenant" string)))
        (type $headers (list (tuple string (list u8))))
        (type $request' (record (field "method" string) (field "path" string) (field "headers" $headers) (field "body" (list u8))))
        (type $response' (record (field "status" u16) (field "headers" $headers) (field "body" (list u8))))
        (func $handle (param "caller" $caller') (param "request" $request') (result $response')
            (canon lift (core func $i "handle") (memory $i "memory") (realloc (func $i "realloc"))))
        (component $shape
            (type $caller' (record (field "app" string) (field "tenant" string)))
            (import "caller" (type $caller (eq $caller')))
            (type $headers (list (tuple string (list u8))))
            (type $request' (record (field "method" string) (field "path" string) (field "headers" $headers) (field "body" (list u8))))
            (import "request" (type $request (eq $request')))
            (type $response' (record (field "status" u16) (field "headers" $headers) (field "body" (list u8))))
            (import "response" (type $response (eq $response')))
            (import "f" (func $f (param "caller" $caller) (param "request" $request) (result $response)))
            (export $c "caller" (type $caller))
            (export $q "request" (type $request))
            (export $r "response" (type $response))
            (export "handle" (func $f) (func (param "caller" $c) (param "request" $q) (result $r))))
        (instance $e (instantiate $shape
            (with "caller" (type $caller')) (with "request" (type $request')) (with "response" (type $response')) (with "f" (func $handle))))
        (export "wythe:blocks/invocation-handler@0.1.0" (instance $e)))"#;
    let text = reported(file, "{ cpuTime: 200ms }").await?;
    ensure!(text.contains("`app` used its 200ms of CPU time"), "{text}");
    Ok(())
}

async fn memory() -> Result<()> {
    let file = r#"(component (core module $s (memory 64)) (core instance (instantiate $s)) APP)"#;
    let text = reported(file, "{ memory: 2MiB }").await?;
    ensure!(
        text.contains("`app` failed: ") && text.contains("memory"),
        "{text}"
    );
    Ok(())
}

async fn table() -> Result<()> {
    let file = r#"(component (core module $s (table 20000 funcref)) (core instance (instantiate $s)) APP)"#;
    let text = reported(file, "{ memory: 2MiB }").await?;
    ensure!(
        text.contains("`app` failed: ") && text.contains("table"),
        "{text}"
    );
    Ok(())
}

const HELLO: &str = "  - appID: hello\n    guest: hello.wasm\n    ingress: /\n    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }\n";

async fn problem_of(resources: &str) -> Vec<String> {
    Project::new(HELLO)
        .with("memory", resources)
        .problems()
        .await
}

async fn driver() -> Result<()> {
    let problems = problem_of(&MEMORY.replace("state.memory", "state.memroy")).await;
    let said = &problems[0];
    let begins =
        "component `statestore`: `state.memroy` is not in this build; this build has state.";
    let ends = ", state.redis, state.sled, state.wasm; did you mean `state.memory`?";
    ensure!(said.starts_with(begins), "{problems:?}");
    ensure!(
        said.replace(" state.sqlite,", "").ends_with(ends),
        "{problems:?}"
    );
    Ok(())
}

async fn setting() -> Result<()> {
    let problems = problem_of(&MEMORY.replace(
        "type: state.memory",
        "type: state.redb, metadata: [ { name: cacheSzie, value: 1Mi } ]",
    ))
    .await;
    ensure!(
        problems[0].contains("cacheSzie") && problems[0].contains("cacheSize"),
        "{problems:?}"
    );
    Ok(())
}

async fn block() -> Result<()> {
    let problems = problem_of(&MEMORY.replace("state.memory", "sate.memory")).await;
    ensure!(problems.iter().any(|problem| problem.contains("`sate` is not in this build; this build has bindings, configuration, crypto, jobs, lock, middleware, pubsub, secretstores, state; did you mean `state`?")), "{problems:?}");
    Ok(())
}

async fn feature() -> Result<()> {
    let problems = problem_of(&MEMORY.replace(
        "type: state.memory",
        "type: state.memory, requires: [durable]",
    ))
    .await;
    ensure!(
        problems.iter().any(|problem| problem.ends_with(
            "component `statestore`: requires `durable`, which driver `state.memory` does not have"
        )),
        "{problems:?}"
    );
    Ok(())
}

async fn store() -> Result<()> {
    let problems = problem_of(&MEMORY.replace("name: statestore", "name: other")).await;
    let expected = "apps[0].grants.state[0]: no state component is called `statestore`";
    ensure!(problems == [expected], "{problems:?}");
    Ok(())
}

/// The answer is that of a store that is not there: nobody learns the names of what is not theirs.
async fn scoped() -> Result<()> {
    let scoped = MEMORY.replacen("version: v1 }\n", "version: v1 }\nscopes: [somebody]\n", 1);
    let running = Project::new(HELLO).with("memory", &scoped).start().await?;
    let answer = running.get("/").await?;
    ensure!(answer.status == 404, "{answer:?}");
    ensure!(
        answer.message() == "no state component `statestore` for app `hello`",
        "{answer:?}"
    );
    Ok(())
}

async fn concurrent() -> Result<()> {
    let apps = format!("{HELLO}    reuse: {{ maxRequests: 100, maxConcurrent: 4 }}\n");
    let problems = Project::new(&apps).with("memory", MEMORY).problems().await;
    ensure!(
        problems
            == [
                "app `hello` has `reuse.maxConcurrent: 4`; expected 1, for it is no WASI 0.3 guest without blocks"
            ],
        "{problems:?}"
    );
    Ok(())
}
