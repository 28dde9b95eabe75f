//! Forgetting a person: their rows, and then the bytes of their files.

use std::sync::Arc;

use async_trait::async_trait;
use auth::identity::owner_key;
use auth::operator::{Forgotten, Person, PersonalData};
use auth::ports::StoreError;
use engine::Owner;
use engine::attachments::remove_files;
use engine::ports::Files;

use crate::Database;

/// What is kept about people: here, and in the files beside it.
pub struct People {
    database: Arc<dyn Database>,
    files: Arc<dyn Files>,
}

impl People {
    /// The people of this database, whose files are there.
    pub fn new(database: Arc<dyn Database>, files: Arc<dyn Files>) -> Self {
        Self { database, files }
    }
}

#[async_trait]
impl PersonalData for People {
    async fn forget(&self, person: Person<'_>) -> Result<Forgotten, StoreError> {
        let owner = Owner::new(owner_key(person.issuer, person.subject));
        let forgotten = self.database.forget_user(&owner).await?;
        let files = remove_files(&*self.database, &*self.files)
            .await
            .map_err(|error| StoreError::Internal(Box::new(error)))?;
        Ok(Forgotten {
            threads: forgotten.threads,
            chat_sessions: forgotten.chat_sessions,
            visitors: forgotten.visitors,
            attachments: forgotten.attachments,
            files,
        })
    }
}
