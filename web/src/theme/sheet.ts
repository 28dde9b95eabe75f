/** The style sheet of the element, as one text. */
import attachments from './attachments.css';
import base from './base.css';
import message from './message.css';
import print from './print.css';
import shell from './shell.css';
import touch from './touch.css';

export const elementCss = base + shell + attachments + message + touch + print;
