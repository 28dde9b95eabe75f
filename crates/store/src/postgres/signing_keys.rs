//! The keys that all nodes sign with: `auth`'s `SigningKeyStore` port.
//!
//! Few rows, which each node reads every few seconds. A key's number decides which of several callers made it.

use std::time::Duration;

use async_trait::async_trait;
use auth::ports::StoreError;
use auth::signing_key::{KeptKey, KeptKeys, KeptSeed, NewKey, SigningKeyStore};
use secrecy::ExposeSecret;
use tokio_postgres::Row;

use crate::error::Error;
use crate::postgres::Postgres;
use crate::postgres::pool::{Batch, Param, Transaction, params};

/// The database's time, the same within a transaction.
macro_rules! now {
    () => {
        "(extract(epoch FROM now()) * 1000)::bigint"
    };
}

#[async_trait]
impl SigningKeyStore for Postgres {
    async fn signing_keys(&self) -> Result<KeptKeys, StoreError> {
        Ok(read(self).await?)
    }

    async fn add_first_signing_key(&self, key: &NewKey) -> Result<bool, StoreError> {
        let added = self.write_for_good(key.clone(), |transaction, key| {
            Box::pin(async move {
                let sql = concat!(
                    "INSERT INTO signing_keys (number, id, is_sealed, seed, signs_from)
                     SELECT 1, $1::text, $2::boolean, $3::bytea, ",
                    now!(),
                    " WHERE NOT EXISTS (SELECT 1 FROM signing_keys) ON CONFLICT DO NOTHING"
                );
                let added = transaction.query(sql, values(key)).await?;
                Ok(added.count > 0)
            })
        });
        Ok(added.await?)
    }

    async fn add_signing_key(
        &self,
        key: &NewKey,
        newest: i64,
        lead: Duration,
        overlap: Duration,
    ) -> Result<bool, StoreError> {
        let data = (
            key.clone(),
            newest,
            milliseconds(lead),
            milliseconds(overlap),
        );
        let added = self.write_for_good(data, |transaction, (key, newest, lead, overlap)| {
            Box::pin(add(transaction, key, *newest, *lead, *overlap))
        });
        Ok(added.await?)
    }

    async fn replace_signing_keys(&self, key: &NewKey) -> Result<(), StoreError> {
        let replaced = self.write_for_good(key.clone(), |transaction, key| {
            Box::pin(async move {
                // The number stays above all that were there: whoever rotates meanwhile finds that they were late.
                let gone = "DELETE FROM signing_keys RETURNING number";
                let gone = transaction.query(gone, params![]).await?;
                let mut newest = 0;
                for row in &gone.rows {
                    newest = row.try_get::<_, i64>(0)?.max(newest);
                }
                let sql = concat!(
                    "INSERT INTO signing_keys (number, id, is_sealed, seed, signs_from)
                     VALUES ($4::bigint + 1, $1, $2, $3, ",
                    now!(),
                    ")"
                );
                let mut values = values(key);
                values.extend(params![newest]);
                transaction.query(sql, values).await?;
                Ok(())
            })
        });
        Ok(replaced.await?)
    }

    async fn seal_signing_key(&self, id: &str, sealed: &[u8]) -> Result<(), StoreError> {
        let data = (id.to_owned(), sealed.to_vec());
        let written = self.write_for_good(data, |transaction, (id, sealed)| {
            Box::pin(async move {
                let sql = "UPDATE signing_keys SET is_sealed = true, seed = $2
                           WHERE id = $1 AND NOT is_sealed";
                transaction
                    .query(sql, params![id.as_str(), sealed.as_slice()])
                    .await?;
                Ok(())
            })
        });
        Ok(written.await?)
    }

    async fn remove_ended_signing_keys(&self) -> Result<(), StoreError> {
        let removed = self.write_for_good((), |transaction, ()| {
            Box::pin(async move {
                let sql = concat!("DELETE FROM signing_keys WHERE believed_until <= ", now!());
                transaction.finish(Batch::of(sql, params![])).await?;
                Ok(())
            })
        });
        Ok(removed.await?)
    }
}

async fn read(postgres: &Postgres) -> Result<KeptKeys, Error> {
    let mut batch = Batch::of(concat!("SELECT ", now!()), params![]);
    let keys = batch.add(
        "SELECT number, id, is_sealed, seed, signs_from, believed_until
         FROM signing_keys ORDER BY number",
        params![],
    );
    let outcomes = postgres.read_all(batch).await?;
    let now = outcomes.first().and_then(|outcome| outcome.rows.first());
    let rows = outcomes.get(keys).map_or(&[][..], |outcome| &outcome.rows);
    Ok(KeptKeys {
        now_ms: now.ok_or(Error::NotFound)?.try_get(0)?,
        keys: rows.iter().map(read_key).collect::<Result<_, _>>()?,
    })
}

fn read_key(row: &Row) -> Result<KeptKey, Error> {
    let is_sealed: bool = row.try_get(2)?;
    let seed: Vec<u8> = row.try_get(3)?;
    Ok(KeptKey {
        number: row.try_get(0)?,
        id: row.try_get(1)?,
        seed: if is_sealed {
            KeptSeed::Sealed(seed)
        } else {
            KeptSeed::Clear(seed.into())
        },
        signs_from_ms: row.try_get(4)?,
        believed_until_ms: row.try_get(5)?,
    })
}

/// Whether it was added: nobody else has added one after `newest`.
async fn add(
    transaction: &mut Transaction,
    key: &NewKey,
    newest: i64,
    lead: i64,
    overlap: i64,
) -> Result<bool, Error> {
    let sql = concat!(
        "INSERT INTO signing_keys (number, id, is_sealed, seed, signs_from)
         SELECT $4::bigint + 1, $1::text, $2::boolean, $3::bytea, ",
        now!(),
        " + $5::bigint WHERE $4::bigint = (SELECT max(number) FROM signing_keys) ON CONFLICT DO NOTHING"
    );
    let mut values = values(key);
    values.extend(params![newest, lead]);
    if transaction.query(sql, values).await?.count == 0 {
        transaction.undo().await?;
        return Ok(false);
    }
    let sql = concat!(
        "UPDATE signing_keys SET believed_until = least(believed_until, ",
        now!(),
        " + $2::bigint) WHERE number <= $1"
    );
    let ends = Batch::of(sql, params![newest, lead.saturating_add(overlap)]);
    transaction.finish(ends).await?;
    Ok(true)
}

/// The parameters that every statement which adds a key begins with.
fn values(key: &NewKey) -> Vec<Param<'_>> {
    let (is_sealed, seed) = match &key.seed {
        KeptSeed::Clear(seed) => (false, seed.expose_secret()),
        KeptSeed::Sealed(sealed) => (true, sealed.as_slice()),
    };
    params![key.id.as_str(), is_sealed, seed]
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
