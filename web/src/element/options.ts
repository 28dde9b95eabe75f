/**
 * Reads what a page hands to `setOptions`: checks it, fills the defaults in and gives the rest of the
 * element one settled shape. Wrong values are an `IntegrationError` that names the option; unknown
 * keys are reported and ignored, so that a page written for a newer version still works.
 */
import type { Command, Entity, FontObject, HeaderIcon, StartScreenPrompt } from '@openai/chatkit';
import { IntegrationError } from '../core/errors';
import type { AttachmentRules } from '../core/limits';
import type { UserContent } from '../core/protocol';
import type { WidgetActionHandler } from '../store/ports';
import { readAttachmentRules, readUploadStrategy, type UploadStrategy } from './attachment-options';
import { Reader, resolveUrl, type OptionReport } from './option-reader';

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export type ApiOptions =
  | {
      readonly door: 'custom';
      readonly url: string;
      readonly domainKey: string;
      readonly fetch: Fetch | null;
      /** How files reach the integration's server; without it, none can be attached. */
      readonly uploadStrategy: UploadStrategy | null;
    }
  | {
      readonly door: 'secret';
      readonly getClientSecret: (current: string | null) => Promise<string>;
      readonly baseUrl: string | null;
    }
  | { readonly door: 'token'; readonly clientToken: string; readonly baseUrl: string | null };

export interface HeaderAction {
  readonly icon: HeaderIcon;
  /** Ours: what the button is called; the icon's name otherwise. */
  readonly label: string | null;
  readonly onClick: () => void;
}
export interface Prompt {
  readonly label: string;
  readonly icon: string | null;
  readonly content: readonly UserContent[];
}
export interface ThemeOptions {
  readonly colorScheme: 'light' | 'dark';
  readonly radius: 'pill' | 'round' | 'soft' | 'sharp';
  readonly density: 'compact' | 'normal' | 'spacious';
  readonly baseSize: number;
  readonly fontFamily: string | null;
  readonly fontFamilyMono: string | null;
  readonly fontSources: readonly FontObject[];
  readonly grayscale: { readonly hue: number; readonly tint: number; readonly shade: number } | null;
  readonly accent: { readonly primary: string; readonly level: number } | null;
  readonly surface: { readonly background: string; readonly foreground: string } | null;
}
export type { WidgetActionHandler } from '../store/ports';
export type ClientToolHandler = (call: { name: string; params: Record<string, unknown> }) => unknown;

export interface Options {
  readonly api: ApiOptions;
  /** Ours: the page's way to sign in again. */
  readonly onSignIn: (() => unknown) | null;
  readonly locale: string;
  readonly theme: ThemeOptions;
  readonly frameTitle: string;
  readonly initialThread: string | null;
  readonly onClientTool: ClientToolHandler | null;
  readonly header: {
    readonly enabled: boolean;
    readonly titleEnabled: boolean;
    readonly titleText: string | null;
    readonly leftAction: HeaderAction | null;
    readonly rightAction: HeaderAction | null;
  };
  readonly history: {
    readonly enabled: boolean;
    readonly showDelete: boolean;
    readonly showRename: boolean;
    /** Ours: a button that saves a conversation as a file. */
    readonly showExport: boolean;
    /** Ours: a reload of the page comes back to the thread that was open. Off unless asked for. */
    readonly reopen: boolean;
  };
  readonly startScreen: { readonly greeting: string | null; readonly prompts: readonly Prompt[] };
  readonly threadItemActions: { readonly feedback: boolean; readonly retry: boolean };
  readonly composer: {
    readonly placeholder: string | null;
    readonly attachments: AttachmentRules;
    readonly models: readonly Model[];
    readonly tools: readonly Tool[];
    readonly dictation: boolean;
  };
  readonly disclaimer: { readonly text: string; readonly highContrast: boolean } | null;
  /** Ours: the line that says that this is an AI; `null` where the page says so itself. */
  readonly aiNotice: { readonly text: string | null } | null;
  readonly thread: { readonly autoScroll: boolean };
  readonly widgets: { readonly onAction: WidgetActionHandler | null };
  readonly entities: EntityOptions;
  readonly commands: CommandOptions;
}
/** What can be done by a `/` in the text field. */
export interface CommandOptions {
  readonly enabled: boolean;
  readonly onSearch: ((query: string) => unknown) | null;
  readonly onSelect: ((command: Command) => unknown) | null;
}
/** What the page knows about the things that people and answers refer to. */
export interface EntityOptions {
  readonly search: ((query: string) => unknown) | null;
  readonly hasMenu: boolean;
  readonly onClick: ((entity: Entity) => unknown) | null;
  readonly preview: ((entity: Entity) => unknown) | null;
}
export interface Model {
  readonly id: string;
  readonly label: string;
  readonly description: string | null;
  readonly disabled: boolean;
  readonly isDefault: boolean;
}
export interface Tool {
  readonly id: string;
  readonly label: string;
  readonly icon: string;
  readonly shortLabel: string;
  readonly placeholder: string | null;
  /** Shown beside the menu of tools instead of in it. */
  readonly pinned: boolean;
  readonly persistent: boolean;
}

/** What is known about the page, so that reading options needs no globals. */
export interface PageFacts {
  readonly language: string;
  readonly baseUri: string;
}

export function readOptions(raw: unknown, page: PageFacts, report: OptionReport): Options {
  const root = new Reader(raw, 'options', report);
  const theme = readTheme(root);
  const header = root.section('header');
  const title = header.section('title');
  const history = root.section('history');
  const start = root.section('startScreen');
  const actions = root.section('threadItemActions');
  const composer = root.section('composer');
  const thread = root.section('thread');
  const widgets = root.section('widgets');
  const entities = root.section('entities');
  const commands = root.section('commands');
  const dictation = composer.section('dictation');
  const notice = root.section('aiNotice');
  const noticeText = notice.words('text');
  const disclaimer = root.has('disclaimer') ? root.section('disclaimer') : null;
  const options: Options = {
    api: readApi(root, page),
    onSignIn: root.section('api').callback('onSignIn'),
    locale: root.text('locale') ?? page.language,
    theme,
    frameTitle: root.words('frameTitle') ?? 'Chat',
    initialThread: root.text('initialThread'),
    onClientTool: root.callback('onClientTool') as ClientToolHandler | null,
    header: {
      enabled: header.flag('enabled', true),
      titleEnabled: title.flag('enabled', true),
      titleText: title.text('text'),
      leftAction: readHeaderAction(header, 'leftAction'),
      rightAction: readHeaderAction(header, 'rightAction'),
    },
    history: {
      enabled: history.flag('enabled', true),
      showDelete: history.flag('showDelete', true),
      showRename: history.flag('showRename', true),
      showExport: history.flag('showExport', true),
      reopen: history.flag('reopen', false),
    },
    startScreen: { greeting: start.text('greeting'), prompts: start.list('prompts').map(readPrompt) },
    threadItemActions: { feedback: actions.flag('feedback', false), retry: actions.flag('retry', false) },
    composer: {
      placeholder: composer.text('placeholder'),
      attachments: readAttachmentRules(composer),
      models: composer.list('models').map(readModel),
      tools: composer.list('tools').map(readTool),
      dictation: dictation.flag('enabled', false),
    },
    disclaimer:
      disclaimer === null
        ? null
        : { text: disclaimer.requiredText('text'), highContrast: disclaimer.flag('highContrast', false) },
    aiNotice: notice.flag('enabled', true) ? { text: noticeText } : null,
    thread: { autoScroll: thread.flag('autoScroll', false) },
    widgets: { onAction: widgets.callback('onAction') as WidgetActionHandler | null },
    commands: {
      enabled: commands.flag('enabled', false),
      onSearch: commands.callback('onSearch') as CommandOptions['onSearch'],
      onSelect: commands.callback('onSelect') as CommandOptions['onSelect'],
    },
    entities: {
      search: entities.callback('onTagSearch') as EntityOptions['search'],
      hasMenu: entities.flag('showComposerMenu', false),
      onClick: entities.callback('onClick') as EntityOptions['onClick'],
      preview: entities.callback('onRequestPreview') as EntityOptions['preview'],
    },
  };
  for (const reader of [root, header, title, history, start, actions, composer, thread, widgets, entities, commands, dictation, notice]) reader.reportUnknown();
  disclaimer?.reportUnknown();
  return options;
}

/** Whether two `api` values are the same conversation partner. Functions do not count: they are always the latest. */
export function sameApi(left: ApiOptions, right: ApiOptions): boolean {
  if (left.door === 'custom' && right.door === 'custom') {
    return left.url === right.url && left.domainKey === right.domainKey;
  }
  if (left.door === 'token' && right.door === 'token') {
    return left.clientToken === right.clientToken && left.baseUrl === right.baseUrl;
  }
  return left.door === 'secret' && right.door === 'secret' && left.baseUrl === right.baseUrl;
}

/** Whether files can be attached: they are switched on, and there is a way for them. */
export function mayAttach({ api, composer }: Options): boolean {
  return composer.attachments.enabled && (api.door !== 'custom' || api.uploadStrategy !== null);
}

function readApi(root: Reader, page: PageFacts): ApiOptions {
  const api = root.section('api', true);
  const doors = ['url', 'getClientSecret', 'clientToken'].filter((key) => api.has(key));
  if (doors.length !== 1) {
    throw new IntegrationError(
      doors.length === 0
        ? 'options.api needs one of: url (your own endpoint), getClientSecret (a secret from your backend) or clientToken (a public pk_… token).'
        : `options.api has ${doors.join(' and ')}; keep one of them, they are different ways in.`,
    );
  }
  // Read in `readOptions`. A visitor has no login.
  if (!api.has('clientToken')) api.know('onSignIn');
  // The hosted doors have one way for files; a strategy is settled for them, whatever it says.
  api.know('uploadStrategy');
  const door = doors[0];
  let options: ApiOptions;
  if (door === 'url') {
    const url = resolveUrl(api.requiredText('url'), page.baseUri, 'options.api.url');
    options = {
      door: 'custom',
      url,
      domainKey: api.text('domainKey') ?? '',
      fetch: api.callback('fetch') as Fetch | null,
      uploadStrategy: readUploadStrategy(api, page.baseUri),
    };
  } else {
    const given = api.text('baseUrl');
    const baseUrl = given === null ? null : resolveUrl(given, page.baseUri, 'options.api.baseUrl').replace(/\/+$/, '');
    if (door === 'clientToken') {
      const clientToken = api.requiredText('clientToken');
      if (!clientToken.startsWith('pk_')) {
        throw new IntegrationError('options.api.clientToken must be a public token (pk_…). Never put another kind of key into a page.');
      }
      options = { door: 'token', clientToken, baseUrl };
    } else {
      const getClientSecret = api.callback('getClientSecret');
      if (getClientSecret === null) throw new IntegrationError('options.api.getClientSecret must be a function.');
      options = { door: 'secret', getClientSecret: getClientSecret as (current: string | null) => Promise<string>, baseUrl };
    }
  }
  api.reportUnknown();
  return options;
}

function readTheme(root: Reader): ThemeOptions {
  const shorthand = root.peek('theme');
  const theme = typeof shorthand === 'string' ? new Reader({ colorScheme: shorthand }, 'options.theme', root.report) : root.section('theme');
  root.know('theme');
  const typography = theme.section('typography');
  const color = theme.section('color');
  const gray = color.has('grayscale') ? color.section('grayscale') : null;
  const accent = color.has('accent') ? color.section('accent') : null;
  const surface = color.has('surface') ? color.section('surface') : null;
  const options: ThemeOptions = {
    colorScheme: theme.choice('colorScheme', ['light', 'dark'], 'light'),
    radius: theme.choice('radius', ['pill', 'round', 'soft', 'sharp'], 'pill'),
    density: theme.choice('density', ['compact', 'normal', 'spacious'], 'normal'),
    baseSize: typography.number('baseSize', 16, 12, 24),
    fontFamily: typography.text('fontFamily'),
    fontFamilyMono: typography.text('fontFamilyMono'),
    fontSources: typography.list('fontSources').map((item) => item.value as unknown as FontObject),
    grayscale:
      gray === null
        ? null
        : { hue: gray.number('hue', 0, -360, 720), tint: gray.number('tint', 0, 0, 9), shade: gray.number('shade', 0, -4, 4) },
    accent: accent === null ? null : { primary: accent.requiredText('primary'), level: accent.number('level', 1, 0, 3) },
    surface:
      surface === null
        ? null
        : { background: surface.requiredText('background'), foreground: surface.requiredText('foreground') },
  };
  for (const reader of [theme, typography, color, gray, accent, surface]) reader?.reportUnknown();
  return options;
}

function readHeaderAction(header: Reader, key: string): HeaderAction | null {
  if (!header.has(key)) return null;
  const action = header.section(key);
  const onClick = action.callback('onClick');
  if (onClick === null) throw new IntegrationError(`options.header.${key}.onClick must be a function.`);
  return { icon: action.requiredText('icon') as HeaderIcon, label: action.words('label'), onClick };
}

function readPrompt(item: Reader): Prompt {
  // Early documentation called the label `name`.
  const label = item.text('label') ?? item.requiredText('name');
  const prompt = item.peek('prompt') as StartScreenPrompt['prompt'] | undefined;
  const content: readonly UserContent[] = Array.isArray(prompt)
    ? prompt
    : [{ type: 'input_text', text: typeof prompt === 'string' ? prompt : label }];
  const icon = item.text('icon');
  item.know('name');
  item.reportUnknown();
  return { label, icon, content };
}

function readModel(item: Reader): Model {
  const model = {
    id: item.requiredText('id'),
    label: item.requiredText('label'),
    description: item.text('description'),
    disabled: item.flag('disabled', false),
    isDefault: item.flag('default', false),
  };
  item.reportUnknown();
  return model;
}

function readTool(item: Reader): Tool {
  const label = item.requiredText('label');
  const tool = {
    id: item.requiredText('id'),
    label,
    icon: item.text('icon') ?? '',
    shortLabel: item.text('shortLabel') ?? label,
    placeholder: item.text('placeholderOverride'),
    pinned: item.flag('pinned', false),
    persistent: item.flag('persistent', false),
  };
  item.reportUnknown();
  return tool;
}
