/** Entry of `chatkit/launcher.js`, a classic script: remembers where it came from and defines the launcher. */
import { folderOf } from '../element/base-url';
import { defineLauncher } from './launcher-element';

const script = document.currentScript;
// The folder above: the launcher is `/chatkit/launcher.js`, the element `/chatkit.js`.
const server = script instanceof HTMLScriptElement && script.src !== '' ? folderOf(script.src).replace(/\/chatkit$/, '') : location.origin;
defineLauncher(server);
