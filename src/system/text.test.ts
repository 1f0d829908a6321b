import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { claimText, escapeLines, escapeText, nearest, shellWord, truncateBytes } from './text.ts';

test.each([
  ['a\r\nb\tc', 'a\\r\\nb\\tc'],
  ['\u001b[31mred', '\\u001b[31mred'],
  ['\u202egnp.exe', '\\u202egnp.exe'],
  ['a\u200bb\ufeff', 'a\\u200bb\\ufeff'],
  ['\u2028\u0085', '\\u2028\\u0085'],
  ['\ud800x', '\\ud800x'],
  ['Grüße 🦊', 'Grüße 🦊'],
  ['a\u{e0041}\u{e0000}b', 'a\\udb40\\udc41\\udb40\\udc00b'],
  ['a\u{e0100}\ufe00b\ufe0f', 'a\\udb40\\udd00\\ufe00b\\ufe0f'],
  ['\u115f\u1160\u3164\uffa0', '\\u115f\\u1160\\u3164\\uffa0'],
  ['\u00ad\u034f\u180b\u2065\ufff0', '\\u00ad\\u034f\\u180b\\u2065\\ufff0'],
  ['\u{1d173}\u{1bca0}', '\\ud834\\udd73\\ud82f\\udca0'],
  // Several characters that are one to the eye.
  ['👨‍👩‍👧 👩🏽‍💻 🏳️‍🌈 ❤️ ☺︎ 1️⃣ #️⃣ 🇩🇪', '👨‍👩‍👧 👩🏽‍💻 🏳️‍🌈 ❤️ ☺︎ 1️⃣ #️⃣ 🇩🇪'],
  [
    '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}',
    '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}',
  ],
  // And those that only begin like it.
  ['🏴\u{e0067}\u{e0062}', '🏴\\udb40\\udc67\\udb40\\udc62'],
  ['👨\u200d', '👨\\u200d'],
  ['👨\u200d\u200d👩', '👨\\u200d\\u200d👩'],
  ['❤\ufe0f\ufe0f', '❤\ufe0f\\ufe0f'],
  ['a\u200d👩', 'a\\u200d👩'],
  ['1\ufe0f2', '1\\ufe0f2'],
])('A16 %j is shown as %s', (text, shown) => {
  expect(escapeText(text)).toBe(shown);
});

test('A16 what is escaped is what is shown: nothing that nobody sees is left, and JSON reads it back', () => {
  const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
  for (let code = 0; code <= 0x10ffff; code += 1) {
    const character = String.fromCodePoint(code);
    if (!hidden.test(character)) continue;
    const shown = escapeText(`x${character}x`);
    expect(shown, code.toString(16)).toMatch(/^x(\\[nrt]|(\\u[0-9a-f]{4}){1,2})x$/);
    expect(JSON.parse(`"${shown}"`)).toBe(`x${character}x`);
  }
});

test('rule: a claim has at most 256 bytes, says what was cut, and is cut between characters', () => {
  expect(claimText('x'.repeat(256))).toBe('x'.repeat(256));
  expect(claimText('x'.repeat(70_000))).toBe(`${'x'.repeat(256)}…[+69744 bytes]`);
  const foxes = truncateBytes('🦊'.repeat(100), 255);
  expect(foxes).toBe(`${'🦊'.repeat(63)}…[+148 bytes]`);
});

test('threat 36: a text is cut with work that grows as it does, whatever its characters are', () => {
  const measured = vi.spyOn(Buffer, 'byteLength');
  try {
    const cut = truncateBytes('€'.repeat(400_000), 157_000);
    expect(cut).toBe(`${'€'.repeat(52_333)}…[+1043001 bytes]`);
    // Each time it is measured costs as much as the text is long.
    expect(measured.mock.calls.length).toBeLessThan(4);
  } finally {
    measured.mockRestore();
  }
});

test('rule: a cut text is the longest beginning that fits, without half a character at its end', () => {
  /** Beginning for beginning, the longest first. */
  function slowly(text: string, maxBytes: number): string {
    const bytes = Buffer.byteLength(text);
    if (bytes <= maxBytes) return text;
    let kept = text;
    while (kept !== '' && Buffer.byteLength(kept) > maxBytes) kept = kept.slice(0, -1);
    kept = kept.replace(/[\ud800-\udbff]$/, '');
    return `${kept}…[+${bytes - Buffer.byteLength(kept)} bytes]`;
  }
  const unit = fc.constantFrom('a', 'ß', '€', '🦊', '\ud83e', '\udd8a', '\uffff');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 12 }), fc.nat(30), (text, maxBytes) => {
      expect(truncateBytes(text, maxBytes)).toBe(slowly(text, maxBytes));
    }),
    { numRuns: 2_000, seed: 4 },
  );
});

test('A16 of several lines, line ends and tabs stay as they are, and nothing else does', () => {
  expect(escapeLines('a\tb\r\n\u001b[31mc\u202e\n')).toBe('a\tb\\r\n\\u001b[31mc\\u202e\n');
});

test.each([
  ['lst', ['list', 'reject'], 'list'],
  ['devcies', ['devices', 'gateway'], 'devices'],
  ['Port', ['port', 'bind'], 'port'],
  ['zzzz', ['port', 'bind'], null],
])('rule: the nearest to %s', (word, known, near) => {
  expect(nearest(word, known)).toBe(near);
});

test('rule: a path becomes one word of a shell', () => {
  expect(shellWord('/home/user/.latchkey')).toBe('/home/user/.latchkey');
  expect(shellWord("/tmp/it's here; rm -rf /")).toBe(`'/tmp/it'\\''s here; rm -rf /'`);
});
