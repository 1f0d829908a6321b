import { createInterface } from 'node:readline/promises';

/** One line from the terminal; `null` when it was closed. The question goes to standard error: results are elsewhere. */
export async function ask(question: string): Promise<string | null> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const ended = new Promise<null>((resolve) => lines.once('close', () => resolve(null)));
    return await Promise.race([lines.question(question), ended]);
  } finally {
    lines.close();
  }
}
