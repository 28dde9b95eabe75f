/** Types of `corpus.mjs` for the unit tests. */
export function corpus(length: number): string;
