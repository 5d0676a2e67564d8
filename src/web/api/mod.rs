//! The API: what programs and our own pages' scripts meet, under `/api/v1`.

pub mod account;
pub mod activity;
pub mod apps;
pub mod document;
pub mod health;
pub mod hooks;
pub mod ingest;
pub mod passkeys;
pub mod second_factor;
pub mod sessions;
pub mod stream;
pub mod tokens;
pub mod users;

use super::door::hold_to_parameters;

/// Every route of the API. What has its own address, like health, is in [`health::routes`].
pub(super) fn routes() -> Vec<rocket::Route> {
    let mut all = [
        account::routes(),
        activity::routes(),
        apps::routes(),
        document::routes(),
        hooks::routes(),
        ingest::routes(),
        passkeys::routes(),
        second_factor::routes(),
        sessions::routes(),
        stream::routes(),
        tokens::routes(),
        users::routes(),
    ]
    .concat();
    for route in &mut all {
        hold_to_parameters(route);
    }
    all
}
