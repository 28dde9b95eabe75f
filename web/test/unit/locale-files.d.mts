export const TAGS: string[];
/** Every language that the published types name, beside English. */
export const PROMISED: string[];
export function textsOf(tag: string): Record<string, string>;
