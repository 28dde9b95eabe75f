/**
 * Remembers which thread is open, for `history.reopen`: an id per server, door and tab, in `sessionStorage`,
 * so that a reload comes back to the same conversation. What was said in it stays on the server.
 */
import type { ApiOptions } from './options';

export interface Remembered {
  readonly read: () => string | null;
  /** `null` forgets. */
  readonly write: (threadId: string | null) => void;
}

/** The tab's storage; a page may be forbidden to have one. */
function tabStorage(): Storage | null {
  try {
    // eslint-disable-next-line no-restricted-globals -- an id only, for this tab only, and only when the page asked for it
    return sessionStorage;
  } catch {
    return null;
  }
}

export function rememberedThread(api: ApiOptions, scriptBase: string, storage: Storage | null = tabStorage()): Remembered {
  // The hosted doors have one address, and who comes by one of them is not who comes by the other.
  const key = `vestibule.thread ${api.door === 'custom' ? api.url : `${api.baseUrl ?? scriptBase} ${api.door}`}`;
  return {
    read: () => storage?.getItem(key) ?? null,
    write: (threadId) => {
      try {
        if (threadId === null) storage?.removeItem(key);
        else storage?.setItem(key, threadId);
      } catch {
        // Full or forbidden: the next load begins with a new chat.
      }
    },
  };
}
