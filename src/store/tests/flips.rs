//! A bit of a row is another one, where redb's own sums do not tell: in a file that is too large to be held against them when it is
//! opened, or in one into which a damaged page was written anew. So rows are damaged through redb itself here, which sums up
//! whatever it is given.

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
};

use redb::{Key, ReadTransaction, ReadableTable, TableDefinition, Value, WriteTransaction};

use super::{now, told};
use crate::{
    model::{
        app::App,
        bond::Bond,
        checkpoint::Checkpoint,
        device::Device,
        hook::Hook,
        horizon::Horizon,
        id::{ActivityId, SessionId},
        note::SigningKey,
        passkey::Passkey,
        place::Place,
        secret::{HookSecret, InstallationSecret, TokenHash},
        session::{EndedBy, Ending, Scope, Session},
        site::Realm,
        token::ApiToken,
        totp::{RecoveryHash, SealedSeed, SecondFactor},
        user::{Role, User, UserName},
    },
    store::{
        Apps as _, Bonds as _, Credential, Evidence as _, Factors as _, Hooks as _, Horizons as _,
        Passes as _, Passkeys as _, Read, Sessions as _, Settings as _, Store, StoreError, Tokens as _,
        Users as _, Write, sift,
        tables::{check_names, every_table},
    },
};

/// The log's own tables, which have sums and a tree of their own, and tests beside them.
const LOG: [&str; 8] = [
    "log",
    "log_blocks",
    "log_volumes",
    "log_tiles",
    "log_removals",
    "keys_recent",
    "key_runs",
    "key_chunks",
];

/// Lists in which a row under another name is missed, and the record that it leads to is there all the same.
const LISTS: [&str; 2] = ["ended_of", "hook_queue"];

/// Plain bytes, of which nothing is read that anything hangs on: who wrote the file when, and which transaction was the last.
const PLAIN: [&str; 4] = ["format", "written-by", "created", "mark"];

fn name(name: &str) -> UserName {
    name.parse().unwrap()
}

fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; 16])
}

/// Something of everything.
fn full() -> Store {
    let store = Store::in_memory(now(), || [7; 16]).unwrap();
    store.write(now(), fill).wait().unwrap();
    store
}

fn fill(write: &mut Write<'_>) -> Result<(), StoreError> {
    let key = SigningKey::of(&[7; 32]).unwrap();
    write.put_signing_seed(&[7; 32])?;
    write.put_installation_secret(&InstallationSecret([9; 32]))?;
    write.put_setting("second factor", "everyone")?;
    write.put_setting("retention", "90d")?;
    for user in ["ann", "bob"] {
        write.put_user(&User {
            name: name(user),
            role: Role::Member,
            full_name: user.to_uppercase(),
            email: format!("{user}@example.org"),
            groups: vec!["it".to_owned()],
            disabled: false,
            created: now(),
            last_sign_in: None,
        })?;
        write.put_credential(&name(user), &Credential(format!("$argon2id$v=19$m=8,t=1,p=1${user}$x")))?;
    }
    let (seed, recovery) = (SealedSeed(vec![5; 20]), vec![RecoveryHash([6; 32])]);
    write.put_second_factor(&name("ann"), &SecondFactor { seed, since: now(), last_step: 1, recovery })?;
    write.put_passkey(&Passkey {
        id: vec![3; 16],
        user: name("ann"),
        name: "phone".into(),
        created: now(),
        last_used: None,
        key: "{}".into(),
    })?;
    write.put_token(
        &ApiToken {
            name: "feed".into(),
            scopes: vec!["session:read".parse().unwrap()],
            app: None,
            own_ids: true,
            created: now(),
            created_by: "ann".into(),
            expires: None,
            last_used: None,
        },
        TokenHash([4; 32]),
    )?;
    write.put_app(&App {
        name: "wiki".into(),
        url: "https://wiki.example.org".into(),
        groups: Vec::new(),
        headers: "remote".parse().unwrap(),
        created: now(),
    })?;
    let hook = Hook {
        app: "wiki".into(),
        url: "https://wiki.example.org/hook".into(),
        created: now(),
        created_by: "ann".into(),
    };
    write.put_hook(&hook, &HookSecret::new([8; 32]))?;
    for number in 1..=3 {
        let session = Session {
            id: id(number),
            user: name("ann"),
            registered_by: None,
            ip: None,
            place: Place::default(),
            device: Device::default(),
            user_agent: String::new(),
            started: now(),
            last_access: now(),
            expires: now(),
            apps: vec!["wiki".into()],
            mfa: false,
            ending: None,
        };
        write.put_session(&session, TokenHash([number; 32]))?;
        write.touch_session(id(number), now())?;
    }
    write.put_bond(id(1), &Bond { v4: Some([1, 2, 3]), v6: None, device: None })?;
    let realm = Realm::Host("wiki.example.org".into());
    write.put_pass(id(1), TokenHash([1; 32]), TokenHash([11; 32]), &realm)?;
    let ending = Ending { at: now(), by: EndedBy::Admin, by_user: None, reason: String::new() };
    write.end_session(id(3), None, ending)?;
    for number in 0..5 {
        let mut activity = told("backup");
        activity.key =
            Some(crate::model::activity::SenderKey { sender: "t".into(), id: format!("{number}") });
        write.append(&activity)?;
    }
    write.set_horizon(&Horizon::default())?;
    let (tree, removals) = write.tree();
    let origin = key.public().name().to_owned();
    let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root(), time: now(), removals };
    write.put_checkpoint(&checkpoint, &checkpoint.sign(&key))
}

/// Everything that is read of it, as text; first what is looked at as a whole when it is opened.
fn all(read: &Read) -> Result<String, StoreError> {
    check_names(&read.transaction)?;
    read.credentials()?;
    let key = SigningKey::of(&[7; 32]).unwrap();
    let mut text = String::new();
    let out = &mut text;
    write!(out, "{:?}{:?}", read.signing_seed()?, read.installation_secret()?.map(|secret| secret.0))
        .unwrap();
    for setting in ["second factor", "retention"] {
        write!(out, "{:?}", read.setting(setting)?).unwrap();
    }
    for user in read.users()? {
        write!(out, "{user:?}{:?}", read.credential(&user.name)?.map(|kept| kept.0)).unwrap();
        write!(out, "{:?}{:?}", read.second_factor(&user.name)?, read.passkeys_of(&user.name)?).unwrap();
    }
    for user in read.with_second_factor()? {
        let factor = read.second_factor(&user)?.unwrap();
        let recovery: Vec<[u8; 32]> = factor.recovery.iter().map(|hash| hash.0).collect();
        write!(out, "{user}{:?}{recovery:?}", factor.seed.0).unwrap();
    }
    for (hash, session) in read.live_sessions()? {
        write!(out, "{:?}{session:?}", hash.0).unwrap();
    }
    write!(out, "{:?}", read.bonds()?).unwrap();
    for (session, hash, realm) in read.passes()? {
        write!(out, "{session}{:?}{realm}", hash.0).unwrap();
    }
    for user in [None, Some("ann"), Some("bob")] {
        write!(out, "{:?}", read.ended_sessions(&Scope::All, user, None, 9)?).unwrap();
    }
    for (hash, token) in read.tokens()? {
        write!(out, "{:?}{token:?}", hash.0).unwrap();
    }
    for app in read.apps()? {
        write!(out, "{app:?}{:?}", read.due_deliveries(&app.name, jiff::Timestamp::MAX, 9)?).unwrap();
        write!(out, "{:?}", read.deliveries_to(&app.name, 9)?).unwrap();
    }
    for hook in read.hooks()? {
        write!(out, "{hook:?}{:?}", read.hook(&hook.app)?.map(|(_, secret)| *secret.bytes())).unwrap();
    }
    write!(out, "{:?}{:?}", read.horizon()?, read.checkpoints(key.public())?).unwrap();
    write!(out, "{:?}", read.activities_after(ActivityId(0), 99)?).unwrap();
    Ok(text)
}

/// A row as its bytes.
type Row = (Vec<u8>, Vec<u8>);

/// A row of a table, and what it is made.
struct Change<'a> {
    table: &'a str,
    before: &'a Row,
    after: &'a Row,
}

#[expect(clippy::unnecessary_wraps, reason = "that is how every table is gone through")]
fn collect<K: Key + 'static, V: Value + 'static>(
    read: &ReadTransaction,
    rows: &mut Vec<(String, Row)>,
    table: TableDefinition<'static, K, V>,
) -> Result<(), StoreError> {
    use redb::TableHandle as _;
    let before = rows.len();
    for row in read.open_table(table).unwrap().iter().unwrap() {
        let (key, value) = row.unwrap();
        let key = K::as_bytes(&key.value()).as_ref().to_vec();
        let value = V::as_bytes(&value.value()).as_ref().to_vec();
        rows.push((table.name().to_owned(), (key, value)));
    }
    if LOG.contains(&table.name()) {
        rows.truncate(before);
    } else {
        assert!(rows.len() > before, "nothing is in {}", table.name());
    }
    Ok(())
}

/// Whether redb could have such a row: it panics over a text that is none.
#[expect(clippy::unnecessary_wraps, reason = "that is how every table is gone through")]
fn judge<K: Key + 'static, V: Value + 'static>(
    change: &Change<'_>,
    good: &mut bool,
    table: TableDefinition<'static, K, V>,
) -> Result<(), StoreError> {
    use redb::TableHandle as _;
    if table.name() == change.table {
        let (key, value) = change.after;
        let same = || {
            K::as_bytes(&K::from_bytes(key)).as_ref() == key
                && V::as_bytes(&V::from_bytes(value)).as_ref() == value
        };
        *good = catch_unwind(AssertUnwindSafe(same)).unwrap_or(false);
    }
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "that is how every table is gone through")]
fn make<K: Key + 'static, V: Value + 'static>(
    write: &WriteTransaction,
    change: &Change<'_>,
    table: TableDefinition<'static, K, V>,
) -> Result<(), StoreError> {
    use redb::TableHandle as _;
    if table.name() == change.table {
        let mut table = write.open_table(table).unwrap();
        table.remove(K::from_bytes(&change.before.0)).unwrap();
        table.insert(K::from_bytes(&change.after.0), V::from_bytes(&change.after.1)).unwrap();
    }
    Ok(())
}

fn change(store: &Store, change: &Change<'_>) -> Result<(), StoreError> {
    let write = store.disk.write()?;
    every_table!(make, &write, change);
    write.commit().map_err(StoreError::file)
}

fn may_be(change: &Change<'_>) -> bool {
    let mut good = false;
    let mut ask = || -> Result<(), StoreError> {
        every_table!(judge, change, &mut good);
        Ok(())
    };
    ask().unwrap();
    good
}

/// Whether `check` says that something is damaged.
fn is_named(read: &Read) -> bool {
    sift(|| read.check(&mut |_| {})).is_err()
}

#[test]
fn a_flipped_bit_in_the_key_or_the_value_of_any_row_is_refused_and_named() {
    let store = full();
    let mut rows = Vec::new();
    let collect_all = |rows: &mut Vec<(String, Row)>| -> Result<(), StoreError> {
        let read = store.snapshot()?;
        every_table!(collect, &read.transaction, rows);
        Ok(())
    };
    collect_all(&mut rows).unwrap();
    let read = || store.snapshot().unwrap();
    let expected = all(&read()).unwrap();
    read().check(&mut |_| {}).unwrap();
    assert!(!is_named(&read()));
    let mut flips = 0;
    for (table, before) in &rows {
        let plain = table == "meta" && PLAIN.iter().any(|name| name.as_bytes() == before.0);
        let length = before.0.len() + if plain { 0 } else { before.1.len() };
        // Of what is long, some.
        for at in (0..length).filter(|at| *at < before.0.len() + 20 || at.is_multiple_of(5)) {
            let mut after = before.clone();
            let byte = match at.checked_sub(before.0.len()) {
                None => &mut after.0[at],
                Some(at) => &mut after.1[at],
            };
            *byte ^= 1 << (at % 7);
            let flip = Change { table, before, after: &after };
            if !may_be(&flip)
                || rows.iter().any(|(other, row)| other == table && row.0 == after.0 && row.0 != before.0)
            {
                continue;
            }
            flips += 1;
            change(&store, &flip).unwrap();
            let found = sift(|| all(&read()));
            assert!(
                found.is_err() || found.ok().as_ref() == Some(&expected) || LISTS.contains(&table.as_str()),
                "byte {at} of {before:?} in {table} was taken for data"
            );
            assert!(is_named(&read()), "nobody names byte {at} of {before:?} in {table}");
            change(&store, &Change { table, before: &after, after: before }).unwrap();
        }
    }
    assert_eq!(all(&read()).unwrap(), expected);
    assert!(flips > 600, "{flips}");
}

#[test]
fn a_record_under_the_key_of_another_is_damaged_and_so_is_a_setting_that_says_nothing() {
    let store = full();
    let mut rows = Vec::new();
    let mut collect_all = || -> Result<(), StoreError> {
        let read = store.snapshot()?;
        every_table!(collect, &read.transaction, &mut rows);
        Ok(())
    };
    collect_all().unwrap();
    let passwords: Vec<&Row> =
        rows.iter().filter(|(table, _)| table == "passwords").map(|(_, row)| row).collect();
    let [anns, bobs] = passwords[..] else { panic!("{passwords:?}") };
    let after = (anns.0.clone(), bobs.1.clone());
    change(&store, &Change { table: "passwords", before: anns, after: &after }).unwrap();
    let read = store.snapshot().unwrap();
    assert!(matches!(read.credential(&name("ann")), Err(StoreError::Damaged(_))));
    assert!(read.credential(&name("bob")).unwrap().is_some());
    store.write(now(), |write| write.put_setting("second factor", "evesyone")).wait().unwrap();
    let demand = store.read(|read| read.setting_as::<crate::model::demand::Demand>("second factor"));
    assert!(matches!(demand, Err(StoreError::Damaged(_))));
}
