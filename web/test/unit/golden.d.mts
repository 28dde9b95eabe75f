/** Types of `golden.mjs` for the unit tests. */
export interface Golden {
  readonly name: string;
  readonly value: Record<string, unknown>;
}
export function goldenFiles(kind: string): Golden[];
export function check(values: readonly { readonly name: string; readonly type: string; readonly value: unknown }[]): { extra: string[]; mistakes: string[] };
export function knownProperties(): string[];
