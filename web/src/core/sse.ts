/**
 * A `text/event-stream` reader over `fetch` bodies, after the HTML standard's event stream
 * interpretation. `EventSource` cannot POST, and only `data:` and `id:` mean something here, but the
 * whole grammar is honoured so that any proxy or server framework may sit in between.
 */

/** One event may not grow beyond this many characters: a server that never ends a line cannot fill the memory. */
export const MAX_EVENT_CHARACTERS = 16 * 1024 * 1024;

export class StreamTooLargeError extends Error {
  override name = 'StreamTooLargeError';
}

/** The data of one event and the id it came with, if any. */
export interface SseEvent {
  readonly data: string;
  readonly id: string | null;
}

/** Turns decoded text, split anywhere, into complete events. */
export class SseParser {
  #line = '';
  #data: string[] = [];
  #id: string | null = null;
  #size = 0;
  #first = true;
  #afterCarriageReturn = false;

  /** Feeds the next piece of text and returns the events that it completes. */
  push(chunk: string): SseEvent[] {
    const complete: SseEvent[] = [];
    let text = chunk;
    if (this.#first && text !== '') {
      this.#first = false;
      if (text.startsWith('\uFEFF')) text = text.slice(1);
    }
    if (this.#afterCarriageReturn && text !== '') {
      this.#afterCarriageReturn = false;
      if (text.startsWith('\n')) text = text.slice(1);
    }
    let start = 0;
    for (;;) {
      const end = lineEnd(text, start);
      if (end === -1) break;
      this.#readLine(this.#line + text.slice(start, end), complete);
      this.#line = '';
      start = end + 1;
      if (text[end] === '\r') {
        if (start === text.length) this.#afterCarriageReturn = true;
        else if (text[start] === '\n') start += 1;
      }
    }
    this.#line += text.slice(start);
    if (this.#line.length + this.#size > MAX_EVENT_CHARACTERS) {
      throw new StreamTooLargeError('The server sent an event that is too large to show.');
    }
    return complete;
  }

  /** Call at the end of the body: some servers leave out the last blank line, and that event counts too. */
  end(): SseEvent[] {
    const complete: SseEvent[] = [];
    if (this.#line !== '') this.#readLine(this.#line, complete);
    this.#line = '';
    this.#readLine('', complete);
    return complete;
  }

  #readLine(line: string, complete: SseEvent[]): void {
    if (line === '') {
      if (this.#data.length > 0) complete.push({ data: this.#data.join('\n'), id: this.#id });
      this.#data = [];
      this.#id = null;
      this.#size = 0;
      return;
    }
    const colon = line.indexOf(':');
    // Other fields have no meaning here; comments start with a colon and have none anywhere.
    const field = colon === -1 ? line : line.slice(0, colon);
    if (field !== 'data' && field !== 'id') return;
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'id') {
      if (!value.includes('\0')) this.#id = value;
      return;
    }
    this.#data.push(value);
    this.#size += value.length;
    if (this.#size > MAX_EVENT_CHARACTERS) {
      throw new StreamTooLargeError('The server sent an event that is too large to show.');
    }
  }
}

function lineEnd(text: string, from: number): number {
  const feed = text.indexOf('\n', from);
  const carriage = text.indexOf('\r', from);
  if (feed === -1) return carriage;
  return carriage === -1 ? feed : Math.min(feed, carriage);
}

/**
 * Reads a body as events. Leaving the loop early cancels the body, which closes the connection.
 * `onBytes` hears of everything that arrives, comments that keep the line open included.
 */
export async function* readEvents(body: ReadableStream<Uint8Array>, onBytes?: () => void): AsyncGenerator<SseEvent[], void, undefined> {
  const reader = body.getReader();
  // A streaming decoder keeps the bytes of a character that was cut in two.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const parser = new SseParser();
  let finished = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      onBytes?.();
      const events = parser.push(decoder.decode(value, { stream: true }));
      if (events.length > 0) yield events;
    }
    finished = true;
    const last = [...parser.push(decoder.decode()), ...parser.end()];
    if (last.length > 0) yield last;
  } finally {
    if (!finished) await reader.cancel().catch(() => undefined);
  }
}
