// The files of the languages, and the languages that the published types name.
import { readdirSync, readFileSync } from 'node:fs';

const FOLDER = new URL('../../src/i18n/locales/', import.meta.url);
const TYPES = new URL('../../node_modules/@openai/chatkit/types/index.d.ts', import.meta.url);

export const TAGS = readdirSync(FOLDER).map((file) => file.replace(/\.json$/, ''));
export const textsOf = (tag) => JSON.parse(readFileSync(new URL(`${tag}.json`, FOLDER), 'utf8'));
export const PROMISED = [...readFileSync(TYPES, 'utf8').split('export type TranslatedLocale =')[1].split(';')[0].matchAll(/'([\w-]+)'/g)].map(([, tag]) => tag);
