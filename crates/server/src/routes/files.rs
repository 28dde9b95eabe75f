//! Files: `POST /v1/chatkit/files` takes one in, and its address with a permission gives it out, or
//! takes the bytes of one that `attachments.create` announced.
//!
//! What comes back can be anything that somebody uploaded. Only pictures that were seen to be pictures
//! are shown; everything else is handed over as a download, and neither may run anything.

use auth::{audit::AuditEvent, file_link::Purpose};
use axum::{
    Json,
    body::Body,
    extract::{FromRequestParts, Query, State},
    response::{IntoResponse, Response},
};
use engine::{
    Error, NewFile, Owner,
    media::SHOWN_IMAGES,
    ports::{AttachmentRecord, FilesError, Interrupted, StoreError},
};
use futures::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use multer::{Field, Multipart};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::{Attachment, AttachmentId};
use serde_json::Value;

use crate::{
    app::{App, AppState},
    audit::Source,
    body,
    caller::Caller,
    error::ApiError,
    file_name,
    files::{Allowance, FORM_BYTES, IncomingBytes, Permission},
    path::Path,
};

/// What may stand in a file name of `Content-Disposition` as it is (RFC 8187 §3.2.1, `attr-char`).
const NOT_IN_NAMES: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `POST /v1/chatkit/files`: a form with the field `file`.
pub(crate) async fn upload(
    State(app): State<AppState>,
    caller: Caller,
    source: Source,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    caller.check_custom_door(&app)?;
    let context = caller.context(&app, &headers)?;
    let rules = &context.uploads;
    // Before anything is read.
    if !rules.is_enabled {
        return Err(Error::UploadsDisabled.into());
    }
    body::check_encoding(&headers)?;
    let limit = rules.max_file_bytes;
    let length = content_length(&headers);
    if length.is_some_and(|length| length > limit.saturating_add(FORM_BYTES)) {
        return Err(Error::Upload(Interrupted::TooLarge { limit }).into());
    }
    let boundary = boundary(&headers).ok_or_else(not_a_form)?;
    // On a task of its own, so that a client that leaves does not leave half a file behind: the
    // bytes then end early, and what came of them is removed.
    let work = app.clone().engine.tasks.spawn(async move {
        let (bytes, allowance) =
            IncomingBytes::new(body, FORM_BYTES, app.settings.uploads.duration);
        let mut form = Multipart::new(bytes, boundary);
        let field = file_of(&mut form, &allowance, limit).await?;
        let file = NewFile {
            name: file_name::of(field.headers()),
            media_type: field
                .content_type()
                .map(ToString::to_string)
                .unwrap_or_default(),
            // The form around the file only makes it less.
            size: length.map(|length| length.min(limit)),
        };
        let mut bytes = bytes_of(field);
        let attachment = app.engine.upload(&context, file, &mut bytes).await?;
        let file_id = attachment.id().as_str().to_owned();
        app.audit
            .done(&source, &caller, AuditEvent::FileUploaded { file_id });
        Ok(attachment)
    });
    work.await.map_err(ApiError::internal)?.map(answer)
}

/// `PUT` or `POST /v1/chatkit/files/{id}/content`: the bytes of an announced file, as they are or as
/// the field `file` of a form.
pub(crate) async fn receive(
    State(app): State<AppState>,
    link: FileLink,
    source: Source,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let (owner, record) = link.open(&app, Purpose::Write).await?;
    body::check_encoding(&headers)?;
    let limit = record.size;
    let boundary = boundary(&headers);
    let around = if boundary.is_some() { FORM_BYTES } else { 0 };
    if content_length(&headers).is_some_and(|length| length > limit.saturating_add(around)) {
        return Err(Error::Upload(Interrupted::TooLarge { limit }).into());
    }
    let work = app.clone().engine.tasks.spawn(async move {
        let duration = app.settings.uploads.duration;
        let engine = &app.engine;
        let attachment = if let Some(boundary) = boundary {
            let (bytes, allowance) = IncomingBytes::new(body, FORM_BYTES, duration);
            let mut form = Multipart::new(bytes, boundary);
            let mut bytes = bytes_of(file_of(&mut form, &allowance, limit).await?);
            engine.receive(&owner, record, &mut bytes).await?
        } else {
            let (mut bytes, _) = IncomingBytes::new(body, u64::MAX, duration);
            engine.receive(&owner, record, &mut bytes).await?
        };
        app.audit.uploaded_by_link(&source, &owner, &link.id);
        Ok(attachment)
    });
    work.await.map_err(ApiError::internal)?.map(answer)
}

/// `GET /v1/chatkit/files/{id}/content`
pub(crate) async fn content(
    State(app): State<AppState>,
    link: FileLink,
) -> Result<Response, ApiError> {
    let (_owner, record) = link.open(&app, Purpose::Read).await?;
    let left = link.permission.seconds_left(app.now().wall);
    if record.sha256.is_none() {
        return Err(dead_link());
    }
    let bytes = match app.engine.attachments.files.get(record.file).await {
        Ok(bytes) => bytes,
        Err(FilesError::NotFound) => return Err(dead_link()),
        Err(error) => return Err(Error::from(error).into()),
    };
    let is_shown = SHOWN_IMAGES.contains(&&*record.media_type);
    let media_type = if is_shown {
        HeaderValue::try_from(record.media_type).map_err(ApiError::internal)?
    } else {
        HeaderValue::from_static("application/octet-stream")
    };
    let disposition = disposition(is_shown, &record.name).map_err(ApiError::internal)?;
    let caching = format!("private, max-age={left}, immutable");
    let mut response = Response::new(Body::from_stream(bytes));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_LENGTH, HeaderValue::from(record.size)),
        (header::CONTENT_DISPOSITION, disposition),
        (
            header::CACHE_CONTROL,
            HeaderValue::try_from(caching).map_err(ApiError::internal)?,
        ),
        // What is opened by itself after all can do nothing, and belongs to no origin.
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox"),
        ),
        // The page that shows it is of another origin.
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        ),
    ] {
        headers.insert(name, value);
    }
    Ok(response)
}

/// An address of a file, as it came. A wrong signature, one that has ended, a file that is gone, one
/// that never was and an address that makes no sense give the same answer.
pub(crate) struct FileLink {
    id: AttachmentId,
    permission: Permission,
}

impl<S: Sync + Send> FromRequestParts<S> for FileLink {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let id = Path::<String>::from_request_parts(parts, state).await;
        let id = id.ok().and_then(|Path(id)| id.parse().ok());
        let permission = Query::<Permission>::try_from_uri(&parts.uri).ok();
        match (id, permission) {
            (Some(id), Some(Query(permission))) => Ok(Self { id, permission }),
            _ => Err(dead_link()),
        }
    }
}

impl FileLink {
    /// The file, if the address permits this.
    async fn open(
        &self,
        app: &App,
        purpose: Purpose,
    ) -> Result<(Owner, AttachmentRecord), ApiError> {
        let now = app.now().wall;
        // Before anything is looked up.
        if self.permission.seconds_left(now) == 0 {
            return Err(dead_link());
        }
        let records = &app.engine.attachments.records;
        let (owner, record) = match records.linked_attachment(&self.id).await {
            Ok(found) => found,
            Err(StoreError::NotFound) => return Err(dead_link()),
            Err(error) => return Err(Error::from(error).into()),
        };
        let addresses = &app.file_addresses;
        if !addresses.is_good(purpose, (&owner, &self.id), &self.permission, now) {
            return Err(dead_link());
        }
        Ok((owner, record))
    }
}

/// The field `file`; what comes before it has to be short.
async fn file_of(
    form: &mut Multipart<'static>,
    allowance: &Allowance,
    limit: u64,
) -> Result<Field<'static>, ApiError> {
    while let Some(field) = form
        .next_field()
        .await
        .map_err(|error| unreadable(&error))?
    {
        if field.name() == Some("file") {
            allowance.raise_to(limit.saturating_add(2 * FORM_BYTES));
            return Ok(field);
        }
    }
    Err(
        ApiError::bad_request("the form has no field `file`; send the file under that name")
            .with_code("missing_required_parameter")
            .with_param("file"),
    )
}

fn bytes_of(
    field: Field<'static>,
) -> impl futures::Stream<Item = Result<bytes::Bytes, Interrupted>> + Send + Unpin {
    field.map(|chunk| chunk.map_err(|error| reason(&error).unwrap_or(Interrupted::BrokeOff)))
}

/// Why our own stream ended a form, if it did.
fn reason(error: &multer::Error) -> Option<Interrupted> {
    match error {
        multer::Error::StreamReadFailed(cause) => cause.downcast_ref().copied(),
        _ => None,
    }
}

fn unreadable(error: &multer::Error) -> ApiError {
    match reason(error) {
        // The allowance of the form, not of the file.
        Some(Interrupted::TooLarge { .. }) | None => not_a_form(),
        Some(reason) => Error::Upload(reason).into(),
    }
}

fn not_a_form() -> ApiError {
    ApiError::bad_request("send the file as `multipart/form-data`, in the field `file`")
        .with_code("invalid_form")
}

fn dead_link() -> ApiError {
    ApiError::not_found(
        "this link is not good (any more); reload the conversation to get a new one",
    )
    .with_code("invalid_file_link")
}

/// An attachment as the hosted API's `files` answers it: fields without a value are there.
fn answer(attachment: Attachment) -> Response {
    let mut answer = serde_json::to_value(attachment).unwrap_or_default();
    if let Value::Object(fields) = &mut answer {
        fields.entry("preview_url").or_insert(Value::Null);
        fields.insert("upload_url".to_owned(), Value::Null);
    }
    Json(answer).into_response()
}

/// RFC 6266, with the name in RFC 8187's form, which every browser reads.
fn disposition(is_shown: bool, name: &str) -> Result<HeaderValue, header::InvalidHeaderValue> {
    let kind = if is_shown { "inline" } else { "attachment" };
    let name = utf8_percent_encode(name, NOT_IN_NAMES);
    HeaderValue::try_from(format!("{kind}; filename*=UTF-8''{name}"))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok())
}

fn boundary(headers: &HeaderMap) -> Option<String> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    multer::parse_boundary(content_type).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_leave_its_header_field() {
        for (name, expected) in [
            ("photo.png", "attachment; filename*=UTF-8''photo.png"),
            (
                "März 1.csv",
                "attachment; filename*=UTF-8''M%C3%A4rz%201.csv",
            ),
            (
                "a\"; filename=b.html\r\nX: y",
                "attachment; filename*=UTF-8''a%22%3B%20filename%3Db.html%0D%0AX%3A%20y",
            ),
        ] {
            assert_eq!(disposition(false, name).unwrap(), expected, "{name}");
        }
    }
}
