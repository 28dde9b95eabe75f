/** Entry of `chatkit.js`, a classic script: remembers where it came from and defines the element. */
import { scriptPlaces } from './element/base-url';
import { defineElement } from './element/chatkit-element';

defineElement(scriptPlaces());
