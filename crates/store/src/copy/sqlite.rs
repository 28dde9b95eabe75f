//! A SQLite file as a side of a copy. Nothing else goes on in the process, so its calls may block.

use std::path::Path;

use async_trait::async_trait;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, ToSql, params, params_from_iter};

use crate::copy::{BATCH, Kind, Row, Side, Table, Value, Which};
use crate::error::Error;
use crate::sqlite::{finish_removals, refuse_in_use};
use crate::{MigrationPolicy, Options, connect};

pub(super) struct Sqlite {
    connection: Connection,
}

/// None while anybody has it open.
pub(super) async fn open(
    path: &Path,
    url: &str,
    which: Which,
) -> Result<Option<Box<dyn Side>>, Error> {
    match refuse_in_use(path) {
        Ok(()) => {}
        Err(Error::Busy(_)) => return Ok(None),
        Err(error) => return Err(error),
    }
    if which == Which::Source && !path.exists() {
        return Err(Error::Address("there is no such file"));
    }
    // Makes the tables, or refuses those of another version; and closes again.
    let migrations = match which {
        Which::Source => MigrationPolicy::Require,
        Which::Target => MigrationPolicy::Apply,
    };
    let options = Options {
        migrations,
        ..Options::default()
    };
    drop(connect(url, options).await?);
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "recursive_triggers", true)?;
    connection.pragma_update(None, "synchronous", "full")?;
    if which == Which::Source {
        // What was deleted is not taken along.
        finish_removals(&connection)?;
        // One moment of it, whatever a command does meanwhile.
        connection.execute_batch("BEGIN; SELECT 1 FROM threads LIMIT 1")?;
    }
    Ok(Some(Box::new(Sqlite { connection })))
}

/// Where a table's rows come from: runs are columns of their thread here.
fn source(table: &Table) -> &'static str {
    match table.name {
        "runs" => {
            "(SELECT key AS thread, run AS id, run_answers AS answers,
                     run_interrupted AS is_interrupted FROM threads WHERE run IS NOT NULL)"
        }
        name => name,
    }
}

#[async_trait]
impl Side for Sqlite {
    async fn read(&mut self, table: &Table, after: Option<&[Value]>) -> Result<Vec<Row>, Error> {
        let columns: Vec<_> = table.columns.iter().map(|(name, _)| *name).collect();
        let keys = columns.get(..table.keys).unwrap_or_default().join(", ");
        let places: Vec<_> = (1..=table.keys).map(|place| format!("?{place}")).collect();
        let bound = match after {
            Some(_) => format!("WHERE ({keys}) > ({})", places.join(", ")),
            None => String::new(),
        };
        let sql = format!(
            "SELECT {} FROM {} {bound} ORDER BY {keys} LIMIT {BATCH}",
            columns.join(", "),
            source(table)
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut found = statement.query(params_from_iter(after.unwrap_or_default()))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let values = (0..columns.len()).map(|column| {
                Ok(match row.get_ref(column)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(number) => Value::Int(number),
                    ValueRef::Text(text) => {
                        Value::Text(str::from_utf8(text).map_err(Error::internal)?.to_owned())
                    }
                    ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
                    ValueRef::Real(_) => return Err(Error::internal(Fraction)),
                })
            });
            rows.push(values.collect::<Result<_, Error>>()?);
        }
        Ok(rows)
    }

    async fn last(&mut self, table: &Table) -> Result<Option<Row>, Error> {
        let keys: Vec<_> = table.columns.iter().take(table.keys).collect();
        let select: Vec<_> = keys.iter().map(|(name, _)| *name).collect();
        let order: Vec<_> = keys
            .iter()
            .map(|(name, _)| format!("{name} DESC"))
            .collect();
        let sql = format!(
            "SELECT {} FROM {} ORDER BY {} LIMIT 1",
            select.join(", "),
            source(table),
            order.join(", ")
        );
        let row = self.connection.query_row(&sql, [], |row| {
            keys.iter()
                .enumerate()
                .map(|(column, (_, kind))| {
                    Ok(match kind {
                        Kind::Int | Kind::Bool => Value::Int(row.get(column)?),
                        Kind::Text | Kind::Name => Value::Text(row.get(column)?),
                        Kind::Bytes => Value::Bytes(row.get(column)?),
                    })
                })
                .collect()
        });
        Ok(row.optional()?)
    }

    async fn write(&mut self, table: &Table, rows: Vec<Row>) -> Result<(), Error> {
        let columns: Vec<_> = table.columns.iter().map(|(name, _)| *name).collect();
        let places: Vec<_> = (1..=columns.len())
            .map(|place| format!("?{place}"))
            .collect();
        let sql = match table.name {
            "runs" => {
                "UPDATE threads SET run = ?2, run_answers = ?3, run_interrupted = ?4 WHERE key = ?1"
                    .to_owned()
            }
            name => format!(
                "INSERT INTO {name} ({}) VALUES ({}) ON CONFLICT DO NOTHING",
                columns.join(", "),
                places.join(", ")
            ),
        };
        let transaction = self.connection.transaction()?;
        {
            let mut statement = transaction.prepare_cached(&sql)?;
            for row in &rows {
                statement.execute(params_from_iter(row))?;
            }
        }
        Ok(transaction.commit()?)
    }

    async fn number(&mut self, table: &Table) -> Result<i64, Error> {
        let sql = format!(
            "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?1), 0),
                        coalesce((SELECT max(key) FROM {}), 0))",
            table.name
        );
        let number = self
            .connection
            .query_row(&sql, [table.name], |row| row.get(0))?;
        Ok(number)
    }

    async fn set_number(&mut self, table: &Table, number: i64) -> Result<(), Error> {
        // Tables that are not here take the number after their last row.
        const COUNTED: [&str; 4] = ["threads", "chat_sessions", "audit_log", "audit_parties"];
        if !COUNTED.contains(&table.name) {
            return Ok(());
        }
        let set = self.connection.execute(
            "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1",
            params![table.name, number],
        )?;
        if set == 0 {
            self.connection.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
                params![table.name, number],
            )?;
        }
        Ok(())
    }

    async fn retention(&mut self) -> Result<i64, Error> {
        let sql = "SELECT before FROM audit_retention";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    async fn set_retention(&mut self, before: i64) -> Result<(), Error> {
        self.connection.execute(
            "UPDATE audit_retention SET before = ?1 WHERE before < ?1",
            [before],
        )?;
        Ok(())
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Null => rusqlite::types::Null.to_sql(),
            Self::Int(number) => number.to_sql(),
            Self::Text(text) => text.to_sql(),
            Self::Bytes(bytes) => bytes.to_sql(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a column holds a fraction, which none of ours does")]
struct Fraction;
