/** The conversation: turns, what is happening now, and where the view is scrolled to. */
import { useSignal, useSignalEffect } from '@preact/signals';
import { ArrowDown } from 'lucide';
import type { JSX } from 'preact';
import { useCallback, useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from '../icons/icon';
import { onNextFrame } from '../md/frame';
import { useUi } from './context';
import { Notices } from './notices';
import { Progress } from './progress';
import { Queued } from './queued';
import { TurnView } from './turn-view';
import { CutView, PastFailures, TurnErrorView } from './turn-error';

/** Closer to the end than this counts as being there, in pixels. */
const NEAR_END = 72;
/** As good as at the end: heights are not whole pixels. */
const AT_END = 4;
const NEAR_START = 240;
const SCROLL_KEYS: ReadonlySet<string> = new Set(['ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End', ' ']);
const ANCHORS_BY_ITSELF = typeof CSS !== 'undefined' && CSS.supports('overflow-anchor', 'auto');

export function ThreadView({ loading }: { readonly loading: boolean }): JSX.Element {
  const { chat, t, options } = useUi();
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const away = useSignal(false);
  /** Whether the reader is at the end and wants to stay there. Only scrolling changes it, never growth. */
  const following = useRef(true);
  const lastTop = useRef(0);
  /** A thread that was just opened, or whose end was asked for or scrolled to, is held at its end as it grows, until the reader moves. */
  const held = useRef(false);
  /** The reader has moved since the last message was sent: reaching the end from here on is on purpose. */
  const moved = useRef(false);
  const { threadId } = chat;
  const id = threadId.value;
  const turns = chat.transcript.turns.value;
  const sent = chat.sent.value;

  const follows = useCallback(() => options.peek()?.thread.autoScroll === true && following.current, []);
  const measure = useCallback(() => {
    const view = scroller.current;
    if (view === null) return;
    const distance = view.scrollHeight - view.scrollTop - view.clientHeight;
    // Browsers scroll in small steps: the first one up already says where the reader wants to be.
    if (view.scrollTop > lastTop.current && distance < NEAR_END) following.current = true;
    else if (view.scrollTop < lastTop.current && distance > AT_END) following.current = false;
    if (moved.current && distance < AT_END && view.scrollTop > lastTop.current) held.current = true;
    lastTop.current = view.scrollTop;
    // Browsers scroll to keep what is in view where it is: up, when rows above need fewer lines, and by rounding in a
    // very long answer. That would be taken for the reader's wish to leave the end.
    view.style.overflowAnchor = follows() && !held.current ? 'none' : '';
    away.value = distance > NEAR_END;
    if (view.scrollTop < NEAR_START && chat.loader.hasOlder.peek() && !chat.loader.loadingOlder.peek()) void chat.loadOlder();
  }, []);

  // A thread that was just opened starts at its end.
  const opened = useRef<string | null>(null);
  const sentSeen = useRef(sent);
  const firstKey = useRef<string | null>(null);
  const heightBefore = useRef(0);
  useLayoutEffect(() => {
    const view = scroller.current;
    if (view === null) return;
    const first = turns[0]?.key ?? null;
    if (sent !== sentSeen.current) {
      // The new message goes to the top; its turn reserves the room below, so nothing jumps later.
      sentSeen.current = sent;
      opened.current = id;
      const turn = content.current?.querySelector<HTMLElement>('.turn:last-of-type');
      if (turn !== null && turn !== undefined) {
        const top = turn.getBoundingClientRect().top - view.getBoundingClientRect().top + view.scrollTop;
        view.scrollTo({ top, behavior: 'instant' });
        following.current = true;
        held.current = false;
        moved.current = false;
      }
    } else if (opened.current !== id && turns.length > 0) {
      if (opened.current !== null || sent === 0) {
        view.scrollTop = view.scrollHeight;
        held.current = true;
      }
      opened.current = id;
    } else if (firstKey.current !== null && first !== firstKey.current && view.scrollHeight > heightBefore.current) {
      // Older messages came in above: what is being read stays where it is. Browsers that anchor do
      // that by themselves, except at the very top.
      if (!ANCHORS_BY_ITSELF || view.scrollTop < 1) view.scrollTop += view.scrollHeight - heightBefore.current;
    }
    firstKey.current = first;
    heightBefore.current = view.scrollHeight;
    measure();
  }, [turns, sent, id]);

  // Growth is watched, not guessed: with `autoScroll` the end is followed while the reader is there.
  useLayoutEffect(() => {
    const inner = content.current;
    if (inner === null) return;
    const observer = new ResizeObserver(() => {
      const view = scroller.current;
      if (view === null) return;
      heightBefore.current = view.scrollHeight;
      // In the frame that shows the growth; a frame later, the text would be seen in another place before.
      if (follows() || held.current) {
        view.scrollTop = view.scrollHeight;
        lastTop.current = view.scrollTop;
      }
      // May change what is observed here, which has to wait.
      onNextFrame(measure);
    });
    observer.observe(inner);
    return () => observer.disconnect();
  }, []);

  useSignalEffect(() => {
    if (!chat.isAnswering.value) onNextFrame(measure);
  });

  const release = (): void => {
    held.current = false;
    moved.current = true;
  };
  /** Whoever asks for the end wants to stay there: an answer that grows is followed until the reader moves. */
  const toEnd = (): void => {
    const view = scroller.current;
    if (view === null) return;
    held.current = true;
    following.current = true;
    view.focus({ preventScroll: true });
    view.scrollTo({ top: view.scrollHeight, behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth' });
  };
  const answering = chat.isAnswering.value;
  return (
    <div class="thread-frame">
      <div
        ref={scroller}
        class="thread"
        part="thread"
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-busy={answering}
        aria-label={t('thread.label')}
        onScroll={measure}
        // Whoever goes on towards the end does not leave it.
        onWheel={(event) => {
          if (event.deltaY < 0) {
            release();
            // Before the first step, which an answer that grows would undo.
            if ((scroller.current?.scrollTop ?? 0) > 0) following.current = false;
          }
          else moved.current = true;
        }}
        onTouchStart={release}
        onPointerDown={release}
        onKeyDown={(event) => {
          if (SCROLL_KEYS.has(event.key)) release();
        }}
      >
        <div ref={content} class="thread-inner">
          {chat.loader.loadingOlder.value && <div class="older">{t('thread.older')}</div>}
          {loading && <LoadingThread label={t('thread.loading')} />}
          {turns.map((turn, index) => (
            <TurnView key={turn.key} turn={turn} last={index === turns.length - 1} fresh={sent > 0}>
              {index === turns.length - 1 && <Progress />}
              <Notices of={turn.entries} rest={index === turns.length - 1} />
              <PastFailures of={turn.entries} />
              {index === turns.length - 1 && (
                <>
                  <TurnErrorView />
                  <CutView />
                  <Queued />
                </>
              )}
            </TurnView>
          ))}
          {turns.length === 0 && !loading && (
            <>
              <Notices rest />
              <TurnErrorView />
              <Queued />
            </>
          )}
        </div>
        {away.value && (
          <div class="to-end-place">
            <button type="button" class="to-end" aria-label={t('thread.bottom')} onClick={toEnd}>
              <Icon of={ArrowDown} />
            </button>
          </div>
        )}
      </div>
    </div>
  );
}

function LoadingThread({ label }: { readonly label: string }): JSX.Element {
  return (
    <div role="status" aria-label={label}>
      <div class="skeleton bubble" />
      <div class="skeleton w0" />
      <div class="skeleton w2" />
      <div class="skeleton w1" />
    </div>
  );
}
