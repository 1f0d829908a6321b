// What a document tells a person to write or run, for the tests that do as it says.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The code block under `<!-- test: NAME -->` in a file of docs/. @throws Error when there is none, or more than one */
export function block(file: string, name: string): string {
  const text = readFileSync(join(import.meta.dirname, '..', 'docs', file), 'utf8');
  const found = [...text.matchAll(/^<!-- test: (\S+) -->\n```\w*\n([\s\S]*?)^```$/gm)].filter(([, n]) => n === name);
  const [one] = found;
  if (one === undefined || found.length > 1) throw new Error(`docs/${file} has ${found.length} blocks '${name}'`);
  return one[2] ?? '';
}

/** Puts what is true here in the place of what the document has for an example. @throws Error where that isn't there */
export function filled(text: string, values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values).reduce((filling, [example, value]) => {
    if (!filling.includes(example)) throw new Error(`'${example}' does not stand in:\n${filling}`);
    return filling.replaceAll(example, String(value));
  }, text);
}
