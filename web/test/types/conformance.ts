/**
 * Checked by the compiler alone: the element offers what the published `@openai/chatkit` types
 * promise. A new option, event or method upstream turns this file red.
 */
import type { ChatKitEvents, ChatKitOptions, OpenAIChatKit } from '@openai/chatkit';
import type { ChatKitElement } from '../../src/element/chatkit-element';
import type { EventName } from '../../src/element/events';
import type { Method } from '../../src/element/busy';

// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the standard way to compare types exactly
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type OwnMembers<T> = Exclude<keyof T, keyof HTMLElement>;

/** The alias of the official guides is the one thing we add. */
export const members: Equal<Exclude<OwnMembers<ChatKitElement>, 'sendAction' | 'connectedCallback' | 'disconnectedCallback'>, OwnMembers<OpenAIChatKit>> = true;
export const methods: Equal<Method, Exclude<OwnMembers<OpenAIChatKit>, 'setOptions'>> = true;
export const events: Equal<EventName, keyof ChatKitEvents> = true;

export const element: (made: ChatKitElement) => OpenAIChatKit = (made) => made;
export const tag: (made: ChatKitElement) => HTMLElementTagNameMap['openai-chatkit'] = (made) => made;

export const options = {
  api: 0, locale: 0, theme: 0, frameTitle: 0, initialThread: 0, onClientTool: 0, header: 0, history: 0, startScreen: 0,
  threadItemActions: 0, composer: 0, disclaimer: 0, entities: 0, commands: 0, widgets: 0, thread: 0,
} satisfies Record<keyof ChatKitOptions, 0>; // prettier-ignore

export const eventNames = {
  'chatkit.ready': 0, 'chatkit.error': 0, 'chatkit.effect': 0, 'chatkit.deeplink': 0, 'chatkit.response.start': 0,
  'chatkit.response.end': 0, 'chatkit.history.open': 0, 'chatkit.history.close': 0, 'chatkit.thread.change': 0,
  'chatkit.thread.load.start': 0, 'chatkit.thread.load.end': 0, 'chatkit.tool.change': 0, 'chatkit.log': 0,
} satisfies Record<keyof ChatKitEvents, 0>; // prettier-ignore

// @ts-expect-error -- an event that does not exist must not pass
export const wrong: EventName = 'chatkit.message';
