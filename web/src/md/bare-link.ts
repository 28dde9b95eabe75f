/**
 * Where a bare address ends. In GitHub's Markdown only a blank does that, so in `看https://example.com。后面`
 * what comes after the address would be part of it, and its host another one. Here
 *
 * - punctuation of scripts that write on without a blank ends it, quotation marks, and what is invisible;
 * - behind the host, so does any character that is not of the Latin script: `https://example.com에서`.
 *   A name in another script that begins after a dot is a host all the same;
 * - in a path those letters stay: `https://example.com/wiki/日本`.
 */
import { Lexer } from 'marked';

const END = String.raw`\s<«»\u060c\u061b\u061f\u06d4\u0964\u0965\u200b\u200e\u200f\u2018-\u202e\u2060-\u206f\u3001-\u3003\u3008-\u301f\ufe10-\ufe6f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff64`;

let rule: RegExp | undefined;

/** Marked's rule for addresses with these ends. Inside a word, `’` is an apostrophe. */
export const bareLink = (): RegExp =>
  (rule ??= new RegExp(Lexer.rules.inline.gfm.url.source.replace(String.raw`[^\s<]*`, String.raw`(?::\d+)?(?:(?:(?<=\.)|(?![^\0-\u024f]))(?:[^${END}]|’\w)*)?`)));
