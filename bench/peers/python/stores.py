"""Two stores for `openai-chatkit`: memory, and SQLite as a careful person would write it.

A third one, for PostgreSQL, is `postgresql_store`.
"""

import sqlite3
from collections import defaultdict

from chatkit.store import NotFoundError, Store
from chatkit.types import Page, ThreadItem, ThreadMetadata
from pydantic import TypeAdapter

ITEM = TypeAdapter(ThreadItem)


class MemoryStore(Store):
    """Everything in dictionaries."""

    def __init__(self):
        self.threads = {}
        self.items = defaultdict(dict)

    async def open(self):
        """For stores that connect to something."""

    async def close(self):
        pass

    @staticmethod
    def page(rows, limit, after, order):
        if order == "desc":
            rows.reverse()
        if after is not None:
            position = next((n for n, row in enumerate(rows) if row.id == after), -1)
            rows = rows[position + 1 :]
        data, more = rows[:limit], len(rows) > limit
        return Page(data=data, has_more=more, after=data[-1].id if more else None)

    async def load_thread(self, thread_id, context):
        try:
            return self.threads[thread_id].model_copy(deep=True)
        except KeyError:
            raise NotFoundError(thread_id) from None

    async def save_thread(self, thread, context):
        self.threads[thread.id] = thread.model_copy(deep=True)

    async def load_threads(self, limit, after, order, context):
        return self.page(list(self.threads.values()), limit, after, order)

    async def load_thread_items(self, thread_id, after, limit, order, context):
        return self.page(list(self.items[thread_id].values()), limit, after, order)

    async def add_thread_item(self, thread_id, item, context):
        self.items[thread_id][item.id] = item

    async def save_item(self, thread_id, item, context):
        self.items[thread_id][item.id] = item

    async def load_item(self, thread_id, item_id, context):
        return self.items[thread_id][item_id]

    async def delete_thread(self, thread_id, context):
        self.threads.pop(thread_id, None)
        self.items.pop(thread_id, None)

    async def delete_thread_item(self, thread_id, item_id, context):
        self.items[thread_id].pop(item_id, None)

    async def save_attachment(self, attachment, context):
        raise NotImplementedError

    async def load_attachment(self, attachment_id, context):
        raise NotFoundError(attachment_id)

    async def delete_attachment(self, attachment_id, context):
        raise NotImplementedError


class SqliteStore(MemoryStore):
    """Threads and items as JSON rows, in WAL mode, with the indexes that paging needs."""

    def __init__(self, path):
        super().__init__()
        self.database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.database.executescript("""
            pragma journal_mode = wal;
            pragma synchronous = normal;
            create table threads (id text primary key, created_at text, data text);
            create index threads_by_age on threads (created_at, id);
            create table items (id text primary key, thread_id text, created_at text, data text);
            create index items_by_thread on items (thread_id, created_at, id);
        """)

    def rows(self, table, where, values, limit, after, order, read):
        direction, compare = ("desc", "<") if order == "desc" else ("asc", ">")
        if after is not None:
            where += f" and (created_at, id) {compare} (select created_at, id from {table} where id = ?)"
            values = (*values, after)
        query = f"select data from {table} where {where} order by created_at {direction}, id {direction} limit ?"
        found = self.database.execute(query, (*values, limit + 1)).fetchall()
        data, more = [read(row[0]) for row in found[:limit]], len(found) > limit
        return Page(data=data, has_more=more, after=data[-1].id if more else None)

    async def load_thread(self, thread_id, context):
        row = self.database.execute("select data from threads where id = ?", (thread_id,)).fetchone()
        if row is None:
            raise NotFoundError(thread_id)
        return ThreadMetadata.model_validate_json(row[0])

    async def save_thread(self, thread, context):
        self.database.execute(
            "insert into threads values (?, ?, ?) on conflict (id) do update set data = excluded.data",
            (thread.id, thread.created_at.isoformat(), thread.model_dump_json()),
        )

    async def load_threads(self, limit, after, order, context):
        return self.rows("threads", "true", (), limit, after, order, ThreadMetadata.model_validate_json)

    async def load_thread_items(self, thread_id, after, limit, order, context):
        return self.rows("items", "thread_id = ?", (thread_id,), limit, after, order, ITEM.validate_json)

    async def add_thread_item(self, thread_id, item, context):
        self.database.execute(
            "insert into items values (?, ?, ?, ?) on conflict (id) do update set data = excluded.data",
            (item.id, thread_id, item.created_at.isoformat(), item.model_dump_json()),
        )

    async def save_item(self, thread_id, item, context):
        await self.add_thread_item(thread_id, item, context)
