/** Which files may be attached: kinds, sizes and how many. Pure, so that every rule is a line in a test. */

export interface AttachmentRules {
  readonly enabled: boolean;
  /** Largest file in bytes by type pattern: `image/png`, `image/*`, and `*` or an empty one for the rest. */
  readonly maxBytes: Readonly<Record<string, number>>;
  readonly maxCount: number;
  /** Kinds that are taken, endings with their dot; `null` takes all. */
  readonly accept: readonly { readonly type: string; readonly extensions: readonly string[] }[] | null;
}

/** What of a file the rules look at. */
export interface FileFacts {
  readonly name: string;
  readonly type: string;
  readonly size: number;
}

export type Refusal =
  | { readonly because: 'type'; readonly name: string }
  | { readonly because: 'size'; readonly name: string; readonly limit: number }
  | { readonly because: 'count'; readonly name: string; readonly limit: number };

export const DEFAULT_MAX_BYTES = 100 * 1024 * 1024;
export const DEFAULT_MAX_COUNT = 10;

/** Divides files into those that may join `attached` others, and why the rest may not. */
export function sortOut<F extends FileFacts>(files: readonly F[], attached: number, rules: AttachmentRules): { taken: F[]; refused: Refusal[] } {
  const taken: F[] = [];
  const refused: Refusal[] = [];
  for (const file of files) {
    const limit = sizeLimit(file.type, rules.maxBytes);
    if (!isAccepted(file, rules.accept)) refused.push({ because: 'type', name: file.name });
    else if (file.size > limit) refused.push({ because: 'size', name: file.name, limit });
    else if (attached + taken.length >= rules.maxCount) refused.push({ because: 'count', name: file.name, limit: rules.maxCount });
    else taken.push(file);
  }
  return { taken, refused };
}

/** The kinds that are taken as people know them: by their endings, else by the word for the kind. */
export function kindsOf(accept: AttachmentRules['accept']): string[] {
  const kinds = (accept ?? []).flatMap(({ type, extensions }) => {
    if (extensions.length > 0) return extensions;
    const [family = '', kind = '*'] = type.split('/');
    return [kind === '*' || kind === 'plain' ? family : kind];
  });
  return [...new Set(kinds)];
}

/** As in a file dialog: a file is taken for its type or for its ending. */
function isAccepted({ name, type }: FileFacts, accept: AttachmentRules['accept']): boolean {
  if (accept === null) return true;
  const ending = name.toLowerCase();
  return accept.some((entry) => matches(type, entry.type) || entry.extensions.some((extension) => ending.endsWith(extension)));
}

/** The nearest pattern decides: the type itself, its family, everything. */
function sizeLimit(type: string, sizes: AttachmentRules['maxBytes']): number {
  const called = essence(type);
  const patterns = [called, `${called.split('/')[0] ?? ''}/*`, '*', '*/*', ''];
  const pattern = patterns.find((candidate) => Object.hasOwn(sizes, candidate));
  return (pattern === undefined ? undefined : sizes[pattern]) ?? DEFAULT_MAX_BYTES;
}

function matches(type: string, pattern: string): boolean {
  if (pattern === '*/*' || pattern === '*') return true;
  const called = essence(type);
  return pattern.endsWith('/*') ? called.startsWith(pattern.slice(0, -1)) : called === pattern;
}

/** A media type in lower case and without parameters. */
function essence(type: string): string {
  return (type.split(';')[0] ?? '').trim().toLowerCase();
}

/** The `accept` attribute of the file dialog; `undefined` offers all. */
export function acceptAttribute(accept: AttachmentRules['accept']): string | undefined {
  return accept?.flatMap(({ type, extensions }) => [type, ...extensions]).filter((entry) => entry !== '' && entry !== '*').join(',');
}
