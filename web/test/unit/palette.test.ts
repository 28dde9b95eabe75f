/** What the theme's names mean on the screen. */
import { describe, expect, test } from 'vitest';
import { readOptions } from '../../src/element/options';
import { themeProperties } from '../../src/theme/palette';

/** The custom properties as sRGB, each channel from 0 to 1. */
function colours(colorScheme: 'light' | 'dark', grayscale: object): Record<string, readonly [number, number, number]> {
  const options = readOptions({ api: { url: '/chatkit' }, theme: { colorScheme, color: { grayscale } } }, { language: 'en', baseUri: 'https://app.example/' }, () => undefined);
  const found: Record<string, readonly [number, number, number]> = {};
  for (const [name, value] of Object.entries(themeProperties(options.theme, () => false))) {
    const parts = /^oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)$/.exec(value);
    if (parts !== null) found[name] = srgb(Number(parts[1]), Number(parts[2]), Number(parts[3]));
  }
  return found;
}

function srgb(lightness: number, chroma: number, hue: number): readonly [number, number, number] {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const encode = (x: number): number => (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055);
  return [
    encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    encode(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** Hue on the colour wheel of HSL, in degrees. */
function hueOf([r, g, b]: readonly [number, number, number]): number {
  const [most, least] = [Math.max(r, g, b), Math.min(r, g, b)];
  const range = most - least;
  const sector = most === r ? (g - b) / range : most === g ? 2 + (b - r) / range : 4 + (r - g) / range;
  return (sector * 60 + 360) % 360;
}

describe('grayscale', () => {
  test.each(['light', 'dark'] as const)('hue 220, tint 6, shade −4 is a cool grey (%s)', (scheme) => {
    const found = colours(scheme, { hue: 220, tint: 6, shade: -4 });
    expect(Object.keys(found)).toContain('--ck-bg');
    for (const [name, [r, g, b]] of Object.entries(found)) {
      expect(b, name).toBeGreaterThan(g);
      expect(g, name).toBeGreaterThan(r);
      expect(Math.abs(hueOf([r, g, b]) - 220), `${name}: ${hueOf([r, g, b])}`).toBeLessThan(12);
      // A grey still: its channels are close together.
      expect(b - r, name).toBeLessThan(0.1);
    }
  });

  test.each([0, 40, 120, 160, 220, 280, 330, -140, 580])('hue %i is the hue of the colour wheel', (hue) => {
    const wanted = ((hue % 360) + 360) % 360;
    const distance = Math.abs(hueOf(colours('light', { hue, tint: 9, shade: 0 })['--ck-line'] ?? [0, 0, 0]) - wanted);
    expect(Math.min(distance, 360 - distance)).toBeLessThan(15);
  });

  test('without a tint, greys are grey whatever the hue', () => {
    for (const [r, g, b] of Object.values(colours('dark', { hue: 220, tint: 0, shade: 0 }))) expect(Math.max(r, g, b) - Math.min(r, g, b)).toBeLessThan(0.002);
  });
});
