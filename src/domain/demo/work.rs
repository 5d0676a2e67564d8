//! What people do all day: the apps, and what can be done in each.

use std::borrow::Cow;

use super::dice::Dice;
use crate::model::{
    activity::{OWN_APP, action},
    user::Role,
};

/// An app of the organisation.
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) url: &'static str,
    /// With spaces between them; none stand for everybody.
    pub(super) groups: &'static str,
    tasks: &'static [Task],
}

/// Something that can be done: the action, what is said of it and what it is done to. What stands in braces
/// is different each time; `{it}` is what it is done to.
#[derive(Clone, Copy)]
pub(super) struct Task {
    pub(super) action: &'static str,
    detail: &'static str,
    target: &'static str,
}

const fn task(action: &'static str, detail: &'static str, target: &'static str) -> Task {
    Task { action, detail, target }
}

/// The apps.
pub(super) const PROGRAMS: &[Program] = &[
    Program {
        name: "vault",
        url: "https://vault.example.org",
        groups: "",
        tasks: &[
            task("upload", "{file} ({kb} kB)", "{folder}"),
            task("download", "{it} from {folder}", "{file}"),
            task("compare", "{it} with the version of {date}", "{file}"),
            task("share", "{it} with {person}", "{file}"),
            task("rename", "{it} to {file}", "{file}"),
            task("restore-version", "{it} as of {date}", "{file}"),
            task("delete", "{it} in {folder}", "{file}"),
        ],
    },
    Program {
        name: "wiki",
        url: "https://wiki.example.org",
        groups: "",
        tasks: &[
            task("view-page", "{it}", "{page}"),
            task("view-page", "{it}", "{page}"),
            task("edit-page", "{it}: {n} lines changed", "{page}"),
            task("comment", "on {it}, for {person}", "{page}"),
            task("export-pdf", "{it} as PDF", "{page}"),
        ],
    },
    Program {
        name: "helpdesk",
        url: "https://helpdesk.example.org",
        groups: "support it",
        tasks: &[
            task("open-ticket", "{it}: {trouble}", "{ticket}"),
            task("assign-ticket", "{it} to {person}", "{ticket}"),
            task("reply", "{it}: answered {customer}", "{ticket}"),
            task("reply", "{it}: asked {customer} for a screenshot", "{ticket}"),
            task("close-ticket", "{it}: {trouble}, solved", "{ticket}"),
            task("merge-tickets", "{it} into {ticket}", "{ticket}"),
        ],
    },
    Program {
        name: "crm",
        url: "https://crm.example.org",
        groups: "sales support",
        tasks: &[
            task("view-customer", "{it}", "{customer}"),
            task("update-customer", "{it}: new contact", "{customer}"),
            task("create-offer", "OFF-{n4} for {it}", "{customer}"),
            task("send-offer", "OFF-{n4} to {it}", "{customer}"),
            task("export-contacts", "{n} contacts to {it}", "Contacts_{year}.csv"),
        ],
    },
    Program {
        name: "ledger",
        url: "https://ledger.example.org",
        groups: "finance audit",
        tasks: &[
            task("post-invoice", "{it}, {customer}", "RE-{year}-{n4}"),
            task("approve-payment", "{it} to {customer}", "PAY-{n4}"),
            task("reconcile", "{it} with the statement of {date}", "Account_{year}.csv"),
            task("export-report", "{it}, {n} rows", "Account_{year}.csv"),
            task("close-period", "{it}", "{month} {year}"),
        ],
    },
    Program {
        name: "build",
        url: "https://build.example.org",
        groups: "engineering it",
        tasks: &[
            task("push", "{n} commits to {it}", "{branch}"),
            task("start-build", "build {n4} of {it}", "{branch}"),
            task("review", "{it}: asked {person} for changes", "{branch}"),
            task("merge", "{it} into main, fixes {ticket}", "{branch}"),
            task("deploy", "release {year}.{n} to {it}", "{host}"),
            task("rollback", "{it} after {ticket}", "{host}"),
        ],
    },
    Program {
        name: "people",
        url: "https://people.example.org",
        groups: "people finance",
        tasks: &[
            task("request-leave", "{n} days from {date}", "{person}"),
            task("approve-leave", "{it}, from {date}", "{person}"),
            task("upload-contract", "Contract_{n4}.pdf of {it}", "{person}"),
        ],
    },
];

/// What is done by those who may see everybody's activity.
const OVERSIGHT: Program = Program {
    name: OWN_APP,
    url: "",
    groups: "",
    tasks: &[
        task(action::SEARCH, "outcome:failure user:{person}", ""),
        task(action::SEARCH, "{ticket}", ""),
        task(action::EXPORT, "action:deploy", ""),
    ],
};

/// What the machines do at night, in the app of the first column.
pub(super) const JOBS: &[(&str, &str, Task)] = &[
    ("vault", "backup-agent", task("backup", "{folder} to {it}: {kb} kB", "{host}")),
    ("vault", "backup-agent", task("backup", "snapshot of {it}", "{folder}")),
    ("vault", "backup-agent", task("compare", "snapshot of {it} with {host}", "{folder}")),
    ("vault", "backup-agent", task("prune", "{n} snapshots of {it}", "{folder}")),
    ("ledger", "replicator", task("replicate", "Account_{year}.csv to {it}", "{host}")),
    ("crm", "replicator", task("replicate", "{n4} customers to {it}", "{host}")),
];

/// Everything that somebody in `groups` with `role` may do, with the app it is done in.
pub(super) fn tasks_of(role: Role, groups: &str) -> Vec<(&'static str, &'static Task)> {
    let open = |program: &&Program| {
        program.groups.is_empty()
            || program.groups.split(' ').any(|one| groups.split(' ').any(|own| own == one))
    };
    let oversight = (role != Role::Member).then_some(&OVERSIGHT);
    let programs = PROGRAMS.iter().filter(open).chain(oversight);
    programs.flat_map(|program| program.tasks.iter().map(|task| (program.name, task))).collect()
}

/// Why something was not done.
pub(super) const TROUBLES: &[&str] =
    &["permission denied", "timed out", "conflict with a newer version", "no space left", "not found"];

const FILES: &[&str] = &[
    "Account_{year}.csv",
    "Budget_{year}.xlsx",
    "Offer_{n4}.pdf",
    "Minutes_{date}.md",
    "Contract_{n4}.pdf",
    "Roadmap.pptx",
    "Logo_final.svg",
    "Payroll_{month}_{year}.xlsx",
];
const FOLDERS: &[&str] =
    &["/finance", "/legal/contracts", "/marketing/press", "/projects/atlas", "/shared", "/hr"];
const PAGES: &[&str] = &[
    "Welcome",
    "Onboarding",
    "Travel expenses",
    "On-call rota",
    "Backup and restore",
    "Release checklist",
    "VPN on a phone",
    "Incident INC-{n4}",
];
const CUSTOMERS: &[&str] = &[
    "Alder & Sons",
    "Bluefin Logistics",
    "Café Miró",
    "Delta Dairy",
    "Elbe Instruments",
    "Fjord Outdoor",
    "Grupo Horizonte",
    "Harbour Clinic",
    "Île-de-Ré Boats",
    "Juniper Schools",
];
const PROBLEMS: &[&str] = &[
    "printer offline",
    "cannot sign in",
    "invoice shows the wrong address",
    "slow search",
    "attachment missing",
    "phone lost",
];
const BRANCHES: &[&str] =
    &["main", "fix/INC-{n4}", "feature/export", "feature/dark-mode", "release/{year}.{n}"];
const HOSTS: &[&str] = &["atlas-01", "atlas-02", "borealis", "cold-storage", "edge-sg", "edge-sp"];
const MONTHS: &[&str] = &["January", "March", "April", "June", "July", "September", "October", "December"];

impl Task {
    /// What is said of the task once it was done, and what it was done to.
    pub(super) fn write(&self, year: i16, people: &[&str], dice: &mut Dice) -> (String, String) {
        let target = write(self.target, year, people, dice);
        (write(&self.detail.replace("{it}", &target), year, people, dice), target)
    }
}

/// Writes a text with something in the place of all that stands in braces.
fn write(text: &str, year: i16, people: &[&str], dice: &mut Dice) -> String {
    let mut written = String::with_capacity(text.len() + 24);
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let (what, behind) = behind.split_once('}').unwrap_or((behind, ""));
        written.push_str(before);
        written.push_str(&word(what, year, people, dice));
        rest = behind;
    }
    written.push_str(rest);
    written
}

fn word(what: &str, year: i16, people: &[&str], dice: &mut Dice) -> Cow<'static, str> {
    let listed = match what {
        "year" => return year.to_string().into(),
        "n" => return dice.between(2, 40).to_string().into(),
        "n4" => return dice.between(1000, 10_000).to_string().into(),
        "kb" => return dice.between(12, 90_000).to_string().into(),
        "ticket" => return format!("INC-{}", dice.between(1000, 10_000)).into(),
        "date" => {
            return format!("{}-{:02}-{:02}", year - 1, dice.between(1, 13), dice.between(1, 29)).into();
        }
        "person" => return dice.pick(people).to_owned().into(),
        "month" => MONTHS,
        "customer" => CUSTOMERS,
        "folder" => FOLDERS,
        "host" => HOSTS,
        "trouble" => PROBLEMS,
        "file" => FILES,
        "page" => PAGES,
        "branch" => BRANCHES,
        unknown => {
            debug_assert!(false, "nothing is known of {{{unknown}}}");
            &[""]
        }
    };
    let picked = dice.pick(listed);
    if picked.contains('{') { write(picked, year, people, dice).into() } else { picked.into() }
}
