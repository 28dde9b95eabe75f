"""A store for `openai-chatkit` on PostgreSQL, after the one that its documentation shows: rows of JSONB.

Where the documentation leaves things out, this does what a careful person would: asyncpg, whose calls do not hold up the
event loop, with a pool of 16 connections, prepared statements, the indexes that paging needs, and `ON CONFLICT` where
a row is saved again. asyncpg takes JSONB as text, so pydantic reads and writes it once.
"""

import os

import asyncpg
from chatkit.store import NotFoundError
from chatkit.types import Page, ThreadMetadata

from stores import ITEM, MemoryStore

SCHEMA = """
    CREATE TABLE IF NOT EXISTS threads (
        id         text PRIMARY KEY,
        user_id    text NOT NULL,
        created_at timestamptz NOT NULL,
        data       jsonb NOT NULL
    );
    CREATE INDEX IF NOT EXISTS threads_by_age ON threads (user_id, created_at, id);
    CREATE TABLE IF NOT EXISTS items (
        id         text PRIMARY KEY,
        thread_id  text NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
        user_id    text NOT NULL,
        created_at timestamptz NOT NULL,
        data       jsonb NOT NULL
    );
    CREATE INDEX IF NOT EXISTS items_by_thread ON items (thread_id, created_at, id);
"""
CONNECTIONS = 16


class PostgresqlStore(MemoryStore):
    """Threads and items in PostgreSQL; attachments are not part of the benchmark."""

    def __init__(self, address):
        super().__init__()
        self.address, self.pool = address, None

    async def open(self):
        settings = {"synchronous_commit": os.environ["SYNCHRONOUS_COMMIT"]}
        self.pool = await asyncpg.create_pool(
            self.address, min_size=CONNECTIONS, max_size=CONNECTIONS, server_settings=settings
        )
        await self.pool.execute(SCHEMA)

    async def close(self):
        await self.pool.close()

    async def load_thread(self, thread_id, context):
        data = await self.pool.fetchval(
            "SELECT data FROM threads WHERE id = $1 AND user_id = $2", thread_id, context["user_id"]
        )
        if data is None:
            raise NotFoundError(f"there is no thread {thread_id}")
        return ThreadMetadata.model_validate_json(data)

    async def save_thread(self, thread, context):
        await self.pool.execute(
            "INSERT INTO threads (id, user_id, created_at, data) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (id) DO UPDATE SET data = excluded.data",
            thread.id,
            context["user_id"],
            thread.created_at.astimezone(),
            thread.model_dump_json(),
        )

    async def load_threads(self, limit, after, order, context):
        rows = await self.page_of("threads", "user_id = $1", context["user_id"], limit, after, order)
        return self.cut(rows, limit, ThreadMetadata.model_validate_json)

    async def load_thread_items(self, thread_id, after, limit, order, context):
        rows = await self.page_of("items", "thread_id = $1", thread_id, limit, after, order)
        return self.cut(rows, limit, ITEM.validate_json)

    async def page_of(self, table, where, value, limit, after, order):
        direction, compare = ("DESC", "<") if order == "desc" else ("ASC", ">")
        values = [value, limit + 1]
        if after is not None:
            where += f" AND (created_at, id) {compare} (SELECT created_at, id FROM {table} WHERE id = $3)"
            values.append(after)
        order_by = f"created_at {direction}, id {direction}"
        return await self.pool.fetch(
            f"SELECT id, data FROM {table} WHERE {where} ORDER BY {order_by} LIMIT $2", *values
        )

    @staticmethod
    def cut(rows, limit, read):
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(data=[read(row["data"]) for row in rows], has_more=more, after=rows[-1]["id"] if more else None)

    async def add_thread_item(self, thread_id, item, context):
        await self.pool.execute(
            "INSERT INTO items (id, thread_id, user_id, created_at, data) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (id) DO UPDATE SET data = excluded.data",
            item.id,
            thread_id,
            context["user_id"],
            item.created_at.astimezone(),
            item.model_dump_json(),
        )

    async def load_item(self, thread_id, item_id, context):
        data = await self.pool.fetchval(
            "SELECT data FROM items WHERE id = $1 AND thread_id = $2", item_id, thread_id
        )
        if data is None:
            raise NotFoundError(f"there is no item {item_id}")
        return ITEM.validate_json(data)

    async def delete_thread(self, thread_id, context):
        await self.pool.execute(
            "DELETE FROM threads WHERE id = $1 AND user_id = $2", thread_id, context["user_id"]
        )

    async def delete_thread_item(self, thread_id, item_id, context):
        await self.pool.execute("DELETE FROM items WHERE id = $1 AND thread_id = $2", item_id, thread_id)
