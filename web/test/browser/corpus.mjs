// A long, mixed answer for the streaming measurements, the same in every run.
const WORDS = 'the model streams tokens into a browser where each delta must be parsed and painted without blocking input so that people can scroll select and copy while the answer grows'.split(' ');

/** About `length` characters of headings, prose, lists, code, tables and quotations. */
export function corpus(length) {
  let seed = 7;
  const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
  const sentence = (count) => {
    const words = Array.from({ length: count }, () => {
      const word = WORDS[Math.floor(random() * WORDS.length)];
      const roll = random();
      return roll < 0.06 ? `**${word}**` : roll < 0.1 ? `\`${word}()\`` : roll < 0.12 ? `[${word}](https://example.com/${word})` : word;
    });
    return `${words.join(' ')}.`;
  };
  let text = '';
  while (text.length < length) {
    text += `## Section ${Math.floor(random() * 900)}\n\n`;
    for (let index = 0; index < 3; index += 1) text += `${sentence(45)} ${sentence(20)}\n\n`;
    for (let index = 0; index < 5; index += 1) text += `- ${sentence(14)}\n`;
    text += `\n1. ${sentence(9)}\n2. ${sentence(9)}\n   - ${sentence(6)}\n\n\`\`\`python\n`;
    for (let index = 0; index < 22; index += 1) text += `def f_${index}(a, b=None):  # ${WORDS[index % WORDS.length]}\n    return [x * ${index} for x in a]\n`;
    text += '```\n\n| name | value | note |\n|---|---:|---|\n';
    for (let index = 0; index < 8; index += 1) text += `| ${WORDS[index]} | ${Math.floor(random() * 1e5)} | ${WORDS[index + 9]} |\n`;
    text += `\n> ${sentence(22)}\n\n`;
  }
  return text.slice(0, length);
}
