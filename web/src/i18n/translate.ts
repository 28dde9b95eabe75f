/** Texts by key with `{name}` placeholders, and dates by the reader's language. */
import { EN, type MessageKey } from './en';

export type Translate = (key: MessageKey, values?: Readonly<Record<string, string | number>>) => string;

export type Messages = Readonly<Record<MessageKey, string>>;

/** The texts of one language; one that it lacks is English. */
export function translatorOf(messages: Partial<Messages>): Translate {
  return (key, values = {}) => (messages[key] ?? EN[key]).replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

/** The English texts. */
export const translate: Translate = translatorOf(EN);

/**
 * The heading a moment falls under in the history. Servers may send times without a zone; those are
 * read as local, which is what the official SDK means by them.
 */
export function dayLabel(moment: string, now: Date, locale: string, t: Translate): string {
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return '';
  const days = Math.round((startOfDay(now) - startOfDay(date)) / 86_400_000);
  if (days <= 0) return t('history.today');
  if (days === 1) return t('history.yesterday');
  const sameYear = date.getFullYear() === now.getFullYear();
  const format: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'long', ...(sameYear ? {} : { year: 'numeric' }) };
  try {
    return new Intl.DateTimeFormat(locale, format).format(date);
  } catch {
    return new Intl.DateTimeFormat('en', format).format(date);
  }
}

function startOfDay(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
