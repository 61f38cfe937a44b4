//! `wythe actor`, as transcripts.

use super::ACCOUNT;
use crate::{
    case,
    command::{Step, check},
    crash::run,
};
use anyhow::Result;
use host_tests::Project;
use libtest_mimic::Trial;

const SCRIPT: &[Step] = &[
    ("actor list", 0, "", ""),
    ("actor invoke account ada deposit --data 100", 0, "100", ""),
    ("actor invoke account ada balance", 0, "100", ""),
    ("actor invoke account bob deposit -d 5", 0, "5", ""),
    (
        "actor invoke account bob balance -o json",
        0,
        "{\"data\":\"5\"}\n",
        "",
    ),
    (
        "actor invoke account ada withdraw --data 101",
        1,
        "",
        "error: account `ada` has 100, not 101\n",
    ),
    (
        "actor invoke account ada deposit --data much",
        1,
        "",
        "error: the method's input: expected value at line 1 column 1\n",
    ),
    (
        "actor invoke account ada vanish",
        1,
        "",
        "error: actor type `account` has no method `vanish`\n",
    ),
    (
        "actor invoke acount ada balance",
        1,
        "",
        "error: no app of this host has the actor type `acount`; it has: account\n",
    ),
    (
        "actor invoke account a/b balance",
        1,
        "",
        "error: the actor id `a/b`; expected letters, digits, `-`, `_`, `.`, `:` and `@`\n",
    ),
    ("actor list", 0, "account/ada\naccount/bob\n", ""),
    (
        "actor list account --limit 1",
        0,
        "account/ada\n",
        "there is more: add `--cursor 'account/ada'`\n",
    ),
    ("actor list --cursor account/ada", 0, "account/bob\n", ""),
    ("actor list --active", 0, "", ""),
    (
        "actor state account ada",
        0,
        "turns   1\nactive  no\nvalue   state: {\"balance\":100,\"partner\":null,\"interest\":0}\n",
        "",
    ),
    ("actor state account ada -o json", 0, "{…", ""),
    (
        "actor state account nobody",
        1,
        "",
        "error: nothing is kept of actor `account/nobody`\n",
    ),
    (
        "actor list --limit 0",
        1,
        "",
        "error: a page of 0; expected 1 to 1000\n",
    ),
];

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("actors::the_command_line_calls_and_shows", || {
            let project = Project::new(ACCOUNT);
            SCRIPT
                .iter()
                .try_for_each(|step| check(project.path(), *step))
                .map_err(|error| format!("{error:#}").into())
        }),
        case("actors::the_command_line_reaches_the_host_that_runs", live),
    ]
}

async fn live() -> Result<()> {
    let project = Project::new(ACCOUNT);
    let mut process = run(&project, &[])?;
    for step in [
        ("actor invoke account ada deposit -d 7", 0, "7", ""),
        ("actor list --active", 0, "account/ada\n", ""),
        (
            "actor state account ada",
            0,
            "turns   1\nactive  yes\n…",
            "",
        ),
    ] {
        check(project.path(), step)?;
    }
    process.child.kill()?;
    process.child.wait()?;
    Ok(())
}
