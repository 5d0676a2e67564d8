//! A look at the log, as the query string writes it: the same for the page, the API and the downloads.

use jiff::{Timestamp, tz::TimeZone};
use utoipa::{
    IntoParams, PartialSchema,
    openapi::{
        RefOr, Required, Schema,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
    },
};

use super::{
    door::{Networks, Params},
    failure::Failure,
};
use crate::{
    domain::{App, export::Past},
    model::{
        activity::Outcome,
        filter::{Asked, Filter, Order},
        period::{BadTime, Period, Range},
        query::Query,
        session::Scope,
        user::Actor,
    },
};

/// The parameters that narrow a look, in the order in which they are described.
const NARROWING: [&str; 12] =
    ["q", "user", "app", "action", "outcome", "session", "ip", "period", "from", "to", "tz", "order"];

/// What is looked for, and in which order.
#[derive(Clone, Debug)]
pub(super) struct Looking {
    /// What is looked for.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// In which time zone bare dates were meant.
    pub zone: TimeZone,
    /// What is looked for, in words.
    pub asked: Asked,
    /// Whether somebody is still typing it.
    pub typing: bool,
}

impl Looking {
    /// Reads the parameters as they mean at `now`. Without a period or an end everything is meant.
    pub(super) fn read(params: &Params, now: Timestamp) -> Result<Self, Failure> {
        let zone = match params.get("tz") {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name)
                .map_err(|_| Failure::field("tz", "tz is the name of a time zone, like Europe/Warsaw"))?,
        };
        let text = params.get("q").unwrap_or_default();
        let typing = params.yes("typing")?;
        let query = if typing { Query::parse_typing(text)? } else { Query::parse(text)? };
        let order = match params.get("order") {
            None | Some("desc") => Order::Desc,
            Some("asc") => Order::Asc,
            Some(_) => return Err(Failure::field("order", "order is desc or asc")),
        };
        let ip = match params.get("ip") {
            None => None,
            Some(text) => Some(
                Networks::parse(text)
                    .ok_or_else(|| Failure::field("ip", "ip is an address or a network like 10.0.0.0/8"))?,
            ),
        };
        let filter = Filter {
            query,
            user: params.get("user").map(str::to_owned),
            app: params.get("app").map(str::to_owned),
            action: params.get("action").map(str::to_owned),
            outcome: params.parsed("outcome")?,
            session: params.get("session").map(str::to_owned),
            ip,
            range: range(params, now, &zone)?,
        };
        let given = NARROWING.iter().filter_map(|name| {
            let value = params.get(name)?;
            // Who reads of it was not there when it was typed.
            let finished = typing && *name == "q";
            Some((*name, if finished { Query::finished(value) } else { value.to_owned() }))
        });
        Ok(Self { filter, order, zone, asked: Asked(given.collect()), typing })
    }

    /// Reads what an export of the past looked for.
    pub(super) fn of_export(past: &Past) -> Result<Self, Failure> {
        // Of which time it was is known: what a period was counted back from is over.
        let elsewhere = ["period", "from", "to"];
        let kept = |name: &str| (NARROWING.contains(&name) && !elsewhere.contains(&name)) || name == "typing";
        let said = past.told.attributes.iter().filter(|(name, _)| kept(name));
        let said: Vec<(&str, &str)> = said.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut looking = Self::read(&Params::of(&said), past.told.time)?;
        looking.filter.range = past.range;
        Ok(looking)
    }

    /// Takes note of the look, where it is at what others did.
    pub(super) fn note(&self, app: &App, by: &Actor, scope: &Scope) {
        app.note_look(by, scope, &self.filter, &self.asked, self.typing);
    }
}

/// The range that `period`, `from` and `to` make together.
fn range(params: &Params, now: Timestamp, zone: &TimeZone) -> Result<Range, Failure> {
    let period = match params.get("period") {
        // The page's drop-down says so where the two dates beside it count.
        None | Some("custom") => Range::ALL,
        Some(name) => {
            let period: Period =
                name.parse().map_err(|error: BadTime| Failure::field("period", error.to_string()))?;
            period.range(now, zone)
        }
    };
    let ends = Range::between(params.get("from"), params.get("to"), zone).map_err(|error| {
        let field = match error {
            BadTime::To => "to",
            BadTime::Period | BadTime::From | BadTime::Backwards => "from",
        };
        Failure::field(field, error.to_string())
    })?;
    let both = period.and(ends);
    // An empty answer would look as if nobody had done anything.
    if both.from >= both.to {
        let why = format!("to must lie behind the beginning of the period, {}", both.from);
        return Err(Failure::field("to", why));
    }
    Ok(both)
}

impl IntoParams for Looking {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = || ObjectBuilder::new().schema_type(Type::String).into();
        let word = |schema: fn() -> RefOr<Schema>| schema();
        let given: [(&str, &str, RefOr<Schema>); 13] = [
            ("q", "What to look for, in the grammar of the search box.", text()),
            ("user", "Only what this user did.", text()),
            ("app", "Only what was done in this program.", text()),
            ("action", "Only this action.", text()),
            ("outcome", "Only what came out so.", word(Outcome::schema)),
            ("session", "Only what was done in this session.", text()),
            ("ip", "Only from this address or network, like `10.0.0.0/8`.", text()),
            (
                "period",
                "Only what happened in this time; everything if not given. Beside `from` or `to`: what lies in both.",
                word(Period::schema),
            ),
            ("from", "From this moment on: RFC 3339, or a date, which means its beginning.", text()),
            ("to", "Before this moment: RFC 3339, or a date, which means to its end.", text()),
            ("tz", "The zone of bare dates and of periods, by its IANA name; UTC if not given.", text()),
            ("order", "Newest first, unless `asc` is given.", word(Order::schema)),
            (
                "typing",
                "Set while `q` is being typed: its last word stands for all that begin so.",
                ObjectBuilder::new().schema_type(Type::Boolean).into(),
            ),
        ];
        let parameter = |(name, about, schema)| {
            let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query);
            parameter
                .required(Required::False)
                .description(Some(about))
                .schema(Some::<RefOr<Schema>>(schema))
                .build()
        };
        given.into_iter().map(parameter).collect()
    }
}

/// Searches where it does not hold up other requests, when it is the turn of `by`.
pub(super) async fn look<T, E>(
    app: &App,
    by: Actor,
    work: impl FnOnce(App) -> Result<T, E> + Send + 'static,
) -> Result<T, Failure>
where
    T: Send + 'static,
    E: Send + 'static,
    Failure: From<E>,
{
    let turn = app.turn_to_search(&by).await?;
    apart(app, move |app| {
        let _turn = turn;
        work(app)
    })
    .await
}

/// Does something slow where it does not hold up other requests.
pub(super) async fn apart<T, E>(
    app: &App,
    work: impl FnOnce(App) -> Result<T, E> + Send + 'static,
) -> Result<T, Failure>
where
    T: Send + 'static,
    E: Send + 'static,
    Failure: From<E>,
{
    let app = app.clone();
    match tokio::task::spawn_blocking(move || work(app)).await {
        Ok(result) => result.map_err(Failure::from),
        Err(error) => Err(Failure::internal(&error)),
    }
}
