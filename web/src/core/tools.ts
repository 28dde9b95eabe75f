/**
 * Client tools: the server leaves a pending `client_tool_call` as the thread's last item, the page
 * runs it, and the result continues the turn.
 */
import { IntegrationError, asError } from './errors';
import type { ClientToolCallItem, ThreadItem } from './protocol';

export type ClientToolHandler = (call: { name: string; params: Record<string, unknown> }) => unknown;

/** A server that asks again and again is stopped after this many calls in one turn. */
export const MAX_TOOL_ROUNDS = 50;

export function pendingToolCall(items: readonly ThreadItem[]): ClientToolCallItem | null {
  const last = items.at(-1);
  return last?.type === 'client_tool_call' && (last.status ?? 'pending') === 'pending' ? last : null;
}

/**
 * Runs the page's handler. A handler that throws is not the end of the turn: the assistant is told
 * `{ error: message }` and can react. The error itself is reported as well.
 */
export async function runClientTool(
  call: ClientToolCallItem,
  handler: ClientToolHandler | null,
  report: (error: Error) => void,
): Promise<unknown> {
  if (handler === null) {
    report(new IntegrationError(`The server called the client tool "${call.name}", but options.onClientTool is not set.`));
    return { error: `This page has no client tool "${call.name}".` };
  }
  try {
    const result = await handler({ name: call.name, params: call.arguments });
    // What JSON cannot hold is a failure of the tool, and throws here; otherwise the request would.
    return (JSON.stringify(result) as string | undefined) === undefined ? {} : result;
  } catch (thrown) {
    const error = asError(thrown);
    report(error);
    return { error: error.message };
  }
}
