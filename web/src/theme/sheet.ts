/** One constructed style sheet for all elements of the page: allowed under `style-src 'none'`. */
import attachments from './attachments.css';
import base from './base.css';
import message from './message.css';
import shell from './shell.css';

let sheet: CSSStyleSheet | null = null;

export function sharedSheet(): CSSStyleSheet {
  if (sheet === null) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(base + shell + attachments + message);
  }
  return sheet;
}
