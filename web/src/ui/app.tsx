/** The whole interface: theme, header, the view of the moment, composer. */
import { effect } from '@preact/signals';
import type { ComponentChild, JSX } from 'preact';
import type { IconNode } from 'lucide';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { Announcer } from '../a11y/announcer';
import { directionOf } from '../i18n/resolve';
import { Lucide } from '../icons/icon';
import { loadFonts, themeProperties } from '../theme/palette';
import { Composer } from './composer';
import { UiContext, useOptions, useUi, type Ui } from './context';
import { Disclaimer } from './disclaimer';
import { DropHint, useFileDrop } from './file-drop';
import { toNextRegion, useFocusKeeper } from './focus';
import { Header } from './header';
import { HistoryPanel } from './history-panel';
import { onMarkdownClick } from './markdown-clicks';
import { Questions } from './questions';
import { Refusal } from './refusal';
import { SourceCard, useCards } from './source-card';
import { StartScreen } from './start-screen';
import { ThreadView } from './thread-view';
import { Toast } from './toast';

/** From this width on, in pixels, the list of conversations has a place beside them. */
const BESIDE = 900;

export function mountedApp(ui: Ui): ComponentChild {
  return (
    <UiContext.Provider value={ui}>
      <LucideIcons>
        <App />
      </LucideIcons>
    </UiContext.Provider>
  );
}

/** Icons by lucide's names: loaded when the first one is asked for, and drawn when they are there. */
function LucideIcons({ children }: { readonly children: ComponentChild }): JSX.Element {
  const { icons } = useUi().parts;
  const part = icons.part.value;
  const failed = icons.hasFailed.value;
  const lookup = useMemo(() => {
    if (part !== null) return part.lucideIcon;
    return (): IconNode | null => {
      icons.want();
      return failed ? null : [];
    };
  }, [part, failed]);
  return <Lucide.Provider value={lookup}>{children}</Lucide.Provider>;
}

function App(): JSX.Element {
  const ui = useUi();
  const { chat, blocked, options, log, language } = ui;
  const { frameTitle, theme } = useOptions();
  const root = useRef<HTMLElement>(null);
  const { isOver, ...drop } = useFileDrop();
  useFocusKeeper(root);
  useCards(root);
  // Before the first paint: all sizes come of the theme, and a frame without them would be seen to move.
  useLayoutEffect(() => effect(() => {
    const current = options.value?.theme;
    if (current === undefined || root.current === null) return;
    const { style } = root.current;
    const properties = themeProperties(current, (property, value) => CSS.supports(property, value));
    for (const name of [...style]) if (!(name in properties)) style.removeProperty(name);
    // A page's own style sheet goes before its options: `--chatkit-bg` before what `theme` makes of `--ck-bg`.
    for (const [name, value] of Object.entries(properties)) style.setProperty(name, `var(--chatkit${name.slice(4)}, ${value})`);
    loadFonts(current, log);
  }), []);
  useLayoutEffect(() => {
    if (root.current === null) return undefined;
    const observer = new ResizeObserver(([entry]) => (chat.isHistoryBeside.value = (entry?.contentRect.width ?? 0) >= BESIDE));
    observer.observe(root.current);
    return () => observer.disconnect();
  }, []);
  const isActive = (chat.transcript.thread.value?.status ?? { type: 'active' }).type === 'active';
  const questions = isActive ? chat.questions.value : null;
  const empty = chat.transcript.turns.value.length === 0 && chat.threadId.value === null;
  // What the list of conversations covers is out of reach; failures beside it are said above it.
  const isCovered = chat.isCovered.value;
  const loading = chat.phase.value === 'loading' && chat.transcript.turns.value.length === 0;
  return (
    <section ref={root} class={`app ${theme.colorScheme}`} data-scheme={theme.colorScheme} lang={language.value.tag} dir={directionOf(language.value.tag)} aria-label={frameTitle} onClick={(event) => onMarkdownClick(event, ui)} onKeyDown={toNextRegion} {...drop}>
      <Header />
      <div class="body">
        {blocked.value !== null ? (
          <Refusal {...blocked.value} />
        ) : (
          <>
            <div class="behind" inert={isCovered}>{empty ? <StartScreen /> : <ThreadView loading={loading} />}</div>
            <div class="foot">
              <Toast />
              <div class="behind" inert={isCovered}>
                {questions === null ? <Composer /> : <Questions key={questions.id} />}
                <Disclaimer />
              </div>
            </div>
            {chat.historyOpen.value && <HistoryPanel />}
          </>
        )}
        {isOver.value && <DropHint />}
      </div>
      <SourceCard />
      <Announcer />
    </section>
  );
}
