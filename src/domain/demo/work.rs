//! What people do all day: the apps, and what can be done in each.

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
/// is different each time.
#[derive(Clone, Copy)]
pub(super) struct Task {
    pub(super) action: &'static str,
    pub(super) detail: &'static str,
    pub(super) target: &'static str,
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
            task("download", "{file} from {folder}", "{file}"),
            task("compare", "{file} with the version of {date}", "{file}"),
            task("share", "{file} with {person}", "{file}"),
            task("rename", "{file} to {file}", "{file}"),
            task("restore-version", "{file} as of {date}", "{file}"),
            task("delete", "{file} in {folder}", "{file}"),
        ],
    },
    Program {
        name: "wiki",
        url: "https://wiki.example.org",
        groups: "",
        tasks: &[
            task("view-page", "{page}", "{page}"),
            task("view-page", "{page}", "{page}"),
            task("edit-page", "{page}: {n} lines changed", "{page}"),
            task("comment", "on {page}, for {person}", "{page}"),
            task("export-pdf", "{page} as PDF", "{page}"),
        ],
    },
    Program {
        name: "helpdesk",
        url: "https://helpdesk.example.org",
        groups: "support it",
        tasks: &[
            task("open-ticket", "{ticket}: {trouble}", "{ticket}"),
            task("assign-ticket", "{ticket} to {person}", "{ticket}"),
            task("reply", "{ticket}: answered {customer}", "{ticket}"),
            task("reply", "{ticket}: asked {customer} for a screenshot", "{ticket}"),
            task("close-ticket", "{ticket}: {trouble}, solved", "{ticket}"),
            task("merge-tickets", "{ticket} into {ticket}", "{ticket}"),
        ],
    },
    Program {
        name: "crm",
        url: "https://crm.example.org",
        groups: "sales support",
        tasks: &[
            task("view-customer", "{customer}", "{customer}"),
            task("update-customer", "{customer}: new contact", "{customer}"),
            task("create-offer", "OFF-{n4} for {customer}", "{customer}"),
            task("send-offer", "OFF-{n4} to {customer}", "{customer}"),
            task("export-contacts", "{n} contacts to Contacts_{year}.csv", "Contacts_{year}.csv"),
        ],
    },
    Program {
        name: "ledger",
        url: "https://ledger.example.org",
        groups: "finance audit",
        tasks: &[
            task("post-invoice", "RE-{year}-{n4}, {customer}", "RE-{year}-{n4}"),
            task("approve-payment", "PAY-{n4} to {customer}", "PAY-{n4}"),
            task("reconcile", "Account_{year}.csv with the statement of {date}", "Account_{year}.csv"),
            task("export-report", "Account_{year}.csv, {n} rows", "Account_{year}.csv"),
            task("close-period", "{month} {year}", "{month} {year}"),
        ],
    },
    Program {
        name: "build",
        url: "https://build.example.org",
        groups: "engineering it",
        tasks: &[
            task("push", "{n} commits to {branch}", "{branch}"),
            task("start-build", "build {n4} of {branch}", "{branch}"),
            task("review", "{branch}: asked {person} for changes", "{branch}"),
            task("merge", "{branch} into main, fixes {ticket}", "{branch}"),
            task("deploy", "release {year}.{n} to {host}", "{host}"),
            task("rollback", "{host} after {ticket}", "{host}"),
        ],
    },
    Program {
        name: "people",
        url: "https://people.example.org",
        groups: "people finance",
        tasks: &[
            task("request-leave", "{n} days from {date}", "{person}"),
            task("approve-leave", "{person}, from {date}", "{person}"),
            task("upload-contract", "Contract_{n4}.pdf of {person}", "{person}"),
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
    ("vault", "backup-agent", task("backup", "{folder} to {host}: {kb} kB", "{host}")),
    ("vault", "backup-agent", task("backup", "snapshot of {folder}", "{folder}")),
    ("vault", "backup-agent", task("compare", "snapshot of {folder} with {host}", "{folder}")),
    ("vault", "backup-agent", task("prune", "{n} snapshots of {folder}", "{folder}")),
    ("ledger", "replicator", task("replicate", "Account_{year}.csv to {host}", "{host}")),
    ("crm", "replicator", task("replicate", "{n4} customers to {host}", "{host}")),
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

/// Writes a text with something in the place of all that stands in braces.
pub(super) fn write(text: &str, year: i16, people: &[&str], dice: &mut Dice) -> String {
    let mut written = String::with_capacity(text.len() + 24);
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let (what, behind) = behind.split_once('}').unwrap_or((behind, ""));
        written.push_str(before);
        match what {
            "year" => written.push_str(&year.to_string()),
            "n" => written.push_str(&dice.between(2, 40).to_string()),
            "n4" => written.push_str(&dice.between(1000, 10_000).to_string()),
            "kb" => written.push_str(&dice.between(12, 90_000).to_string()),
            "date" => written.push_str(&format!(
                "{}-{:02}-{:02}",
                year - 1,
                dice.between(1, 13),
                dice.between(1, 29)
            )),
            "ticket" => written.push_str(&format!("INC-{}", dice.between(1000, 10_000))),
            "person" => written.push_str(dice.pick(people)),
            "month" => written.push_str(dice.pick(MONTHS)),
            "customer" => written.push_str(dice.pick(CUSTOMERS)),
            "folder" => written.push_str(dice.pick(FOLDERS)),
            "host" => written.push_str(dice.pick(HOSTS)),
            "trouble" => written.push_str(dice.pick(PROBLEMS)),
            "file" => written.push_str(&write(dice.pick(FILES), year, people, dice)),
            "page" => written.push_str(&write(dice.pick(PAGES), year, people, dice)),
            "branch" => written.push_str(&write(dice.pick(BRANCHES), year, people, dice)),
            unknown => debug_assert!(false, "nothing is known of {{{unknown}}}"),
        }
        rest = behind;
    }
    written.push_str(rest);
    written
}
