//! Each engine does what the contract says: one line for each engine.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::sync::Arc;

use async_trait::async_trait;
use store::{Database, Options, connect};
use tempfile::TempDir;
use testkit::services::PostgreSqlDatabase;
use testkit::store_contract::{Stores, TestDatabase};
use tokio::sync::OnceCell;

testkit::store_contract!(sqlite_file, SqliteFile::new());
testkit::store_contract!(sqlite_memory, SqliteMemory::default());
testkit::store_contract!(postgresql, PostgreSql::new().await);

fn stores(database: Arc<dyn Database>) -> Stores {
    Stores {
        threads: database.clone(),
        attachments: database.clone(),
        audit: database.clone(),
        credentials: database,
    }
}

/// A file of its own; every handle opens it anew.
struct SqliteFile {
    folder: TempDir,
}

impl SqliteFile {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }
}

#[async_trait]
impl TestDatabase for SqliteFile {
    async fn open(&self) -> Stores {
        let path = self.folder.path().join("new folder/vestibule.db");
        let url = format!("sqlite://{}", path.display());
        stores(connect(&url, Options::default()).await.unwrap())
    }
}

/// One connection, which all handles share.
#[derive(Default)]
struct SqliteMemory {
    database: OnceCell<Arc<dyn Database>>,
}

#[async_trait]
impl TestDatabase for SqliteMemory {
    async fn open(&self) -> Stores {
        let database = self.database.get_or_init(async || {
            connect("sqlite::memory:", Options::default())
                .await
                .unwrap()
        });
        stores(database.await.clone())
    }
}

/// A database of its own; every handle connects anew, as another node would.
struct PostgreSql {
    database: PostgreSqlDatabase,
}

impl PostgreSql {
    async fn new() -> Self {
        Self {
            database: PostgreSqlDatabase::new().await.unwrap(),
        }
    }
}

#[async_trait]
impl TestDatabase for PostgreSql {
    async fn open(&self) -> Stores {
        let options = Options {
            pool_size: 4,
            ..Options::default()
        };
        stores(connect(&self.database.url(), options).await.unwrap())
    }
}
