/**
 * A `text/event-stream` reader over `fetch` bodies, after the HTML standard's event stream
 * interpretation. `EventSource` cannot POST, and the protocol only uses `data:`, but the whole
 * grammar is honoured so that any proxy or server framework may sit in between.
 */

/** One event may not grow beyond this many characters: a server that never ends a line cannot fill the memory. */
export const MAX_EVENT_CHARACTERS = 16 * 1024 * 1024;

export class StreamTooLargeError extends Error {
  override name = 'StreamTooLargeError';
}

/** Turns decoded text, split anywhere, into the data of each complete event. */
export class SseParser {
  #line = '';
  #data: string[] = [];
  #size = 0;
  #first = true;
  #afterCarriageReturn = false;

  /** Feeds the next piece of text and returns the data of the events that it completes. */
  push(chunk: string): string[] {
    const complete: string[] = [];
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
  end(): string[] {
    const complete: string[] = [];
    if (this.#line !== '') this.#readLine(this.#line, complete);
    this.#line = '';
    this.#readLine('', complete);
    return complete;
  }

  #readLine(line: string, complete: string[]): void {
    if (line === '') {
      if (this.#data.length > 0) complete.push(this.#data.join('\n'));
      this.#data = [];
      this.#size = 0;
      return;
    }
    const colon = line.indexOf(':');
    // `data` is the only field with a meaning here; comments start with a colon and have none.
    if ((colon === -1 ? line : line.slice(0, colon)) !== 'data') return;
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
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

/** Reads a body as events. Leaving the loop early cancels the body, which closes the connection. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string[], void, undefined> {
  const reader = body.getReader();
  // A streaming decoder keeps the bytes of a character that was cut in two.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const parser = new SseParser();
  let finished = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
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
