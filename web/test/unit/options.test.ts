/** `setOptions`: the three doors, the defaults, and what is refused with the name of the option. */
import { describe, expect, test, vi } from 'vitest';
import { composerChange } from '../../src/element/composer-value';
import { mayAttach, readOptions, sameApi, type Options } from '../../src/element/options';

const PAGE = { language: 'de-DE', baseUri: 'https://app.example/shop/' };
const custom = { url: '/chatkit', domainKey: 'local-dev' };
const read = (raw: unknown, report: (path: string) => void = () => undefined): Options => readOptions(raw, PAGE, report);

describe('api', () => {
  test('O002 custom: relative addresses resolve against the page', () => {
    expect(read({ api: { url: 'chat', domainKey: '' } }).api).toMatchObject({ door: 'custom', url: 'https://app.example/shop/chat', domainKey: '', fetch: null });
    expect(read({ api: { url: '/chatkit' } }).api).toMatchObject({ door: 'custom', domainKey: '' });
  });

  test('hosted and public', () => {
    expect(read({ api: { getClientSecret: () => Promise.resolve('ek') } }).api).toMatchObject({ door: 'secret', baseUrl: null });
    expect(read({ api: { clientToken: 'pk_test_1', baseUrl: 'https://chat.example/' } }).api).toEqual({ door: 'token', clientToken: 'pk_test_1', baseUrl: 'https://chat.example' });
  });

  test.each([
    [undefined, 'options must be an object'],
    [{}, 'options.api'],
    [{ api: {} }, 'url (your own endpoint), getClientSecret'],
    [{ api: { url: '/x', getClientSecret: () => '' } }, 'url and getClientSecret'],
    [{ api: { url: '/x', clientToken: 'pk_1' } }, 'url and clientToken'],
    [{ api: { url: 3 } }, 'options.api.url must be a string'],
    [{ api: { url: 'javascript:alert(1)' } }, 'http or https'],
    [{ api: { url: 'https://[' } }, 'not a URL'],
    [{ api: { clientToken: 'sk_live_secret' } }, 'public token (pk_…)'],
    [{ api: { getClientSecret: 'ek_1' } }, 'must be a function'],
    [{ api: { url: '/x', fetch: 'no' } }, 'options.api.fetch must be a function'],
    [{ api: { url: '/x', uploadStrategy: 'direct' } }, 'options.api.uploadStrategy must be an object'],
    [{ api: { url: '/x', uploadStrategy: { type: 'hosted' } } }, 'options.api.uploadStrategy.type must be one of: two_phase, direct'],
    [{ api: { url: '/x', uploadStrategy: { type: 'direct' } } }, 'options.api.uploadStrategy.uploadUrl is missing'],
    [{ api: { url: '/x', uploadStrategy: { type: 'direct', uploadUrl: 'ftp://x' } } }, 'options.api.uploadStrategy.uploadUrl must be an http'],
  ])('O001 %j is refused', (raw, words) => {
    expect(() => read(raw)).toThrow(words);
    try {
      read(raw);
    } catch (error) {
      expect((error as Error).name).toBe('IntegrationError');
      expect((error as Error).message).not.toContain('sk_live_secret');
    }
  });

  test.each([
    [{ ...custom }, false, null],
    [{ ...custom, uploadStrategy: { type: 'two_phase' } }, true, { type: 'two_phase' }],
    [{ ...custom, uploadStrategy: { type: 'direct', uploadUrl: 'up' } }, true, { type: 'direct', uploadUrl: 'https://app.example/shop/up' }],
    [{ clientToken: 'pk_1', uploadStrategy: { type: 'hosted' } }, true, undefined],
    [{ getClientSecret: () => Promise.resolve('ek') }, true, undefined],
  ])('%j lets files be attached: %s', (api, may, strategy) => {
    const options = read({ api, composer: { attachments: { enabled: true } } });
    expect(mayAttach(options)).toBe(may);
    expect((options.api as { uploadStrategy?: unknown }).uploadStrategy).toEqual(strategy);
    expect(mayAttach(read({ api }))).toBe(false);
  });

  test('the same partner is recognised, whatever its functions', () => {
    const left = read({ api: { ...custom, fetch: () => Promise.resolve(new Response()) } }).api;
    const right = read({ api: { ...custom, fetch: () => Promise.resolve(new Response()) } }).api;
    expect(sameApi(left, right)).toBe(true);
    expect(sameApi(left, read({ api: { url: '/other' } }).api)).toBe(false);
    expect(sameApi(left, read({ api: { clientToken: 'pk_1' } }).api)).toBe(false);
  });
});

describe('everything else', () => {
  test('has the documented defaults', () => {
    expect(read({ api: custom })).toMatchObject({
      locale: 'de-DE', frameTitle: 'Chat', initialThread: null, onClientTool: null,
      theme: { colorScheme: 'light', radius: 'pill', density: 'normal' },
      header: { enabled: true, titleEnabled: true, titleText: null },
      history: { enabled: true, showDelete: true, showRename: true, reopen: false },
      threadItemActions: { feedback: false, retry: false },
      thread: { autoScroll: false },
      disclaimer: null,
      composer: { attachments: { enabled: false, maxBytes: { '*': 104_857_600 }, maxCount: 10, accept: null } },
    });
  });

  test('the theme may be a word', () => {
    expect(read({ api: custom, theme: 'dark' }).theme.colorScheme).toBe('dark');
  });

  test.each([
    [{ theme: 'blue' }, 'options.theme.colorScheme must be one of: light, dark'],
    [{ theme: { radius: 'huge' } }, 'options.theme.radius'],
    [{ theme: { color: { accent: { primary: '#f00', level: 7 } } } }, 'options.theme.color.accent.level must be from 0 to 3'],
    [{ theme: { typography: { baseSize: 900 } } }, 'baseSize'],
    [{ header: 'no' }, 'options.header must be an object'],
    [{ header: { leftAction: { icon: 'home' } } }, 'options.header.leftAction.onClick must be a function'],
    [{ startScreen: { prompts: {} } }, 'options.startScreen.prompts must be a list'],
    [{ startScreen: { prompts: [{}] } }, 'options.startScreen.prompts[0]'],
    [{ disclaimer: {} }, 'options.disclaimer.text is missing'],
    [{ onClientTool: {} }, 'options.onClientTool must be a function'],
    [{ history: { enabled: 'yes' } }, 'options.history.enabled must be true or false'],
    [{ initialThread: 7 }, 'options.initialThread must be a string'],
    [{ composer: { attachments: true } }, 'options.composer.attachments must be an object'],
    [{ composer: { attachments: { enabled: 'yes' } } }, 'options.composer.attachments.enabled must be true or false'],
    [{ composer: { attachments: { maxSize: 0 } } }, 'options.composer.attachments.maxSize must be from 1'],
    [{ composer: { attachments: { maxSize: '5 MB' } } }, 'options.composer.attachments.maxSize must be a number'],
    [{ composer: { attachments: { maxSize: { 'image/*': -1 } } } }, 'options.composer.attachments.maxSize.image/* must be from 1'],
    [{ composer: { attachments: { maxCount: 0 } } }, 'options.composer.attachments.maxCount must be from 1'],
    [{ composer: { attachments: { maxCount: 1.5 } } }, 'options.composer.attachments.maxCount must be a whole number'],
    [{ composer: { attachments: { accept: ['image/*'] } } }, 'options.composer.attachments.accept must be an object'],
    [{ composer: { attachments: { accept: { 'image/*': '.png' } } } }, 'accept["image/*"] must be a list'],
  ])('%j is refused by name', (part, words) => {
    expect(() => read({ api: custom, ...part })).toThrow(words);
  });

  test.each(['', '   '])('%j is no name and takes none away', (text) => {
    const options = read({ api: custom, aiNotice: { text }, frameTitle: text, header: { leftAction: { icon: 'menu', label: text, onClick: () => undefined } } });
    expect(options).toMatchObject({ aiNotice: { text: null }, frameTitle: 'Chat', header: { leftAction: { label: null } } });
    expect(read({ api: custom, aiNotice: { text, enabled: false } }).aiNotice).toBeNull();
  });

  test('a message has a hundred files at most', () => {
    expect(read({ api: custom, composer: { attachments: { enabled: true, maxCount: 5000 } } }).composer.attachments.maxCount).toBe(100);
  });

  test('prompts may be content, a string, or use the old key', () => {
    const tag = { type: 'input_tag', id: '1', text: '@Ann' };
    const { prompts } = read({ api: custom, startScreen: { prompts: [{ label: 'a', prompt: 'b' }, { name: 'c', prompt: [tag] }] } }).startScreen;
    expect(prompts).toEqual([
      { label: 'a', icon: null, content: [{ type: 'input_text', text: 'b' }] },
      { label: 'c', icon: null, content: [tag] },
    ]);
  });

  test('unknown keys are reported and ignored', () => {
    const report = vi.fn();
    read({ api: { ...custom, secret: 1 }, colour: 'red', header: { titel: {} }, entities: {}, composer: { attachments: { enabled: false } } }, report);
    expect(report.mock.calls.map(([path]) => path as string).toSorted()).toEqual(['options.api.secret', 'options.colour', 'options.header.titel']);
  });

  test('what the types know is known, inside lists too', () => {
    const report = vi.fn();
    const items = { prompts: [{ label: 'a', prompt: 'b', colour: 'red' }], tools: [{ id: 't', label: 'T', icon: 'x', pinned: true, hot: 1 }], models: [{ id: 'm', label: 'M', speed: 1 }] };
    read({ api: custom, entities: { onTagSearch: () => [] }, commands: { enabled: true }, widgets: { onAction: () => undefined }, startScreen: { prompts: items.prompts }, composer: { dictation: { enabled: true }, tools: items.tools, models: items.models } }, report);
    expect(report.mock.calls.map(([path]) => path as string).toSorted()).toEqual(['options.composer.models[0].speed', 'options.composer.tools[0].hot', 'options.startScreen.prompts[0].colour']);
    report.mockClear();
    const { commands, entities, composer } = read({ api: custom, entities: {}, commands: { enabled: false }, widgets: null, composer: { dictation: { enabled: false } } }, report);
    expect(report).not.toHaveBeenCalled();
    expect([commands, entities, composer.dictation]).toEqual([{ enabled: false, onSearch: null, onSelect: null }, { search: null, hasMenu: false, onClick: null, preview: null }, false]);
  });

  test('setComposerValue selects what there is, and nothing else', () => {
    const choices = { tools: [{ id: 't' }], models: [{ id: 'm', disabled: false }, { id: 'off', disabled: true }] };
    expect(() => composerChange({ text: 'x', selectedToolId: 't', selectedModelId: 'm' }, false, choices)).not.toThrow();
    expect(() => composerChange({ selectedToolId: null }, false, choices)).not.toThrow();
    expect(() => composerChange({ selectedToolId: 'nope' }, false, choices)).toThrow('one of composer.tools, or null; "nope" is none');
    expect(() => composerChange({ selectedModelId: 'off' }, false, choices)).toThrow('composer.models');
    expect(() => composerChange({ selectedModelId: 'nope' }, false, choices)).toThrow('"nope" is none');
  });

  test('functions keep the object they were given in', () => {
    const header = { leftAction: { icon: 'home', name: 'me', seen: '', onClick(this: { name: string; seen: string }) { this.seen = this.name; } } };
    read({ api: custom, header }).header.leftAction?.onClick();
    expect(header.leftAction.seen).toBe('me');
  });
});
