//! Mistakes in `wythe.yaml`.

use super::check;

/// A manifest of one app with these lines, the first of which is line 5.
#[track_caller]
fn app(lines: &str, expected: &str) {
    let input =
        format!("version: 1\nname: shop\napps:\n  - guest: cart.wasm\n    appID: cart\n{lines}");
    check("wythe.yaml", &input, expected);
}

#[test]
fn the_whole_file() {
    check(
        "wythe.yaml",
        "",
        "wythe.yaml: empty; a manifest begins with `version: 1`",
    );
    check(
        "wythe.yaml",
        "- a\n",
        "wythe.yaml:1:1: expected a mapping, found a list",
    );
    check(
        "wythe.yaml",
        "version: 1\nname: shop\napps: []\n---\na: 1\n",
        "wythe.yaml:5:1: a manifest is one document, found a second one",
    );
    check(
        "wythe.yaml",
        "name: shop\nappz: []\n",
        "
wythe.yaml:1:1: missing `version`: write `version: 1`
wythe.yaml:1:1: missing `apps`: a list of apps
wythe.yaml:2:1: appz: unknown key; expected one of `version`, `name`, `tenant`, `common`, `apps`, `apiToken`, `cors`; did you mean `apps`?",
    );
    check(
        "wythe.yaml",
        "version: 2\nname: My Shop\ntenant: -a\napps: {}\n",
        "
wythe.yaml:1:10: version: expected `1`, found `2`
wythe.yaml:2:7: name: `My Shop` is not a name: only lower case letters, digits and `-` are allowed
wythe.yaml:3:9: tenant: `-a` is not a name: `-` is not allowed at the beginning or the end
wythe.yaml:4:7: apps: expected a list, found a mapping",
    );
}

#[test]
fn syntax() {
    check(
        "wythe.yaml",
        "version: 1\nname: shop\napps:\n\t- a\n",
        "wythe.yaml:4:2: apps: not valid YAML: tabs disallowed within this context (block indentation)",
    );
    check(
        "wythe.yaml",
        "version: 1\nversion: 1\nname: shop\napps: [{guest: a, appID: a, guest: b}]\n",
        "
wythe.yaml:2:1: version: this key is written twice, first in line 1
wythe.yaml:4:29: apps[0].guest: this key is written twice, first in line 4",
    );
    check(
        "wythe.yaml",
        "version: 1\nname: *nobody\napps: []\n",
        "wythe.yaml:2:7: name: not valid YAML: while parsing node, found unknown anchor",
    );
    check(
        "wythe.yaml",
        "version: !number 1\nname: shop\n[a]: 1\napps: []\n",
        "
wythe.yaml:1:18: version: the tag `!number` has no meaning here
wythe.yaml:3:1: expected a text as the key, found a collection",
    );
}

#[test]
fn keys_of_an_app() {
    app(
        "    grnats: {}\n    colour: red\n",
        "
wythe.yaml:6:5: apps[0].grnats: unknown key; expected one of `appID`, `appDirPath`, `guest`, `build`, `watch`, `ingress`, `health`, `grants`, `limits`, `reuse`, `env`, `resourcesPaths`; did you mean `grants`?
wythe.yaml:7:5: apps[0].colour: unknown key; expected one of `appID`, `appDirPath`, `guest`, `build`, `watch`, `ingress`, `health`, `grants`, `limits`, `reuse`, `env`, `resourcesPaths`",
    );
    app(
        "    watch: src\n",
        "wythe.yaml:6:12: apps[0].watch: expected a list, found a text",
    );
    app(
        "    build: [make]\n",
        "wythe.yaml:6:12: apps[0].build: expected a text, found a list",
    );
    app(
        "    build: ''\n",
        "wythe.yaml:6:12: apps[0].build: expected a text, found an empty one",
    );
    app(
        "    env: { A=B: 1, C: [] }\n",
        "
wythe.yaml:6:10: apps[0].env: `A=B` is not the name of a variable: it may not be empty or hold `=`
wythe.yaml:6:23: apps[0].env.C: expected a text, found a list",
    );
    app(
        "    resourcesPaths: [nowhere]\n    resourcesPath: neither\n",
        "
wythe.yaml:6:22: apps[0].resourcesPaths[0]: there is no directory `nowhere`
wythe.yaml:7:5: warning: apps[0].resourcesPath: deprecated: write a list, `resourcesPaths`
wythe.yaml:7:20: apps[0].resourcesPath: there is no directory `neither`",
    );
}

#[test]
fn a_configuration_that_is_not_read_is_an_error() {
    app(
        "    configFilePath: ./config.yaml\n",
        "
wythe.yaml:6:21: apps[0].configFilePath: not read: a `Configuration` counts only among the resources; move the file to a directory of `resourcesPaths`, such as `resources/`",
    );
}

#[test]
fn native_apps_and_sidecars() {
    check(
        "wythe.yaml",
        "version: 1\nname: shop\napps:\n  - appID: a\n    appPort: 80\n    command: [node, a.js]\n  - appID: b\n",
        "
wythe.yaml:5:5: apps[0].appPort: this version does not run native apps; give `guest:`, the path of a component file
wythe.yaml:7:5: apps[1]: missing `guest`: the path of the app's component file",
    );
    app(
        "    command: [a]\n    daprHTTPPort: 3500\n    logLevle: debug\n",
        "
wythe.yaml:6:5: warning: apps[0].command: no effect: the app is a guest
wythe.yaml:7:5: warning: apps[0].daprHTTPPort: no effect: a guest has no sidecar
wythe.yaml:8:5: apps[0].logLevle: unknown key; expected one of `appID`, `appDirPath`, `guest`, `build`, `watch`, `ingress`, `health`, `grants`, `limits`, `reuse`, `env`, `resourcesPaths`; did you mean `logLevel`?",
    );
    check(
        "wythe.yaml",
        "version: 1\nname: shop\ncommon: { logLevel: info, evn: {} }\napps: []\n",
        "
wythe.yaml:3:11: warning: common.logLevel: no effect: a guest has no sidecar
wythe.yaml:3:27: common.evn: unknown key; expected one of `env`, `resourcesPaths`; did you mean `env`?",
    );
}

#[test]
fn paths_and_ids() {
    let guest = |path: &str, expected: &str| {
        let input = format!(
            "version: 1\nname: shop\napps: [{{ appDirPath: a, appID: a, guest: {path} }}]\n"
        );
        check("wythe.yaml", &input, expected);
    };
    guest("../b/c.wasm", "");
    guest("/opt/c.wasm", "");
    let leaves =
        "wythe.yaml:3:42: apps[0].guest: `../../c.wasm` leaves the directory of the manifest";
    guest("../../c.wasm", leaves);
    app(
        "  - { appID: cart, guest: b }\n",
        "wythe.yaml:6:14: apps[1].appID: the app `cart` is already defined in line 4",
    );
    app(
        "  - { appID: Order_2, guest: b }\n",
        "wythe.yaml:6:14: apps[1].appID: `Order_2` is not a name: only lower case letters, digits and `-` are allowed",
    );
}

#[test]
fn ingress() {
    let wrong = |prefix: &str, why: &str| {
        let expected =
            format!("wythe.yaml:6:14: apps[0].ingress: `{prefix}` is not a path prefix: {why}");
        app(&format!("    ingress: {prefix}\n"), &expected);
    };
    wrong("cart", "it begins with `/`");
    wrong("/cart?a=1", "it has no query");
    wrong("/a/../b", "it has no `.` or `..`");
    wrong("/a//b", "it has no `//`");
    wrong(
        "/a%2fb",
        "it holds only letters, digits and signs, nothing encoded",
    );
    app(
        "    ingress: /cart\n  - { appID: other, guest: b, ingress: /cart/ }\n",
        "wythe.yaml:7:40: apps[1].ingress: `/cart` is already the prefix of the app `cart`",
    );
}

#[test]
fn grants() {
    app(
        "    grants:\n      state: statestore\n      publish: [a/, -A/b]\n      invoke: [a.b]\n      http: ['http://a/b', 'ftp://a', 'a:0', '*.10', 'a b', '*.*']\n      quota: [a]\n      logging: true\n",
        "
wythe.yaml:7:14: apps[0].grants.state: expected a list, found a text
wythe.yaml:8:17: apps[0].grants.publish[0]: expected `component` or `component/part`, found `a/`
wythe.yaml:8:21: apps[0].grants.publish[1]: `-A` is not a component name: `-` is not allowed at the beginning or the end
wythe.yaml:9:16: apps[0].grants.invoke[0]: `a.b` is not a name: only lower case letters, digits and `-` are allowed
wythe.yaml:10:14: apps[0].grants.http[0]: `http://a/b` is not a host: write only the host and the port, without a path or a user
wythe.yaml:10:28: apps[0].grants.http[1]: `ftp://a` is not a host: the scheme is `http` or `https`
wythe.yaml:10:39: apps[0].grants.http[2]: `a:0` is not a host: the port is a number from 1 to 65535
wythe.yaml:10:46: apps[0].grants.http[3]: `*.10` is not a host: a name follows `*.`
wythe.yaml:10:54: apps[0].grants.http[4]: `a b` is not a host: write a name, `*.name`, an IP address or `*`
wythe.yaml:10:61: apps[0].grants.http[5]: `*.*` is not a host: a name follows `*.`
wythe.yaml:11:7: apps[0].grants.quota: unknown key; expected one of `state`, `publish`, `subscribe`, `invoke`, `http`, `secrets`, `reveal`, `configuration`, `lock`, `crypto`, `bindings`, `listen`, `jobs`, `workflow`, `actors`
wythe.yaml:12:7: warning: apps[0].grants.logging: no effect: every app may log",
    );
}

#[test]
fn limits_and_reuse() {
    app(
        "    limits:\n      memory: 512KiB\n      tableElements: many\n      handles: 1\n      wallTime: 30\n      cpuTime: 2h\n      concurrency: 99999999999\n      requestBody: 4 mega\n      memroy: 1\n",
        "
wythe.yaml:7:15: apps[0].limits.memory: expected 1MiB to 4GiB, found `512KiB`
wythe.yaml:8:22: apps[0].limits.tableElements: expected a whole number, found `many`
wythe.yaml:9:16: apps[0].limits.handles: expected 16 to 1000000, found `1`
wythe.yaml:10:17: apps[0].limits.wallTime: expected a duration such as `30s`, `250ms` or `1h30m`, found `30`
wythe.yaml:11:16: apps[0].limits.cpuTime: expected 1ms to 1h, found `2h`
wythe.yaml:12:20: apps[0].limits.concurrency: expected 1 to 100000, found `99999999999`
wythe.yaml:13:20: apps[0].limits.requestBody: expected a size such as `64MiB`, `512k` or a number of bytes, found `4 mega`
wythe.yaml:14:7: apps[0].limits.memroy: unknown key; expected one of `memory`, `tableElements`, `handles`, `hostcallBytes`, `hostMemory`, `wallTime`, `responseTime`, `stallTime`, `afterTime`, `cpuTime`, `concurrency`, `logBytesPerSecond`, `requestBody`, `outgoingRequests`, `stepFuel`, `instances`; did you mean `memory`?",
    );
    app(
        "    reuse: { maxConcurrent: 4 }\n",
        "wythe.yaml:6:12: apps[0].reuse: `maxConcurrent` is 4, but an instance answers only 1 (`maxRequests`) in its life",
    );
    app(
        "    reuse: { maxRequests: 0 }\n",
        "
wythe.yaml:6:27: apps[0].reuse.maxRequests: expected 1 to 1000000, found `0`
",
    );
}
