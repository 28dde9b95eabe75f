/** The options about files: `composer.attachments` and, for the custom door, `api.uploadStrategy`. */
import { DEFAULT_MAX_BYTES, DEFAULT_MAX_COUNT, type AttachmentRules } from '../core/limits';
import { IntegrationError } from '../core/errors';
import { resolveUrl, type Reader } from './option-reader';

/** `two_phase`: announce, then send the bytes where the answer says. `direct`: one form to one address. */
export type UploadStrategy = { readonly type: 'two_phase' } | { readonly type: 'direct'; readonly uploadUrl: string };

/** More than this in one message is not a choice but a slip; the list on the screen has to end somewhere. */
const MOST_FILES = 100;

export function readAttachmentRules(composer: Reader): AttachmentRules {
  const attachments = composer.section('attachments');
  const rules: AttachmentRules = {
    enabled: attachments.flag('enabled', false),
    maxBytes: readSizes(attachments),
    maxCount: Math.min(attachments.integer('maxCount', DEFAULT_MAX_COUNT, 1, Number.MAX_SAFE_INTEGER), MOST_FILES),
    accept: readAccept(attachments),
  };
  attachments.reportUnknown();
  return rules;
}

/** `maxSize` is a number for every file, or one a type pattern. */
function readSizes(attachments: Reader): Readonly<Record<string, number>> {
  const given = attachments.peek('maxSize');
  if (typeof given !== 'object' || given === null) {
    return { '*': attachments.number('maxSize', DEFAULT_MAX_BYTES, 1, Number.MAX_SAFE_INTEGER) };
  }
  const sizes = attachments.section('maxSize');
  return Object.fromEntries(
    Object.keys(sizes.value).map((pattern) => [
      pattern.toLowerCase(),
      sizes.number(pattern, DEFAULT_MAX_BYTES, 1, Number.MAX_SAFE_INTEGER),
    ]),
  );
}

function readAccept(attachments: Reader): AttachmentRules['accept'] {
  if (!attachments.has('accept')) return null;
  const { value } = attachments.section('accept');
  for (const [type, extensions] of Object.entries(value)) {
    if (!Array.isArray(extensions) || extensions.some((extension) => typeof extension !== 'string')) {
      throw new IntegrationError(`options.composer.attachments.accept["${type}"] must be a list of file name endings.`);
    }
  }
  const entries = Object.entries(value as Record<string, string[]>);
  return entries.length === 0 ? null : entries.map(([type, extensions]) => ({ type: type.toLowerCase(), extensions: extensions.map(dotted) }));
}

/** `.PDF`, `pdf` and `.pdf` mean the same. */
function dotted(extension: string): string {
  const lower = extension.toLowerCase();
  return lower.startsWith('.') ? lower : `.${lower}`;
}

export function readUploadStrategy(api: Reader, baseUri: string): UploadStrategy | null {
  if (!api.has('uploadStrategy')) return null;
  const strategy = api.section('uploadStrategy');
  const type = strategy.choice('type', ['two_phase', 'direct'], 'two_phase');
  if (type === 'two_phase') return { type };
  return { type, uploadUrl: resolveUrl(strategy.requiredText('uploadUrl'), baseUri, 'options.api.uploadStrategy.uploadUrl') };
}
