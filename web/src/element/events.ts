/** The events that pages listen to, emitted on the element. */
import type { ChatKitEvents } from '@openai/chatkit';
import { tellDeveloper } from './developer';

export type EventName = keyof ChatKitEvents;
export type EventDetail<K extends EventName> = ChatKitEvents[K] extends CustomEvent<infer D> ? D : never;

/** Emits one event; `detail` is left out for events without one. */
export type Emit = <K extends EventName>(name: K, ...detail: undefined extends EventDetail<K> ? [] : [EventDetail<K>]) => void;

/** Events bubble and cross shadow roots, so that a page may listen in one place for all its chats. */
export function emitterOf(target: EventTarget): Emit {
  return (name, ...detail) => {
    if (name === 'chatkit.error') tellDeveloper((detail[0] as EventDetail<'chatkit.error'>).error);
    target.dispatchEvent(new CustomEvent(name, { detail: detail[0], bubbles: true, composed: true }));
  };
}
