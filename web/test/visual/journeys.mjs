// What a person does in a scene of the gallery, so that what opens, unfolds and answers is in the pictures as well.
const press = (name, more = {}) => (page) => page.getByRole('button', { name, ...more }).first().click();
const write = (text) => (page) => page.getByRole('textbox').fill(text);
const all = (...acts) => async (page) => {
  for (const act of acts) await act(page);
};

/** Gives the launcher a door that answers by itself. */
const withDoor = (page) => page.evaluate(() => {
  const answer = new Response(JSON.stringify({ data: [], has_more: false }), { headers: { 'content-type': 'application/json' } });
  document.querySelector('vestibule-launcher').setOptions({ api: { url: '/nowhere', domainKey: '', fetch: () => Promise.resolve(answer.clone()) }, header: { title: { text: 'Help' } }, startScreen: { greeting: 'How can we help?', prompts: [{ label: 'Where is my order?', prompt: 'x', icon: 'suitcase' }] } });
});

/** On the page of a shop, at the launcher. */
export const AT_THE_LAUNCHER = [
  { name: 'The launcher', act: (page) => page.evaluate(() => {
    const launcher = document.querySelector('vestibule-launcher');
    launcher.setAttribute('badge', '3');
    launcher.say('May I help you with your order?');
  }) },
  { name: 'The launcher is open', act: async (page) => {
    await withDoor(page);
    // Not by a click: under a pointer the bubble grows, and a picture that was scaled is drawn in one of two ways.
    await page.evaluate(() => document.querySelector('vestibule-launcher').open());
    await page.getByRole('heading', { name: 'How can we help?' }).waitFor();
  } },
];

/** `scene` of the gallery, what is done there, and what is chosen above it. */
export const JOURNEYS = [
  { name: 'Tools', scene: 'Composer with everything', act: press('Tools') },
  { name: 'Models', scene: 'Composer with everything', act: press(/^Model/) },
  { name: 'A tool is chosen, several lines', scene: 'Composer with everything', act: all(press('Tools'), (page) => page.getByRole('option', { name: 'Search the web' }).click(), write('Which trains go to Lisbon\nin the first week of December?')) },
  { name: 'The sources of an answer', scene: 'Sources', act: (page) => page.getByText('Sources').last().click() },
  { name: 'The card of a source', scene: 'Sources', act: async (page) => {
    await page.getByRole('button', { name: /example\.com/ }).click();
    await page.locator('.source-card, [role=dialog]').first().waitFor();
  } },
  { name: 'A conversation is renamed', scene: 'Conversations', act: all((page) => page.locator('.history-row').first().hover(), press('Rename: A trip to Lisbon')) },
  { name: 'A conversation is deleted', scene: 'Conversations', act: all((page) => page.locator('.history-row').first().hover(), press('Delete: A trip to Lisbon')) },
  { name: 'A conversation is exported', scene: 'Conversations', act: all((page) => page.locator('.history-row').first().hover(), press('Export: A trip to Lisbon')) },
  { name: 'A list to choose from', scene: 'A form', act: (page) => page.getByRole('combobox').first().click() },
  { name: 'A calendar', scene: 'A form', act: press(/Day/) },
  { name: 'A step that is folded', scene: 'Reasoning', act: press(/Thought/) },
  { name: 'A long message unfolded', scene: 'A long message', act: press('Show all') },
  { name: 'In Arabic', scene: 'Text with everything', choices: { locale: 'ar' } },
  { name: 'The history in Arabic', scene: 'Conversations', choices: { locale: 'ar' } },
  { name: 'A failure in German', scene: 'A login that has ended', choices: { locale: 'de' } },
  { name: 'Sharp and compact', scene: 'Text with everything', choices: { radius: 'sharp', density: 'compact' } },
  { name: 'Soft and spacious', scene: 'An order', choices: { radius: 'soft', density: 'spacious' } },
];
