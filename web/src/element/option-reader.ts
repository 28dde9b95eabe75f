/**
 * Typed access to what a page handed over. Wrong values are an `IntegrationError` that names the
 * option; keys that nobody read are reported.
 */
import { IntegrationError } from '../core/errors';

/** Reports an option that nobody knows; the element turns that into `chatkit.log` and a warning. */
export type OptionReport = (path: string) => void;

/** An http or https address; relative ones belong to the page. */
export function resolveUrl(value: string, base: string, path: string): string {
  let url: URL;
  try {
    url = new URL(value, base);
  } catch {
    throw new IntegrationError(`${path} is not a URL.`);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new IntegrationError(`${path} must be an http or https URL.`);
  }
  return url.href;
}

/** Typed access to one object of the options; remembers which keys were read. */
export class Reader {
  readonly value: Readonly<Record<string, unknown>>;
  readonly report: OptionReport;
  readonly #path: string;
  readonly #known = new Set<string>();

  constructor(value: unknown, path: string, report: OptionReport) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new IntegrationError(`${path} must be an object.`);
    }
    this.value = value as Record<string, unknown>;
    this.#path = path;
    this.report = report;
  }

  /** `undefined` and `null` both mean "not given". */
  has(key: string): boolean {
    return this.peek(key) !== undefined && this.peek(key) !== null;
  }

  peek(key: string): unknown {
    this.#known.add(key);
    return this.value[key];
  }

  know(...keys: string[]): void {
    for (const key of keys) this.#known.add(key);
  }

  section(key: string, required = false): Reader {
    const value = this.peek(key);
    const missing = value === undefined || value === null;
    return new Reader(missing && !required ? {} : value, `${this.#path}.${key}`, this.report);
  }

  list(key: string): Reader[] {
    const value = this.peek(key) ?? [];
    if (!Array.isArray(value)) throw new IntegrationError(`${this.#path}.${key} must be a list.`);
    return value.map((item, index) => new Reader(item, `${this.#path}.${key}[${index}]`, this.report));
  }

  text(key: string): string | null {
    return this.#typed(key, 'string', 'a string') as string | null;
  }

  /** Words that name something: none are as if nothing was given. */
  words(key: string): string | null {
    const text = this.text(key);
    return text === null || text.trim() === '' ? null : text;
  }

  requiredText(key: string): string {
    const value = this.text(key);
    if (value === null || value === '') throw new IntegrationError(`${this.#path}.${key} is missing.`);
    return value;
  }

  flag(key: string, fallback: boolean): boolean {
    return (this.#typed(key, 'boolean', 'true or false') as boolean | null) ?? fallback;
  }

  callback(key: string): ((...values: never[]) => unknown) | null {
    if (this.#typed(key, 'function', 'a function') === null) return null;
    // `this` stays the object the function was given in, as a direct call would have it.
    const owner = this.value as Readonly<Record<string, ((...values: never[]) => unknown) | undefined>>;
    return (...values) => owner[key]?.(...values);
  }

  number(key: string, fallback: number, least: number, most: number): number {
    const value = (this.#typed(key, 'number', 'a number') as number | null) ?? fallback;
    if (!(value >= least && value <= most)) {
      throw new IntegrationError(`${this.#path}.${key} must be from ${least} to ${most}.`);
    }
    return value;
  }

  integer(key: string, fallback: number, least: number, most: number): number {
    const value = this.number(key, fallback, least, most);
    if (!Number.isInteger(value)) throw new IntegrationError(`${this.#path}.${key} must be a whole number.`);
    return value;
  }

  choice<T extends string>(key: string, choices: readonly T[], fallback: T): T {
    const value = this.text(key) ?? fallback;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw new IntegrationError(`${this.#path}.${key} must be one of: ${choices.join(', ')}.`);
    return found;
  }

  reportUnknown(): void {
    for (const key of Object.keys(this.value)) {
      if (!this.#known.has(key)) this.report(`${this.#path}.${key}`);
    }
  }

  #typed(key: string, type: string, words: string): unknown {
    const value = this.peek(key);
    if (value === undefined || value === null) return null;
    if (typeof value !== type) throw new IntegrationError(`${this.#path}.${key} must be ${words}.`);
    return value;
  }
}
