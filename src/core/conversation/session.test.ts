import { describe, expect, test } from 'vitest';
import { escapeText } from '../../system/text.ts';
import { isNewKey, type SessionKey, sessionKey } from './session.ts';

describe('rule: the key of a session that is begun', () => {
  const keyOf = (text: string) => sessionKey(text, 'main') as SessionKey;

  test('rule: has no character that a terminal or a reader would obey, whatever a list shows of it', () => {
    const letIn: string[] = [];
    for (let unit = 0x21; unit <= 0xffff; unit += 1) {
      const text = String.fromCharCode(unit);
      const key = escapeText(text) === text ? null : sessionKey(`a${text}b`, 'main');
      if (key !== null && isNewKey(key)) letIn.push(unit.toString(16));
    }
    expect(letIn).toEqual([]);
    for (const text of ['notes\u009b31m\u202e', 'a\u2066b', 'a\u{e0041}', 'a\u00adb']) {
      expect([text, isNewKey(keyOf(text))]).toEqual([text, false]);
    }
  });

  test('rule: has every letter and sign beside them, and is the same key as ever', () => {
    for (const text of ['notes', 'a:b', 'größe', '日本', 'עברית', '🔑', '❤️', '👨‍👩‍👧', '❤️‍🔥', 'e\u0301']) {
      expect([text, isNewKey(keyOf(text)), keyOf(text)]).toEqual([text, true, `agent:main:${text}`]);
    }
    // One that is there under such a key is found by it.
    expect(keyOf('notes\u009b31m')).toBe('agent:main:notes\u009b31m');
  });
});
