//! A PostgreSQL database as a side of a copy.

use std::time::Duration;

use async_trait::async_trait;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use crate::copy::{BATCH, Kind, Row, Side, Table, Value, Which};
use crate::error::Error;
use crate::postgres::{Server, name, name_back, schema};
use crate::{MigrationPolicy, Options};

/// How often is looked whether a server is there, and how long is waited in between.
const LOOKS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Postgres {
    client: Client,
}

/// None while a server has it open.
pub(super) async fn open(server: &Server, which: Which) -> Result<Option<Box<dyn Side>>, Error> {
    let client = schema::connect(server).await?;
    if is_in_use(&client).await? {
        return Ok(None);
    }
    let migrations = match which {
        Which::Source => MigrationPolicy::Require,
        Which::Target => MigrationPolicy::Apply,
    };
    schema::prepare(server, migrations).await?;
    if which == Which::Source {
        // What was deleted is not taken along.
        drop(crate::postgres::Postgres::open(server, Options::default()).await?);
        // One moment of it, whatever a command does meanwhile.
        client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
    }
    Ok(Some(Box::new(Postgres { client })))
}

/// Whether another connection of ours is there. One of a server that has just ended takes a moment to go.
async fn is_in_use(client: &Client) -> Result<bool, Error> {
    for _ in 0..LOOKS {
        let others: i64 = client
            .query_one(
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'vestibule'
                   AND pid <> pg_backend_pid()",
                &[],
            )
            .await?
            .try_get(0)?;
        if others == 0 {
            return Ok(false);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(true)
}

/// A list of parameters from `$1` on.
fn places(count: usize) -> String {
    let places: Vec<_> = (1..=count).map(|place| format!("${place}")).collect();
    places.join(", ")
}

fn names(table: &Table) -> Vec<&'static str> {
    table.columns.iter().map(|(name, _)| *name).collect()
}

/// The columns of a row as they are in SQLite.
fn read(row: &tokio_postgres::Row, columns: &[(&str, Kind)]) -> Result<Row, Error> {
    let values = columns.iter().enumerate().map(|(column, (_, kind))| {
        let value = match kind {
            Kind::Int => row.try_get::<_, Option<i64>>(column)?.map(Value::Int),
            Kind::Bool => {
                let is_true: Option<bool> = row.try_get(column)?;
                is_true.map(|is_true| Value::Int(i64::from(is_true)))
            }
            Kind::Text => row.try_get::<_, Option<String>>(column)?.map(Value::Text),
            Kind::Name => {
                let text: Option<&str> = row.try_get(column)?;
                text.map(|text| Value::Text(name_back(text)))
            }
            Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(column)?.map(Value::Bytes),
        };
        Ok(value.unwrap_or(Value::Null))
    });
    values.collect()
}

/// One value as a parameter.
fn parameter(value: &Value) -> Box<dyn ToSql + Sync + Send + '_> {
    match value {
        Value::Null => Box::new(None::<i64>),
        Value::Int(number) => Box::new(*number),
        Value::Text(text) => Box::new(text.as_str()),
        Value::Bytes(bytes) => Box::new(bytes.as_slice()),
    }
}

/// A column of many rows as one parameter, and its type.
fn column(
    rows: &[Row],
    place: usize,
    kind: Kind,
) -> (Box<dyn ToSql + Sync + Send + '_>, &'static str) {
    let values = rows.iter().map(move |row| row.get(place));
    let number = |value: Option<&Value>| match value {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    };
    match kind {
        Kind::Int => (Box::new(values.map(number).collect::<Vec<_>>()), "bigint"),
        Kind::Bool => {
            let values = values.map(|value| number(value).map(|number| number != 0));
            (Box::new(values.collect::<Vec<_>>()), "boolean")
        }
        Kind::Text | Kind::Name => {
            let values = values.map(|value| match value {
                Some(Value::Text(text)) if kind == Kind::Name => Some(name(text)),
                Some(Value::Text(text)) => Some(text.as_str().into()),
                _ => None,
            });
            (Box::new(values.collect::<Vec<_>>()), "text")
        }
        Kind::Bytes => {
            let values = values.map(|value| match value {
                Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
                _ => None,
            });
            (Box::new(values.collect::<Vec<_>>()), "bytea")
        }
    }
}

#[async_trait]
impl Side for Postgres {
    async fn read(&mut self, table: &Table, after: Option<&[Value]>) -> Result<Vec<Row>, Error> {
        let columns = names(table);
        let keys = columns.get(..table.keys).unwrap_or_default().join(", ");
        let bound = match after {
            Some(_) => format!("WHERE ({keys}) > ({})", places(table.keys)),
            None => String::new(),
        };
        let sql = format!(
            "SELECT {} FROM {} {bound} ORDER BY {keys} LIMIT {BATCH}",
            columns.join(", "),
            table.name
        );
        let parameters: Vec<_> = after.unwrap_or_default().iter().map(parameter).collect();
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters
            .iter()
            .map(|parameter| &**parameter as &(dyn ToSql + Sync))
            .collect();
        let rows = self.client.query(&sql, &parameters).await?;
        rows.iter().map(|row| read(row, table.columns)).collect()
    }

    async fn last(&mut self, table: &Table) -> Result<Option<Row>, Error> {
        let keys = table.columns.get(..table.keys).unwrap_or_default();
        let select: Vec<_> = keys.iter().map(|(name, _)| *name).collect();
        let order: Vec<_> = keys
            .iter()
            .map(|(name, _)| format!("{name} DESC"))
            .collect();
        let sql = format!(
            "SELECT {} FROM {} ORDER BY {} LIMIT 1",
            select.join(", "),
            table.name,
            order.join(", ")
        );
        let row = self.client.query_opt(&sql, &[]).await?;
        row.map(|row| read(&row, keys)).transpose()
    }

    async fn write(&mut self, table: &Table, rows: Vec<Row>) -> Result<(), Error> {
        let mut parameters = Vec::with_capacity(table.columns.len());
        let mut arrays = Vec::with_capacity(table.columns.len());
        for (place, (_, kind)) in table.columns.iter().enumerate() {
            let (parameter, kind) = column(&rows, place, *kind);
            parameters.push(parameter);
            arrays.push(format!("${}::{kind}[]", place + 1));
        }
        // Whoever made these runs is no process of this database.
        let (more, node) = match table.name {
            "runs" => (", node", ", 0"),
            _ => ("", ""),
        };
        let sql = format!(
            "INSERT INTO {} ({}{more}) SELECT *{node} FROM unnest({}) ON CONFLICT DO NOTHING",
            table.name,
            names(table).join(", "),
            arrays.join(", ")
        );
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters
            .iter()
            .map(|parameter| &**parameter as &(dyn ToSql + Sync))
            .collect();
        self.client.execute(&sql, &parameters).await?;
        Ok(())
    }

    async fn number(&mut self, table: &Table) -> Result<i64, Error> {
        let sql = match table.name {
            "audit_log" => "SELECT last FROM audit_state".to_owned(),
            name => format!(
                "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('{name}', 'key')::regclass), 0)"
            ),
        };
        Ok(self.client.query_one(&sql, &[]).await?.try_get(0)?)
    }

    async fn set_number(&mut self, table: &Table, number: i64) -> Result<(), Error> {
        if number < 1 {
            return Ok(());
        }
        let sql = match table.name {
            "audit_log" => "UPDATE audit_state SET last = greatest(last, $1)".to_owned(),
            name => format!(
                "SELECT setval(pg_get_serial_sequence('{name}', 'key'), greatest($1,
                     coalesce(pg_sequence_last_value(pg_get_serial_sequence('{name}', 'key')::regclass), 0)))"
            ),
        };
        self.client.execute(&sql, &[&number]).await?;
        Ok(())
    }

    async fn retention(&mut self) -> Result<i64, Error> {
        let sql = "SELECT before FROM audit_state";
        Ok(self.client.query_one(sql, &[]).await?.try_get(0)?)
    }

    async fn set_retention(&mut self, before: i64) -> Result<(), Error> {
        let sql = "UPDATE audit_state SET before = $1 WHERE before < $1";
        self.client.execute(sql, &[&before]).await?;
        Ok(())
    }
}
