//! The way of a session to an app on another domain. Three addresses, of which the first and the last are at the app's own
//! host: its proxy sends what lies below `/.rollcall/` here.
//!
//! `/.rollcall/start` gives the browser a nonce at that host and sends it to Rollcall's own address; `/auth/handover` makes a
//! code for the session that is signed in there; `/.rollcall/callback` takes code and nonce and gives the browser a pass.

use data_encoding::HEXLOWER;
use rocket::{get, head, http::Status, routes};

use super::{check::to_sign_in, denied::not_open, elsewhere::Elsewhere};
use crate::{
    domain::gate::Decision,
    model::{
        secret::{Token, TokenHash},
        site::Address,
    },
    web::{
        door::{AskedBy, Checkpoint, Params, SetCookie, Visitor},
        failure::Failure,
        pages::Redirect,
    },
};

/// What the app's proxy sends to Rollcall.
pub(in crate::web) const PREFIX: &str = "/.rollcall/";

fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[get("/.rollcall/start")]
fn start(checkpoint: Checkpoint<'_>, params: Params) -> Result<SetCookie<Redirect>, Failure> {
    let site = checkpoint.asked(AskedBy::Forwarded)?.address.site;
    if checkpoint.app.app_at(&site).is_none() {
        return Err(Failure::no_app(&site));
    }
    let nonce = checkpoint.app.handover_nonce();
    let back = Address::on(site, params.text("rd"));
    let (own, proof) = (checkpoint.own_address(), HEXLOWER.encode(&nonce.hash().0));
    let on = format!("{own}/auth/handover?rd={}&nonce={proof}", encode(&back.to_string()));
    Ok(checkpoint.with_nonce(&back.site, nonce, Redirect::to(on)))
}

#[get("/auth/handover")]
async fn hand_over(visitor: Visitor<'_>, params: Params) -> Result<Redirect, Failure> {
    let Ok(address) = params.text("rd").parse::<Address>() else {
        return Err(Failure::field("rd", "this is no address of an app; open the app again"));
    };
    let mut nonce = TokenHash([0; 32]);
    let text = params.text("nonce").as_bytes();
    if text.len() != 64 || HEXLOWER.decode_mut(text, &mut nonce.0) != Ok(32) {
        return Err(Failure::field("nonce", "this address was cut off; open the app again"));
    }
    let live = visitor.session().await;
    match visitor.app.decide(live, &address.site) {
        Decision::Pass { live, .. } => {
            let Address { site, rest } = address;
            let code = visitor.app.begin_handover(&live, site.clone(), nonce).reveal();
            Ok(Redirect::to(format!("{site}{PREFIX}callback?code={code}&rd={}", encode(&rest))))
        }
        Decision::Forbidden(app, user, live) => {
            visitor.app.note_closed(&app, &user, &live, visitor.origin().ip);
            Err(not_open(&app, &user))
        }
        Decision::NoApp => Err(Failure::no_app(&address.site)),
        Decision::SignIn(_) => Ok(Redirect::to(to_sign_in(&visitor.own_address(), &address))),
    }
}

/// Where the browser is let in, or else what it is shown.
type Arrived = Result<SetCookie<Redirect>, Box<Elsewhere>>;

#[get("/.rollcall/callback")]
async fn callback(checkpoint: Checkpoint<'_>, params: Params) -> Result<Arrived, Failure> {
    let site = checkpoint.asked(AskedBy::Forwarded)?.address.site;
    let code = params.text("code").parse::<Token>().ok();
    let nonces: Vec<TokenHash> = checkpoint.nonces(&site).map(|nonce| nonce.hash()).collect();
    let pass = match code {
        Some(code) if !nonces.is_empty() => checkpoint.app.finish_handover(&code, &site, &nonces).await?,
        _ => None,
    };
    let back = Address::on(site, params.text("rd"));
    let on = Redirect::to(back.to_string());
    if let Some(pass) = pass {
        return Ok(Ok(checkpoint.with_pass(&back.site, &pass, on)));
    }
    // Another tab may have let the browser in meanwhile, or this very address, to which somebody has gone back. It is given nothing
    // here and goes on with what it holds, to a page of the same site, where that is asked about like everything else.
    let live = checkpoint.live(&back.site).await;
    if let Decision::Pass { .. } = checkpoint.app.decide(live, &back.site) {
        return Ok(Ok(SetCookie::keep(on)));
    }
    Ok(Err(Box::new(Elsewhere::no_way_in(checkpoint.own_address(), &back))))
}

/// Programs that show what a link leads to look at it first. That is no way in, and uses up no code.
#[head("/.rollcall/callback")]
const fn look(_checkpoint: Checkpoint<'_>) -> Status {
    Status::NoContent
}

pub(super) fn routes() -> Vec<rocket::Route> {
    routes![start, hand_over, callback, look]
}
