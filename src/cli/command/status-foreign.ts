import { claimText } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { ok, type Part, unseen, warn } from '../part.ts';
import { recordsOf, textOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

/** What a gateway that is no Latchkey answered; `null`: it is not told, or not to us. */
interface Found {
  readonly answer: Row;
  readonly list: Row | null;
  /** Why there is no list. */
  readonly why: string;
}

/** Of such a gateway is shown what it says: it tells nothing of sockets, stores and grants. */
export function foreignRows(context: Context, { answer, list, why }: Found): readonly (readonly [string, string])[] {
  const release = textOf(answer.runtimeVersion);
  const told = claimText(why);
  const open = recordsOf(list?.pending).length;
  return [
    ['gateway', `running${release === null ? '' : `  ${claimText(release)}`}, no Latchkey: it proves no key`],
    ['address', context.globals.url ?? 'as the environment or the configuration says'],
    ['devices', list === null ? told : `${recordsOf(list.paired).length} paired`],
    ['open requests', list === null ? told : open === 0 ? 'none' : `${open}: ${context.command} devices list`],
  ];
}

export function foreignParts(context: Context, { list, why }: Found, tookMs: number): readonly Part[] {
  const open = recordsOf(list?.pending).length;
  const paired = recordsOf(list?.paired).length;
  const devices = paired === 1 ? '1 device paired' : `${paired} devices paired`;
  return [
    ok('connection', `answers (${Math.round(tookMs)} ms)`),
    unseen('inside', 'it is no Latchkey; its own host sees more by: openclaw status --deep'),
    list === null
      ? unseen('requests', why)
      : open === 0
        ? ok('requests', `none open, ${devices}`)
        : warn('requests', `${open} open, ${devices}`, `${context.command} devices list`),
  ];
}
