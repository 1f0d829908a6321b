import { createInterface } from 'node:readline/promises';

/** One line from the terminal; `null` when it was closed. The question goes to standard error: results are elsewhere. */
export function ask(question: string): Promise<string | null> {
  return line(question, process.stderr);
}

/** The same for what nobody should see over a shoulder: what is typed is not shown. */
export async function askHidden(question: string): Promise<string | null> {
  process.stderr.write(question);
  const { Writable } = process.getBuiltinModule('node:stream');
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await line('', nowhere);
  } finally {
    process.stderr.write('\n');
  }
}

async function line(question: string, output: NodeJS.WritableStream): Promise<string | null> {
  const lines = createInterface({ input: process.stdin, output, terminal: process.stdin.isTTY === true });
  try {
    const ended = new Promise<null>((resolve) => lines.once('close', () => resolve(null)));
    return await Promise.race([lines.question(question), ended]);
  } finally {
    lines.close();
  }
}
