//! The task list itself: one SQLite table, and every query names the owner.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

/// Longest title, in characters.
pub const MAX_TITLE: usize = 200;
/// Longest description, in characters.
pub const MAX_DESCRIPTION: usize = 2_000;
/// Tasks that one person may have.
pub const MAX_TASKS: u32 = 500;

/// One task, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Number of the task in its owner's list, counted from 1 and never given twice. It is the
    /// owner's own count, so that it tells nothing about other people's lists.
    pub task_id: u32,
    /// What is to be done.
    pub title: String,
    /// More about it; may be empty.
    pub description: String,
    /// Whether it is done.
    pub completed: bool,
}

/// Which tasks to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// All tasks.
    #[default]
    All,
    /// Tasks that are still to be done.
    Open,
    /// Tasks that are done.
    Completed,
}

/// Why a request about tasks cannot be met; the text is for the person who asked.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The owner has no such task (somebody else may).
    #[error("there is no task {0} in your list; list_tasks shows the numbers")]
    NotFound(u32),
    /// A title without letters.
    #[error("a task needs a title; say in a few words what is to be done")]
    EmptyTitle,
    /// A title above [`MAX_TITLE`].
    #[error("the title is too long; use {MAX_TITLE} characters or fewer")]
    LongTitle,
    /// A description above [`MAX_DESCRIPTION`].
    #[error("the description is too long; use {MAX_DESCRIPTION} characters or fewer")]
    LongDescription,
    /// An update that names nothing to change.
    #[error("nothing to change; give a new title or a new description")]
    NothingToChange,
    /// The list is full.
    #[error("your list is full with {MAX_TASKS} tasks; delete some before adding more")]
    Full,
    /// The database failed; the cause is for the log only.
    #[error("the task list cannot be reached right now; try again in a moment")]
    Database(#[from] rusqlite::Error),
}

/// The list of every user, in one database file.
pub struct Tasks {
    connection: Mutex<Connection>,
}

impl Tasks {
    /// Opens the database file and makes it when it is missing.
    pub fn open(path: &Path) -> Result<Self, TaskError> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA busy_timeout = 5000;
             CREATE TABLE IF NOT EXISTS owners (
                 owner       TEXT PRIMARY KEY,
                 last_number INTEGER NOT NULL
             ) STRICT;
             CREATE TABLE IF NOT EXISTS tasks (
                 owner       TEXT NOT NULL REFERENCES owners (owner),
                 number      INTEGER NOT NULL,
                 title       TEXT NOT NULL,
                 description TEXT NOT NULL,
                 completed   INTEGER NOT NULL DEFAULT 0,
                 PRIMARY KEY (owner, number)
             ) STRICT, WITHOUT ROWID;",
        )?;
        Ok(Self {
            connection: Mutex::new(connection),
        })
    }

    /// Adds a task to the end of the owner's list.
    pub fn add(&self, owner: &str, title: &str, description: &str) -> Result<Task, TaskError> {
        let (title, description) = (checked_title(title)?, checked_description(description)?);
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let count: u32 = transaction.query_row(
            "SELECT count(*) FROM tasks WHERE owner = ?1",
            [owner],
            |row| row.get(0),
        )?;
        if count >= MAX_TASKS {
            return Err(TaskError::Full);
        }
        let task_id = transaction.query_row(
            "INSERT INTO owners (owner, last_number) VALUES (?1, 1)
             ON CONFLICT (owner) DO UPDATE SET last_number = last_number + 1
             RETURNING last_number",
            [owner],
            |row| row.get(0),
        )?;
        transaction.execute(
            "INSERT INTO tasks (owner, number, title, description) VALUES (?1, ?2, ?3, ?4)",
            params![owner, task_id, title, description],
        )?;
        transaction.commit()?;
        Ok(Task {
            task_id,
            title: title.to_owned(),
            description: description.to_owned(),
            completed: false,
        })
    }

    /// The owner's tasks by number.
    pub fn list(&self, owner: &str, filter: Filter) -> Result<Vec<Task>, TaskError> {
        let wanted = match filter {
            Filter::All => None,
            Filter::Open => Some(false),
            Filter::Completed => Some(true),
        };
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT number, title, description, completed FROM tasks
             WHERE owner = ?1 AND (?2 IS NULL OR completed = ?2) ORDER BY number",
        )?;
        let tasks = statement
            .query_map(params![owner, wanted], task)?
            .collect::<Result<_, _>>()?;
        Ok(tasks)
    }

    /// Marks a task as done; doing it twice changes nothing.
    pub fn complete(&self, owner: &str, task_id: u32) -> Result<Task, TaskError> {
        self.connection()
            .query_row(
                "UPDATE tasks SET completed = 1 WHERE owner = ?1 AND number = ?2
                 RETURNING number, title, description, completed",
                params![owner, task_id],
                task,
            )
            .optional()?
            .ok_or(TaskError::NotFound(task_id))
    }

    /// Changes title, description or both; what is `None` stays.
    pub fn update(
        &self,
        owner: &str,
        task_id: u32,
        title: Option<&str>,
        description: Option<&str>,
    ) -> Result<Task, TaskError> {
        if title.is_none() && description.is_none() {
            return Err(TaskError::NothingToChange);
        }
        let title = title.map(checked_title).transpose()?;
        let description = description.map(checked_description).transpose()?;
        self.connection()
            .query_row(
                "UPDATE tasks SET title = coalesce(?3, title), description = coalesce(?4, description)
                 WHERE owner = ?1 AND number = ?2
                 RETURNING number, title, description, completed",
                params![owner, task_id, title, description],
                task,
            )
            .optional()?
            .ok_or(TaskError::NotFound(task_id))
    }

    /// Removes a task for good and returns what it was.
    pub fn delete(&self, owner: &str, task_id: u32) -> Result<Task, TaskError> {
        self.connection()
            .query_row(
                "DELETE FROM tasks WHERE owner = ?1 AND number = ?2
                 RETURNING number, title, description, completed",
                params![owner, task_id],
                task,
            )
            .optional()?
            .ok_or(TaskError::NotFound(task_id))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn task(row: &Row<'_>) -> rusqlite::Result<Task> {
    Ok(Task {
        task_id: row.get(0)?,
        title: row.get(1)?,
        description: row.get(2)?,
        completed: row.get(3)?,
    })
}

fn checked_title(title: &str) -> Result<&str, TaskError> {
    let title = title.trim();
    match title.chars().count() {
        0 => Err(TaskError::EmptyTitle),
        count if count > MAX_TITLE => Err(TaskError::LongTitle),
        _ => Ok(title),
    }
}

fn checked_description(description: &str) -> Result<&str, TaskError> {
    let description = description.trim();
    if description.chars().count() > MAX_DESCRIPTION {
        return Err(TaskError::LongDescription);
    }
    Ok(description)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks() -> Tasks {
        Tasks::open(Path::new(":memory:")).expect("a database in memory opens")
    }

    #[test]
    fn numbers_are_the_owners_own_and_never_come_back() {
        let tasks = tasks();
        assert_eq!(tasks.add("ada", "one", "").unwrap().task_id, 1);
        assert_eq!(tasks.add("ada", "two", "").unwrap().task_id, 2);
        assert_eq!(tasks.add("bob", "his", "").unwrap().task_id, 1);
        tasks.delete("ada", 2).unwrap();
        assert_eq!(tasks.add("ada", "three", "").unwrap().task_id, 3);
    }

    #[test]
    fn what_belongs_to_another_owner_is_not_there() {
        let tasks = tasks();
        tasks.add("ada", "hers", "").unwrap();
        assert!(tasks.list("bob", Filter::All).unwrap().is_empty());
        assert!(matches!(
            tasks.complete("bob", 1),
            Err(TaskError::NotFound(1))
        ));
        assert!(matches!(
            tasks.update("bob", 1, Some("his"), None),
            Err(TaskError::NotFound(1))
        ));
        assert!(matches!(
            tasks.delete("bob", 1),
            Err(TaskError::NotFound(1))
        ));
        assert_eq!(tasks.list("ada", Filter::All).unwrap()[0].title, "hers");
    }

    #[test]
    fn filters_and_changes() {
        let tasks = tasks();
        tasks.add("ada", " buy milk ", "two litres").unwrap();
        tasks.add("ada", "call Bob", "").unwrap();
        assert!(tasks.complete("ada", 1).unwrap().completed);
        assert_eq!(tasks.list("ada", Filter::Open).unwrap()[0].task_id, 2);
        assert_eq!(
            tasks.list("ada", Filter::Completed).unwrap()[0].title,
            "buy milk"
        );
        let changed = tasks.update("ada", 2, Some("write to Bob"), None).unwrap();
        assert_eq!(
            (changed.title.as_str(), changed.description.as_str()),
            ("write to Bob", "")
        );
        assert!(matches!(
            tasks.update("ada", 2, None, None),
            Err(TaskError::NothingToChange)
        ));
    }

    #[test]
    fn limits_are_in_characters_and_in_tasks() {
        let tasks = tasks();
        assert!(matches!(
            tasks.add("ada", " \n", ""),
            Err(TaskError::EmptyTitle)
        ));
        assert!(tasks.add("ada", &"\u{e4}".repeat(MAX_TITLE), "").is_ok());
        assert!(matches!(
            tasks.add("ada", &"a".repeat(MAX_TITLE + 1), ""),
            Err(TaskError::LongTitle)
        ));
        let long = "a".repeat(MAX_DESCRIPTION + 1);
        assert!(matches!(
            tasks.add("ada", "a", &long),
            Err(TaskError::LongDescription)
        ));
        for _ in 1..MAX_TASKS {
            tasks.add("ada", "a", "").unwrap();
        }
        assert!(matches!(tasks.add("ada", "a", ""), Err(TaskError::Full)));
        assert!(tasks.add("bob", "a", "").is_ok());
    }
}
