// The signed-in person's tasks beside the chat, read from the task server that the chat talks to.
import { useEffect, useState } from "react";

import { getJwt } from "./auth";

interface Task {
  task_id: number;
  title: string;
  completed: boolean;
}

/** `version` changes whenever the chat may have changed the list. */
export function TaskList({ userId, version }: { userId: string; version: number }) {
  const [tasks, setTasks] = useState<Task[] | null>(null);

  useEffect(() => {
    const leaving = new AbortController();
    async function load() {
      const response = await fetch("/api/tasks", {
        headers: { Authorization: `Bearer ${await getJwt(userId)}` },
        signal: leaving.signal,
      });
      if (!response.ok) throw new Error("The list cannot be read right now.");
      const { tasks } = (await response.json()) as { tasks: Task[] };
      setTasks(tasks);
    }
    load().catch((error: unknown) => {
      if (!leaving.signal.aborted) console.warn(error);
    });
    return () => {
      leaving.abort();
    };
  }, [userId, version]);

  return (
    <aside aria-label="Your tasks">
      <h2>Your tasks</h2>
      {tasks?.length === 0 && <p className="hint">None yet. Write “add a task: buy milk” in the chat.</p>}
      <ul>
        {tasks?.map(({ task_id, title, completed }) => (
          <li key={task_id}>
            <span className="number">{task_id}</span> <span className={completed ? "done" : undefined}>{title}</span>
            {completed && <span className="visually-hidden"> (done)</span>}
          </li>
        ))}
      </ul>
    </aside>
  );
}
