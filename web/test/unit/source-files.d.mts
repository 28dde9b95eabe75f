/** All files of a kind in one text. */
export function sourceOf(kind: RegExp): string;
