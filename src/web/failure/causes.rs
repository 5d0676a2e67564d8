//! What the errors of the floors below are to whoever asked.

use rocket::http::Status;

use super::Failure;
use crate::{
    domain::{
        Gone, StoreError,
        accounts::AccountError,
        activity::LookError,
        apps::AppError,
        evidence::SealError,
        export::ExportError,
        hooks::HookError,
        ingest::IngestError,
        passkeys::PasskeyError,
        places::PlacesError,
        retention::RetentionError,
        sessions::SessionError,
        sign_in::{self, SignInError},
        streams::StreamError,
        tokens::TokenError,
    },
    model::query::QueryError,
};

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => {
                let full = Self::new(Status::InsufficientStorage, "disk_full", error.to_string());
                Self { retry_after: Some(5), ..full }
            }
            StoreError::Failing | StoreError::Reopen(_) => {
                let message = "nothing can be written here just now; try again in a moment";
                Self { retry_after: Some(5), ..Self::new(Status::ServiceUnavailable, "not_written", message) }
            }
            StoreError::Unknown => {
                let message = "whether this was written down is not known yet; look in a moment, and do it again if it was not";
                Self {
                    retry_after: Some(5),
                    ..Self::new(Status::ServiceUnavailable, "outcome_unknown", message)
                }
            }
            error => Self::internal(&error),
        }
    }
}

impl From<Gone> for Failure {
    fn from(_: Gone) -> Self {
        Self::not_signed_in()
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Disabled(_) => Self::conflict(error.to_string()),
            SessionError::Reason => Self::field("reason", error.to_string()),
            SessionError::Gone(gone) => gone.into(),
            SessionError::Store(error) => error.into(),
        }
    }
}

impl From<SignInError> for Failure {
    fn from(error: SignInError) -> Self {
        let message = error.to_string();
        match error {
            SignInError::Refused | SignInError::Passkey => {
                Self::new(Status::Unauthorized, "refused", message)
            }
            SignInError::Code => {
                Self { field: Some("code".into()), ..Self::new(Status::Unauthorized, "wrong_code", message) }
            }
            SignInError::Over => Self::new(Status::Unauthorized, "sign_in_over", message),
            SignInError::Busy => {
                let busy = Self::new(Status::TooManyRequests, "busy", message);
                Self { retry_after: Some(sign_in::BUSY.as_secs()), ..busy }
            }
            SignInError::TooMany(seconds) => {
                let many = Self::new(Status::TooManyRequests, "too_many_tries", message);
                Self { retry_after: Some(seconds), ..many }
            }
            SignInError::Store(error) => error.into(),
        }
    }
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        let message = error.to_string();
        match error {
            AccountError::Unknown(_) | AccountError::NoFactor(_) => Self::not_found(message),
            AccountError::Taken(_)
            | AccountError::LooksLike(..)
            | AccountError::LastAdmin(_)
            | AccountError::SetUp
            | AccountError::HasFactor
            | AccountError::FactorDemanded => Self::conflict(message),
            AccountError::Name(_) | AccountError::Reserved(_) => Self::field("user", message),
            AccountError::Password(_) => Self::field("password", message),
            AccountError::WrongPassword => Self::field("current", message),
            AccountError::WrongCode => Self::field("code", message),
            AccountError::StaleFactor => Self::field("pending", message),
            AccountError::Email => Self::field("email", message),
            AccountError::Text(field, ..) => Self::field(field, message),
            AccountError::Busy => SignInError::Busy.into(),
            AccountError::TooMany(seconds) => SignInError::TooMany(seconds).into(),
            AccountError::Gone(gone) => gone.into(),
            AccountError::Store(error) => error.into(),
        }
    }
}

impl From<PasskeyError> for Failure {
    fn from(error: PasskeyError) -> Self {
        let message = error.to_string();
        match error {
            PasskeyError::Refused => Self::field("credential", message),
            PasskeyError::Name => Self::field("name", message),
            PasskeyError::Unknown => Self::not_found(message),
            PasskeyError::Many => Self::conflict(message),
            PasskeyError::Account(error) => error.into(),
            PasskeyError::Gone(gone) => gone.into(),
            PasskeyError::Store(error) => error.into(),
        }
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        let message = error.to_string();
        match error {
            TokenError::Name | TokenError::Reserved(_) => Self::field("name", message),
            TokenError::NoScope => Self::field("scopes", message),
            TokenError::App => Self::field("app", message),
            TokenError::Expired => Self::field("expires", message),
            TokenError::Taken(_) => Self::conflict(message),
            TokenError::Unknown(_) => Self::not_found(message),
            TokenError::Gone(gone) => gone.into(),
            TokenError::Store(error) => error.into(),
        }
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        let message = error.to_string();
        match error {
            AppError::Name | AppError::Reserved(_) => Self::field("name", message),
            AppError::Groups => Self::field("groups", message),
            AppError::Url(_) => Self::field("url", message),
            AppError::Known(_) => Self { field: Some("name".into()), ..Self::conflict(message) },
            AppError::Taken(..) => Self { field: Some("url".into()), ..Self::conflict(message) },
            AppError::Unknown(_) => Self::not_found(message),
            AppError::Gone(gone) => gone.into(),
            AppError::Store(error) => error.into(),
        }
    }
}

impl From<HookError> for Failure {
    fn from(error: HookError) -> Self {
        let message = error.to_string();
        match error {
            HookError::Url => Self::field("url", message),
            HookError::NoApp(_) | HookError::Unknown(_) => Self::not_found(message),
            HookError::Gone(gone) => gone.into(),
            HookError::Store(error) => error.into(),
        }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self { column: Some(error.column), ..Self::field("q", format!("column {}: {error}", error.column)) }
    }
}

impl From<LookError> for Failure {
    fn from(error: LookError) -> Self {
        let message = error.to_string();
        match error {
            LookError::Busy => {
                Self { retry_after: Some(5), ..Self::new(Status::ServiceUnavailable, "busy", message) }
            }
            LookError::Cursor(_) => Self::field("cursor", message),
            LookError::TooSlow => Self::new(Status::ServiceUnavailable, "too_slow", message),
            LookError::Behind(_) | LookError::Stands(..) => {
                let behind = Self::new(Status::ServiceUnavailable, "index_behind", message);
                Self { retry_after: Some(30), ..behind }
            }
            LookError::Index(_) => Self {
                retry_after: Some(5),
                ..Self::new(Status::ServiceUnavailable, "index_damaged", message)
            },
            LookError::Store(error) => error.into(),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Busy => {
                let busy = Self::new(Status::TooManyRequests, "busy", error.to_string());
                Self { retry_after: Some(10), ..busy }
            }
            ExportError::Removed { .. } => Self::gone(error.to_string()),
            ExportError::Gone(gone) => gone.into(),
            ExportError::Look(error) => error.into(),
            ExportError::Store(error) => error.into(),
        }
    }
}

impl From<SealError> for Failure {
    fn from(error: SealError) -> Self {
        let message = error.to_string();
        match error {
            SealError::Unknown | SealError::NoExport => Self::not_found(message),
            SealError::Others => Self::forbidden(message),
            SealError::NoCheckpoint(_) | SealError::Later { .. } => Self::field("checkpoint", message),
            SealError::Otherwise => Self::conflict(message),
            SealError::Gone(gone) => gone.into(),
            SealError::Store(error) => error.into(),
        }
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        let (status, code) = match error {
            StreamError::Own => (Status::TooManyRequests, "busy"),
            StreamError::All => (Status::ServiceUnavailable, "too_many_streams"),
        };
        Self { retry_after: Some(10), ..Self::new(status, code, error.to_string()) }
    }
}

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Gone(gone) => gone.into(),
            IngestError::Revoked => Self::no_token(),
            IngestError::Busy => {
                let busy = Self::new(Status::TooManyRequests, "busy", error.to_string());
                Self { retry_after: Some(1), ..busy }
            }
            IngestError::Store(error @ StoreError::Full) => error.into(),
            // Programs that send logs give up at 500, and come back at 503.
            IngestError::Store(error) => {
                log::error!("{error}");
                let message = "the log cannot be written now; send this again later";
                Self { retry_after: Some(5), ..Self::new(Status::ServiceUnavailable, "not_written", message) }
            }
        }
    }
}

impl From<RetentionError> for Failure {
    fn from(error: RetentionError) -> Self {
        match error {
            RetentionError::Much { .. } => Self::conflict(error.to_string()),
            RetentionError::Gone(gone) => gone.into(),
            RetentionError::Look(error) => error.into(),
            RetentionError::Store(error) => error.into(),
        }
    }
}

impl From<PlacesError> for Failure {
    fn from(error: PlacesError) -> Self {
        match error {
            PlacesError::Geo(error) => Self::field("file", error.to_string()),
            PlacesError::Gone(gone) => gone.into(),
            PlacesError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_to_programs_by_a_status_that_they_know() {
        let failure = Failure::from(IngestError::Store(StoreError::Full));
        assert_eq!((failure.status(), failure.retry_after), (Status::InsufficientStorage, Some(5)));
        assert_eq!(failure.for_shippers().status(), Status::ServiceUnavailable);
    }

    #[test]
    fn what_cannot_be_written_now_is_to_be_sent_again() {
        let failure = Failure::from(IngestError::Store(StoreError::Closed));
        assert_eq!((failure.status(), failure.retry_after), (Status::ServiceUnavailable, Some(5)));
        let failure = Failure::from(IngestError::Busy);
        assert_eq!((failure.status(), failure.retry_after), (Status::TooManyRequests, Some(1)));
    }
}
