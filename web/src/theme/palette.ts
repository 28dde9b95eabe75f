/**
 * The theme option as CSS custom properties. Values come from the page and may be wrong or hostile:
 * each goes through `CSS.supports` and is set through the CSSOM, never as text of a style sheet.
 */
import type { ThemeOptions } from '../element/options';

type Properties = Record<string, string>;

/** Lightness of each step, OKLCH. Chosen so that text on its surface passes 4.5 : 1. */
const STEPS: Readonly<Record<ThemeOptions['colorScheme'], Readonly<Record<string, number>>>> = {
  light: { bg: 1, raised: 1, soft: 0.967, softer: 0.935, line: 0.905, faint: 0.51, quiet: 0.44, text: 0.21 },
  dark: { bg: 0.2, raised: 0.255, soft: 0.275, softer: 0.325, line: 0.345, faint: 0.715, quiet: 0.79, text: 0.955 },
};
/** The strongest tint is still a grey. */
const CHROMA_PER_TINT = 0.003;
const LIGHTNESS_PER_SHADE = 0.012;

const UNIT: Readonly<Record<ThemeOptions['density'], number>> = { compact: 3.25, normal: 4, spacious: 4.75 };
const RADIUS: Readonly<Record<ThemeOptions['radius'], number>> = { pill: 1.3, round: 1, soft: 0.55, sharp: 0 };

/** The custom properties of a theme. `supports` is `CSS.supports`. */
export function themeProperties(theme: ThemeOptions, supports: (property: string, value: string) => boolean): Properties {
  const isColor = (value: string): boolean => !/url\s*\(/i.test(value) && supports('color', value);
  const properties: Properties = grayscale(theme);
  if (theme.surface !== null && isColor(theme.surface.background) && isColor(theme.surface.foreground)) {
    properties['--ck-bg'] = theme.surface.background;
    properties['--ck-raised'] = theme.surface.foreground;
  }
  const accent = theme.accent !== null && isColor(theme.accent.primary) ? theme.accent : null;
  const level = accent?.level ?? 0;
  const primary = accent?.primary ?? 'var(--ck-text)';
  properties['--ck-accent'] = primary;
  properties['--ck-on-accent'] = accent === null ? 'var(--ck-bg)' : readableOn(primary, supports);
  // How far the accent spreads: 0 the send button, 1 links and focus too, 2 a tint on the person's
  // messages and on what is selected, 3 the person's messages in full colour.
  properties['--ck-link'] = level >= 1 ? legible(primary, theme.colorScheme, supports) : 'var(--ck-text)';
  properties['--ck-focus'] = level >= 1 ? primary : 'var(--ck-quiet)';
  properties['--ck-bubble'] = level === 3 ? primary : level === 2 ? `color-mix(in oklab, ${primary} 14%, var(--ck-bg))` : 'var(--ck-soft)';
  properties['--ck-on-bubble'] = level === 3 ? 'var(--ck-on-accent)' : 'var(--ck-text)';
  properties['--ck-selected'] = level >= 2 ? `color-mix(in oklab, ${primary} 16%, var(--ck-bg))` : 'var(--ck-softer)';

  properties['--ck-unit'] = `${UNIT[theme.density]}px`;
  properties['--ck-size'] = `${theme.baseSize}px`;
  const scale = RADIUS[theme.radius];
  for (const [name, size] of [['s', 6], ['m', 10], ['l', 16], ['xl', 22]] as const) properties[`--ck-radius-${name}`] = `${size * scale}px`;
  // What a widget asks for in pixels: as it says, or less where the page wants sharper corners.
  properties['--ck-round'] = String(Math.min(1, scale));
  const full = theme.radius === 'pill' || theme.radius === 'round';
  properties['--ck-radius-full'] = full ? '999px' : `${10 * scale}px`;
  if (theme.fontFamily !== null && supports('font-family', theme.fontFamily)) properties['--ck-font'] = theme.fontFamily;
  if (theme.fontFamilyMono !== null && supports('font-family', theme.fontFamilyMono)) properties['--ck-mono'] = theme.fontFamilyMono;
  return properties;
}

function grayscale(theme: ThemeOptions): Properties {
  const { hue, tint, shade } = theme.grayscale ?? { hue: 0, tint: 0, shade: 0 };
  const properties: Properties = {};
  const angle = tint === 0 ? 0 : perceivedHue(hue);
  for (const [name, lightness] of Object.entries(STEPS[theme.colorScheme])) {
    const isText = name === 'text' || name === 'quiet' || name === 'faint';
    const shift = isText ? 0 : shade * LIGHTNESS_PER_SHADE;
    const level = Math.min(1, Math.max(0, lightness + shift));
    // White stays white unless the page asked for a tint.
    const chroma = tint * CHROMA_PER_TINT * (name === 'bg' || name === 'raised' ? 0.5 : 1);
    properties[`--ck-${name}`] = `oklch(${level.toFixed(3)} ${chroma.toFixed(4)} ${angle.toFixed(1)})`;
  }
  return properties;
}

/**
 * The OKLCH angle of a hue on the wheel that pages pick colours from (HSL): 220 is blue there, and
 * turquoise in OKLCH.
 */
function perceivedHue(hue: number): number {
  // A colour of that hue, half saturated and half light, in linear light.
  const linear = (offset: number): number => {
    const k = (offset + (((hue % 360) + 360) % 360) / 30) % 12;
    const channel = 0.5 - 0.25 * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return ((channel + 0.055) / 1.055) ** 2.4;
  };
  const [r, g, b] = [linear(0), linear(8), linear(4)];
  // Björn Ottosson's matrices (Oklab).
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  const angle = Math.atan2(0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s, 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s);
  return ((angle * 180) / Math.PI + 360) % 360;
}

/** The accent, made dark or light enough to be read as text; older engines get the plain text colour. */
function legible(color: string, scheme: ThemeOptions['colorScheme'], supports: (property: string, value: string) => boolean): string {
  const lightness = scheme === 'light' ? 'min(l, 0.5)' : 'max(l, 0.75)';
  const computed = `oklch(from ${color} ${lightness} c h)`;
  return supports('color', computed) ? computed : 'var(--ck-text)';
}

/** Black or white, whichever reads better on a colour; older engines get white. */
function readableOn(color: string, supports: (property: string, value: string) => boolean): string {
  const computed = `oklch(from ${color} clamp(0, (0.58 - l) * 1000, 1) 0 0)`;
  return supports('color', computed) ? computed : '#fff';
}

/** Fonts cannot be declared inside a shadow root, so they are added to the document, each once. */
const loadedFonts = new Set<string>();

export function loadFonts(theme: ThemeOptions, log: (name: string, data?: Record<string, unknown>) => void): void {
  for (const font of theme.fontSources) {
    const key = JSON.stringify([font.family, font.src, font.weight, font.style, font.unicodeRange]);
    if (loadedFonts.has(key) || typeof font.src !== 'string' || typeof font.family !== 'string') continue;
    loadedFonts.add(key);
    try {
      const url = new URL(font.src, document.baseURI).href;
      const face = new FontFace(font.family, `url(${JSON.stringify(url)})`, {
        ...(font.weight === undefined ? {} : { weight: String(font.weight) }),
        ...(font.style === undefined ? {} : { style: font.style }),
        ...(font.display === undefined ? {} : { display: font.display }),
        ...(font.unicodeRange === undefined ? {} : { unicodeRange: font.unicodeRange }),
      });
      document.fonts.add(face);
      face.load().catch(() => log('theme.font.failed', { family: font.family }));
    } catch {
      log('theme.font.failed', { family: font.family });
    }
  }
}
