//! What there is to compare with: Rocket, and a route that does nothing but answer.

use rocket::{
    Config, Request, Response,
    config::{Ident, LogLevel, Shutdown},
    figment::Figment,
    http::{Header, Method, Status},
    response::{self, Responder},
    route::{self, Handler, Route},
    shield::Shield,
};

use super::{free_port, launch};

/// Rocket, and a route that answers 204 with these headers; its port.
pub(crate) async fn serve(headers: Vec<(String, String)>) -> anyhow::Result<u16> {
    #[derive(Clone)]
    struct Bare(Vec<(String, String)>);

    impl<'r> Responder<'r, 'static> for Bare {
        fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
            let mut response = Response::build().status(Status::NoContent).finalize();
            for (name, value) in self.0 {
                response.set_header(Header::new(name, value));
            }
            Ok(response)
        }
    }

    #[rocket::async_trait]
    impl Handler for Bare {
        async fn handle<'r>(&self, request: &'r Request<'_>, _: rocket::Data<'r>) -> route::Outcome<'r> {
            route::Outcome::from(request, self.clone())
        }
    }

    let port = free_port()?;
    let config = Config {
        port,
        ident: Ident::none(),
        log_level: LogLevel::Off,
        shutdown: Shutdown { ctrlc: false, signals: [].into(), ..Shutdown::default() },
        ..Config::default()
    };
    let routes = [Route::new(Method::Get, "/auth/forward", Bare(headers))];
    launch(rocket::custom(Figment::from(config)).attach(Shield::new()).mount("/", routes), port).await?;
    Ok(port)
}
